"""What a bug report should say: Python, packages, device, data, disk, folders; each OK, WARN or FAIL with its fix.

It looks at what may be missing, so nothing but Python's own library is imported before it was looked at.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cofinal_lib import __version__
from cofinal_lib.errors import CofinalError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

IMPORT_NAMES = {"scikit-learn": "sklearn", "pyyaml": "yaml", "myst-nb": "myst_nb"}
BOOK_PACKAGES = ("jupyter-book", "papermill", "snakemake")
ENOUGH_GIB = 5


def findings() -> Iterator[tuple[str, str, str]]:
    """Yield (state, what, detail), state "OK", "WARN" or "FAIL"."""
    wrong = _python()
    yield (
        "FAIL" if wrong else "OK",
        "python",
        wrong or f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    )
    yield "OK", "cofinal_lib", f"{__version__} in {Path(__file__).parent}"
    yield from _packages()
    yield from _device()
    yield from _data()
    yield from _folders()


def ready(release: str) -> str:
    """What a chapter's first cell says: the device, where everything a chapter needs is there and fits together.

    Args:
        release: the version of the library that the chapter was written for.

    Raises:
        SystemExit: something clashes; a notebook shows the sentence, which says what to do.
    """
    if wrong := _python():
        sys.exit(wrong)
    if __version__ != release:
        sys.exit(
            f"This chapter is of release {release}, but cofinal_lib here is {__version__}: run "
            "`pip uninstall -y cofinal-book`, restart the kernel, and run the chapter again."
        )
    if unable := _cannot_compare():
        sys.exit(f"{unable}. Restart the kernel, and run the chapter again.")
    for requirement in requirements("chapters"):
        if wrong := clash(requirement):
            sys.exit(f"{wrong}. Restart the kernel, and run the chapter again.")
    ((state, _, detail),) = _device()
    if state == "FAIL":
        sys.exit(detail)
    return f"cofinal_lib {__version__}, device: {detail}"


def requirements(extra: str = "") -> list[Requirement]:
    """What the installed library needs, an extra's packages included; empty where it is on the path alone."""
    from packaging.requirements import Requirement

    try:
        found = [Requirement(line) for line in requires("cofinal-book") or []]
    except PackageNotFoundError:
        return []
    return [r for r in found if r.marker is None or r.marker.evaluate({"extra": extra})]


def clash(requirement: Requirement) -> str | None:
    """One package: None where it fits, else a clause that says what is wrong and what to do."""
    from packaging.version import Version

    name, wanted = requirement.name, f"pip install '{requirement.name}{requirement.specifier}'"
    try:
        there = version(name)
    except PackageNotFoundError:
        return f"{name} is missing: run {wanted}"
    if not requirement.specifier.contains(there, prereleases=True):
        return f"{name} {there} does not do, {requirement.specifier} is needed: run {wanted}"
    loaded = getattr(sys.modules.get(IMPORT_NAMES.get(name, name)), "__version__", there)
    if Version(loaded).public != Version(there).public:
        return f"{name} {loaded} is loaded, but {there} is installed by now"
    return None


def _python() -> str | None:
    if sys.platform == "win32":
        return "Windows does not do: use WSL, or a chapter's button for Colab or Binder"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return None
    return f"{platform.python_version()} does not do: install Python 3.11, 3.12 or 3.13"


def _cannot_compare() -> str | None:
    """Versions are compared by a package, too."""
    return None if find_spec("packaging") else "packaging is missing: run pip install packaging"


def _packages() -> Iterator[tuple[str, str, str]]:
    """A line for all that fit, and one for each that does not."""
    if unable := _cannot_compare():
        yield "FAIL", "packaging", f"{unable}; the other packages were not looked at"
        return
    fit = []
    needed = requirements()
    if not needed:
        yield "WARN", "packages", "cofinal-book is not installed, only on the path; pip install -e . checks versions"
    clashes = {requirement.name: clash(requirement) for requirement in needed}
    for name, wrong in clashes.items():
        if wrong := wrong or (None if any(clashes.values()) else _broken(name)):  # one missing breaks others
            yield "FAIL", name, wrong
        else:
            fit.append(f"{name} {version(name)}")
    if fit:
        yield "OK", "packages", ", ".join(fit)
    there, absent = [], []
    for name in BOOK_PACKAGES:
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    if there:
        yield "OK", "book", ", ".join(there)
    if absent:
        fix = "pip install 'cofinal-book[book]' brings them"
        yield "WARN", "book", f"no {', '.join(absent)}; only building the book and reproducing need them: {fix}"


def _broken(name: str) -> str | None:
    """A package that is there and cannot be imported: a clause that says why, and what to do."""
    try:
        importlib.import_module(IMPORT_NAMES.get(name, name))
    except Exception as error:  # a broken binary fails in its own way
        return f"{name} cannot be imported ({_first_line(error)}): run pip install --force-reinstall {name}"
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _device() -> Iterator[tuple[str, str, str]]:
    try:
        import torch

        if torch.cuda.is_available():
            gib = torch.cuda.get_device_properties(0).total_memory / 2**30
            yield "OK", "device", f"{torch.cuda.get_device_name()}, {gib:.0f} GiB"
            return
    except Exception as error:  # a broken binary fails in its own way
        fix = "install it as pytorch.org says for this machine"
        yield "FAIL", "device", f"torch does not work here ({_first_line(error)}); {fix}"
        return
    cpu = f"CPU, {torch.get_num_threads()} threads"
    if shutil.which("nvidia-smi"):
        fix = "install one that can, as pytorch.org says; --device cpu works meanwhile"
        yield "WARN", "device", f"{cpu}; a GPU's driver is here, but torch {torch.__version__} sees no GPU: {fix}"
    else:
        yield "OK", "device", cpu


def _data() -> Iterator[tuple[str, str, str]]:
    try:
        from cofinal_lib.data import registry

        folder = registry.mirror() or registry.cache()
    except CofinalError as error:
        yield "FAIL", "data", str(error)
        return
    except Exception as error:  # a broken binary fails in its own way
        yield "FAIL", "data", f"not looked for: {_first_line(error)}; mend the packages first"
        return
    for dataset in registry.DATASETS:
        names = [name for name in registry.FILES if name.startswith(f"{dataset}/")]
        there = sum((folder / name).is_file() for name in names)
        if there == len(names):
            yield "OK", dataset, f"{there} files in {folder / dataset}"
        else:
            fix = "add them to COFINAL_MIRROR's folder" if registry.mirror() else f"cofinal data fetch {dataset}"
            yield "WARN", dataset, f"{there} of {len(names)} files in {folder / dataset}; {fix}"


def _folders() -> Iterator[tuple[str, str, str]]:
    """Where results and fetched files go: can they be written, and is there room?"""
    for what, folder, fix in (
        ("results", Path("results").absolute(), "change to a folder of your own, or give --out"),
        ("downloads", _cache(), "set COFINAL_CACHE to a folder of your own"),
    ):
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        try:
            with tempfile.TemporaryFile(dir=there) as trial:
                trial.write(bytes(2**20))
        except OSError as error:
            yield "FAIL", what, f"{there} cannot be written ({error.strerror}); {fix}"
            continue
        free = shutil.disk_usage(there).free / 2**30
        room = f"{folder} can be written, {free:.0f} GiB of disk free"
        if free < ENOUGH_GIB:
            yield "WARN", what, f"{room}; {ENOUGH_GIB} are wanted: {fix}"
        else:
            yield "OK", what, room


def _cache() -> Path:
    try:
        from cofinal_lib.data import registry

        return registry.cache().absolute()
    except Exception:  # packages are missing, as said above
        return Path(os.environ.get("COFINAL_CACHE") or Path.home())
