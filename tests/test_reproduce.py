"""`cofinal reproduce`, on the tiny profile: nothing twice, nothing half, failures named, killed and resumed."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cofinal_lib import experiments, reproduce
from cofinal_lib.errors import CofinalError
from cofinal_lib.records import RESULTS
from cofinal_lib.runs import RunSpec

ROOT = Path(__file__).parents[1]
ARTEFACTS = ("figure4a",)
KILLS = int(os.environ.get("COFINAL_KILLS", 2))


def command(out, *options):
    return [sys.executable, "-m", "cofinal_lib.cli", "reproduce", *options, "--profile", "tiny", "--out", str(out)]


def start(out, *options):
    return subprocess.run(command(out, *options, "--cores", "2"), capture_output=True, text=True, cwd=ROOT)


def files(out, *artefacts):
    return {p.name: p.read_bytes() for a in artefacts for p in sorted(out.glob(f"{a}*.*"))}


def finished(out):
    return {p.parent.name: p.stat().st_mtime_ns for p in out.glob("*/record.json")}


def wanted():
    """Labels of all runs of the jobs that hold an artefact's."""
    return {experiments.label(s) for specs in needed().values() for s in specs}


def needed():
    """The jobs that hold an artefact's runs."""
    plan = experiments.plan("tiny")
    jobs = experiments.jobs("tiny", plan)
    return {job: jobs[job] for a in ARTEFACTS for job in experiments.needed(plan[a], jobs)}


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """The folder of an undisturbed run, and the seconds that it took."""
    out, started = tmp_path_factory.mktemp("undisturbed") / "tiny", time.perf_counter()
    done = start(out, *ARTEFACTS)
    assert done.returncode == 0, done.stderr + done.stdout
    return out, time.perf_counter() - started


@pytest.fixture(scope="module")
def undisturbed(timed):
    return timed[0]


def test_every_run_is_a_folder_with_its_executed_notebook(undisturbed):
    assert len(finished(undisturbed)) == len(wanted())
    for folder in undisturbed.glob("twin-*"):
        assert {"record.json", "arrays.npz", "run.ipynb"} <= {p.name for p in folder.iterdir()}
    assert {p.suffix for p in undisturbed.glob("figure4a.*")} == {".csv", ".png", ".svg"}


def test_a_second_time_nothing_is_made_again(undisturbed):
    before, drawn = finished(undisturbed), files(undisturbed, *ARTEFACTS)
    assert start(undisturbed, *ARTEFACTS).returncode == 0
    assert finished(undisturbed) == before and files(undisturbed, *ARTEFACTS) == drawn


def test_killed_at_random_moments_and_resumed_the_tables_are_the_same(timed, tmp_path):
    (undisturbed, seconds), out, moments, killed = timed, tmp_path / "tiny", random.Random(0), []
    for _ in range(KILLS):
        victim = subprocess.Popen(
            command(out, *ARTEFACTS, "--cores", "2"), cwd=ROOT, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(moments.uniform(0.2, 0.7) * seconds)
        os.killpg(victim.pid, signal.SIGKILL)
        killed.append(victim.wait() == -signal.SIGKILL)
        before = finished(out)
    assert killed[0], "the first start was over before it could be killed"
    assert start(out, *ARTEFACTS).returncode == 0
    assert files(out, *ARTEFACTS) == files(undisturbed, *ARTEFACTS)
    assert before.items() <= finished(out).items()  # what was finished was not made again


def test_whatever_numbers_or_drawings_depend_on_is_work_to_be_done_again(monkeypatch):
    specs = [RunSpec("twin/ball")]
    runs, drawings = reproduce.circumstances(specs), reproduce.drawing_digest()
    assert (reproduce.circumstances(specs), reproduce.drawing_digest()) == (runs, drawings)
    for name in ("library_digest", "versions"):
        with monkeypatch.context() as changed:
            changed.setattr(reproduce, name, lambda: "another")
            assert reproduce.circumstances(specs) != runs and reproduce.drawing_digest() != drawings
    with monkeypatch.context() as changed:
        changed.setattr(reproduce, "state", lambda target: "other data")
        assert reproduce.circumstances(specs) != runs
    read = Path.read_bytes
    for file in ("grades.py", "table1.csv", "tables.py"):
        with monkeypatch.context() as changed:
            changed.setattr(Path, "read_bytes", lambda path, file=file: read(path) + b"#" * (path.name == file))
            assert reproduce.drawing_digest() != drawings, file


def test_a_dry_run_counts_what_is_missing_and_reckons_by_earlier_runs(cofinal, undisturbed, tmp_path):
    dry = ["reproduce", *ARTEFACTS, "--profile", "tiny", "--dry-run", "--out"]
    lines = cofinal(*dry, undisturbed).stdout.splitlines()
    assert lines[-1].startswith(f"0 of {len(wanted())} runs to make")
    lines = cofinal(*dry, tmp_path / "new").stdout.splitlines()
    assert lines[-1].startswith(f"{len(wanted())} of {len(wanted())} runs to make") and not (tmp_path / "new").exists()
    shutil.copytree(next(undisturbed.glob("*-cofinal-[0-9a-f]*")), tmp_path / "old" / "run")
    path, n = tmp_path / "old" / "run" / "record.json", len(wanted())
    alike = sum(s.method == "cofinal" for specs in needed().values() for s in specs)
    record = json.loads(path.read_text())
    for changed, missing in (("nothing", n - 1), ("library_digest", n), ("data_digest", n)):
        provenance = record["provenance"] | {"seconds": 40.0, changed: "another"}  # 10 s a seed and epoch
        path.write_text(json.dumps(record | {"provenance": provenance}))
        last = reproduce._plan(needed(), tmp_path / "old", "tiny", 1)[-1]
        cost = reproduce._duration(40 * (alike - n + missing))
        assert last.startswith(f"{missing} of {n} runs to make: about {cost} on 1 core by the cost of earlier runs")


def test_a_dry_run_for_gpus_divides_by_gpus_and_says_whose_pace_it_knows(cofinal, monkeypatch, tmp_path):
    job = {"one": [experiments.spec("paper", "fisv/pcs", method="gdlt")] * 4}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    on_cpus = {"job": [replace(job["one"][0], device="cpu")] * 4}
    gpus, cpus = (reproduce._plan(jobs, tmp_path, "paper", 2)[-1] for jobs in (job, on_cpus))
    assert gpus == cpus.replace("2 cores", "2 GPUs") + " on a CPU core"
    unknown = reproduce._plan(job, tmp_path, "colab", 2)
    assert unknown == ["one: 4 of 4 runs to make", "4 of 4 runs to make, and 4 like no earlier one"]


def test_a_failed_run_is_named_with_its_notebook_and_the_others_go_on(monkeypatch, tmp_path):
    real = reproduce.run

    def run(spec, out, **how):
        if spec.options.get("n_grades") == 3:
            raise CofinalError("training diverged")
        return real(spec, out, **how | {"report": lambda folder, home: (folder / "run.ipynb").touch()})

    monkeypatch.setattr(reproduce, "run", run)
    job = next(j for j in needed() if j.startswith("figure4a"))
    reproduce.work(job, "tiny", tmp_path)
    noted = json.loads((tmp_path / "jobs" / f"{job}.json").read_text())
    (name, why), *others = noted["failed"].items()
    assert "n_grades=3" in name and why["error"] == "training diverged" and not others
    assert "training diverged" in (tmp_path / why["notebook"]).read_text()
    with pytest.raises(CofinalError, match="runs failed: 1, jobs not finished: 0; start again with --retry"):
        reproduce._summary({job: []}, ["figure4a"], tmp_path, 0)
    for retried in ((), ["table3-twin-ball-1"]):  # another artefact's
        reproduce._tidy_up(tmp_path, retried)
        assert (tmp_path / "jobs" / f"{job}.json").exists() and (tmp_path / why["notebook"]).exists()
    reproduce._tidy_up(tmp_path, [job])
    assert not (tmp_path / "jobs" / f"{job}.json").exists() and not (tmp_path / why["notebook"]).exists()


def test_a_failure_whose_notebook_cannot_be_written_stops_no_other_run(monkeypatch, tmp_path):
    def run(spec, out, **how):
        raise CofinalError("no room")

    monkeypatch.setattr(reproduce, "run", run)
    (tmp_path / "failed").write_text("a file where the folder should be")
    jobs = experiments.jobs("tiny", experiments.plan("tiny"))
    job = max(jobs, key=lambda name: len(jobs[name]))
    reproduce.work(job, "tiny", tmp_path)
    assert len(json.loads((tmp_path / "jobs" / f"{job}.json").read_text())["failed"]) == len(jobs[job]) > 1


def test_a_failure_that_is_made_good_leaves_no_notebook(monkeypatch, tmp_path):
    job = next(j for j in needed() if j.startswith("figure4a"))
    for fails in (True, False):

        def run(spec, out, fails=fails, **how):
            if fails:
                raise CofinalError("no luck")
            return SimpleNamespace(record={"run_id": "x"}, metric=lambda **_: {"mean": 0.5})

        monkeypatch.setattr(reproduce, "run", run)
        reproduce.work(job, "tiny", tmp_path)
        assert bool(list((tmp_path / "failed").glob("*.ipynb"))) == fails


def test_a_profile_for_a_gpu_says_at_once_that_there_is_none(cofinal, monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    command = ["reproduce", "figure4a", "--profile", "tiny", "--device", "cuda", "--out", tmp_path / "new"]
    refused = cofinal(*command)
    assert refused.returncode == 2 and "torch finds no GPU here; --device cpu" in refused.stderr
    assert not (tmp_path / "new").exists() and cofinal(*command, "--dry-run").returncode == 0


def test_folders_given_from_here_are_found_from_the_runs_folder(monkeypatch, tmp_path):
    given = {}
    monkeypatch.chdir(tmp_path)
    for name in ("COFINAL_MIRROR", "COFINAL_CACHE"):
        monkeypatch.setenv(name, name.lower())
        (tmp_path / name.lower()).mkdir()
    done = lambda command, env, **_: given.update(env) or SimpleNamespace(returncode=0)  # noqa: E731
    monkeypatch.setattr(reproduce.subprocess, "run", done)
    with pytest.raises(CofinalError, match="jobs not finished"):
        reproduce.reproduce(["figure4a"], "tiny", tmp_path / "new", 1)
    assert all(given[name] == str(tmp_path / name.lower()) for name in ("COFINAL_MIRROR", "COFINAL_CACHE"))


def test_by_default_results_lie_where_chapters_look(cofinal, monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(reproduce, "reproduce", lambda artefacts, profile, out, *_: given.append(out.resolve()) or [])
    monkeypatch.chdir(tmp_path)
    assert cofinal("reproduce", "--profile", "tiny").returncode == 0
    assert given == [RESULTS / "tiny"]


def test_an_artefact_without_a_run_is_one_line_and_draws_nothing(tmp_path):
    with pytest.raises(CofinalError, match="figure4a: none of its [0-9]+ runs was made, so there is nothing to show"):
        reproduce.render("figure4a", "tiny", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_corrupt_record_is_named_and_a_run_that_is_gone_made_again(cofinal, undisturbed, tmp_path):
    out = tmp_path / "tiny"
    shutil.copytree(undisturbed, out)
    job = next((out / "jobs").glob("figure4a*.json"))
    run_id = next(iter(json.loads(job.read_text())["runs"].values()))
    for name in ("record.json", "arrays.npz"):
        (out / run_id / name).write_text('{"run_id": ')
        refused = cofinal("reproduce", "figure4a", "--profile", "tiny", "--out", out)
        assert refused.returncode == 2 and re.search(f"{run_id}/{name} is .*corrupt", refused.stderr)
        assert len(refused.stderr.strip().splitlines()) == 1
        shutil.copy(undisturbed / run_id / name, out / run_id / name)
    shutil.rmtree(out / run_id)
    assert start(out, "figure4a").returncode == 0  # though figure4a itself is still there
    assert finished(out).keys() == finished(undisturbed).keys()
    assert files(out, "figure4a") == files(undisturbed, "figure4a")


def test_a_dry_run_sees_what_the_run_would_refuse(cofinal, tmp_path):
    (tmp_path / "file").write_text("mine")
    for faulty, words in (
        (["--out", tmp_path / "file"], "it is a file"),
        (["--out", tmp_path / "new", "--cluster", tmp_path], "no Snakemake profile"),
    ):
        dry = cofinal("reproduce", "figure4a", "--profile", "tiny", "--dry-run", *faulty)
        assert dry.returncode == 2 and words in dry.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"runs": 5, "failed": {}}'])
def test_a_corrupt_jobs_file_is_named(text, tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "figure4a-twin-ball-1.json").write_text(text)
    with pytest.raises(CofinalError, match="figure4a-twin-ball-1.json is corrupt .*delete it and start again"):
        reproduce._tidy_up(tmp_path)


def test_a_folder_in_use_is_refused(cofinal, tmp_path):
    with reproduce._alone(tmp_path):
        second = cofinal("reproduce", "figure4a", "--profile", "tiny", "--out", tmp_path)
    assert second.returncode == 2 and "is in use by another reproduction" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_unknown_names_are_one_line(cofinal, tmp_path):
    for words, said in (
        (["reproduce", "table9"], "unknown table9"),
        (["reproduce", "--profile", "fast"], "unknown profile 'fast'"),
        (["work", "table9-1", "--profile", "tiny"], "no job 'table9-1'"),
        (["render", "table9", "--profile", "tiny"], "no 'table9'"),
    ):
        done = cofinal(*words, "--out", tmp_path)
        assert done.returncode == 2 and said in done.stderr and len(done.stderr.strip().splitlines()) == 1
