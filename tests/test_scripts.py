"""The maintainers' scripts: wrong arguments, or data that are not at hand, are said at once, and write nothing."""

import multiprocessing
import sys
from importlib import import_module
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pandas as pd
import pytest
from joblib import cpu_count

from cofinal_lib import artefact, claims, records, results, train
from cofinal_lib.claims import runs
from cofinal_lib.command import run

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch, capfd, tmp_path):
    """A script with some arguments, in this process, in a folder and with a mirror that are empty.

    Gives returncode, stdout and stderr; a script that trains, evaluates or writes fails the test.
    """
    (tmp_path / "mirror").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.chdir(tmp_path / "here")
    for where, name in ((train, "fit"), (claims, "ledger"), (results, "whole"), (Path, "write_text"), (Path, "mkdir")):
        monkeypatch.setattr(where, name, lambda *_, _name=name, **__: pytest.fail(f"it goes on, to {_name}"))

    def call(name, *arguments):
        path = ROOT / f"{name}.py"
        monkeypatch.syspath_prepend(path.parent)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_path(str(path), run_name="__main__")
        stdout, stderr = capfd.readouterr()
        assert not list((tmp_path / "here").iterdir())
        return SimpleNamespace(returncode=ended.value.code or 0, stdout=stdout, stderr=stderr)

    return call


@pytest.mark.parametrize("path", [*ROOT.glob("data_scripts/*.py"), *ROOT.glob("benchmarks/*.py")], ids=lambda p: p.name)
def test_every_script_shows_how_it_is_used_and_refuses_what_it_does_not_know(path, script):
    name = path.relative_to(ROOT).with_suffix("").as_posix()
    said = script(name, "--help")
    assert said.returncode == 0 and f"python {name}.py" in " ".join(said.stdout.split())
    said = script(name, "--nonsense")
    assert said.returncode == 2 and said.stdout == "" and len(said.stderr.splitlines()) == 1
    assert said.stderr == f"{path.name}: No such option: --nonsense; see {path.name} --help\n"


@pytest.mark.parametrize(
    "command, told",
    [
        ("artefact_in_figure6", "COFINAL_MIRROR is set"),
        ("baselines", "COFINAL_MIRROR is set"),
        ("choose_reading fisv/pcs --arm typo", "no arm 'typo'; readings.toml lists them under [fisv.arms]"),
        ("choose_reading rg/ball", "'rg/ball'; readings.toml has some for targets of uiprmd, fisv"),
        ("circumstances", "Missing argument"),
        ("circumstances qick", "unknown profile 'qick'; expected one of tiny, quick"),
        ("claims now", "unexpected extra argument"),
        ("cross_validate", ""),  # no data, or a library with changes
        ("cross_validate nonsense", "no arm nonsense; expected some of"),
        ("honest_record networks nonsense", "'nonsense'; expected fisv/tes or fisv/pcs"),
        ("honest_record networks uiprmd/deep-squat", "'uiprmd/deep-squat'; expected fisv/tes or fisv/pcs"),
        ("honest_record record", "COFINAL_MIRROR is set"),
        ("readings_of_errata", "COFINAL_MIRROR is set"),
        ("reference nonsense", "unknown profile 'nonsense'; expected one of tiny, quick"),
        ("reference tiny nowhere", "nowhere holds no finished run of profile tiny; expected nowhere/<run id>/record"),
        ("release v0 new", "tag v0 does not fit"),
        ("splits x", "Invalid value for"),
        ("splits 9 -- -1", "Invalid value for"),
        ("splits", "COFINAL_MIRROR is set"),
        ("trained_parts fisv/pcs two out.csv", "Invalid value for"),
        ("trained_parts nonsense 2 out.csv", "unknown target 'nonsense'"),
        ("twin_ceiling 1 0", "Invalid value for"),
        ("twin_ceiling 1 2 3 4", "unexpected extra argument"),
        ("twin_quantiles nowhere", "nowhere/rg/train.txt is missing"),
    ],
)
def test_what_a_maintainer_can_mend_is_one_line(command, told, script):
    name, *arguments = command.split()
    said = script(f"data_scripts/{name}", *arguments)
    assert said.returncode == 2 and said.stdout == ""
    assert said.stderr.startswith(f"{name}.py: ") and told in said.stderr and len(said.stderr.splitlines()) == 1


def test_a_mirror_that_is_no_folder_is_one_line(script, monkeypatch):
    monkeypatch.setenv("COFINAL_MIRROR", "nowhere")
    said = script("data_scripts/circumstances", "quick")
    assert said.returncode == 2 and said.stderr.startswith(
        "circumstances.py: COFINAL_MIRROR names nowhere, which is no"
    )
    assert len(said.stderr.splitlines()) == 1


def test_a_file_that_cannot_be_read_is_one_line_and_a_fault_of_ours_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["data_scripts/some.py"])

    def main() -> None:
        open("nowhere/at all")

    with pytest.raises(SystemExit, match="2"):
        run(main)
    assert capsys.readouterr().err == "some.py: nowhere/at all: No such file or directory\n"

    def faulty() -> None:
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        run(faulty)


@pytest.mark.parametrize(
    "files, datasets, told",
    [
        (["a.whl", "a-html.zip", "a-notebooks.zip"], ["fisv", "nonsense"], "unknown data set nonsense; expected some"),
        (["a.whl", "a-html.zip", "a-notebooks.zip"], ["uiprmd"], "COFINAL_MIRROR is set"),
        (["a-html.zip", "a-notebooks.zip"], [], "holds 0 files *.whl, expected one"),
        (["a.whl", "b.whl", "a-html.zip", "a-notebooks.zip"], [], "holds 2 files *.whl, expected one"),
        (["a.whl", "a-notebooks.zip"], [], "holds 0 files *-html.zip, expected one"),
        (["a.whl", "a-html.zip"], [], "holds 0 files *-notebooks.zip, expected one"),
    ],
)
def test_a_kit_is_begun_when_all_is_there(files, datasets, told, script, tmp_path):
    for name in files:
        (tmp_path / name).touch()
    said = script("data_scripts/kit", tmp_path, "new", *datasets)
    *_, last = said.stderr.splitlines()  # above it, what tqdm draws
    assert said.returncode == 2 and last.startswith("kit.py: ") and told in last


# ------------------------------------------------------------------------------- the ledger


@pytest.mark.parametrize("absent", [["log"], ["labels", "fisv features"]])
def test_a_ledger_with_files_missing_takes_no_other_place(absent, script, monkeypatch):
    frame = claims.kept()
    for i, name in enumerate(absent):
        frame.loc[i, "missing"] = name
    monkeypatch.setattr(claims, "ledger", lambda: frame)
    monkeypatch.setattr(runs, "ROOT", runs.ROOT)  # the script sets it
    said = script("data_scripts/claims")
    assert said.returncode == 2 and len(said.stderr.splitlines()) == 1
    words = {"log": "the authors' log", "labels": "the public score files", "fisv features": "Fis-V's features"}
    assert [name for name in words if words[name] in said.stderr] == absent


def test_rows_that_nothing_at_hand_could_check_do_not_keep_a_ledger_from_being_written(monkeypatch, tmp_path, capsys):
    frame = claims.kept()
    assert "rg features" in set(frame["missing"])
    facts = artefact.log_facts(pd.DataFrame())
    for where, name, value in (
        (claims, "ledger", lambda: frame),
        (claims, "KEPT", tmp_path / "claims.csv"),
        (records, "REFERENCE", tmp_path),
        (artefact, "log_at_hand", lambda: None),
        (artefact, "log_facts", lambda log: facts),
        (runs, "ROOT", runs.ROOT),
    ):
        monkeypatch.setattr(where, name, value)
    run_path(str(ROOT / "data_scripts" / "claims.py"))["main"]()
    assert claims.kept().equals(frame) and (tmp_path / "log-facts.csv").is_file()
    assert claims.summary(frame) in capsys.readouterr().out


# ------------------------------------------------------------------------------- benchmarks


@pytest.mark.parametrize("name", ["training", "precision"])
@pytest.mark.parametrize("device", ["gpu", "cuda"])
def test_a_benchmark_refuses_a_device_before_it_measures(name, device, script, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    said = script(f"benchmarks/{name}", "--device", device)
    assert said.returncode == 2 and said.stderr.startswith(f"{name}.py: device '{device}' is not here; expected cpu")


def test_every_core_trains_its_seed_in_a_process_that_ends_with_the_block(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = import_module("training")
    data, others = benchmark.routines(8, 4, 6, 5, 8), multiprocessing.active_children()
    with benchmark.every_core(benchmark.thin(8), data) as epoch:
        started = [process for process in multiprocessing.active_children() if process not in others]
        epoch()
        epoch()
        assert len(started) == cpu_count() and all(process.is_alive() for process in started)
    assert not any(process.is_alive() for process in started)


def test_what_was_measured_is_kept_in_a_folder_that_is_new(monkeypatch, tmp_path):
    main = run_path(str(ROOT / "benchmarks" / "training.py"))["main"]
    nothing = SimpleNamespace(step=lambda: None)
    main.__globals__.update(  # what measures
        seconds=lambda jobs, turns, device: dict.fromkeys(jobs, 1.0),
        memory=lambda *_: 1,
        routines=lambda *_: None,
        plain=lambda *_: None,
        with_all_cores=lambda *_: {},
        Ours=lambda *_: nothing,
    )
    out = tmp_path / "new" / "file.csv"
    main(out)
    assert len(results.read_csv(out)) == 18
