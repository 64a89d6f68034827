"""A run's folder: what it holds, that it is whole, that it is never computed twice."""

import dataclasses
import errno
import itertools
import json
import math
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from cofinal_lib import runs
from cofinal_lib.data import load
from cofinal_lib.data.readers import write_official
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import spearman
from cofinal_lib.records import RunRecord
from cofinal_lib.results import tidy
from cofinal_lib.rivals import METHODS
from cofinal_lib.runs import RunSpec, run

SPEC = RunSpec("twin/hoop", seeds=(0, 1), epochs=4, twin={"feature_dim": 16, "n_train": 50})


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return run(SPEC, tmp_path_factory.mktemp("results"), command="cofinal train ...")


def test_the_record_holds_spec_provenance_and_every_metric(record):
    stored = json.loads((record.folder / "record.json").read_text())
    assert stored["spec"]["target"] == "twin/hoop" and stored["provenance"]["source"] == "twin"
    assert stored["provenance"]["data_digest"] == load("twin/hoop", **SPEC.twin).digest
    for split in ("train", "test"):
        for measure in ("srcc", "relative_l2"):
            for selection in ("last", "validation", "best_on_test"):
                for decoding in ("soft", "hard"):
                    metric = stored["metrics"][split][measure][selection][decoding]
                    assert set(metric) == {"mean", "low", "high", "per_seed"} and len(metric["per_seed"]) == 2
    assert 0 < stored["baselines"]["ridge_on_mean_clip"]["test"]["srcc"] < 1


def test_metrics_follow_from_the_stored_predictions(record):
    arrays, data = record.arrays, load("twin/hoop", **SPEC.twin)
    assert arrays["predictions"].shape == (2, 4, 100, 2) and arrays["embedding"].shape == (2, 100, 256)
    test = ~arrays["is_train"]
    for seed in (0, 1):
        curve = [spearman(p[test, 0], data.scores[test]) for p in arrays["predictions"][seed]]
        assert record.metric()["per_seed"][seed] == pytest.approx(curve[-1])
        assert record.metric(selection="best_on_test")["per_seed"][seed] == pytest.approx(np.nanmax(curve))
        chosen = int(np.argmax(np.nan_to_num(arrays["validation_srcc"][seed], nan=-2)))
        wanted = curve[chosen]
        got = record.metric(selection="validation")["per_seed"][seed]
        assert (got is None and math.isnan(wanted)) or got == pytest.approx(wanted)
    assert list(arrays["ids"]) == list(data.ids)


def test_a_second_request_computes_nothing(record, monkeypatch):
    monkeypatch.setattr(runs, "fit", lambda *a, **k: pytest.fail("trained again"))
    again = run(SPEC, record.folder.parent)
    assert again.folder == record.folder and again.record == record.record


def test_whatever_could_change_the_numbers_changes_the_id(record, monkeypatch, tmp_path):
    ids = {record.record["run_id"]}
    monkeypatch.setattr(runs, "fit", lambda *a, **k: (_ for _ in ()).throw(KeyError))

    def id_of(spec):
        seen = []
        monkeypatch.setattr(runs, "_writable", lambda out: None)
        monkeypatch.setattr(RunRecord, "read", lambda folder: seen.append(folder.name))
        monkeypatch.setattr("pathlib.Path.exists", lambda self: True)
        run(spec, tmp_path)
        return seen[0]

    ids.add(id_of(dataclasses.replace(SPEC, epochs=5)))
    ids.add(id_of(dataclasses.replace(SPEC, seeds=(0, 2))))
    ids.add(id_of(dataclasses.replace(SPEC, options={"n_grades": 5})))
    ids.add(id_of(dataclasses.replace(SPEC, twin=SPEC.twin | {"judge_noise": 0.31})))
    monkeypatch.setattr(runs, "library_digest", lambda: "another library")
    ids.add(id_of(SPEC))
    monkeypatch.setattr(runs, "device_name", lambda device: "another processor")
    ids.add(id_of(SPEC))
    data = load("twin/hoop", **SPEC.twin)
    other = dataclasses.replace(data, is_train=data.is_train.roll(1))
    monkeypatch.setattr(runs, "load", lambda *args, **knobs: other)
    ids.add(id_of(SPEC))
    assert len(ids) == 8


def test_the_librarys_digest_covers_what_computes_and_nothing_that_shows(tmp_path, monkeypatch):
    copy = shutil.copytree(Path(runs.__file__).parent, tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(runs, "__file__", str(copy / "runs.py"))
    digest = runs.library_digest.__wrapped__
    before, covered = digest(), set()
    files = [path for path in copy.rglob("*.*") if path.suffix in (".py", ".csv")]
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        if digest() != before:
            covered.add(path.relative_to(copy).as_posix())
        path.write_bytes(content)
    computes = {"train.py", "runs.py", "metrics.py", "cofinal.py", "baselines.py", "dropout.py", "etf.py", "triplet.py"}
    computes |= {"grading.py", "grade_parsing.py", "fine_scoring.py", "temporal_fusion.py", "clip_preparation.py"}
    names = {path.relative_to(copy).as_posix() for path in files}
    computes |= {"padding.py"} | {name for name in names if name.startswith(("data/", "rivals/"))}
    shows = {name for name in names if name.startswith(("figures/", "paper/", "claims/", "classroom/"))}
    shows |= {"cli.py", "results.py", "tables.py", "experiments.py", "records.py"}
    assert "data/twin_quantiles.csv" in computes <= covered and shows <= names - covered
    assert digest() == before


def test_numbers_repeat_to_the_last_bit(record, tmp_path):
    other = run(SPEC, tmp_path)
    assert other.record["metrics"] == record.record["metrics"]
    assert all(np.array_equal(v, other.arrays[k], equal_nan=v.dtype.kind == "f") for k, v in record.arrays.items())


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(CofinalError, match="cannot write .*No space left on device"):
        run(SPEC, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "fit", lambda *a, **k: pytest.fail("trained in vain"))
    (tmp_path / "file").write_text("")
    with pytest.raises(CofinalError, match="cannot write into .*file"):
        run(SPEC, tmp_path / "file")


def test_a_corrupt_record_is_named(record, tmp_path):
    lacking = "lacks baselines, config, epochs, metrics, provenance, run_id, selections; delete"
    for content, words in (("{", "is corrupt"), ('{"spec": 1}', lacking)):
        (tmp_path / "record.json").write_text(content)
        with pytest.raises(CofinalError, match=words):
            RunRecord.read(tmp_path)
    with pytest.raises(CofinalError, match="holds no finished run"):
        RunRecord.read(tmp_path / "nowhere")
    (tmp_path / "record.json").write_text((record.folder / "record.json").read_text())
    whole = (record.folder / "arrays.npz").read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 9]) + whole[middle + 9 :]
    for damaged in (b"", b"PK half an archive", whole[:middle], flipped):
        (tmp_path / "arrays.npz").write_bytes(damaged)
        with pytest.raises(CofinalError, match="arrays.npz is missing or corrupt"):
            RunRecord.read(tmp_path).arrays  # noqa: B018


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_without_a_ranking_is_one_line_before_the_training(split, tmp_path):
    folder = tmp_path / "fisv"
    write_official([load(f"twin/{name}", feature_dim=1024, n_train=8, pool=8) for name in ("tes", "pcs")], folder)
    labels = folder / f"{split}.txt"
    labels.write_text("".join(f"{line.split()[0]} 20 20 0\n" for line in labels.read_text().splitlines()))
    with pytest.raises(CofinalError, match=f"{split} routines here, with fewer than two different scores"):
        run(RunSpec("fisv/tes", "ridge", seeds=(0,)), tmp_path, folder=folder)


def test_features_that_tell_nothing_leave_an_srcc_undefined_and_a_record(tmp_path):
    pair = [load(f"twin/{name}", feature_dim=1024, n_train=8, pool=8) for name in ("tes", "pcs")]
    flat = [dataclasses.replace(data, features=torch.ones_like(data.features)) for data in pair]
    write_official(flat, tmp_path / "fisv")
    record = run(RunSpec("fisv/tes", "ridge", seeds=(0,)), tmp_path, folder=tmp_path / "fisv")
    assert record.record["baselines"]["ridge_on_mean_clip"]["test"]["srcc"] is None
    assert RunRecord.read(record.folder).metric()["mean"] is None and tidy([record])["ridge"].isna().all()


@pytest.mark.parametrize("method", ["ridge", "kernel-ridge", "c3d-svr"])
def test_a_regression_needs_no_routines_to_choose_an_epoch_by(method, tmp_path):
    record = run(RunSpec("twin/ball", method, (0,), twin={"feature_dim": 16, "n_train": 5}), tmp_path)
    assert np.isnan(record.arrays["validation_srcc"]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "gdlt2"}, "unknown method 'gdlt2'"),
        ({"seeds": ()}, "needs a seed"),
        ({"epochs": 0}, "and an epoch"),
        ({"options": {"n_grade": 4}}, "unknown option n_grade; CoFInAlConfig has feature_dim"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"options": {"n_grades": 2.5}}, "CoFInAlConfig: n_grades is 2.5; expected a whole number, 1 or more"),
        ({"options": {"n_procedures": 0}}, "n_procedures is 0; expected a whole number, 1 or more"),
        ({"options": {"dropout": 1}}, "dropout is 1; expected a share from 0 to below 1"),
        ({"options": {"sharpness": math.nan}}, "sharpness is nan; expected a finite number"),
        ({"options": {"without": 3}}, "without is 3; expected a word"),
        ({"method": "gdlt", "options": {"score_cap": 0}}, "score_cap is 0; expected a number of points above 0"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(change, words):
    with pytest.raises(CofinalError, match=words):
        dataclasses.replace(SPEC, **change)


@pytest.mark.parametrize("given", [{"seeds": 3}, {"seeds": "3"}, {"seeds": [0.5]}, {"epochs": "20"}, {"epochs": True}])
def test_a_notebooks_parameters_of_another_kind_are_refused_in_words(given):
    with pytest.raises(CofinalError, match="expected whole numbers, such as"):
        RunSpec.from_dict({"target": "twin/ball"} | given)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore:One or more of the test scores", "ignore:divide by zero", "ignore:R.2 score")
def test_no_value_of_an_option_ends_in_a_traceback(method, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "checkout", lambda: None)  # which asks git four times
    tiny = {name: 16 for name in ("procedure_dim", "hidden_dim", "reduced_dim", "score_dim")}
    names = {f.name: f.default for f in dataclasses.fields(METHODS[method].Config)}
    for name, value in itertools.product(names, (-1, 0, 3, "x")):
        options = {n: v for n, v in tiny.items() if n in names} | {name: value}
        try:
            spec = RunSpec("twin/ball", method, (0,), 1, options, {"feature_dim": 16, "n_train": 8, "pool": 8})
            run(spec, tmp_path, jobs=1)
        except CofinalError as error:
            assert "\n" not in str(error)


def test_deep_squats_reach_what_the_book_says(mirror, tmp_path):
    """What ten seeds reach is kept; one seed and a quarter of the epochs already pass ridge."""
    record = run(RunSpec("uiprmd/deep-squat", seeds=(0,), epochs=50), tmp_path)
    assert record.metric()["mean"] > 0.6 > record.record["baselines"]["ridge_on_mean_clip"]["test"]["srcc"]


def test_ridge_on_the_official_features(mirror):
    from cofinal_lib.baselines import ridge_on_mean_clip

    data = load("fisv/pcs")
    predicted, _ = ridge_on_mean_clip(data)
    test = data.rows("test")
    assert spearman(predicted[test], data.scores[test]) == pytest.approx(0.795, abs=0.002)


def test_a_runs_device_is_the_gpus_name(monkeypatch):
    monkeypatch.setattr(runs.torch.cuda, "get_device_name", lambda: "Some GPU")
    assert runs.device_name("cuda") == "Some GPU"


def test_asking_git_for_the_commit_leaves_its_index_alone(tmp_path, monkeypatch):
    """A `git status` that refreshes the index locks it, and killed at that moment leaves the lock to the reader."""
    file = tmp_path / "some.py"
    file.write_text("1\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    os.utime(file, (0, 0))  # the same content, another time: what a refresh would write down
    index = (tmp_path / ".git" / "index").read_bytes()
    monkeypatch.setattr(runs, "__file__", str(file))
    assert re.fullmatch("[0-9a-f]{40}", runs.checkout())
    assert (tmp_path / ".git" / "index").read_bytes() == index
