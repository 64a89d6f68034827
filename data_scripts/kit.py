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

from release import sha256  # the script beside this one

from cofinal_lib.data import registry

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


def main(release: Path, kit: Path, datasets: list[str]) -> None:
    """Fill the folder and pack it."""
    if kit.exists():
        sys.exit(f"{kit} is there already: name a new folder")
    if not list(release.glob("*.whl")):
        sys.exit(f"{release} holds no wheel: python data_scripts/release.py makes it")
    (wheel,) = release.glob("*.whl")
    kit.mkdir(parents=True)
    shutil.unpack_archive(next(release.glob("*-html.zip")), kit / "pages")
    shutil.unpack_archive(next(release.glob("*-notebooks.zip")), kit / "chapters")
    lock = shutil.copy(ROOT / "requirements.lock", kit)
    wheels = [sys.executable, "-m", "pip", "wheel", "-q", "-w", kit / "wheels", "-r", lock]
    subprocess.run(wheels, check=True)
    shutil.copy(wheel, kit / "wheels")
    for dataset in datasets or registry.DATASETS:
        shutil.copytree(registry.fetch_dataset(dataset, progress=True), kit / "data" / dataset)
    python = ".".join(platform.python_version_tuple()[:2])
    told = README.format(python=python, system=platform.system(), machine=platform.machine(), wheel=wheel.name)
    (kit / "README.txt").write_text(told)
    sums = [f"{sha256(path)}  {path.relative_to(kit)}\n" for path in sorted(kit.rglob("*")) if path.is_file()]
    (kit / "SHA256SUMS").write_text("".join(sums))
    print(shutil.make_archive(str(kit), "zip", kit.parent, kit.name))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
