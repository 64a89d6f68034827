import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cofinal_lib.metrics import (
    bootstrap_interval,
    difference_interval,
    fisher_mean,
    mean_interval,
    pearson_of,
    percentile_interval,
    relative_l2,
    spearman,
    spearman_interval,
    spearman_rows,
)
from cofinal_lib.paper import printed

values = st.lists(st.integers(-5, 5), min_size=4, max_size=12)


def mid_ranks(xs):
    return [sum(y < x for y in xs) + (sum(y == x for y in xs) + 1) / 2 for x in xs]


@given(values, st.randoms())
def test_spearman_is_eq_16_on_mid_ranks(xs, random):
    ys = xs[:]
    random.shuffle(ys)
    p, q = mid_ranks(xs), mid_ranks(ys)
    centre = (len(xs) + 1) / 2
    top = sum((a - centre) * (b - centre) for a, b in zip(p, q, strict=True))
    below = math.sqrt(sum((a - centre) ** 2 for a in p) * sum((b - centre) ** 2 for b in q))
    if below == 0:
        assert math.isnan(spearman(xs, ys))
    else:
        assert spearman(xs, ys) == pytest.approx(top / below)


def test_spearman_sees_ranks_alone():
    x = np.random.default_rng(0).normal(size=30)
    assert spearman(np.exp(x), x) == pytest.approx(1)
    assert spearman(-x, x) == pytest.approx(-1)
    assert math.isnan(spearman(np.ones(30), x))


def test_the_averages_of_table_1_are_fisher_means_but_one():
    table = printed("table1")
    wrong = []
    for _, row in table.iterrows():
        for cells, average in (
            (["ball", "clubs", "hoop", "ribbon"], "rg_average"),
            (["tes", "pcs"], "fisv_average"),
        ):
            if not math.isnan(row[average]):
                low, high = (fisher_mean([row[c] + e for c in cells]) for e in (-0.0005, 0.0005))
                if not low - 0.0005 <= row[average] <= high + 0.0005:
                    wrong.append((row["method"], row["backbone"], average))
    assert wrong == [("ACTION-NET", "I3D + ResNet", "rg_average")]


def test_fisher_mean_of_a_perfect_correlation():
    assert fisher_mean([1.0, 0.5]) == 1.0
    assert fisher_mean([0.3, -0.3]) == pytest.approx(0)


def test_relative_l2_by_hand():
    assert relative_l2([1, 2], [1, 4], low=0, high=10) == pytest.approx(100 * 0.04 / 2)
    assert relative_l2([11, 12], [11, 14], low=10, high=20) == pytest.approx(100 * 0.04 / 2)


def test_intervals_of_the_audit():
    """Bonett and Wright's intervals at 50 and 100 routines."""
    assert spearman_interval(0.809, 50) == pytest.approx((0.661, 0.896), abs=1e-3)
    assert spearman_interval(0.716, 100) == pytest.approx((0.589, 0.808), abs=1e-3)


def test_mean_interval_by_hand_and_within_bounds():
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    assert (mean, low, high) == pytest.approx((2, 2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)))
    assert math.isnan(mean_interval([0.4])[1])
    mean, low, high = mean_interval([0.7, 0.98], correlations=True)
    z = np.arctanh([0.7, 0.98])
    half = 12.7062 * np.ptp(z) / 2  # Student's t of one degree of freedom, times the error of the mean of two
    assert (low, high) == pytest.approx((np.tanh(z.mean() - half), np.tanh(z.mean() + half)), abs=1e-5)
    assert mean == pytest.approx(0.84) and -1 <= low < 0.7 and 0.98 < high <= 1


def test_mean_interval_of_correlations_near_one():
    assert all(map(math.isfinite, mean_interval([-1.0, 1.0], correlations=True)))
    _, low, high = mean_interval([0.9985, 0.999, 0.9995], correlations=True)
    assert 0.995 < low < 0.999 < high < 1


def test_mean_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [low < 0.3 < high for _, low, high in (mean_interval(rng.normal(0.3, 0.1, 5)) for _ in range(2000))]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)


def test_bootstrap_interval_holds_the_estimate_and_narrows_with_routines():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    y = x + rng.normal(size=400)
    few, many = (bootstrap_interval(x[:n], y[:n], seed=1, resamples=300) for n in (40, 400))
    assert few[0] < spearman(x[:40], y[:40]) < few[1]
    assert many[1] - many[0] < (few[1] - few[0]) / 2
    assert few == bootstrap_interval(x[:40], y[:40], seed=1, resamples=300)


def test_spearman_rows_is_scipys_along_the_last_axis():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, (2, 3, 4, 12))  # with ties
    rows = spearman_rows(x, y)
    assert rows.shape == (3, 4)
    np.testing.assert_allclose(
        rows, [[stats.spearmanr(a, b).statistic for a, b in zip(*pair, strict=True)] for pair in zip(x, y, strict=True)]
    )
    assert np.isnan(spearman_rows(np.ones((2, 5)), np.arange(5))).all()


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.4, 0.9])
def test_pearson_of_gives_normal_variables_of_that_rank_correlation(rho):
    r = pearson_of(rho)
    x, noise = np.random.default_rng(0).normal(size=(2, 200_000))
    assert spearman(x, r * x + math.sqrt(1 - r**2) * noise) == pytest.approx(rho, abs=0.006)


def test_bootstrap_interval_covers_about_as_often_as_it_says():
    rng, r = np.random.default_rng(0), pearson_of(0.6)
    hits = 0
    for _ in range(300):
        x, noise = rng.normal(size=(2, 60))
        low, high = bootstrap_interval(r * x + math.sqrt(1 - r**2) * noise, x, seed=1, resamples=300)
        hits += low < 0.6 < high
    assert hits / 300 == pytest.approx(0.94, abs=0.03)


def test_resampling_draws_routines_and_averages_seeds():
    rng = np.random.default_rng(0)
    scores, first, second = rng.normal(size=20), rng.normal(size=(3, 20)), rng.normal(size=(2, 20))
    draws = np.random.default_rng(5).integers(0, 20, (200, 20))

    def found(predictions):
        return np.array([np.mean([spearman(p[rows], scores[rows]) for p in predictions]) for rows in draws])

    for interval, values in (
        (bootstrap_interval(first, scores, seed=5, resamples=200), found(first)),
        (difference_interval(first, second, scores, seed=5, resamples=200), found(first) - found(second)),
    ):
        assert interval == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_the_middle_leaves_out_what_resampling_could_not_rank():
    assert percentile_interval(np.r_[np.linspace(0, 1, 101), np.nan]) == pytest.approx((0.025, 0.975))
    assert all(map(math.isnan, percentile_interval(np.full(3, np.nan))))
