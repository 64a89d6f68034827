"""What is wrong is said with its fix; what is right takes one screen."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

import cofinal_lib
from cofinal_lib import doctor


def states():
    return {what: (state, detail) for state, what, detail in doctor.findings()}


def test_a_screen_holds_everything_a_bug_report_needs():
    lines = [f"{state:<5} {what:<12} {detail}" for state, what, detail in doctor.findings()]
    assert len(lines) <= 24
    for what in ("python", "cofinal_lib", "device", "rg", "fisv", "uiprmd", "results", "downloads"):
        assert what in states()


def test_windows_is_sent_where_it_works(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert "WSL" in doctor._python()


def test_every_complaint_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "requirements", lambda extra="": [Requirement("numpy>=99"), Requirement("nonesuch>=1")])
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    monkeypatch.delenv("COFINAL_MIRROR", raising=False)
    monkeypatch.setenv("COFINAL_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**30))
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/usr/bin/{name}")
    found = states()
    for what, state, fix in (
        ("python", "FAIL", "install Python 3.11, 3.12 or 3.13"),
        ("numpy", "FAIL", "run pip install 'numpy>=99'"),
        ("nonesuch", "FAIL", "run pip install 'nonesuch>=1'"),
        ("fisv", "WARN", "cofinal data fetch fisv"),
        ("downloads", "WARN", "set COFINAL_CACHE"),
    ):
        assert found[what][0] == state and fix in found[what][1], found[what]
    import torch

    if not torch.cuda.is_available():
        assert found["device"][0] == "WARN" and "sees no GPU" in found["device"][1]


def test_it_works_where_nothing_is_installed(tmp_path):
    env = os.environ | {"PYTHONPATH": str(Path(cofinal_lib.__file__).parents[1]), "COFINAL_CACHE": str(tmp_path)}
    bare = [sys.executable, "-S"]  # without site-packages
    look = "from cofinal_lib import doctor; print(*map(' '.join, doctor.findings()), sep='\\n')"
    said = subprocess.run([*bare, "-c", look], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    for finding in ("FAIL packaging packaging is missing", "FAIL device torch does not", "FAIL data not looked for"):
        assert finding in said.stdout
    said = subprocess.run([*bare, "-m", "cofinal_lib.cli", "doctor"], env=env, capture_output=True, text=True)
    assert said.returncode == 2 and said.stderr.startswith("cofinal: typer is missing: run pip install")


def test_one_missing_package_is_not_blamed_on_those_that_need_it(monkeypatch):
    monkeypatch.setattr(doctor, "requirements", lambda extra="": [Requirement("nonesuch"), Requirement("pandas")])
    monkeypatch.setattr(doctor, "_broken", lambda name: f"{name} cannot be imported")
    found = states()
    assert found["nonesuch"][0] == "FAIL" and "pandas" not in found and "pandas" in found["packages"][1]


def test_a_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("COFINAL_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    state, detail = states()["downloads"]
    assert state == "FAIL" and str(tmp_path) in detail and "set COFINAL_CACHE" in detail


def test_a_file_where_results_belong_is_no_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").write_text("")
    state, detail = states()["results"]
    assert state == "FAIL" and "Not a directory" in detail


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_named(monkeypatch):
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", lambda dir: open("/dev/full", "wb"))
    state, detail = states()["results"]
    assert state == "FAIL" and "No space left on device" in detail


def test_files_that_a_mirror_lacks_are_not_to_be_fetched(monkeypatch, tmp_path):
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    assert states()["fisv"][1].endswith("add them to COFINAL_MIRROR's folder")


def test_a_package_fits_is_missing_does_not_do_or_is_another_than_the_one_loaded(monkeypatch):
    there = version("numpy")
    assert doctor.clash(Requirement("numpy>=1")) is None
    assert "is missing" in doctor.clash(Requirement("nonesuch>=1"))
    assert f"numpy {there} does not do" in doctor.clash(Requirement("numpy<1"))
    monkeypatch.setitem(sys.modules, "numpy", SimpleNamespace(__version__="1.0"))
    assert doctor.clash(Requirement("numpy>=1")) == f"numpy 1.0 is loaded, but {there} is installed by now"


def test_a_chapter_is_ready_or_hears_one_sentence(monkeypatch):
    assert doctor.ready(cofinal_lib.__version__).startswith(f"cofinal_lib {cofinal_lib.__version__}, device: ")
    with pytest.raises(SystemExit, match="This chapter is of release 99.0"):
        doctor.ready("99.0")
    monkeypatch.setattr(doctor, "requirements", lambda extra="": [Requirement("numpy<1")])
    with pytest.raises(SystemExit, match="numpy .* does not do, <1 is needed: run .* Restart the kernel"):
        doctor.ready(cofinal_lib.__version__)
