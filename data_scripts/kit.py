"""Make one archive for a room without a network: pages, chapters, wheels, data, and how to use them.

    python data_scripts/kit.py RELEASE FOLDER [DATASET ...]

RELEASE is what data_scripts/release.py made; FOLDER, which must be new, gets the kit and FOLDER.zip is it in one file.
The wheels are those of requirements.lock for this Python, system and processor. The data (all public files, unless
some are named) come from COFINAL_MIRROR, or are fetched. They belong to their authors: a kit is for a class of yours,
not for publication.
"""

import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from release import sha256  # the script beside this one

from cofinal_lib.command import run
from cofinal_lib.data import registry
from cofinal_lib.errors import CofinalError

ROOT = Path(__file__).resolve().parents[1]
README = """\
CoFInAl, checked: the book without a network. For Python {python} on {system} {machine}.

Read:  pages/index.html
Run:   python{python} -m venv env
       env/bin/pip install --no-deps wheels/*.whl
       COFINAL_MIRROR=$PWD/data env/bin/jupyter lab chapters
Holds: the versions of requirements.lock as wheels, the library's own wheels/{wheel} among them
Check: sha256sum --check --quiet SHA256SUMS; COFINAL_MIRROR=$PWD/data env/bin/cofinal doctor
"""


def main(release: Path, kit: Path, datasets: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Fill the folder and pack it."""
    if kit.exists():
        raise CofinalError(f"{kit} is there already: name a new folder")
    wheel, pages, chapters = (_only(release, pattern) for pattern in ("*.whl", "*-html.zip", "*-notebooks.zip"))
    datasets = dict.fromkeys(datasets or registry.DATASETS)
    if unknown := set(datasets) - set(registry.DATASETS):
        raise CofinalError(f"unknown data set {', '.join(unknown)}; expected some of {', '.join(registry.DATASETS)}")
    data = {dataset: registry.fetch_dataset(dataset, progress=True) for dataset in datasets}
    kit.mkdir(parents=True)
    shutil.unpack_archive(pages, kit / "pages")
    shutil.unpack_archive(chapters, kit / "chapters")
    lock = shutil.copy(ROOT / "requirements.lock", kit)
    wheels = [sys.executable, "-m", "pip", "wheel", "-q", "-w", kit / "wheels", "-r", lock]
    try:
        subprocess.run(wheels, check=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(kit)
        raise CofinalError("pip made no wheels of requirements.lock, and said why above; nothing is kept") from None
    shutil.copy(wheel, kit / "wheels")
    for dataset, folder in data.items():
        shutil.copytree(folder, kit / "data" / dataset)
    python = ".".join(platform.python_version_tuple()[:2])
    told = README.format(python=python, system=platform.system(), machine=platform.machine(), wheel=wheel.name)
    (kit / "README.txt").write_text(told)
    sums = [f"{sha256(path)}  {path.relative_to(kit)}\n" for path in sorted(kit.rglob("*")) if path.is_file()]
    (kit / "SHA256SUMS").write_text("".join(sums))
    print(shutil.make_archive(str(kit), "zip", kit.parent, kit.name))


def _only(release: Path, pattern: str) -> Path:
    found = list(release.glob(pattern))
    if len(found) != 1:
        raise CofinalError(
            f"{release} holds {len(found)} files {pattern}, expected one; python data_scripts/release.py makes it"
        )
    return found[0]


if __name__ == "__main__":
    run(main)
