"""Visible tests of assignment 2: deriving and building the simplex ETF."""

import numpy as np

from cofinal_lib.classroom.checks import call, finite, holds, same, shaped


def largest_cosine(function) -> None:
    """The three blades of a wind turbine, and two perpendicular vectors of other lengths."""
    blades = np.array([[0.0, np.sqrt(3) / 2, -np.sqrt(3) / 2], [1.0, -0.5, -0.5]])
    same(call(function, blades), -0.5, "the three blades", "A vector is not to be compared with itself.")
    same(call(function, np.diag([2.0, 3.0])), 0.0, "two perpendicular vectors", "Cosines do not depend on lengths.")


def simplex_etf(function) -> None:
    """K = 2 by hand."""
    E = shaped(call(function, np.eye(2)), (2, 2), "E", "(d, K)")
    is_frame(E, 2)
    holds(E[0, 0] > 0 > E[0, 1], "E for two classes: its first column is the first column of U, centred and stretched")


def compact_etf(function) -> None:
    """Three vectors in the plane."""
    is_frame(shaped(call(function, 3), (2, 3), "E", "(K - 1, K)"), 3)


def is_frame(E, K: int) -> None:
    """Eq. 13 in words: unit lengths, equal angles, sum zero."""
    E = finite(E, "E")
    lengths, gram = np.linalg.norm(E, axis=0), E.T @ E
    holds(
        np.allclose(lengths, 1, atol=1e-3), f"the {K} columns of E should have length 1: is the factor in front right?"
    )
    cosines = gram[~np.eye(K, dtype=bool)]
    holds(np.ptp(cosines) < 1e-3, f"the {K} columns of E do not all form the same angle: are they centred?")
    holds(
        np.abs(E.sum(1)).max() < 1e-3, f"the {K} columns of E do not sum to zero: they are equiangular, but too close"
    )
