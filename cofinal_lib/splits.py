"""The same routines split at random, again and again: what a test SRCC owes to the draw of its routines."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from cofinal_lib.baselines import Ridge, RidgeConfig
from cofinal_lib.metrics import spearman


def coordinates(X: np.ndarray) -> np.ndarray:
    """The same routines in as few numbers as hold them: (N, D) -> (N, min(N, D)), every inner product kept.

    X = U S V'; U S is X turned by an orthogonal matrix. Ridge regression (its intercept, its penalty by leave-one-out)
    depends on inner products alone, so whatever routines it is fitted to, its predictions stay what they were, at a
    fraction of the cost. No score takes part in this, and no feature is scaled by what test routines look like.
    """
    U, S, _ = np.linalg.svd(X, full_matrices=False)
    return U * S


def random_splits(n: int, n_train: int, draws: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Training masks (N,), bool, each with n_train routines drawn at random; the first are the same however many."""
    random = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.isin(np.arange(n), random.permutation(n)[:n_train])


def ridge_over_splits(X: np.ndarray, scores: dict[str, np.ndarray], splits: Iterable[np.ndarray]) -> pd.DataFrame:
    """Test SRCC of `baselines.Ridge`'s regression on each split.

    Args:
        X: (N, D), one row a routine, such as `coordinates` of segment means.
        scores: target -> (N,), in points. splits: training masks (N,).

    Returns:
        a row a split and target: split (its place), target, srcc, alpha (the penalty chosen inside its training
        routines).
    """
    rows = []
    for i, train in enumerate(splits):
        for target, y in scores.items():
            ridge = Ridge(RidgeConfig()).estimator(*X[train].shape).fit(X[train], y[train])
            rows.append((i, target, spearman(ridge.predict(X[~train]), y[~train]), ridge.alpha_))
    return pd.DataFrame(rows, columns=["split", "target", "srcc", "alpha"])
