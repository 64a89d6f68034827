"""Cross-validation: every routine once a repeat, the same folds for all, and an interval that keeps its level."""

from functools import partial

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cofinal_lib.cofinal import CoFInAl
from cofinal_lib.crossval import compare, corrected_interval, cross_validate
from cofinal_lib.data import load
from cofinal_lib.figures import baseline as draw
from cofinal_lib.metrics import fisher_mean, relative_l2, spearman
from cofinal_lib.runs import RunSpec
from cofinal_lib.train import Schedule, fit

matplotlib.use("agg")


@pytest.fixture(scope="module")
def twin():
    return load("twin/ball", feature_dim=12, n_train=30, pool=8)


def test_a_row_is_one_training_without_its_fold(twin):
    spec = RunSpec("twin/ball", epochs=3, options={"procedure_dim": 16, "score_dim": 24})
    rows = list(cross_validate(spec, twin, k=4))
    assert [(r["repeat"], r["fold"], r["seed"]) for r in rows] == [(0, i, i) for i in range(4)]
    assert sum(r["n_test"] for r in rows) == len(twin) and all(r["n_train"] + r["n_test"] == len(twin) for r in rows)
    folds = twin.folds(4, seed=0)
    i = next(i for i, f in enumerate(folds) if f.scores[~f.is_train].max() > f.scores[f.is_train].max())
    part = folds[i]  # the one that holds out the best routine
    (result,) = fit(partial(CoFInAl, spec.config(part)), part, [i], Schedule(epochs=3, holdout=0))
    test = part.rows("test")
    assert rows[i]["srcc"] == spearman(result.predictions[-1, test, 0], part.scores[test])
    scores, train = part.scores.numpy(), part.is_train.numpy()
    error = relative_l2(result.predictions[-1, test, 0], scores[test], scores[train].min(), scores[train].max())
    assert rows[i]["relative_l2"] == error, "in shares of what the training scores span"
    assert rows[0]["options"] == "procedure_dim=16 score_dim=24" and rows[0]["source"] == "twin"


def test_what_is_done_is_not_done_again_and_folds_are_shared(twin):
    spec = RunSpec("twin/ball", "ridge")
    whole = pd.DataFrame(cross_validate(spec, twin, k=3, repeats=2))
    done = {(0, 0), (0, 1), (0, 2), (1, 1)}
    rest = pd.DataFrame(cross_validate(spec, twin, k=3, repeats=2, done=done))
    assert list(zip(rest["repeat"], rest["fold"], strict=True)) == [(1, 0), (1, 2)]
    again = whole.set_index(["repeat", "fold"])["srcc"]
    assert (rest["srcc"].to_numpy() == again.loc[[(1, 0), (1, 2)]].to_numpy()).all()
    assert len(set(whole["srcc"])) == 6, "routines are dealt anew in each repeat"
    assert list(whole["seed"]) == [0, 1, 2, 3, 4, 5], "and every training has a seed of its own"


def test_the_corrected_interval_by_hand():
    values = np.array([0.1, 0.3, 0.2, 0.4])
    mean, low, high, p = corrected_interval(values, 400, 100)
    error = np.sqrt((1 / 4 + 1 / 4) * values.var(ddof=1))
    assert mean == pytest.approx(0.25) and high - mean == pytest.approx(stats.t.ppf(0.975, 3) * error)
    assert p == pytest.approx(2 * stats.t.sf(0.25 / error, 3)) and (p < 0.05) == (low > 0)
    assert np.isnan(corrected_interval([0.3], 400, 100)[1:]).all()
    assert corrected_interval([0.0, 0.0], 400, 100) == (0.0, 0.0, 0.0, 1.0)


def test_the_plain_test_finds_differences_that_are_not_there_and_the_corrected_one_hardly():
    """Two regressions, each on features of its own that say equally much: their true difference is zero."""
    random, plain, corrected, worlds = np.random.default_rng(0), 0, 0, 150
    for _ in range(worlds):
        X = random.standard_normal((60, 2, 4))
        y = X.sum((1, 2)) + random.standard_normal(60)
        differences = []
        for _ in range(6):
            for test in np.split(random.permutation(60), 5):
                train = np.setdiff1d(np.arange(60), test)
                fits = [np.linalg.lstsq(X[train, j], y[train], rcond=None)[0] for j in (0, 1)]
                one, other = (np.mean((X[test, j] @ w - y[test]) ** 2) for j, w in enumerate(fits))
                differences.append(one - other)
        plain += stats.ttest_1samp(differences, 0).pvalue < 0.05
        corrected += corrected_interval(differences, 48, 12)[3] < 0.05
    assert corrected / worlds < 0.15 < 0.3 < plain / worlds


def folds_frame():
    rows = []
    for target, base in (("fisv/tes", 0.5), ("fisv/pcs", 0.7)):
        for arm, lead, repeats in (("ridge", 0.0, 2), ("cofinal", -0.1, 1)):
            for repeat in range(repeats):
                for fold in range(5):
                    srcc = base + lead + 0.01 * fold + 0.1 * repeat + (0.02 * fold if arm == "cofinal" else 0)
                    rows.append((target, "official", arm, repeat, fold, 400, 100, srcc))
    return pd.DataFrame(rows, columns=["target", "source", "arm", "repeat", "fold", "n_train", "n_test", "srcc"])


def test_arms_are_compared_on_the_folds_that_both_have():
    folds = folds_frame()
    found = compare(folds, "ridge").set_index(["target", "arm"])
    ridge, own = found.loc[("fisv/tes", "ridge")], found.loc[("fisv/tes", "cofinal")]
    assert (ridge["folds"], own["folds"], own["d_folds"]) == (10, 5, 5)
    assert ridge["srcc"] == pytest.approx(0.57) and own["difference"] == pytest.approx(-0.1 + 0.04)
    assert tuple(own[["d_low", "d_high"]]) == pytest.approx(
        corrected_interval(-0.1 + 0.02 * np.arange(5), 400, 100)[1:3]
    )
    first = [fisher_mean([0.5 + 0.01 * i, 0.7 + 0.01 * i]) for i in range(5)]
    second = [fisher_mean([0.6 + 0.01 * i, 0.8 + 0.01 * i]) for i in range(5)]
    assert found.loc[("average", "ridge"), "srcc"] == pytest.approx(np.mean(first + second))
    partial_run = compare(folds[(folds["arm"] == "ridge") | (folds["target"] == "fisv/tes")], "ridge")
    assert ("average", "cofinal") not in set(zip(partial_run["target"], partial_run["arm"], strict=True))
    for n, difference in ((3, -0.08), (4, -0.07)):
        few = compare(folds[(folds["arm"] == "ridge") | (folds["fold"] < n)], "ridge").set_index(["target", "arm"])
        few = few.loc[("fisv/tes", "cofinal")]
        assert few["difference"] == pytest.approx(difference)
        assert few[["low", "d_low", "p"]].isna().all(), "no whole repeat"
    alone = compare(folds[folds["arm"] == "cofinal"], "ridge")
    assert alone["difference"].isna().all() and (alone["d_folds"] == 0).all()


def test_a_fold_that_ranks_nothing_leaves_no_mean_and_one_that_has_not_run_does():
    assert np.isnan(corrected_interval([0.1, np.nan, 0.2], 400, 100)).all()
    folds, numbers = folds_frame(), ["srcc", "low", "high", "difference", "d_low", "d_high", "p"]
    flat = (folds["arm"] == "cofinal") & (folds["fold"] == 2) & (folds["target"] == "fisv/tes")
    found = compare(folds.assign(srcc=folds["srcc"].mask(flat)), "ridge").set_index(["target", "arm"])
    for target in ("fisv/tes", "average"):
        assert found.loc[(target, "cofinal"), numbers].isna().all()
        assert tuple(found.loc[(target, "cofinal"), ["folds", "d_folds"]]) == (5, 5)
    assert found.loc[("fisv/pcs", "cofinal"), numbers].notna().all()
    few = compare(folds[folds["fold"] < 3].assign(srcc=folds["srcc"].mask(flat)), "ridge").set_index(["target", "arm"])
    assert np.isnan(few.loc[("fisv/tes", "cofinal"), "srcc"]), "too few for an interval, and undefined all the same"
    missing = compare(folds[~flat], "ridge").set_index(["target", "arm"]).loc[("fisv/tes", "cofinal")]
    assert missing["folds"] == 4 and missing["srcc"] == pytest.approx(0.4 + 0.03 * 2)


def test_ridge_is_drawn_with_the_penalty_of_the_kernels():
    points, line = draw.widths("line").axes[0].lines
    x, y = points.get_data()
    centred = x - x.mean()
    slope = (centred * y).sum() / ((centred**2).sum() + 0.1)
    assert np.diff(line.get_ydata()) == pytest.approx(slope * np.diff(line.get_xdata()))
    matplotlib.pyplot.close("all")


def test_what_has_not_run_is_said():
    compared = compare(folds_frame(), "ridge")
    official = pd.DataFrame([("fisv/tes", "ridge", 0.63, 0.5, 0.7)], columns=["target", "arm", "srcc", "low", "high"])
    table = draw.protocol_table(compared, official).data
    assert table.loc[("fisv/tes", draw.arm_name("gdlt")), "cross-validated"] == "not run"
    assert table.loc[("fisv/tes", "ridge, mean clip"), "official split"] == "0.630\n0.50 to 0.70"
    assert len(draw.protocol_figure(compared, official, "line").axes) == 3
    matplotlib.pyplot.close("all")
