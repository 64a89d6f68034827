"""The command line as a reader meets it: one line and exit code 2 where something can be mended."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest


def process(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "cofinal_lib.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_help_does_not_wait_for_torch():
    code = "import sys, cofinal_lib.cli; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert "train" in process("--help").stdout


@pytest.fixture
def one_job(monkeypatch):
    """Starting processes would take longer than these trainings."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")


def test_a_run_from_the_command_line(cofinal, one_job, tmp_path):
    arguments = ["train", "--dataset", "twin/ball", "--seeds", 1, "--epochs", 2, "--out", tmp_path]
    arguments += ["--twin", "feature_dim=16", "--twin", "n_train=40", "--option", "n_grades=5"]
    first = process(*arguments)
    assert first.returncode == 0, first.stderr
    (folder,) = tmp_path.iterdir()
    assert {p.name for p in folder.iterdir()} == {"record.json", "arrays.npz", "run.ipynb"}
    assert "ridge" in first.stdout and str(folder) in first.stdout
    assert cofinal(*arguments).stdout == first.stdout


def test_simulate_check_and_train_on_a_readers_folder(cofinal, one_job, tmp_path):
    assert cofinal("data", "simulate", "rg", "--out", tmp_path / "rg", "--knob", "n_train=8").returncode == 0
    checked = cofinal("data", "check", "rg", "--folder", tmp_path / "rg")
    assert checked.stdout.count("OK") == 4 and "8 training and 50 test routines" in checked.stdout
    out = tmp_path / "runs"
    small = ["--seeds", 1, "--epochs", 1, "--option", "procedure_dim=32", "--option", "score_dim=24"]
    trained = cofinal("train", "--dataset", "rg/ball", "--folder", tmp_path / "rg", "--out", out, *small)
    assert trained.returncode == 0 and "rg/ball" in trained.stdout, trained.stderr


def test_a_method_that_draws_nothing_is_fitted_once(cofinal, tmp_path):
    small = ["--twin", "n_train=40", "--twin", "feature_dim=16"]
    done = cofinal("train", "--dataset", "twin/ball", "--method", "ridge", *small, "--out", tmp_path)
    assert done.returncode == 0 and "over 1 seed (" in done.stdout
    assert json.loads(next(tmp_path.glob("*/record.json")).read_text())["spec"]["seeds"] == [0]


FAULTS = {
    "unknown target": (["train", "--dataset", "rg/rope", "--out", "x"], "unknown target 'rg/rope'"),
    "no features": (["train", "--dataset", "rg/ball", "--out", "x"], "links to RG's features are dead"),
    "no such option": (
        ["train", "--dataset", "twin/ball", "--out", "x", "--option", "grades=4"],
        "unknown option grades",
    ),
    "no seeds": (["train", "--dataset", "twin/ball", "--out", "x", "--seeds", "0"], "'--seeds'"),
    "all seeds": (["train", "--dataset", "twin/ball", "--out", "x", "--seeds", "100000000000"], "'--seeds'"),
    "all epochs": (["train", "--dataset", "twin/ball", "--out", "x", "--epochs", "9" * 22], "'--epochs'"),
    "two seeds": (["data", "simulate", "rg", "--out", "x", "--seed", "4", "--knob", "seed=3"], "say --seed"),
    "no number": (["train", "--dataset", "twin/ball", "--out", "x", "--epochs", "many"], "'--epochs'"),
    "no such flag": (["train", "--dataset", "twin/ball", "--out", "x", "--grades", "4"], "--grades"),
    "where to read on": (["data", "check"], "see cofinal data check --help"),
    "no name": (["train", "--dataset", "twin/ball", "--out", "x", "--option", "=4"], "expected NAME=VALUE"),
    "no value": (
        ["train", "--dataset", "twin/ball", "--out", "x", "--option", "grades"],
        "expected NAME=VALUE",
    ),
    "wrong knob": (["train", "--dataset", "twin/ball", "--out", "x", "--twin", "noise=4"], "noise"),
    "knob of load": (["train", "--dataset", "twin/ball", "--out", "x", "--twin", "folder=3"], "no knob folder"),
    "knob of the call": (["data", "simulate", "rg", "--out", "x", "--knob", "target=3"], "no knob target"),
    "seed of real data": (["train", "--dataset", "fisv/pcs", "--out", "x", "--twin", "seed=7"], "real data; seed"),
    "scored as a whole": (["score", "--checkpoint", "x", "--dataset", "rg"], "unknown target 'rg'"),
    "no such folder": (["data", "check", "rg/ball", "--folder", "nowhere"], "train.txt is missing"),
    "nothing to fetch": (["data", "fetch", "rugby"], "unknown data set 'rugby'"),
    "nothing to simulate": (["data", "simulate", "uiprmd", "--out", "x"], "expected rg or fisv"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_reader_can_mend_is_one_line_and_exit_code_2(fault, cofinal, tmp_path, monkeypatch):
    arguments, words = FAULTS[fault]
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    result = cofinal(*arguments)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_a_process_of_its_own_ends_with_2_as_well(tmp_path):
    result = process("train", "--dataset", "rg/rope", "--out", tmp_path)
    assert result.returncode == 2 and result.stderr.count("\n") == 1 and "rg/rope" in result.stderr


def test_no_network_is_one_line(cofinal, tmp_path, monkeypatch):
    given = {"COFINAL_MIRROR": "", "COFINAL_CACHE": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:1"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    result = cofinal("data", "fetch", "rg")
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 2 and last.startswith("cofinal: cannot download") and "Traceback" not in result.stderr


def test_an_interrupted_training_leaves_nothing(tmp_path):
    arguments = ["train", "--dataset", "twin/ball", "--method", "gdlt", "--option", "hidden_dim=16", "--seeds", "40"]
    arguments += ["--epochs", "30", "--twin", "feature_dim=16", "--twin", "n_train=40", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "cofinal_lib.cli", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    shown = ""
    while int(([0, *re.findall(r" (\d+)/80", shown)])[-1]) < 8:  # all processes run by then, and much is left to do
        shown += process.stderr.read(1)
        assert process.poll() is None, shown
    os.killpg(process.pid, signal.SIGINT)  # as a terminal's Ctrl-C
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


def test_doctor_says_what_is_there(cofinal):
    result = cofinal("doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    for what in ("python", "torch", "device", "fisv", "disk"):
        assert what in result.stdout
