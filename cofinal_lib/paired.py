"""Two methods on the same test routines: do they differ by more than luck, and what do printed numbers alone allow."""

import numpy as np
from scipy import stats

from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import spearman_rows


def paired_bootstrap(
    first, second, scores, seed: int = 0, level: float = 0.95, resamples: int = 2000
) -> tuple[float, float, float]:
    """SRCC of one method less that of another, with its percentile interval: (difference, low, high).

    Both are measured on the same resampled test routines, so what makes a draw easy for both cancels.

    Args:
        first, second: (N,), predictions in any unit. scores: (N,).
    """
    first, second, scores = _alike(first, second, scores)
    draws = np.random.default_rng(seed).integers(0, len(scores), (resamples, len(scores)))
    both = np.stack([first, second])[:, draws]  # (2, R, N)
    one, other = spearman_rows(both, scores[draws])
    low, high = np.nanquantile(one - other, [(1 - level) / 2, (1 + level) / 2])
    return _difference(first, second, scores), float(low), float(high)


def paired_permutation(first, second, scores, seed: int = 0, permutations: int = 5000) -> float:
    """Two-sided p value of "it makes no difference which method a routine's rank comes from".

    For each routine a coin decides whether the two methods swap the ranks they gave it; p is the share of such draws
    whose SRCCs differ as much as the real ones, the real ones included. Ranks, for two methods' scores may have other
    scales.

    Args:
        first, second: (N,), predictions in any unit. scores: (N,).
    """
    first, second, scores = _alike(first, second, scores)
    ranks = np.stack([stats.rankdata(first), stats.rankdata(second)])  # (2, N)
    swap = np.random.default_rng(seed).random((permutations, len(scores))) < 0.5
    one, other = (spearman_rows(np.where(swap, *pair), scores) for pair in (ranks, ranks[::-1]))
    real = abs(_difference(first, second, scores))
    return float((1 + (np.abs(one - other) >= real - 1e-12).sum()) / (1 + permutations))


def _alike(*arrays) -> list[np.ndarray]:
    arrays = [np.asarray(a, float) for a in arrays]
    if len({a.shape for a in arrays}) > 1 or arrays[0].ndim != 1:
        raise CofinalError(f"paired tests: expected three arrays (N,), got {', '.join(str(a.shape) for a in arrays)}")
    return arrays


def _difference(first, second, scores) -> float:
    return float(spearman_rows(first, scores) - spearman_rows(second, scores))


# --------------------------------------------------------------------------------------- from correlations alone


def feasible(first: float, second: float, between: float) -> float:
    """The correlation nearest to `between` that two predictions can have which correlate so with the same scores."""
    middle, reach = first * second, np.sqrt((1 - first**2) * (1 - second**2))
    return float(np.clip(between, middle - 0.999 * reach, middle + 0.999 * reach))


def difference_variance(first: float, second: float, between: float | None = None) -> float:
    """Variance of the difference of two SRCCs' Fisher z, times the number of routines less 3.

    Bonett and Wright's (2000) variances, 1 + rho^2 / 2. On the same routines, Steiger's (1980) covariance of two
    correlations that share a variable, enlarged as the variances are (our approximation).

    Args:
        first, second: SRCC of either method.
        between: rank correlation of their predictions on the same routines, see `feasible`; None: other routines.
    """
    variances = 1 + np.array([first, second]) ** 2 / 2
    if between is None:
        return float(variances.sum())
    a, b, c = first**2, second**2, feasible(first, second, between)
    shared = (c * (1 - a - b) - first * second * (1 - a - b - c**2) / 2) / ((1 - a) * (1 - b))
    return float(variances.sum() - 2 * shared * np.sqrt(variances.prod()))


def printed_test(first: float, second: float, n: int, between: float | None = None) -> tuple[float, float]:
    """z and two-sided p of the difference of two SRCCs that are known as numbers only, on n test routines each."""
    z = (np.arctanh(first) - np.arctanh(second)) / np.sqrt(difference_variance(first, second, between) / (n - 3))
    return float(z), float(2 * stats.norm.sf(abs(z)))


def routines_needed(
    first: float, second: float, between: float | None = None, power: float = 0.8, level: float = 0.95
) -> int:
    """Test routines it takes to tell two SRCCs apart (two-sided) with that power, if they are the true ones."""
    if first == second:
        raise CofinalError(f"two methods with the same SRCC ({first}) cannot be told apart by any number of routines")
    ask = stats.norm.ppf((1 + level) / 2) + stats.norm.ppf(power)
    distance = np.arctanh(first) - np.arctanh(second)
    return int(np.ceil(3 + difference_variance(first, second, between) * (ask / distance) ** 2))


def power(first: float, second: float, n: int, between: float | None = None, level: float = 0.95) -> float:
    """How often n test routines tell two SRCCs apart (two-sided), if they are the true ones."""
    z, _ = printed_test(first, second, n, between)
    edge = stats.norm.ppf((1 + level) / 2)
    return float(stats.norm.sf(edge - z) + stats.norm.cdf(-edge - z))


def holm(p) -> np.ndarray:
    """Holm's (1979) adjusted p values of a family of tests, in their order."""
    p = np.asarray(p, float)
    order = p.argsort(kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return adjusted[order.argsort()]
