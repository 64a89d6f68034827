"""Write the cell that every chapter begins with, below its parameters: install where missing, check, say the device.

    python data_scripts/first_cell.py

The address comes from _config.yml, the release from the library; tests/test_anywhere.py says when a chapter differs.
"""

import json
from pathlib import Path

import yaml

from cofinal_lib import __version__

ROOT = Path(__file__).resolve().parents[1]
CELL = """\
# On Colab, and wherever else the library is missing, install its release; torch stays as it is.
import os
import subprocess
import sys
from importlib import import_module, metadata, util

release, releases = "{release}", "{repository}/releases/download"
if not util.find_spec("cofinal_lib"):
    wheel = os.environ.get("COFINAL_WHEEL", f"{{releases}}/v{{release}}/cofinal_book-{{release}}-py3-none-any.whl")
    torch = [f"torch=={{metadata.version('torch')}}"] if util.find_spec("torch") else []
    pip = [sys.executable, "-m", "pip", "install", "-q", f"cofinal-book[chapters] @ {{wheel}}", *torch]
    if (done := subprocess.run(pip, capture_output=True, text=True)).returncode:
        sys.exit(next(line for line in done.stderr.splitlines() if "ERROR" in line))
print(import_module("cofinal_lib.doctor").ready(release))"""


def repository() -> str:
    """The public address of the repository, which stands in _config.yml."""
    return yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]


def first_cell() -> dict:
    """The cell as a notebook holds it; pages do not show it."""
    source = CELL.format(release=__version__, repository=repository()).splitlines(keepends=True)
    tags = {"tags": ["remove-cell"]}
    return {
        "cell_type": "code", "execution_count": None, "id": "first-cell", "metadata": tags, "outputs": [],
        "source": source,
    }  # fmt: skip


def with_first_cell(notebook: dict) -> dict:
    """The notebook with the cell as it should be, right below its parameters."""
    cells = [cell for cell in notebook["cells"] if cell.get("id") != "first-cell"]
    at = next(i for i, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", []))
    return notebook | {"cells": [*cells[: at + 1], first_cell(), *cells[at + 1 :]]}


if __name__ == "__main__":
    for path in sorted((ROOT / "book").glob("[0-9]*.ipynb")):
        text = json.dumps(with_first_cell(json.loads(path.read_text())), indent=1, ensure_ascii=False) + "\n"
        if text != path.read_text():
            path.write_text(text)
            print(path.relative_to(ROOT))
