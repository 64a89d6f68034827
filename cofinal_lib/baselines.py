"""What simple regression reaches on the same features: the line every method has to pass."""

import numpy as np
from sklearn.linear_model import RidgeCV

from cofinal_lib.data.features import FeatureSet

ALPHAS = np.logspace(-4, 6, 41)


def ridge_on_mean_clip(data: FeatureSet) -> tuple[np.ndarray, float]:
    """Ridge regression on each routine's average clip.

    Returns:
        predictions (N,), in points, for every routine; and the penalty, chosen among ALPHAS by leave-one-out
        cross-validation inside the training routines.
    """
    X, y, train = data.mean_clip(), data.scores.numpy(), data.rows("train").numpy()
    ridge = RidgeCV(ALPHAS).fit(X[train], y[train])
    return ridge.predict(X), float(ridge.alpha_)
