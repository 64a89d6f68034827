"""Comparing rankings: intervals, paired tests, printed numbers, chosen epochs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from cofinal_lib import paired
from cofinal_lib.errors import CofinalError
from cofinal_lib.figures import RED
from cofinal_lib.figures import how_sure as draw
from cofinal_lib.metrics import bootstrap_interval, spearman, spearman_rows

rhos = st.floats(-0.95, 0.95)


def drawn(first, second, between, n, draws, seed=0):
    """Scores and two predictions, (draws, n) each, normal, with these rank correlations over all routines."""
    a, b, c = (2 * np.sin(np.pi * rho / 6) for rho in (first, second, between))
    root = np.linalg.cholesky(np.array([[1, a, b], [a, 1, c], [b, c, 1]]))
    return np.moveaxis(np.random.default_rng(seed).standard_normal((draws, n, 3)) @ root.T, -1, 0)


# --------------------------------------------------------------------------------------- two methods


def test_paired_tests_are_calibrated_under_the_null():
    scores, first, second = drawn(0.8, 0.8, 0.8, 40, 250)
    data = list(zip(first, second, scores, strict=True))
    p = np.array([paired.paired_permutation(*d, seed=i, permutations=199) for i, d in enumerate(data)])
    ends = np.array([paired.paired_bootstrap(*d, seed=i, resamples=199)[1:] for i, d in enumerate(data)])
    outside = ((ends[:, 0] > 0) | (ends[:, 1] < 0)).mean()
    assert 0.005 <= (p <= 0.05).mean() <= 0.10  # 250 draws: 0.05 give or take 3 standard errors
    assert 0.40 <= (p <= 0.5).mean() <= 0.60
    assert 0.005 <= outside <= 0.10


def test_paired_tests_find_a_difference_that_is_there():
    (scores,), (first,), (second,) = drawn(0.9, 0.5, 0.5, 200, 1)
    difference, low, high = paired.paired_bootstrap(first, second, scores)
    assert_allclose(difference, spearman(first, scores) - spearman(second, scores))
    assert 0 < low < difference < high
    assert paired.paired_permutation(first, second, scores, permutations=999) == 0.001  # none of 999 as large


def test_pairing_narrows_the_interval_of_methods_that_are_alike():
    (scores,), (first,), (second,) = drawn(0.8, 0.8, 0.97, 100, 1)
    _, low, high = paired.paired_bootstrap(first, second, scores)
    ends = [bootstrap_interval(p, scores, seed=0) for p in (first, second)]
    assert high - low < 0.5 * np.hypot(*(b - a for a, b in ends))  # as if on routines of their own


@given(st.integers(0, 2**16))
def test_paired_tests_ignore_scale_and_who_is_first(seed):
    random = np.random.default_rng(seed)
    scores, first, second = random.standard_normal((3, 12))
    p = paired.paired_permutation(first, second, scores, permutations=99)
    assert p == paired.paired_permutation(10 * first + 3, np.exp(second), scores, permutations=99)
    assert p == paired.paired_permutation(second, first, scores, permutations=99)
    there, back = (paired.paired_bootstrap(*pair, scores, resamples=99) for pair in ((first, second), (second, first)))
    assert_allclose(there, (-back[0], -back[2], -back[1]), atol=1e-12)


def test_a_method_does_not_differ_from_itself():
    scores, first = np.random.default_rng(0).standard_normal((2, 30))
    assert paired.paired_bootstrap(first, first, scores, resamples=50) == (0, 0, 0)
    assert paired.paired_permutation(first, first, scores, permutations=50) == 1


def test_what_ranks_nothing_has_no_p_value_and_stands_last():
    scores, first = np.random.default_rng(0).standard_normal((2, 30))
    for pair in ((first, np.ones(30)), (np.ones(30), first)):
        assert np.isnan(paired.paired_permutation(*pair, scores, permutations=50))
        assert np.isnan(paired.paired_bootstrap(*pair, scores, resamples=50)).all()
    methods = pd.DataFrame({"flat": np.ones(30), "bad": -scores, "good": scores + first})
    found = paired.compare(methods, scores, draws=50)
    pairs = list(zip(found["first"], found["second"], strict=True))
    assert pairs == [("good", "bad"), ("good", "flat"), ("bad", "flat")]
    assert list(found["p"].isna()) == list(found["holm"].isna()) == [False, True, True]
    assert found.loc[0, "holm"] == min(1, 3 * found.loc[0, "p"])
    table = draw.pairs_table(found).to_html()
    assert "undefined" in table and "nan" not in table.split("</style>")[-1]


def test_paired_tests_want_as_many_predictions_as_scores():
    with pytest.raises(CofinalError, match="three arrays"):
        paired.paired_permutation(np.zeros(3), np.zeros(4), np.zeros(4))
    with pytest.raises(CofinalError, match="three arrays"):
        paired.paired_bootstrap(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)))


def test_holm_by_hand():
    assert_allclose(paired.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert_allclose(paired.holm([0.4, 0.9, 0.5]), [1, 1, 1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_lies_between_the_value_and_bonferronis(p):
    adjusted = paired.holm(p)
    assert (np.array(p) <= adjusted).all()
    assert (adjusted <= np.minimum(1, len(p) * np.array(p)) + 1e-12).sum() >= 1  # the smallest is Bonferroni's
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert (adjusted <= 1).all()


def test_compare_names_the_better_method_first_and_every_pair_once():
    (scores,), (good,), (bad,) = drawn(0.9, 0.4, 0.4, 60, 1)
    found = paired.compare(pd.DataFrame({"bad": bad, "good": good, "same": good}), scores, draws=200)
    assert len(found) == 3
    assert (found["difference"] >= 0).all()
    assert set(found.loc[found["holm"] < 0.05, "second"]) == {"bad"}
    assert_allclose(found["holm"], paired.holm(found["p"]))


# --------------------------------------------------------------------------------------- from printed numbers alone


@pytest.mark.parametrize(("first", "second", "between", "n"), [(0.8, 0.75, 0.9, 50), (0.6, 0.5, 0.5, 100)])
def test_the_variance_of_a_difference_is_that_of_simulated_methods(first, second, between, n):
    scores, one, other = drawn(first, second, between, n, 4000)
    z = np.arctanh(spearman_rows(one, scores)) - np.arctanh(spearman_rows(other, scores))
    assert_allclose(np.sqrt(paired.difference_variance(first, second, between) / (n - 3)), z.std(), rtol=0.06)
    alone = np.hypot(*(np.arctanh(spearman_rows(p, scores)).std() for p in (one, other)))
    assert_allclose(np.sqrt(paired.difference_variance(first, second) / (n - 3)), alone, rtol=0.06)


@given(rhos, rhos, st.floats(-1, 1))
def test_variance_is_positive_symmetric_and_the_correlation_possible(first, second, between):
    variance = paired.difference_variance(first, second, between)
    assert variance >= 0
    assert_allclose(variance, paired.difference_variance(second, first, between))
    c = paired.feasible(first, second, between)
    corner = np.array([[1, first, second], [first, 1, c], [second, c, 1]])
    assert np.linalg.eigvalsh(corner).min() >= -1e-9
    if np.linalg.eigvalsh(np.array([[1, first, second], [first, 1, between], [second, between, 1]])).min() > 1e-3:
        assert c == between


def test_one_printed_difference_by_hand():
    z, p = paired.printed_test(0.809, 0.746, 50)
    by_hand = (np.arctanh(0.809) - np.arctanh(0.746)) / np.sqrt((2 + (0.809**2 + 0.746**2) / 2) / 47)
    assert_allclose(z, by_hand)
    assert_allclose(p, 2 * stats.norm.sf(by_hand))
    assert paired.printed_test(0.809, 0.746, 50, 0.9)[0] > z


def test_four_targets_alike_are_one_target_with_four_times_the_information():
    z, _ = paired.printed_test(0.8, 0.7, 53, 0.8)
    assert_allclose(paired.printed_test([0.8] * 4, [0.7] * 4, 53, 0.8)[0], 2 * z)


@given(st.floats(0.3, 0.9), st.floats(0.02, 0.08), st.floats(0.5, 0.95))
def test_the_routines_needed_give_the_power_asked_for(rho, lead, between):
    n = paired.routines_needed(rho + lead, rho, between, power=0.8)
    assert paired.power(rho + lead, rho, n, between) >= 0.8 - 1e-9
    assert paired.power(rho + lead, rho, n - 1, between) < 0.8 + 1e-3


def test_no_number_of_routines_tells_equals_apart():
    with pytest.raises(CofinalError, match="no number of routines"):
        paired.routines_needed(0.8, 0.8)


def test_every_printed_difference_of_cofinal_has_a_row():
    found = paired.printed_differences()
    assert found.groupby("table").size().to_dict() == {"Table 1": 44, "Table 3": 16}
    row = found.query("target == 'ball' and other == 'GDLT' and backbone == 'VST'").iloc[0]
    assert_allclose(row[["cofinal", "rival", "n"]].astype(float), [0.809, 0.746, 50])
    assert_allclose([row["difference"], row["z"], row["p"]], [0.063, *paired.printed_test(0.809, 0.746, 50)])
    row = found.query("target == 'pcs' and other == 'GDLT' and backbone == 'VST'").iloc[0]
    assert_allclose([row["n"], row["z"], row["p"]], [100, *paired.printed_test(0.843, 0.820, 100)])
    assert_allclose(row["p_alike"], paired.printed_test(0.843, 0.820, 100, 0.9)[1])
    for _, part in found.groupby("table"):
        assert_allclose(part["holm"], paired.holm(part["p"]))
    assert (found["holm_alike"] >= found["p_alike"]).all()
    assert found[["z", "z_alike"]].notna().to_numpy().all()


# --------------------------------------------------------------------------------------- one method


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    found = paired.coverage(0.7, 40, draws=150, resamples=100).set_index("way")
    assert found.loc["Bonett and Wright", "covered"] >= 0.90
    assert found.loc["bootstrap", "covered"] >= 0.88
    assert found.loc["Fisher", "width"] < found.loc["Bonett and Wright", "width"]
    assert ((found["low"] <= found["covered"]) & (found["covered"] <= found["high"])).all()


def test_fishers_error_is_too_small_for_high_rank_correlations():
    """By Bonett and Wright's error, 1.96 of Fisher's are 1.65 of the real ones at 0.9: 90 %."""
    found = paired.coverage(0.9, 60, draws=600, resamples=2).set_index("way")
    assert found.loc["Fisher", "covered"] == pytest.approx(0.90, abs=0.04)
    assert found.loc["Bonett and Wright", "covered"] == pytest.approx(0.95, abs=0.03)
    wide = paired.coverage(0.0, 2003, draws=20, resamples=2).set_index("way")["width"]
    assert wide["Fisher"] == pytest.approx(2 * 1.96 / 2000**0.5, rel=0.01)


# --------------------------------------------------------------------------------------- the best of many epochs


def test_the_better_of_two_epochs_leads_by_half_their_distance():
    scores, one, other = drawn(0.7, 0.7, 0.9, 50, 4000)
    apart = np.abs(spearman_rows(one, scores) - spearman_rows(other, scores)).mean()
    first, best = paired.best_of(2, 0.7, 0.9, 50, draws=4000)
    assert best - first == pytest.approx(apart / 2, rel=0.05) and abs(first) < 0.002


def test_the_best_of_more_epochs_is_higher_and_of_epochs_more_alike_lower():
    few, many = (paired.best_of(30, 0.7, alike, 50, draws=100) for alike in (0.98, 0.8))
    assert (np.diff(many) >= 0).all()
    assert abs(many[0]) < 0.02
    assert 0 < few[-1] < many[-1]
    assert_allclose(paired.best_of(5, 0.7, 1.0, 50, draws=20), 0, atol=1e-12)  # one and the same epoch
    with pytest.raises(CofinalError, match="cannot be alike"):
        paired.best_of(5, 0.9, 0.2, 50)


def test_a_chosen_epoch_gains_where_it_was_chosen_and_not_elsewhere():
    scores, error = np.random.default_rng(0).standard_normal((2, 200))
    noise = np.random.default_rng(1).standard_normal((60, 200))
    found = paired.choose_on_half(scores + 0.5 * error + 0.3 * noise, scores, splits=60)
    assert (found["chosen"] >= 0).all()
    assert found["chosen"].mean() > 0.01
    assert found["other"].mean() < 0.5 * found["chosen"].mean()


def test_an_epoch_that_is_better_gains_on_both_halves():
    scores = np.random.default_rng(0).standard_normal(100)
    noise = np.random.default_rng(1).standard_normal(100)
    found = paired.choose_on_half(np.array([scores + 3 * noise, scores + 0.3 * noise, scores + 3 * noise]), scores, 20)
    assert (found["epoch"] == 1).all()
    assert (found["other"] > 0.2).all()


# --------------------------------------------------------------------------------------- drawn


def test_pairs_that_differ_beyond_luck_are_red():
    (scores,), (good,), (bad,) = drawn(0.9, 0.4, 0.4, 60, 1)
    found = paired.compare(pd.DataFrame({"bad": bad, "good": good, "twin": good}), scores, draws=200)
    ax = draw.pairs_figure(found, "").axes[0]
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    assert [m.get_color() == RED for m in marks] == list(found["holm"] < 0.05)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(found["first"] + " – " + found["second"])
    assert "good – bad" in draw.pairs_table(found).to_html()
    assert "no such runs" in draw.pairs_figure(found.iloc[:0], "").axes[0].texts[0].get_text()


def test_counts_are_of_differences_below_five_per_cent():
    found = paired.printed_differences()
    text = draw.counts_table(found).to_html()
    part = found.query("table == 'Table 3'")
    for column in ("p", "holm", "p_alike", "holm_alike"):
        assert f">{(part[column] < 0.05).sum()}<" in text
    assert draw.printed_table(part).to_html().count("w/o GPM") == 4


def test_every_figure_draws():
    best = paired.printed_differences().head(2)
    points = pd.DataFrame([("cofinal", "fisv/tes", 4, 0.1, 20), ("log", "rg/ball", 5, 0.1, 10)])
    points.columns = ["method", "target", "epochs", "lead", "routines"]
    luck = {n: {a: paired.best_of(5, 0.7, a, n, draws=5) for a in (0.8, 0.9, 0.95)} for n in (10, 20)}
    halves = pd.DataFrame({"chosen": [0.1, 0.2], "other": [0.0, -0.1]})
    figures = [
        draw.width_figure((0.7, 0.8), "l"),
        draw.best_of_figure(luck, points, "l"),
        draw.halves_figure(halves, "l"),
        draw.assumed_figure(best, {"both": ([0.8, 0.7], [0.7, 0.6], 50)}, 44, (0.8, 0.9), "l"),
        draw.needed_figure({"a": (0.8, 0.7)}, (0.8, 0.9), "l"),
    ]
    for fig in figures:
        fig.canvas.draw()
    drawn = {tuple(map(float, segment[0])) for c in figures[1].axes[0].collections for segment in c.get_segments()}
    rows = [(20, 4, 0), (10, 5, 1)]  # routines, epochs and row of the two
    assert drawn == {(float(luck[n][a][e - 1]), y - 0.45) for n, e, y in rows for a in luck[n]}
    both = points.assign(method="cofinal", epochs=4)  # one method on targets of two sizes
    ax = draw.best_of_figure(luck, both, "l").axes[0]
    assert [t.get_text().split(", ")[-1] for t in ax.get_yticklabels()] == ["10 routines", "20 routines"]
    assert [c.get_segments()[0][0, 0] for c in ax.collections] == [luck[n][a][3] for n in (10, 20) for a in luck[n]]
    (line,) = figures[4].axes[0].lines[:1]
    assert_allclose(line.get_ydata()[0], paired.routines_needed(0.8, 0.7, line.get_xdata()[0]))
    found = {50: paired.coverage(0.8, 50, draws=10, resamples=20)}
    assert "Bonett and Wright" in draw.coverage_table(found).to_html()
