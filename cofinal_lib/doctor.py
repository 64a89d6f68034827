"""What a bug report should say: Python, packages, device, data, disk; each OK, WARN or FAIL with its fix."""

import importlib
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from cofinal_lib import __version__
from cofinal_lib.data import registry
from cofinal_lib.errors import CofinalError

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "matplotlib",
    "seaborn",
    "pooch",
    "typer",
    "tqdm",
)
IMPORT_NAMES = {"scikit-learn": "sklearn"}
BOOK_PACKAGES = ("jupyter-book", "papermill")


def findings() -> Iterator[tuple[str, str, str]]:
    """Yield (state, what, detail), state "OK", "WARN" or "FAIL"."""
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield (
        "OK" if supported else "FAIL",
        "python",
        f"{platform.python_version()} on {platform.system()} {platform.machine()}"
        + ("" if supported else "; install Python 3.11, 3.12 or 3.13"),
    )
    yield "OK", "cofinal_lib", __version__
    for package in PACKAGES:
        try:
            importlib.import_module(IMPORT_NAMES.get(package, package))
            yield "OK", package, version(package)
        except (ImportError, PackageNotFoundError) as error:
            yield "FAIL", package, f"{error}; run make book, or pip install {package}"
    for package in BOOK_PACKAGES:
        try:
            yield "OK", package, version(package)
        except PackageNotFoundError:
            yield "WARN", package, "not installed; only building the book needs it"
    yield from _device()
    for dataset in registry.DATASETS:
        yield _dataset(dataset)
    free = shutil.disk_usage(".").free / 2**30
    yield (
        ("OK" if free > 5 else "WARN"),
        "disk",
        f"{free:.0f} GiB free here" + ("" if free > 5 else "; 5 are wanted"),
    )


def _device() -> Iterator[tuple[str, str, str]]:
    try:
        import torch
    except ImportError:
        return  # said above
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    yield "OK", "device", name


def _dataset(dataset: str) -> tuple[str, str, str]:
    try:
        folder = registry.mirror() or registry.cache()
    except CofinalError as error:
        return "FAIL", dataset, str(error)
    names = [name for name in registry.FILES if name.startswith(f"{dataset}/")]
    there = sum((folder / name).is_file() for name in names)
    if there == len(names):
        return "OK", dataset, f"{there} files in {folder / dataset}"
    return (
        "WARN",
        dataset,
        f"{there} of {len(names)} files in {folder / dataset}; cofinal data fetch {dataset}",
    )
