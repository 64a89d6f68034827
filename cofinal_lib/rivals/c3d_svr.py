"""C3D+SVR (Parmar and Morris, 2017): the mean of a routine's clip features, and support vector regression on it.

Scikit-learn's SVR with an RBF kernel on standardised features; its C is chosen by cross-validation inside the training
routines. C3D features are in no public data set at hand, so the SVR reads whatever clip features there are.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from torch import Tensor, nn

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.padding import existing_clips


@dataclass(frozen=True)
class C3DSVRConfig:
    """Options.

    Attributes:
        kernel: of the SVR.
        low, high: the training scores' range; the tube of width epsilon is a share of it.
        epsilon: errors below this share of the range cost nothing.
    """

    kernel: str = "rbf"
    low: float = 0.0
    high: float = 1.0
    epsilon: float = 0.02


class C3DSVR(nn.Module):
    """Mean clip, support vector regression. Nothing in it is drawn at random."""

    Config = C3DSVRConfig

    def __init__(self, config: C3DSVRConfig, generator: torch.Generator | None = None):
        super().__init__()
        self.config = config
        self.search = None

    def solve(self, features: Tensor, lengths: Tensor, scores: Tensor) -> dict[str, float]:
        """Fit (N, C, D_C), (N,) to scores (N,) in points; returns {"total": mean squared training error}."""
        c = self.config
        svr = make_pipeline(StandardScaler(), SVR(kernel=c.kernel, epsilon=c.epsilon * (c.high - c.low)))
        search = GridSearchCV(svr, {"svr__C": np.logspace(-1, 3, 5) * (c.high - c.low) / 10}, cv=min(5, len(scores)))
        self.search = search.fit(mean_clip(features, lengths).cpu().numpy(), scores.cpu().numpy())
        error = self(features, lengths)["score"] - scores
        return {"total": float(error.square().mean())}

    def forward(self, features: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Score routines: features (B, C, D_C), padded with anything, and lengths (B,); needs `solve` first.

        Returns:
            a dict: score (B,) in points, embedding (B, D_C), the mean clip.
        """
        embedding = mean_clip(features, lengths)
        score = torch.from_numpy(self.search.predict(embedding.cpu().numpy())).to(embedding)
        return {"score": score, "embedding": embedding}

    @staticmethod
    def notes(data: FeatureSet) -> list[str]:
        """What it reads here."""
        return [
            f"No C3D features of {data.target} are at hand: the SVR reads the mean of its {data.source} clip features."
        ]


def mean_clip(features: Tensor, lengths: Tensor) -> Tensor:
    """Mean over the clips that exist, (B, C, D_C) and (B,) -> (B, D_C)."""
    H, mask = existing_clips(features, lengths)
    return (H * mask.unsqueeze(-1)).sum(1) / lengths[:, None]
