"""From predictions to rows: what becomes of a run whose every number is known."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from cofinal_lib import results, runs
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import bootstrap_interval, mean_interval, relative_l2, spearman
from cofinal_lib.records import RunRecord
from cofinal_lib.runs import RunSpec
from cofinal_lib.train import SeedResult

SEEDS, EPOCHS, TRAIN, TEST = 2, 6, 14, 30


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two seeds of six epochs, all of them other predictions; training routines only after the fifth and the last.

    Test scores reach further than those of training; the second seed gives no ranking of held-out routines at first.
    """
    rng = np.random.default_rng(0)
    scores = np.r_[rng.uniform(10, 20, TRAIN), rng.uniform(0, 30, TEST)]
    is_train = np.arange(TRAIN + TEST) < TRAIN
    data = FeatureSet(
        "fisv/pcs",
        "official",
        tuple(f"v{i}" for i in range(len(scores))),
        torch.from_numpy(rng.normal(size=(len(scores), 2, 3)) + scores[:, None, None] / 10).float(),
        torch.full((len(scores),), 2),
        torch.from_numpy(scores),
        torch.from_numpy(is_train),
    )
    predictions = (scores[:, None] + rng.normal(scale=8, size=(SEEDS, EPOCHS, len(scores), 2))).astype(np.float32)
    predictions[:, [0, 1, 2, 3]] = np.where(is_train[:, None], np.nan, predictions[:, [0, 1, 2, 3]])
    validation = np.array([[0.1, 0.2, 0.9, 0.3, 0.2, 0.1], [np.nan, 0.7, 0.1, 0.1, 0.1, 0.2]])
    found = [
        SeedResult(seed, None, {"total": np.arange(EPOCHS) + seed}, p, v)
        for seed, p, v in zip(range(SEEDS), predictions, validation, strict=True)
    ]
    record, arrays = runs._summarise(data, found)
    spec = RunSpec("fisv/pcs", seeds=(0, 1), epochs=EPOCHS)
    provenance = {"source": "official", "device": "cpu", "versions": {"torch": "2"}, "commit": "c"}
    head = {"run_id": "a-run", "spec": vars(spec), "config": vars(spec.config(data)), "provenance": provenance}
    folder = tmp_path_factory.mktemp("run")
    (folder / "record.json").write_text(json.dumps(head | record))
    embedding = np.repeat(np.argsort(np.argsort(scores))[None, :, None], SEEDS, 0) * np.ones(4)
    np.savez(folder / "arrays.npz", **arrays, embedding=embedding)
    return RunRecord.read(folder)


def epochs_of(run, selection):
    """Each seed's epoch, from the definition."""
    a = run.arrays
    if selection == "last":
        return [EPOCHS - 1] * SEEDS
    if selection == "validation":
        return [2, 1]  # an epoch without a ranking is never the best
    test = ~a["is_train"]
    return [int(np.argmax([spearman(p[test, 0], a["scores"][test]) for p in seed])) for seed in a["predictions"]]


def test_each_row_is_what_its_columns_say(run):
    a, frame = run.arrays, results.tidy([run])
    assert len(frame) == 2 * 3 * 2
    train = a["is_train"]
    span = a["scores"][train].min(), a["scores"][train].max()
    for r in frame.itertuples():
        rows, column = (train if r.split == "train" else ~train), ("soft", "hard").index(r.decoding)
        epochs = epochs_of(run, r.selection)
        if r.split == "train":  # predicted after epochs 4 and 5 alone: the nearer one
            epochs = [4 if e < 5 else 5 for e in epochs]
        chosen = a["predictions"][range(SEEDS), epochs][:, rows, column]
        per_seed = [spearman(p, a["scores"][rows]) for p in chosen]
        assert [float(v) for v in r.per_seed.split()] == pytest.approx(per_seed, abs=1e-5)
        assert (r.srcc, r.srcc_low, r.srcc_high) == pytest.approx(mean_interval(per_seed, correlations=True))
        errors = [relative_l2(p, a["scores"][rows], *span) for p in chosen]
        assert r.relative_l2 == pytest.approx(np.mean(errors), rel=1e-5), "the range is that of training scores"
        assert r.ridge == pytest.approx(spearman(a["ridge"][rows], a["scores"][rows]))
        if (r.split, r.decoding) == ("test", "soft"):
            ends = bootstrap_interval(chosen, a["scores"][rows], seed=0)
            assert (r.routines_low, r.routines_high) == pytest.approx(ends)
        else:
            assert np.isnan(r.routines_low) and np.isnan(r.routines_high)
        assert isinstance(r.ranks, str) == ((r.split, r.decoding, r.selection) == ("test", "soft", "last"))


def test_curves_count_epochs_from_one_and_measure_errors_in_the_training_range(run):
    a = run.arrays
    train, scores = a["is_train"], a["scores"]
    frame = results.curves([run]).set_index(["measure", "split", "epoch"]).sort_index()
    assert list(frame.loc[("srcc", "test")].index) == [1, 2, 3, 4, 5, 6]
    assert set(frame.index.get_level_values("split")) == {"train", "test"}
    assert list(frame.loc[("srcc", "train")].index) == [5, 6], "where training routines were predicted"
    for split, rows in (("train", train), ("test", ~train)):
        per_seed = [spearman(p[4, rows, 0], scores[rows]) for p in a["predictions"]]
        wanted = mean_interval(per_seed, correlations=True)
        assert frame.loc[("srcc", split, 5), ["mean", "low", "high"]].tolist() == pytest.approx(wanted)
        off = (a["predictions"][:, 4, rows, 0] - scores[rows]) / np.ptp(scores[train])
        assert frame.loc[("relative_l2", split, 5), "mean"] == pytest.approx(100 * (off**2).mean())
    assert frame.loc[("loss", "train", 3), "mean"] == pytest.approx(2.5)


def test_grades_are_read_off_features_that_know_them_and_off_no_others(run, monkeypatch):
    clips = SimpleNamespace(mean_clip=lambda: np.random.default_rng(1).normal(size=(TRAIN + TEST, 3)))
    monkeypatch.setattr(results, "load", lambda target: clips)
    known = results.what_features_know([run])["figure5-readout"].set_index(["kind", "measure"])["value"]
    assert (known.loc[("cofinal", "plane, other routines")] > 0.6).all()
    assert (known.loc[("cofinal", "ridge, other routines")] > 0.99).all()
    assert (known.loc[("cofinal", "always the commonest grade")] == 5 / 30).all()
    points, rng = np.arange(60), np.random.default_rng(0)
    grades, noise = points // 10, rng.normal(size=(60, 4))
    ignorant = results._readout(noise, noise[:, :2], grades, points.astype(float))
    assert ignorant["plane, other routines"] < 0.4 < ignorant["plane, same routines"] + 0.2
    assert ignorant["features, other routines"] < 0.4 and abs(ignorant["ridge, other routines"]) < 0.4


def test_a_file_that_cannot_be_written_is_named_as_it_was_asked_for(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CofinalError, match="cannot write .*file/rows.csv: .*file is no folder"):
        results.whole_csv(tmp_path / "file" / "rows.csv", pd.DataFrame({"a": [1]}))


def test_rows_that_two_processes_add_are_all_kept(tmp_path):
    code = "import sys; from pathlib import Path; from cofinal_lib.results import add_row\n"
    code += "for n in range(20): add_row(Path(sys.argv[1]), {'who': sys.argv[2], 'n': n})"
    command = [sys.executable, "-c", code, str(tmp_path / "a.csv")]
    for process in [subprocess.Popen([*command, who]) for who in "ab"]:
        assert process.wait() == 0
    assert len(results.read_csv(tmp_path / "a.csv").drop_duplicates()) == 40
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_readers_rows_of_other_sources_hide_none_of_ours(tmp_path):
    for folder, source in (("paper", "movement"), ("reference/paper", "official")):
        results.whole_csv(tmp_path / folder / "table1.csv", pd.DataFrame({"source": [source]}))
    assert list(results.read("table1", "paper", root=tmp_path)["source"]) == ["movement"]
    found = results.read("table1", "paper", sources=("official",), root=tmp_path)
    assert list(found["source"]) == ["official"] and not found.attrs["own"]
    results.whole_csv(tmp_path / "quick" / "table1.csv", pd.DataFrame({"source": ["twin", "official"]}))
    of_two = results.read("table1", "paper", "quick", sources=("twin",), root=tmp_path)
    assert list(of_two["source"]) == ["twin"] and of_two.attrs["own"]
    assert of_two.attrs["command"] == "cofinal reproduce table1 --profile quick"
    none = results.read("table1", "paper", sources=("twin",), root=tmp_path)
    assert none.empty and none.attrs["command"] == "cofinal reproduce table1 --profile paper"


@pytest.mark.parametrize(
    "profile, device, command",
    [
        ("paper", "x86_64 AVX512", "cofinal reproduce table1 --profile paper --device cpu"),
        ("paper", "NVIDIA H200", "cofinal reproduce table1 --profile paper"),
        ("quick", "x86_64 AVX512", "cofinal reproduce table1 --profile quick"),
        ("quick", "Tesla T4", "cofinal reproduce table1 --profile quick --device cuda"),
    ],
)
def test_the_command_names_a_device_that_is_not_the_profiles_own(profile, device, command, tmp_path):
    results.whole_csv(tmp_path / profile / "table1.csv", pd.DataFrame({"source": ["official"], "device": [device]}))
    assert results.read("table1", profile, root=tmp_path).attrs["command"] == command


def test_this_processors_name_is_known_as_a_processors():
    assert runs.is_processor(runs.device_name("cpu")) and not runs.is_processor("Tesla T4")


def test_data_of_a_script_are_not_said_to_come_from_reproduce(tmp_path):
    with pytest.raises(CofinalError, match="figure5-readout.csv is missing: cofinal reproduce figure5 --profile paper"):
        results.read("figure5-readout", "paper", root=tmp_path)
    with pytest.raises(CofinalError, match="splits.csv is missing: a script of data_scripts/ makes it"):
        results.read("splits", "paper", root=tmp_path)
    results.whole_csv(tmp_path / "paper" / "splits.csv", pd.DataFrame({"source": ["official"]}))
    assert results.read("splits", "paper", root=tmp_path).attrs["command"] == "a script of data_scripts/"
