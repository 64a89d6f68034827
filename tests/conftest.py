"""Where the real data lies: COFINAL_MIRROR, or shared/data beside the checkout; tests that need it skip without."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cofinal_lib.cli import main

_BESIDE = Path(__file__).parents[2] / "shared" / "data"
if "COFINAL_MIRROR" not in os.environ and _BESIDE.is_dir():
    os.environ["COFINAL_MIRROR"] = str(_BESIDE)
torch.set_num_threads(1)  # small tensors, and several test processes

# Minutes each: begun first, so that no process waits at the end while another is at one of them.
SLOW = ("test_reproduce.py", "test_course.py", "test_cli.py", "test_anywhere.py", "test_runs.py", "test_full_size.py")


def pytest_collection_modifyitems(items):
    """Slow files first; within a file the order stays."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))


@pytest.fixture
def meta(monkeypatch) -> str:
    """A device that computes shapes alone, where to ask for a value is an error; the fused optimiser knows it not."""
    monkeypatch.setattr("cofinal_lib.train._optimiser", lambda params, schedule: (torch.optim.SGD(params, 0.01), None))
    return "meta"


@pytest.fixture
def mirror() -> Path:
    """The folder of real data, or a skip that says so."""
    folder = Path(os.environ.get("COFINAL_MIRROR", "nowhere"))
    if not (folder / "fisv" / "train.txt").is_file():
        pytest.skip("no real data: COFINAL_MIRROR names no folder that holds it")
    return folder


@pytest.fixture
def cofinal(monkeypatch, capfd):
    """The command line with some arguments, in this process (a new one imports torch anew, seconds each).

    Gives returncode, stdout and stderr, as subprocess.run does.
    """

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["cofinal", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        stdout, stderr = capfd.readouterr()
        return SimpleNamespace(returncode=ended.value.code or 0, stdout=stdout, stderr=stderr)

    return call


def pytest_terminal_summary(terminalreporter):
    """The graders' own grade: how many wrong solutions lose points (tests/assignments)."""
    reports = [r for group in terminalreporter.stats.values() for r in group if getattr(r, "when", "") == "call"]
    rates = [value for report in reports for key, value in report.user_properties if key == "mutants"]
    if rates:
        killed, tried = (sum(column) for column in zip(*rates, strict=True))
        terminalreporter.write_line(
            f"Graders: {killed} of {tried} wrong solutions lose points ({100 * killed / tried:.1f} %; at least 95 %)"
        )
