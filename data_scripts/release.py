"""Make what a release attaches: wheel, sdist, notebooks, pages, a manifest, and everything's SHA-256.

    python data_scripts/release.py TAG FOLDER

After `make book`. TAG is "v" and the library's version. Files carry the commit's date, not today's: the same commit
gives the same wheel, sdist and notebooks, to the byte; pages hold times that were measured.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

from cofinal_lib import __version__
from cofinal_lib.command import run
from cofinal_lib.errors import CofinalError

ROOT = Path(__file__).resolve().parents[1]


def git(*arguments: str) -> str:
    """What git says of this checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def archive(path: Path, folder: Path, names: list[Path]) -> None:
    """A zip of some files of a folder: in order, and without their dates."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in sorted(names):
            info = zipfile.ZipInfo(name.relative_to(folder).as_posix())
            info.external_attr = 0o644 << 16  # who unpacks it may share it
            out.writestr(info, name.read_bytes(), zipfile.ZIP_DEFLATED)


def main(tag: str, out: Path) -> None:
    """Fill the folder, which must be new."""
    pages = ROOT / "_build" / "html"
    if tag != f"v{__version__}":
        raise CofinalError(f"tag {tag} does not fit cofinal_lib {__version__}: expected v{__version__}")
    if not (pages / "index.html").is_file():
        raise CofinalError(f"{pages} holds no pages: make book first")
    if out.exists():
        raise CofinalError(f"{out} is there already: name a new folder")
    out.mkdir(parents=True)
    environment = os.environ | {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(out.resolve())]
    subprocess.run(build, cwd=ROOT, check=True, env=environment)
    notebooks = [*(ROOT / "book").glob("[0-9]*.ipynb"), *(ROOT / "book" / "experiments").glob("*.ipynb")]
    archive(out / f"cofinal-book-{__version__}-notebooks.zip", ROOT / "book", notebooks)
    html = [path for path in pages.rglob("*") if path.is_file()]
    archive(out / f"cofinal-book-{__version__}-html.zip", pages, html)
    made = sorted(out.iterdir())
    manifest = {
        "release": tag,
        "commit": git("rev-parse", "HEAD"),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "numpy", "scipy", "pandas", "scikit-learn")},
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in made},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    sums = [f"{sha256(path)}  {path.name}\n" for path in [*made, out / "manifest.json"]]
    (out / "SHA256SUMS").write_text("".join(sums))


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    run(main)
