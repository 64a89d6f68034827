"""The honest record: its regressions against plain ones, and that no held-out score is ever read."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cofinal_lib import honest_record as h
from cofinal_lib.data import load
from cofinal_lib.metrics import spearman


@pytest.fixture(scope="module")
def twin():
    return load("twin/ball", feature_dim=8, n_train=50)


@pytest.fixture(autouse=True)
def few_choices(monkeypatch):
    monkeypatch.setattr(h, "WIDTHS", (0.4,))
    monkeypatch.setattr(h, "PENALTIES", (0.05,))
    monkeypatch.setattr(h, "FOLDS", 3)


def test_summaries_are_what_their_names_say(twin):
    found = h.summaries(twin)
    n = int(twin.lengths[3])
    clips = twin.features[3, :n].numpy().astype(float)
    assert np.allclose(found["means of 1"][3], clips.mean(0), atol=1e-5)
    assert np.allclose(found["deviation"][3], clips.std(0), atol=1e-5)
    steps = [np.abs(b - a) for a, b in zip(clips[:-1], clips[1:], strict=True)]
    assert np.allclose(found["change"][3], np.mean(steps, axis=0), atol=1e-5)
    assert found["means of 8"].shape == (len(twin), 64)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_distances_are_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    blocks, rows = [rng.normal(3, 2, (7, 4)), rng.normal(0, 5, (7, 2))], rng.permutation(7)[:5]
    D = h.squared_distances(blocks, rows)
    for i in range(7):
        for j in range(7):
            parts = [(((b[i] - b[j]) / b[rows].std(0)) ** 2).mean() for b in blocks]
            assert D[i, j] == pytest.approx(np.mean(parts), abs=1e-9)


def test_kernel_ridge_solves_its_equations():
    rng = np.random.default_rng(0)
    x, rows = rng.standard_normal((30, 2)), np.arange(20)
    y = x[:, 0] + rng.normal(0, 0.1, 30)
    D = ((x[:, None] - x) ** 2).sum(-1)
    K = np.exp(-0.4 * D)
    weights = np.linalg.solve(K[:20, :20] + 0.05 * np.eye(20), y[:20] - y[:20].mean())
    assert np.allclose(h.kernel_ridge(D, y, rows), y[:20].mean() + K[:, :20] @ weights)


def test_the_width_that_ranks_best_is_chosen(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    y = x[:, 0] + rng.normal(0, 0.1, 40)
    D = ((x[:, None] - x) ** 2).sum(-1)
    alone = h.kernel_ridge(D, y, np.arange(30))
    for widths in ((0.4, 40.0), (40.0, 0.4)):  # at the absurd one, routines know their twins alone
        monkeypatch.setattr(h, "WIDTHS", widths)
        assert np.array_equal(h.kernel_ridge(D, y, np.arange(30)), alone)


def test_a_held_out_score_changes_no_prediction_of_that_routine(twin):
    scores, other, rows = twin.scores.numpy().copy(), twin.qualities.mean(1).numpy().copy(), twin.rows("train").numpy()
    name, candidate = list(h.regressions(twin).items())[-1]
    before = h.cross_predictions(candidate, scores, other, rows)
    assert np.isnan(before[twin.rows("test")]).all() and np.isfinite(before[rows]).all()
    i = rows[5]
    scores[i], other[i] = 1e6, -1e6
    scores[twin.rows("test")] = other[twin.rows("test")] = np.nan  # test scores are not there at all
    after = h.cross_predictions(candidate, scores, other, rows)
    assert after[i] == before[i] and not np.array_equal(after[rows], before[rows])


def test_a_held_out_routine_changes_no_prediction_of_another(twin):
    scores, other, rows = twin.scores.numpy(), twin.qualities.mean(1).numpy(), twin.rows("train").numpy()
    features = twin.features.clone()
    features[rows[5]] *= 100
    changed = replace(twin, features=features)
    inside = np.delete(rows, 5)
    for name, candidate in h.regressions(twin).items():
        before, after = (f(scores, other, inside)[inside] for f in (candidate, h.regressions(changed)[name]))
        unit = (before - before.mean()) / before.std(), (after - after.mean()) / after.std()  # `mix` has another one
        assert np.allclose(*unit) if name == "several scales, both scores" else np.array_equal(before, after), name


def test_the_other_score_helps_where_it_holds_what_is_missing(twin):
    rng, rows, test = np.random.default_rng(0), twin.rows("train").numpy(), twin.rows("test").numpy()
    good = twin.features[:, :5, 0].mean(1).numpy()  # plain to see in the clips
    easy = replace(twin, features=twin.features * 0 + torch.from_numpy(good)[:, None, None])
    noisy = good + rng.normal(0, 3 * good.std(), len(good))
    candidates = h.regressions(easy)
    alone, both = (
        candidates[name](noisy, good, rows) for name in ("kernel ridge, several scales", "several scales, both scores")
    )
    assert spearman(both[test], good[test]) > spearman(alone[test], good[test]) + 0.01


def test_the_record_chooses_by_cross_validation_and_not_by_the_test_routines(twin):
    scores, train = twin.scores.numpy(), twin.is_train.numpy()
    lucky = np.where(train, 0.01 * np.arange(len(twin)), scores)  # knows the test scores, is useless in training
    steady = np.where(train, scores, 0.01 * np.arange(len(twin)))
    table = h.record(twin, scores, {"lucky": (lucky, lucky), "steady": (steady, steady)}).set_index("candidate")
    assert table.loc["lucky", "test"] == pytest.approx(1) and not table.loc["lucky", "chosen"]
    assert table.loc["steady", "chosen"] and table["chosen"].sum() == 1
    twice = h.record(twin, scores, {"steady": (steady, steady), "the same": (steady, steady)}).set_index("candidate")
    assert list(twice.index[twice["chosen"]]) == ["steady"], "of equals the first"
    assert ((table["low"] <= table["test"]) & (table["test"] <= table["high"])).all()
