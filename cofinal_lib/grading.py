"""Scores as grades and sub-grades, and back: Eq. 6 and the decomposition printed below it."""

from dataclasses import dataclass

import numpy as np

from cofinal_lib.errors import CofinalError


@dataclass(frozen=True)
class GradeScale:
    """A score range cut into `n_grades` equal grades of `n_subgrades` equal sub-grades each.

    Scores, `low` and `high` are in the judges' points. G grades of length S_C = (high - low) / G, each of
    G' sub-grades of length S_F = S_C / G' (Sec. 3.1).

    Raises:
        CofinalError: high is not above low, or a count is below 1.
    """

    low: float
    high: float
    n_grades: int
    n_subgrades: int

    def __post_init__(self):
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise CofinalError(f"GradeScale: low must be below high, both finite; got {self.low} and {self.high}")
        if self.n_grades < 1 or self.n_subgrades < 1:
            raise CofinalError(
                f"GradeScale: needs at least 1 grade and 1 sub-grade; got {self.n_grades} and {self.n_subgrades}"
            )

    @property
    def n_levels(self) -> int:
        """G x G': how many different scores the scale can express."""
        return self.n_grades * self.n_subgrades

    @property
    def grade_length(self) -> float:
        """S_C, in points."""
        return (self.high - self.low) / self.n_grades

    @property
    def subgrade_length(self) -> float:
        """S_F, in points."""
        return (self.high - self.low) / self.n_levels

    def decompose(self, scores, clip: bool = False):
        """Split scores into grades s_C and sub-grades s_F.

        Args:
            scores: any shape, in points.
            clip: move scores outside [low, high] to the nearest end instead of refusing them.

        Returns:
            (grade, subgrade): integer arrays of the shape of `scores`, 0...G-1 and 0...G'-1. A score on a boundary
            belongs to the level above it; `high` belongs to the last level.

        Raises:
            CofinalError: a score is not finite, or outside the range and `clip` is off.

        The paper prints s_F = floor((s - floor(s/S_C)) / S_F), which lacks a factor S_C; this is
        floor((s - S_C floor(s/S_C)) / S_F). Both indices come from one level number, so that they cannot disagree.
        """
        given = np.asarray(scores)
        dtype = given.dtype if given.dtype.kind == "f" else np.dtype(np.float64)
        s = given.astype(np.float64)
        # A score a few rounding errors off a boundary means the boundary: 15.4 is stored as 15.399999 in float32.
        rounding = 4 * np.finfo(dtype).eps * max(abs(self.low), abs(self.high))
        outside = ~((s >= self.low - rounding) & (s <= self.high + rounding))  # true for NaN
        refused = ~np.isfinite(s) if clip else outside
        if refused.any():
            where = int(np.flatnonzero(refused)[0])
            score = s.flat[where]
            raise CofinalError(
                f"GradeScale: score {score:g} at position {where} lies outside [{self.low:g}, {self.high:g}]; "
                + ("widen the scale or pass clip=True" if np.isfinite(score) else "expected a finite number")
            )
        x = (s.clip(self.low, self.high) - self.low) / self.subgrade_length
        nearest = np.round(x)
        on_boundary = np.abs(x - nearest) * self.subgrade_length <= rounding
        level = np.where(on_boundary, nearest, np.floor(x)).astype(np.int64).clip(0, self.n_levels - 1)
        return level // self.n_subgrades, level % self.n_subgrades

    def compose(self, grade, subgrade, at: str = "middle"):
        """Couple grade and sub-grade into a score (Eq. 6), in points.

        Args:
            grade, subgrade: numbers, arrays or tensors; integers, or expected values for soft decoding.
            at: "middle" of the level (the default, at most S_F / 2 off), or its "lower" edge, as Eq. 6 prints it.

        Raises:
            CofinalError: `at` is neither.
        """
        if at not in ("middle", "lower"):
            raise CofinalError(f"GradeScale.compose: at is {at!r}; it can be 'middle' or 'lower'")
        level = grade * self.n_subgrades + subgrade + (0.5 if at == "middle" else 0.0)
        return self.low + (self.high - self.low) * (level / self.n_levels)
