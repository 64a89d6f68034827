"""C3D+SVR (Parmar and Morris, 2017): the mean of a routine's clip features, and support vector regression on it.

Scikit-learn's SVR with an RBF kernel on standardised features; its C is chosen by cross-validation inside the training
routines. C3D features are in no public data set at hand, so the SVR reads whatever clip features there are.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from cofinal_lib.baselines import Regression
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError

KERNELS = ("linear", "poly", "rbf", "sigmoid")


@dataclass(frozen=True)
class C3DSVRConfig:
    """Options.

    Attributes:
        kernel: of the SVR.
        low, high: the training scores' range; the tube of width epsilon is a share of it.
        epsilon: errors below this share of the range cost nothing.
        n_segments: how many segment means it reads; 1 is the mean clip.

    Raises:
        CofinalError: no such kernel, low not below high, or a negative epsilon.
    """

    kernel: str = "rbf"
    low: float = 0.0
    high: float = 1.0
    epsilon: float = 0.02
    n_segments: int = 1

    def __post_init__(self):
        if self.kernel not in KERNELS:
            raise CofinalError(f"C3DSVRConfig: kernel is {self.kernel!r}; expected one of {KERNELS}")
        if not self.low < self.high or self.epsilon < 0:
            raise CofinalError(
                f"C3DSVRConfig: low {self.low:g}, high {self.high:g}, epsilon {self.epsilon:g}; "
                "expected low below high, and no negative epsilon"
            )


class C3DSVR(Regression):
    """Mean clip, support vector regression. Nothing in it is drawn at random."""

    Config = C3DSVRConfig

    def estimator(self, n_routines: int, n_features: int) -> GridSearchCV:
        """To be fitted to (N, P D_C)."""
        c = self.config
        svr = make_pipeline(StandardScaler(), SVR(kernel=c.kernel, epsilon=c.epsilon * (c.high - c.low)))
        return GridSearchCV(svr, {"svr__C": np.logspace(-1, 3, 5) * (c.high - c.low) / 10}, cv=min(5, n_routines))

    @staticmethod
    def notes(data: FeatureSet) -> list[str]:
        """What it reads here."""
        if data.target.endswith("@c3d"):
            return []
        return [f"No C3D features of {data.target} are at hand: the SVR reads its {data.source} clip features."]
