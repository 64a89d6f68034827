"""Write what names the public address and the release: chapters' first cells, pyproject.toml, CITATION.cff, README.

    python data_scripts/first_cell.py

The address comes from _config.yml, the release from the library; tests/test_anywhere.py says when a file differs.
"""

import json
import re
import tomllib
from pathlib import Path

import yaml

from cofinal_lib import __version__
from cofinal_lib.command import run

ROOT = Path(__file__).resolve().parents[1]
# Below a chapter's parameters: install where missing, check, say the device.
CELL = """\
import os
import subprocess
import sys
from importlib import import_module, metadata, util

release, releases = "{release}", "{address}/releases/download"
if not util.find_spec("cofinal_lib"):  # as on Colab: install the release; torch stays as it is
    wheel = os.environ.get("COFINAL_WHEEL", f"{{releases}}/v{{release}}/cofinal_book-{{release}}-py3-none-any.whl")
    torch = [f"torch=={{metadata.version('torch')}}"] if util.find_spec("torch") else []
    pip = [sys.executable, "-m", "pip", "install", "-qq", f"cofinal-book[chapters] @ {{wheel}}", *torch]
    done = {lowest} <= sys.version_info < {above} and subprocess.run(pip, capture_output=True, text=True)
    if not done or done.returncode or not util.find_spec("cofinal_lib"):
        said = sorted(done.stderr.splitlines(), key=lambda s: "ERROR" not in s) if done else ["Python " + sys.version]
        sys.exit(f"cofinal_lib needs {needs}; not ready: {{[*said, 'restart the kernel'][0]}}")
print(import_module("cofinal_lib.doctor").ready(release))"""
# In README: where a reader goes from GitHub.
LINKS = """\
**[Read the book](https://{pages}/)** · chapter 1 in \
[Colab](https://colab.research.google.com/github/{name}/blob/main/book/01-problem.ipynb) or on \
[Binder](https://mybinder.org/v2/gh/{name}/main?urlpath=lab/tree/book/01-problem.ipynb) · \
[releases]({address}/releases)
"""


def repository() -> str:
    """The public address of the repository, which stands in _config.yml."""
    return yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]


def texts(address: str) -> dict[Path, str]:
    """Every file that names the address or the release, as it should be."""
    owner, project = address.split("/")[-2:]
    links = LINKS.format(pages=f"{owner}.github.io/{project}", name=f"{owner}/{project}", address=address)
    written = {
        path: json.dumps(with_first_cell(json.loads(path.read_text()), address), indent=1, ensure_ascii=False) + "\n"
        for path in sorted((ROOT / "book").glob("[0-9]*.ipynb"))
    }
    for name, pattern, new in (
        ("pyproject.toml", r'(?<=^Repository = ")[^"]*', address),
        ("CITATION.cff", r"(?<=^repository-code: ).*", address),
        ("CITATION.cff", r"(?<=^version: ).*", __version__),
        ("README.md", r"(?<=^<!-- links -->\n).*\n", links),
    ):
        path = ROOT / name
        written[path] = re.sub(pattern, lambda _, new=new: new, written.get(path, path.read_text()), flags=re.MULTILINE)
    return written


def first_cell(address: str) -> dict:
    """The cell as a notebook holds it; pages do not show it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (torch,) = (line for line in project["dependencies"] if line.startswith("torch"))
    python = project["requires-python"]
    lowest, above = (tuple(map(int, version)) for version in re.findall(r"(\d+)\.(\d+)", python))
    cell = CELL.format(
        release=__version__, address=address, lowest=lowest, above=above, needs=f"Python{python}, {torch}"
    )
    return {
        "cell_type": "code", "execution_count": None, "id": "first-cell", "metadata": {"tags": ["remove-cell"]},
        "outputs": [], "source": cell.splitlines(keepends=True),
    }  # fmt: skip


def with_first_cell(notebook: dict, address: str) -> dict:
    """The notebook with the cell as it should be, right below its parameters."""
    cells = [cell for cell in notebook["cells"] if cell.get("id") != "first-cell"]
    at = next(i for i, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", []))
    return notebook | {"cells": [*cells[: at + 1], first_cell(address), *cells[at + 1 :]]}


def main() -> None:
    """Write the chapters that differ."""
    for path, text in texts(repository()).items():
        if text != path.read_text():
            path.write_text(text)
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    run(main)
