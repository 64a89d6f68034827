"""How sure a comparison of rankings can be: intervals put to the test, paired tests, printed numbers, chosen epochs."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import (
    LEVEL,
    bootstrap_interval,
    difference_interval,
    pearson_of,
    spearman_interval,
    spearman_rows,
)
from cofinal_lib.paper import printed, table1
from cofinal_lib.tables import GROUPS, N_TEST, group_of

# --------------------------------------------------------------------------------------- one method


def coverage(rho: float, n: int, draws: int = 200, resamples: int = 200, seed: int = 0) -> pd.DataFrame:
    """How often 95 % intervals of an SRCC on n routines hold the true one, by simulation.

    Scores and predictions are normal with rank correlation `rho` over all routines there could be.

    Returns:
        way ("Fisher", whose error is 1 / sqrt(n - 3), "Bonett and Wright", "bootstrap"); covered, its 95 % interval low
        and high (Wilson's); width, the mean width.
    """
    random, r = np.random.default_rng(seed), pearson_of(rho)
    scores, noise = random.standard_normal((2, draws, n))
    predicted = r * scores + np.sqrt(1 - r**2) * noise
    found = spearman_rows(predicted, scores)
    half = stats.norm.ppf((1 + LEVEL) / 2) / np.sqrt(n - 3)
    ends = {
        "Fisher": [np.tanh([np.arctanh(f) - half, np.arctanh(f) + half]) for f in found],
        "Bonett and Wright": [spearman_interval(f, n) for f in found],
        "bootstrap": [bootstrap_interval(p, s, seed, resamples) for p, s in zip(predicted, scores, strict=True)],
    }
    rows = []
    for way, intervals in ends.items():
        low, high = np.array(intervals).T
        hits = int(((low <= rho) & (rho <= high)).sum())
        sure = stats.binomtest(hits, draws).proportion_ci(method="wilson")
        rows.append((way, hits / draws, sure.low, sure.high, (high - low).mean()))
    return pd.DataFrame(rows, columns=["way", "covered", "low", "high", "width"])


# --------------------------------------------------------------------------------------- two methods


def paired_bootstrap(first, second, scores, seed: int = 0, resamples: int = 1000) -> tuple[float, float, float]:
    """SRCC of one method less that of another, with its 95 % percentile interval: (difference, low, high).

    Both are measured on the same resampled test routines, so what makes a draw easy for both cancels. NaN where either
    ranks nothing.

    Args:
        first, second: (N,), predictions in any unit. scores: (N,).

    Raises:
        CofinalError: other shapes.
    """
    first, second, scores = _alike(first, second, scores)
    ends = difference_interval(first[None], second[None], scores, seed, resamples)
    return _difference(first, second, scores), *ends


def paired_permutation(first, second, scores, seed: int = 0, permutations: int = 5000) -> float:
    """Two-sided p value of "it makes no difference which method a routine's rank comes from".

    For each routine a coin decides whether the two methods swap the ranks they gave it; p is the share of such draws
    whose SRCCs differ as much as the real ones, the real ones included. Ranks, for two methods' scores may have other
    scales. NaN where either ranks nothing.

    Args:
        first, second: (N,), predictions in any unit. scores: (N,).

    Raises:
        CofinalError: other shapes.
    """
    first, second, scores = _alike(first, second, scores)
    real = abs(_difference(first, second, scores))
    if np.isnan(real):
        return float("nan")
    ranks = np.stack([stats.rankdata(first), stats.rankdata(second)])  # (2, N)
    swap = np.random.default_rng(seed).random((permutations, len(scores))) < 0.5
    one, other = (spearman_rows(np.where(swap, *pair), scores) for pair in (ranks, ranks[::-1]))
    return float((1 + (np.abs(one - other) >= real - 1e-12).sum()) / (1 + permutations))


def _alike(*arrays) -> list[np.ndarray]:
    arrays = [np.asarray(a, float) for a in arrays]
    if len({a.shape for a in arrays}) > 1 or arrays[0].ndim != 1:
        raise CofinalError(f"paired tests: expected three arrays (N,), got {', '.join(str(a.shape) for a in arrays)}")
    return arrays


def _difference(first, second, scores) -> float:
    return float(spearman_rows(first, scores) - spearman_rows(second, scores))


def holm(p) -> np.ndarray:
    """Holm's (1979) adjusted p values of a family of tests, in their order; NaN stays NaN, and counts as a test."""
    p = np.asarray(p, float)
    order = p.argsort(kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return adjusted[order.argsort()]


def compare(predictions: pd.DataFrame, scores, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Every two methods on the same test routines.

    Args:
        predictions: a column a method, a row a routine. scores: (N,). draws: resamples, and permutations.

    Returns:
        first, second (the one with the higher SRCC first); between, their predictions' rank correlation; difference,
        low, high, of `paired_bootstrap`; p, of `paired_permutation`, and holm, adjusted for all pairs. NaN where either
        ranks nothing; such methods stand last.
    """
    srcc = {name: float(spearman_rows(predictions[name], scores)) for name in predictions}
    rows = []
    order = sorted(srcc, key=lambda name: np.nan_to_num(srcc[name], nan=-2), reverse=True)
    for pair in combinations(order, 2):
        both = [predictions[name].to_numpy() for name in pair]
        difference = paired_bootstrap(*both, scores, seed, resamples=draws)
        rows.append((*pair, float(spearman_rows(*both)), *difference, paired_permutation(*both, scores, seed, draws)))
    found = pd.DataFrame(rows, columns=["first", "second", "between", "difference", "low", "high", "p"])
    return found.assign(holm=holm(found["p"]))


# --------------------------------------------------------------------------------------- from printed numbers alone


def feasible(first: float, second: float, between: float) -> float:
    """The correlation nearest to `between` that two predictions can have which correlate so with the same scores."""
    middle, reach = first * second, np.sqrt((1 - first**2) * (1 - second**2))
    # Short of the bound: on it, two equal SRCCs have a difference without variance, by which z would be divided.
    return float(np.clip(between, middle - 0.999 * reach, middle + 0.999 * reach))


def difference_variance(first: float, second: float, between: float | None = None) -> float:
    """Variance of the difference of two SRCCs' Fisher z, times the number of routines less 3.

    Bonett and Wright's (2000) variances, 1 + rho^2 / 2. On the same routines, Steiger's (1980) covariance of two
    correlations that share a variable, enlarged as the variances are (our approximation; a test simulates it).

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


def _distance(first, second, between) -> tuple[float, float]:
    """Mean difference of Fisher's z over targets, and its variance times the routines of a target less 3."""
    first, second = np.atleast_1d(first).astype(float), np.atleast_1d(second).astype(float)
    variances = [difference_variance(a, b, between) for a, b in zip(first, second, strict=True)]
    return float((np.arctanh(first) - np.arctanh(second)).mean()), float(np.mean(variances) / len(first))


def printed_test(first, second, n: int, between: float | None = None) -> tuple[float, float]:
    """z and two-sided p of the difference of two SRCCs, or of two Fisher averages, known as numbers only.

    Args:
        first, second: an SRCC each, or one for each of several targets whose routines differ.
        n: test routines of a target. between: of `difference_variance`.
    """
    distance, variance = _distance(first, second, between)
    z = distance / np.sqrt(variance / (n - 3))
    return float(z), float(2 * stats.norm.sf(abs(z)))


def routines_needed(first, second, between: float | None = None, power: float = 0.8) -> int:
    """Test routines of a target it takes to tell two SRCCs (or averages) apart, two-sided at 5 %, with that power.

    Args:
        first, second, between: of `printed_test`, taken for the true values.

    Raises:
        CofinalError: the first and the second are equal, which no number of routines tells apart.
    """
    distance, variance = _distance(first, second, between)
    if distance == 0:
        raise CofinalError(f"no number of routines tells an SRCC of {first} from one of {second}")
    ask = stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(power)
    return int(np.ceil(3 + variance * (ask / distance) ** 2))


def power(first, second, n: int, between: float | None = None) -> float:
    """How often n test routines tell two SRCCs (or averages) apart, two-sided at 5 %, if they are the true ones."""
    z, _ = printed_test(first, second, n, between)
    edge = stats.norm.ppf((1 + LEVEL) / 2)
    return float(stats.norm.sf(edge - z) + stats.norm.cdf(-edge - z))


def printed_differences(between: float = 0.9) -> pd.DataFrame:
    """CoFInAl against every other method of its backbone in Table 1, and against its arms in Table 3.

    Args:
        between: assumed rank correlation of two methods' predictions, or as near to it as `feasible`.

    Returns:
        table, backbone, target, other, n; cofinal, rival (SRCC), difference; z, p, as if on routines of their own, and
        z_alike, p_alike, on the same ones; holm, holm_alike, adjusted within a table.
    """
    pairs, names = [], [name for group in GROUPS.values() for name in group]
    three = printed("table3").set_index("without")
    for backbone in ("VST", "I3D"):
        block = table1(backbone)
        for other in block.index.drop("CoFInAl"):
            pairs += [("Table 1", backbone, t, other, block.loc["CoFInAl", t], block.loc[other, t]) for t in names]
    for arm in three.index.drop(""):
        pairs += [("Table 3", "VST", t, f"w/o {arm}", three.loc["", t], three.loc[arm, t]) for t in GROUPS["RG"]]
    columns = ["table", "backbone", "target", "other", "cofinal", "rival"]
    found = pd.DataFrame(pairs, columns=columns).dropna(subset=["cofinal", "rival"], ignore_index=True)
    found["n"] = [N_TEST[group_of(target)] for target in found["target"]]
    found["difference"] = found["cofinal"] - found["rival"]
    for end, correlation in (("", None), ("_alike", between)):
        tests = [printed_test(r.cofinal, r.rival, r.n, correlation) for r in found.itertuples()]
        found[[f"z{end}", f"p{end}"]] = tests
        found[f"holm{end}"] = found.groupby("table")[f"p{end}"].transform(holm)
    return found


# --------------------------------------------------------------------------------------- the best of many epochs


def best_of(epochs: int, rho: float, alike: float, n: int, draws: int = 200, seed: int = 0) -> np.ndarray:
    """What reporting the best of 1, 2, ... epochs adds to the SRCC on n test routines, if no epoch is better: (E,).

    Scores and predictions are normal; every epoch's rank correlation with the score is `rho` over all routines.

    Args:
        alike: rank correlation of two epochs' predictions, the same for any two; at least what `rho` alone gives.

    Raises:
        CofinalError: `alike` is less than that, or above 1.
    """
    r, a = pearson_of(rho), pearson_of(alike)
    shared = (a - r**2) / (1 - r**2)  # share of the error's variance that all epochs have in common
    if not 0 <= shared <= 1:
        raise CofinalError(f"epochs with an SRCC of {rho} cannot be alike to {alike}: expected more, and at most 1")
    random = np.random.default_rng(seed)
    scores, common = random.standard_normal((2, draws, 1, n))
    own = random.standard_normal((draws, epochs, n))
    errors = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    found = spearman_rows(r * scores + np.sqrt(1 - r**2) * errors, scores)  # (draws, E)
    return np.maximum.accumulate(found, axis=1).mean(0) - found.mean()


def choose_on_half(predictions: np.ndarray, scores, splits: int = 200, seed: int = 0) -> pd.DataFrame:
    """Choose the best epoch on one half of the test routines, and look at it on the other: a row a random split.

    Args:
        predictions: (E, N), of the test routines after each epoch. scores: (N,).

    Returns:
        epoch, the one chosen (from 0); chosen, its SRCC less the last epoch's on the half that chose it; other, the
        same on the other half, where the choice knew nothing.
    """
    predictions, scores = np.asarray(predictions, float), np.asarray(scores, float)
    random, rows = np.random.default_rng(seed), []
    for _ in range(splits):
        halves = np.array_split(random.permutation(len(scores)), 2)
        curves = [spearman_rows(predictions[:, half], scores[half]) for half in halves]  # (E,) each
        best = int(np.nanargmax(curves[0]))
        rows.append((best, *(curve[best] - curve[-1] for curve in curves)))
    return pd.DataFrame(rows, columns=["epoch", "chosen", "other"])
