"""How well can the official test routines be ranked, if everything is chosen inside the training routines?

A candidate turns the routines and the training scores into predictions for all routines. Each is cross-validated on
the training routines; the best there is the record's choice; then, once, the test routines are looked at.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeCV
from sklearn.metrics import make_scorer
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import StandardScaler

from cofinal_lib import baselines
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.metrics import bootstrap_interval, spearman

SCALES = (1, 3, 8)  # segments a routine is averaged in
WIDTHS = (0.2, 0.4, 0.8, 1.6)
PENALTIES = (0.001, 0.01, 0.1, 1.0)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
FOLDS = 5

# (scores of the target (N,), the routines' other scores (N,), rows it may learn from (n,)) -> predictions (N,)
Candidate = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def summaries(data: FeatureSet) -> dict[str, np.ndarray]:
    """What a routine looks like at several scales: name -> (N, D).

    Means of 1, 3 and 8 equal segments; each coordinate's deviation over the clips; its mean change from clip to clip.
    """
    found = {f"means of {n}": baselines.segments(data.features, data.lengths, n).numpy() for n in SCALES}
    routines = [clips[:n] for clips, n in zip(data.features.numpy(), data.lengths.tolist(), strict=True)]
    found["deviation"] = np.stack([clips.std(0) for clips in routines])
    found["change"] = np.stack([np.abs(np.diff(clips, axis=0)).mean(0) for clips in routines])
    return found


def _folds() -> KFold:
    return KFold(FOLDS, shuffle=True, random_state=0)


def squared_distances(blocks: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """(N, N): per coordinate, in units of the deviations over some rows (n,), averaged over blocks of (N, D) each."""
    scaled = [StandardScaler().fit(block[rows]).transform(block) for block in blocks]
    return np.mean([euclidean_distances(block, squared=True) / block.shape[1] for block in scaled], axis=0)


def kernel_ridge(distances: np.ndarray, scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Kernel ridge regression with exp(-width * distance): distances (N, N), scores (N,), learned from rows (n,).

    Width and penalty by the SRCC of five-fold cross-validation inside the rows. Returns predictions (N,), in points.
    """
    mean, searches = scores[rows].mean(), []
    for width in WIDTHS:
        K = np.exp(-width * distances)
        search = GridSearchCV(
            KernelRidge(kernel="precomputed"), {"alpha": PENALTIES}, scoring=make_scorer(spearman), cv=_folds()
        )
        searches.append((search.fit(K[np.ix_(rows, rows)], scores[rows] - mean), K[:, rows]))
    search, K = max(searches, key=lambda found: found[0].best_score_)
    return search.predict(K) + mean


def regressions(data: FeatureSet) -> dict[str, Candidate]:
    """Candidates that take seconds, from the plainest to the richest.

    What is learned, is learned from the rows alone; `mix` then counts predictions in units of their deviation over all
    routines, held-out ones included.
    """
    mean_clip, many = data.mean_clip(), list(summaries(data).values())
    means = baselines.segments(data.features, data.lengths, 5).numpy().astype(float)  # (N, 5 D_C)

    def ridge(scores, other, rows):
        return RidgeCV(baselines.ALPHAS).fit(mean_clip[rows], scores[rows]).predict(mean_clip)

    def segments(scores, other, rows):
        estimator = baselines.KernelRidge(baselines.KernelRidgeConfig()).estimator(*means[rows].shape)
        return estimator.fit(means[rows], scores[rows]).predict(means)

    def by_rank(scores, other, rows):
        return kernel_ridge(squared_distances([means], rows), scores, rows)

    def scales(scores, other, rows):
        return kernel_ridge(squared_distances(many, rows), scores, rows)

    def both_scores(scores, other, rows):
        held = [cross_predictions(scales, *pair, rows) for pair in ((scores, other), (other, scores))]
        share = max(SHARES, key=lambda share: spearman(mix(*held, share)[rows], scores[rows]))
        return mix(scales(scores, other, rows), scales(other, scores, rows), share)

    return {
        "ridge, mean clip": ridge,
        "kernel ridge, five segments": segments,
        "the same, knobs by SRCC": by_rank,
        "kernel ridge, several scales": scales,
        "several scales, both scores": both_scores,
    }


def mix(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Add a share of a second prediction to a first one, (N,) each, both in units of their own deviation."""
    first, second = ((p - np.nanmean(p)) / np.nanstd(p) for p in (first, second))
    return first + share * second


def cross_predictions(candidate: Candidate, scores, other, rows: np.ndarray) -> np.ndarray:
    """Predict each of the rows (n,) by a candidate that never saw it, in five folds: (N,), NaN elsewhere."""
    found = np.full(len(scores), np.nan)
    for inside, held in _folds().split(rows):
        found[rows[held]] = candidate(scores, other, rows[inside])[rows[held]]
    return found


def by_fold(predicted: np.ndarray, scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """SRCC of `cross_predictions` within each of its folds, (5,)."""
    return np.array([spearman(predicted[rows[held]], scores[rows[held]]) for _, held in _folds().split(rows)])


def record(data: FeatureSet, other: np.ndarray, networks: dict[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """The record of a target: every candidate by cross-validation, and on the test routines.

    Args:
        data: the routines. other: (N,), their other scores, of which the training routines' are read.
        networks: name -> (`cross_predictions`, predictions), (N,) each, of what takes longer than seconds. Each stands
            as a candidate of its own and averaged with the richest regression.

    Returns:
        a row a candidate: target, candidate, cv (mean SRCC over the folds), test, low, high (95 %, over test
        routines, bootstrap), chosen: the best by cv, the plainer of equals.
    """
    scores, rows, test = data.scores.numpy(), data.rows("train").numpy(), data.rows("test").numpy()
    found = {
        name: (cross_predictions(candidate, scores, other, rows), candidate(scores, other, rows))
        for name, candidate in regressions(data).items()
    }
    richest = list(found)[-1]
    for name, (held, predicted) in networks.items():
        found[name] = held, predicted
        found[f"{name}, and the last regression"] = (
            mix(found[richest][0], held, 1.0),
            mix(found[richest][1], predicted, 1.0),
        )
    table = pd.DataFrame(
        [
            {
                "target": data.target,
                "candidate": name,
                "cv": by_fold(held, scores, rows).mean(),
                "test": spearman(predicted[test], scores[test]),
                **dict(zip(("low", "high"), bootstrap_interval(predicted[test], scores[test], seed=0), strict=True)),
            }
            for name, (held, predicted) in found.items()
        ]
    )
    return table.assign(chosen=table.index == table["cv"].idxmax())
