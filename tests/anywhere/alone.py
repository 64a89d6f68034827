"""Chapters without their repository: each notebook alone in an empty folder and a fresh environment, as on Colab.

    python tests/anywhere/alone.py [--python PYTHON3.12] [--profile colab] [--whole] [--keep FOLDER] [CHAPTER ...]

Makes one environment that holds what colab-runtime.txt lists and nothing else. Then, for each chapter: a new
environment on top of it, an empty folder, the notebook; its first cell installs our wheel (COFINAL_WHEEL names a file
here in place of the release's address) and what else is missing, and the rest runs to the end. Checks that
torch stayed as it was. Needs the network for the runtime, half an hour and 10 GB: by hand and weekly.
tests/test_anywhere.py does the same with one chapter, on the packages that are here.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTED = Path(__file__).with_name("colab-runtime.txt")
THIN = {"epochs": "40"}  # of the chapters whose parameters name it
# Nothing of this machine's reaches a chapter: no data, no library, no results.
OURS = ("PYTHONPATH", "COFINAL_MIRROR", "COFINAL_WHEEL", "VIRTUAL_ENV", "JUPYTER_PATH", "IPYTHONDIR")


def run(*command, **how) -> str:
    """A command's output; what it said, where it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **how)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command[:6]))} ... failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def wheel(out: Path) -> Path:
    """Build our wheel into a folder."""
    shutil.rmtree(out, ignore_errors=True)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=ROOT)
    return next(Path(out).glob("*.whl"))


def runtime(folder: Path, python: str) -> Path:
    """An environment with the listed packages and nothing else; its folder of packages."""
    run(python, "-m", "venv", folder)
    run(folder / "bin" / "python", "-m", "pip", "install", "-q", "-r", LISTED)
    return packages(folder)


def packages(environment: Path) -> Path:
    """Where an environment keeps its packages."""
    return next((Path(environment) / "lib").glob("python3.*/site-packages"))


def fresh(folder: Path, python: str, below: Path) -> Path:
    """A new environment that sees the packages of a folder, pip among them, and has none of its own; its Python."""
    run(python, "-m", "venv", "--without-pip", folder)
    (packages(folder) / "below.pth").write_text(f"{below}\n")
    return Path(folder) / "bin" / "python"


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """Environment variables for a reader who has nothing of ours, and whose caches are new."""
    clean = {name: value for name, value in os.environ.items() if name not in OURS}
    return clean | {"COFINAL_CACHE": str(home / "cache"), "IPYTHONDIR": str(home / "ipython")} | more


def chapter(notebook: Path, python: Path, home: Path, **more: str) -> Path:
    """Execute a notebook alone in an empty folder below `home` with an environment's Python; the executed copy.

    `more`: environment variables and, in lower case, the notebook's parameters.
    """
    folder, spec = home / "empty", home / "jupyter" / "kernels" / "alone"
    folder.mkdir(parents=True)
    spec.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "alone", "language": "python"}))
    shutil.copy(notebook, folder)
    given = [part for name, value in more.items() if name.islower() for part in ("--parameters", name, value)]
    variables = {name: value for name, value in more.items() if not name.islower()}
    env = surroundings(home, JUPYTER_PATH=str(home / "jupyter"), **variables)
    papermill = [sys.executable, "-m", "papermill", "--kernel", "alone", "--no-progress-bar", "--cwd", folder]
    run(*papermill, *given, folder / notebook.name, home / notebook.name, env=env)
    return home / notebook.name


def parameters(notebook: Path) -> set[str]:
    """The names that a notebook's parameters cell gives."""
    cells = json.loads(notebook.read_text())["cells"]
    cell = next(cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    return {line.split("=")[0].strip() for line in cell["source"]}


def brought(python: Path) -> list[str]:
    """The packages that an environment of `fresh` got of its own."""
    return sorted(path.name.split("-")[0] for path in packages(python.parents[1]).glob("*.dist-info"))


def main() -> int:
    """Take the chapters one by one; the number that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", type=Path)
    parser.add_argument("--python", default="python3.12", help="a Python of Colab's version")
    parser.add_argument("--profile", default="colab")
    parser.add_argument("--whole", action="store_true", help="without thinning: hours, on a CPU")
    parser.add_argument("--keep", type=Path, help="a folder for the environment and the executed notebooks")
    given = parser.parse_args()
    home = (given.keep or Path(tempfile.mkdtemp(prefix="alone-"))).resolve()
    if not (home / "runtime").exists():
        print("the runtime:", LISTED.name, flush=True)
        runtime(home / "runtime", given.python)
    below, ours, failed = packages(home / "runtime"), wheel(home / "wheel"), 0
    for notebook in given.chapters or sorted((ROOT / "book").glob("[0-9]*.ipynb")):
        place, started = home / notebook.stem, time.perf_counter()
        shutil.rmtree(place, ignore_errors=True)
        python = fresh(place / "environment", home / "runtime" / "bin" / "python", below)
        try:
            thin = {} if given.whole else {n: v for n, v in THIN.items() if n in parameters(notebook)}
            chapter(notebook, python, place, COFINAL_WHEEL=ours.as_uri(), profile=given.profile, **thin)
            said = f"brought {', '.join(brought(python))}"
            if "torch" in brought(python):
                raise RuntimeError("torch was touched")
        except RuntimeError as error:
            failed, said = failed + 1, f"FAILED\n{error}"
        print(f"{notebook.stem}: {time.perf_counter() - started:.0f} s, {said}", flush=True)
        shutil.rmtree(place / "environment")
    print(f"{failed} failed; executed notebooks in {home}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
