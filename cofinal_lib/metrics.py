"""How good a ranking is, and how sure one can be: Eq. 16, the averages of Table 1, intervals."""

import numpy as np
from scipy import stats

LEVEL = 0.95  # of every interval


def spearman(predicted, scores) -> float:
    """Spearman's rank correlation (Eq. 16), ties at their mean rank.

    Args:
        predicted, scores: (N,), any unit.

    Returns:
        rho in [-1, 1]; NaN where either side is constant, for then there is no ranking.
    """
    predicted, scores = np.asarray(predicted, float), np.asarray(scores, float)
    if np.ptp(predicted) == 0 or np.ptp(scores) == 0:
        return float("nan")
    return float(stats.spearmanr(predicted, scores).statistic)


def fisher_mean(correlations) -> float:
    """Average correlations through Fisher's z, as the "Average" columns of Table 1: tanh(mean(arctanh(rho)))."""
    with np.errstate(divide="ignore"):  # a correlation of 1 has z = infinity, and averages to 1
        return float(np.tanh(np.mean(np.arctanh(np.asarray(correlations, float)))))


def relative_l2(predicted, scores, low: float, high: float) -> float:
    """R-l2: 100 times the mean squared error in shares of the score range (Yu et al., 2021).

    Args:
        predicted, scores: (N,), in points.
        low, high: the range, in points.
    """
    error = (np.asarray(predicted, float) - np.asarray(scores, float)) / (high - low)
    return float(100 * np.mean(error**2))


def mean_interval(values, correlations: bool = False) -> tuple[float, float, float]:
    """Mean of a few independent runs and Student's 95 % interval for it: (mean, low, high).

    Args:
        values: (n,). correlations: compute the interval on Fisher's z, so that it stays within [-1, 1].

    One value gives no interval: low and high are NaN. So does any NaN among the values. The interval on Fisher's z lies
    about the mean of z: one stray correlation among many near 1 can leave the plain mean below it.
    """
    values = np.asarray(values, float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    z = np.arctanh(values.clip(-1 + 1e-9, 1 - 1e-9)) if correlations else values
    half = stats.t.ppf((1 + LEVEL) / 2, len(z) - 1) * stats.sem(z)
    low, high = z.mean() - half, z.mean() + half
    return (mean, float(np.tanh(low)), float(np.tanh(high))) if correlations else (mean, float(low), float(high))


def spearman_interval(rho: float, n: int) -> tuple[float, float]:
    """95 % interval of a rank correlation over `n` test routines: Fisher's z with Bonett and Wright's (2000) error.

    Their standard error, sqrt((1 + rho^2 / 2) / (n - 3)), allows for ranks; n is at least 4.
    """
    z = np.arctanh(rho)
    half = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    return float(np.tanh(z - half)), float(np.tanh(z + half))


def spearman_rows(predicted, scores) -> np.ndarray:
    """Spearman's rank correlation along the last axis: (..., N) and (..., N), which broadcast, to (...).

    NaN where either side is constant or holds NaN.
    """
    p, s = (stats.rankdata(x, axis=-1) for x in (predicted, scores))
    p, s = p - p.mean(-1, keepdims=True), s - s.mean(-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return (p * s).sum(-1) / np.sqrt((p**2).sum(-1) * (s**2).sum(-1))


def pearson_of(rho):
    """Pearson's correlation of two normal variables whose rank correlation is rho: 2 sin(pi rho / 6)."""
    return 2 * np.sin(np.pi * rho / 6)


def resampled_srcc(predicted, scores, seed: int, resamples: int) -> np.ndarray:
    """Rank correlation over resampled test routines, (resamples,), a mean over seeds; one seed, the same routines.

    Args:
        predicted: (N,), or (S, N) of several seeds. scores: (N,). A resample whose routines are all tied gives NaN.
    """
    predicted, scores = np.atleast_2d(np.asarray(predicted, float)), np.asarray(scores, float)
    draws = np.random.default_rng(seed).integers(0, len(scores), (resamples, len(scores)))
    return spearman_rows(predicted[:, draws], scores[draws]).mean(0)  # (S, R, N) -> (R,)


def difference_interval(first, second, scores, seed: int = 0, resamples: int = 1000) -> tuple[float, float]:
    """95 % percentile interval of one method's SRCC less another's over the same resampled test routines: low, high.

    Args:
        first, second: (S, N), several seeds of either, whose correlations are averaged. scores: (N,).

    What makes a draw of routines easy or hard for both cancels.
    """
    rhos = [resampled_srcc(p, scores, seed, resamples) for p in (first, second)]
    return percentile_interval(rhos[0] - rhos[1])


def bootstrap_interval(predicted, scores, seed: int, resamples: int = 1000) -> tuple[float, float]:
    """95 % percentile interval of the rank correlation over resampled test routines: (low, high).

    Args:
        predicted: (N,), or (S, N) of several seeds, whose mean correlation then gets the interval. scores: (N,).

    A resample without any ranking (all routines tied) is left out.
    """
    return percentile_interval(resampled_srcc(predicted, scores, seed, resamples))


def percentile_interval(found: np.ndarray) -> tuple[float, float]:
    """The ends between which the middle 95 % of what resampling found lie, (n,); NaN where it found nothing."""
    if np.isnan(found).all():
        return float("nan"), float("nan")
    return tuple(float(q) for q in np.nanquantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
