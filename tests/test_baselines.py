"""Plain regressions: what they compute, what they can see, and the same under a thousand splits at less cost."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import RidgeCV

from cofinal_lib import experiments
from cofinal_lib.baselines import (
    ALPHAS,
    KernelRidge,
    KernelRidgeConfig,
    Ridge,
    RidgeConfig,
    ridge_on_mean_clip,
    segments,
)
from cofinal_lib.data import load
from cofinal_lib.figures import baseline as draw
from cofinal_lib.metrics import fisher_mean, spearman
from cofinal_lib.rivals import BASELINES, SOLVED
from cofinal_lib.splits import coordinates, random_splits, ridge_over_splits

matplotlib.use("agg")


def routines(n=80, clips=10, dim=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, clips, dim, generator=generator), torch.full((n,), clips)


def test_segments_by_hand():
    clips = torch.tensor([[0.0, 1, 2, 3, 4, 5], [7, 9, torch.nan, torch.inf, 0, 0]])[..., None]
    lengths = torch.tensor([6, 2])
    assert segments(clips, lengths, 1).tolist() == [[2.5], [8.0]], "only clips that exist"
    assert segments(clips, lengths, 2).tolist() == [[1.0, 4.0], [7.0, 9.0]]
    wide = segments(torch.arange(12.0).reshape(1, 6, 2), torch.tensor([6]), 3)
    assert wide.tolist() == [[1, 2, 5, 6, 9, 10]], "segments side by side"


def test_the_method_ridge_is_the_ridge_that_stands_beside_every_run():
    data = load("twin/ball", feature_dim=24, n_train=60)
    train = data.rows("train")
    model = Ridge(RidgeConfig())
    model.solve(data.features[train], data.lengths[train], data.scores[train].float())
    beside, alpha = ridge_on_mean_clip(data)
    assert np.allclose(model(data.features, data.lengths)["score"], beside, atol=1e-3)
    assert model.fitted.alpha_ == alpha


def test_kernel_ridge_is_its_formula():
    features, lengths = routines()
    scores = 10 + features[:, :2].mean(1)[:, 0] * features[:, 8:].mean(1)[:, 1]
    model = KernelRidge(KernelRidgeConfig())
    model.solve(features[:60], lengths[:60], scores[:60])
    knobs = {name.split("__")[-1]: value for name, value in model.fitted.best_params_.items()}
    X = segments(features, lengths, 5).numpy().astype(float)
    X = (X - X[:60].mean(0)) / X[:60].std(0)
    K = np.exp(-knobs["gamma"] * ((X[:, None] - X[None, :60]) ** 2).sum(-1))  # (80, 60)
    y = scores[:60].numpy().astype(float)
    weights = np.linalg.solve(K[:60] + knobs["alpha"] * np.eye(60), y - y.mean())
    assert np.allclose(model(features, lengths)["score"], y.mean() + K @ weights, atol=1e-4)


def test_kernel_ridges_width_counts_features_so_that_a_copy_of_each_changes_nothing():
    features, lengths = routines()
    scores = features[:, :2].mean(1)[:, 0].square() + 0.1 * features[:, 8:].mean(1)[:, 1]
    predicted = []
    for clips in (features, torch.cat([features, features], -1)):
        model = KernelRidge(KernelRidgeConfig())
        model.solve(clips[:60], lengths[:60], scores[:60])
        predicted.append(model(clips, lengths)["score"])
    assert torch.allclose(*predicted, atol=1e-4)


def test_what_a_line_and_a_mean_cannot_see():
    features, lengths = routines(300)
    mean, first, last = features.mean(1)[:, 0], features[:, :2].mean(1)[:, 0], features[:, 8:].mean(1)[:, 0]

    def reached(method, n_segments, scores):
        model = method(method.Config(n_segments=n_segments))
        model.solve(features[:200], lengths[:200], scores[:200])
        return spearman(model(features, lengths)["score"][200:], scores[200:])

    bowl, order = mean.square(), first - last
    assert reached(KernelRidge, 1, bowl) > 0.7 > 0.3 > abs(reached(Ridge, 1, bowl))
    assert reached(Ridge, 5, order) > 0.95 > 0.3 > abs(reached(Ridge, 1, order))


def test_what_draws_nothing_at_random_runs_once():
    assert set(BASELINES) < set(SOLVED)
    seeds = {s.method: s.seeds for s in experiments.table1("paper")}
    assert all(seeds[method] == (0,) for method in SOLVED) and len(seeds["cofinal"]) == 10


# --------------------------------------------------------------------------------------- splits


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(1, 40), st.integers(0, 9))
def test_coordinates_keep_every_inner_product(n, dim, seed):
    X = np.random.default_rng(seed).standard_normal((n, dim))
    turned = coordinates(X)
    assert turned.shape == (n, min(n, dim)) and np.allclose(turned @ turned.T, X @ X.T)


def test_ridge_on_coordinates_is_ridge_on_all_features():
    random = np.random.default_rng(0)
    X = random.standard_normal((60, 300)) * random.uniform(0.1, 3, 300) + 5
    y = X[:, :20].sum(1) + random.standard_normal(60)
    splits = list(random_splits(60, 45, 4, seed=1))
    found = ridge_over_splits(coordinates(X), {"a": y, "b": -(y**3)}, splits)
    assert len(found) == 8 and set(found["target"]) == {"a", "b"}
    for i, train in enumerate(splits):
        full = RidgeCV(ALPHAS).fit(X[train], y[train])
        row = found[(found["split"] == i) & (found["target"] == "a")].iloc[0]
        assert row["alpha"] == pytest.approx(full.alpha_)
        assert row["srcc"] == pytest.approx(spearman(full.predict(X[~train]), y[~train]), abs=1e-9)


def test_the_penalty_is_the_best_of_leaving_each_routine_out():
    random = np.random.default_rng(2)
    X, y = random.standard_normal((25, 40)), random.standard_normal(25)
    y = y + X[:, 0]
    alphas = ALPHAS[::8]
    errors = []
    for alpha in alphas:
        wrong = 0.0
        for out in range(25):
            kept = np.arange(25) != out
            centre, mean = X[kept].mean(0), y[kept].mean()
            A = X[kept] - centre
            w = np.linalg.solve(A.T @ A + alpha * np.eye(40), A.T @ (y[kept] - mean))
            wrong += (mean + (X[out] - centre) @ w - y[out]) ** 2
        errors.append(wrong)
    assert RidgeCV(alphas).fit(coordinates(X), y).alpha_ == pytest.approx(alphas[int(np.argmin(errors))])


def test_random_splits_are_of_one_size_differ_and_begin_alike():
    few, many = list(random_splits(50, 40, 3)), list(random_splits(50, 40, 8))
    assert all(split.sum() == 40 for split in many) and len({split.tobytes() for split in many}) == 8
    assert all((a == b).all() for a, b in zip(few, many, strict=False))


# --------------------------------------------------------------------------------------- pictures


def splits_frame():
    random, rows = np.random.default_rng(0), []
    for target in ("fisv/tes", "fisv/pcs"):
        for i, srcc in enumerate(random.uniform(0.5, 0.7, 100)):
            rows.append((str(i), target, "ridge", srcc))
            rows += [(str(i), target, "kernel-ridge", srcc + 0.02)] * (i < 10)
        rows.append(("official", target, "ridge", 0.65))
    return pd.DataFrame(rows, columns=["split", "target", "method", "srcc"])


def test_split_facts_by_hand():
    frame = splits_frame()
    facts = draw.split_facts(frame)
    ridge = frame[(frame["target"] == "fisv/tes") & (frame["method"] == "ridge") & (frame["split"] != "official")][
        "srcc"
    ]
    row = facts.loc["fisv/tes"]
    assert (row["splits"], row["leads"], row["official"]) == (100, 10, 0.65)
    assert row["percentile"] == (ridge < 0.65).sum() and row["sd"] == pytest.approx(np.std(ridge, ddof=1))
    assert row["lead"] == pytest.approx(0.02) and row["ahead"] == 10 and row["lead_sd"] == pytest.approx(0, abs=1e-9)
    alone = draw.split_facts(frame[frame["method"] == "ridge"])
    assert (alone["leads"] == 0).all() and alone["lead"].isna().all()
    for shown in (frame, frame[frame["method"] == "ridge"]):
        assert len(draw.splits_figure(shown, "line").axes) == 4
        matplotlib.pyplot.close("all")


def arms_frame():
    rows = []
    for target, base in (("fisv/tes", 0.6), ("fisv/pcs", 0.8)):
        for n in (1, 5):
            for method in draw.REGRESSIONS:
                ends = {"cv_low": base - 0.2, "cv_high": base, "test_low": base - 0.1, "test_high": base + 0.1}
                row = {"target": target, "source": "official", "method": method, "n_segments": n, "cv": base - 0.1}
                rows.append(row | ends | {"test": base, "knobs": "alpha=1 gamma=0.1"})
    return pd.DataFrame(rows)


def test_arms_have_an_average_and_stand_beside_the_printed_cells():
    arms = draw.with_averages(arms_frame())
    assert len(arms) == 18 and arms["test"].iloc[-1] == pytest.approx(fisher_mean([0.6, 0.8]))
    table = draw.arms_table(arms).data
    assert table.loc[("mean clip", "SVR"), ("fisv/tes", "test")].startswith("0.600\n")
    figure = draw.arms_figure(arms, "line")
    assert [line.get_xdata()[0] for line in figure.axes[1].lines[-2:]] == [0.820, 0.843]  # Table 1, PCS
    assert draw.printed_average("GDLT") == 0.761
    matplotlib.pyplot.close("all")
