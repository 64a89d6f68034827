"""What simple regression reaches on the same features: the lines every method has to pass.

Two of them are methods like any other (`rivals.METHODS`): ridge regression on the mean clip, and RBF kernel ridge
regression on five segment means, both scikit-learn's. A third, support vector regression, is Table 1's own C3D+SVR.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.padding import existing_clips
from cofinal_lib.temporal_fusion import segment_means
from cofinal_lib.train import Schedule

ALPHAS = np.logspace(-4, 6, 41)


def segments(features: Tensor, lengths: Tensor, n_segments: int) -> Tensor:
    """Means of P segments of the clips that exist, side by side, (B, C, D_C) and (B,) -> (B, P D_C); one: mean clip."""
    H, mask = existing_clips(features, lengths)
    return segment_means(H, mask, n_segments).flatten(1)  # (B, P D_C)


class Regression(nn.Module):
    """A scikit-learn regression on segment means, fitted in one go. Nothing in it is drawn at random.

    A subclass has `estimator`: what is to be fitted to features (N, P D_C), with the choice of its own knobs inside.
    `config` has n_segments, P.
    """

    schedule = Schedule(holdout=0)  # there is one epoch, and so none to choose

    def __init__(self, config, generator: torch.Generator | None = None):
        super().__init__()
        self.config = config
        self.fitted = None

    def solve(self, features: Tensor, lengths: Tensor, scores: Tensor) -> dict[str, float]:
        """Fit (N, C, D_C), (N,) to scores (N,) in points; returns {"total": mean squared training error}."""
        X = segments(features, lengths, self.config.n_segments).cpu().numpy().astype(float)
        self.fitted = self.estimator(*X.shape).fit(X, scores.cpu().numpy().astype(float))
        error = self(features, lengths)["score"] - scores
        return {"total": float(error.square().mean())}

    def forward(self, features: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Score routines: features (B, C, D_C), padded with anything, and lengths (B,); needs `solve` first.

        Returns:
            a dict: score (B,) in points, embedding (B, P D_C), the segment means.
        """
        embedding = segments(features, lengths, self.config.n_segments)
        score = self.fitted.predict(embedding.cpu().numpy().astype(float))
        return {"score": torch.from_numpy(score).to(embedding), "embedding": embedding}


@dataclass(frozen=True)
class RidgeConfig:
    """n_segments: P, how many segment means a routine becomes; 1 is its mean clip."""

    n_segments: int = 1


class Ridge(Regression):
    """Ridge regression; the penalty, one of ALPHAS, by leave-one-out inside the training routines.

    Features are centred and not scaled, so the fit depends on distances between routines alone.
    """

    Config = RidgeConfig

    def estimator(self, n_routines: int, n_features: int) -> RidgeCV:
        """To be fitted to (N, P D_C)."""
        return RidgeCV(ALPHAS)


@dataclass(frozen=True)
class KernelRidgeConfig:
    """n_segments: P, how many segment means a routine becomes; 1 is its mean clip."""

    n_segments: int = 5


class KernelRidge(Regression):
    """Kernel ridge regression with an RBF kernel, on features standardised by the routines it is fitted to.

    Penalty and width by five-fold cross-validation (R² averaged over folds) inside the training routines, each
    fold standardised anew: penalties .01, .1, 1; gamma .1, .3, 1, 3 over the number of features, which is their total
    variance.
    """

    Config = KernelRidgeConfig

    def estimator(self, n_routines: int, n_features: int) -> GridSearchCV:
        """To be fitted to (N, P D_C)."""
        centred = TransformedTargetRegressor(
            SklearnKernelRidge(kernel="rbf"), transformer=StandardScaler(with_std=False)
        )
        grid = {"alpha": [0.01, 0.1, 1.0], "gamma": np.array([0.1, 0.3, 1.0, 3.0]) / n_features}
        grid = {f"transformedtargetregressor__regressor__{name}": values for name, values in grid.items()}
        folds = KFold(min(5, n_routines), shuffle=True, random_state=0)
        return GridSearchCV(make_pipeline(StandardScaler(), centred), grid, cv=folds)


def ridge_on_mean_clip(data: FeatureSet) -> tuple[np.ndarray, float]:
    """Ridge regression on each routine's average clip, which stands beside every run.

    Returns:
        predictions (N,), in points, for every routine; and the penalty, chosen among ALPHAS by leave-one-out
        cross-validation inside the training routines.
    """
    X, y, train = data.mean_clip(), data.scores.numpy(), data.rows("train").numpy()
    ridge = RidgeCV(ALPHAS).fit(X[train], y[train])
    return ridge.predict(X), float(ridge.alpha_)
