"""FeatureSet: clip features, scores and split of one target, padded into one tensor."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from sklearn.model_selection import KFold
from torch import Tensor

from cofinal_lib.errors import CofinalError


@dataclass(frozen=True)
class FeatureSet:
    """N routines of one target.

    Attributes:
        target: "fisv/pcs", "uiprmd/deep-squat", "twin/ball"...
        source: "official", "movement" or "twin"; never mixed in one table.
        ids: (N,) names, unique.
        features: (N, C, D_C) float32, zero after a routine's last clip.
        lengths: (N,) int64, clips per routine.
        scores: (N,) float64, in points.
        is_train: (N,) bool; the rest is the test split.
        crop: how many consecutive clips a training routine is cut to (68 for RG, 124 for Fis-V); None for all.
        qualities: (N, P) float64, a twin's true procedure qualities; None elsewhere.
    """

    target: str
    source: str
    ids: tuple[str, ...]
    features: Tensor
    lengths: Tensor
    scores: Tensor
    is_train: Tensor
    crop: int | None = None
    qualities: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def feature_dim(self) -> int:
        """D_C."""
        return self.features.shape[-1]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that could change a result: names, scores, split, lengths, features as loaded."""
        sha = hashlib.sha256()
        sha.update("\n".join((self.target, str(self.crop), *self.ids)).encode())
        for tensor in (self.scores, self.is_train, self.lengths):
            sha.update(tensor.numpy().tobytes())
        for clips, length in zip(self.features.numpy(), self.lengths.tolist(), strict=True):
            sha.update(clips[:length].tobytes())
        return sha.hexdigest()

    def pooled(self, k: int) -> "FeatureSet":
        """The same routines, each k consecutive clips averaged into one, the last ones as many as are left."""
        if k == 1:
            return self
        N, C, D = self.features.shape
        n = -(-C // k)
        grouped = torch.nn.functional.pad(self.features, (0, 0, 0, n * k - C)).view(N, n, k, D)
        exists = (torch.arange(n * k) < self.lengths[:, None]).view(N, n, k)
        means = grouped.sum(2) / exists.sum(2).clamp(min=1).unsqueeze(-1)  # (N, n, D)
        crop = self.crop and -(-self.crop // k)
        return replace(self, features=means, lengths=-(-self.lengths // k), crop=crop)

    def only(self, rows: Tensor) -> "FeatureSet":
        """Some of the routines, (n,) indices, in that order: `data.only(data.rows("train"))` hides the test split."""
        given = {name: getattr(self, name)[rows] for name in ("features", "lengths", "scores", "is_train")}
        qualities = None if self.qualities is None else self.qualities[rows]
        return replace(self, ids=tuple(self.ids[i] for i in rows.tolist()), qualities=qualities, **given)

    def folds(self, k: int, seed: int) -> "list[FeatureSet]":
        """Cross-validation over all routines: k copies, each of whose "test" split is another k-th, drawn at random."""
        split = KFold(k, shuffle=True, random_state=seed).split(self.ids)
        rows = torch.arange(len(self))
        return [replace(self, is_train=torch.isin(rows, torch.from_numpy(train))) for train, _ in split]

    def rows(self, split: str) -> Tensor:
        """Indices of the "train" or "test" routines, in file order."""
        return torch.nonzero(self.is_train if split == "train" else ~self.is_train).flatten()

    def mean_clip(self) -> np.ndarray:
        """Average clip of each routine, (N, D_C) float64: what the simplest baselines see."""
        return np.stack(
            [clips[:n].mean(0, dtype=np.float64) for clips, n in zip(self.features.numpy(), self.lengths, strict=True)]
        )


def pad(routines: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Stack routines of (C_i, D_C) into features (N, max C, D_C) float32, zero after the end, and lengths (N,).

    Raises:
        CofinalError: there are no routines.
    """
    if not routines:
        raise CofinalError("no routines to stack: expected at least one array of (clips, dimensions)")
    lengths = torch.tensor([len(r) for r in routines])
    features = torch.zeros(len(routines), int(lengths.max()), routines[0].shape[1])
    for row, routine in zip(features, routines, strict=True):
        row[: len(routine)] = torch.from_numpy(np.asarray(routine, dtype=np.float32))
    return features, lengths
