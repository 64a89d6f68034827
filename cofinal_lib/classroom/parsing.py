"""Visible tests of assignment 4: grade parsing and the angular regulariser."""

import numpy as np
import torch

from cofinal_lib.classroom.checks import array, call, finite, holds, same, several, shaped


def parse(function) -> None:
    """Shapes, a mask over the grades, and prototypes of zeros, which ask nothing."""
    values = torch.arange(12.0).reshape(2, 3, 2)
    out = several(call(function, torch.zeros(4, 2), torch.ones(2, 3, 2), values), 3, "parse")
    H_C = shaped(out[0], (2, 4, 2), "H_C", "(B, G, D)")
    is_mask(shaped(out[1], (2, 4, 1), "M", "(B, G, 1)"))
    shaped(out[2], (2, 4, 2), "H_F", "(B, G, D)")
    expected = values.mean(1, keepdim=True).expand(2, 4, 2)
    same(H_C, expected, "H_C for queries of zeros", "All procedures then weigh the same.")


def is_mask(M) -> None:
    """M of Eq. 10 (B, G, 1) shares one unit out among the grades of each routine."""
    M = finite(M, "M")
    holds((M >= 0).all(), "M has negative entries; Eq. 10 ends with a softmax")
    wrong = np.flatnonzero(np.abs(M.sum(1)[:, 0] - 1) > 1e-3)
    row = wrong[0] if len(wrong) else None
    holds(row is None, f"M of routine {row} does not sum to 1 over the grades: along which axis is the softmax?")


def angles(function) -> None:
    """Right angles are a quarter turn; lengths do not matter; a prototype has no angle with itself."""
    found = shaped(call(function, torch.tensor([[2.0, 0.0], [0.0, 0.5], [-1.0, 0.0]])), (3, 3), "the angles", "(G, G)")
    holds(np.abs(np.diag(found)).max() < 0.01, "a prototype's angle with itself should be zero")
    same(found[0, 1], np.pi / 2, "two perpendicular prototypes", "In radians, and whatever their lengths.", 1e-3)
    holds(np.allclose(found, found.T, atol=1e-3), "the angles should be symmetric: (i, j) as (j, i)")
    same(found[0, 2], np.pi, "two opposite prototypes", "Half a turn, in radians.", 2e-3)


def regulariser(function) -> None:
    """Zero where angles grow as the grades' distance; above zero where they do not."""
    i = torch.arange(4.0)
    ladder = 0.3 * (i[:, None] - i).abs()
    loss = array(call(function, ladder), "L_R")
    holds(loss.shape == (), "L_R should be one number")
    finite(loss, "L_R", "The diagonal is 0, and 0 / 0 and log 0 are not numbers: leave it out.")
    holds(abs(float(loss)) < 1e-4, "L_R should be zero where all angles are proportional to |i - j|")
    shuffled = ladder[[0, 2, 1, 3]][:, [0, 2, 1, 3]]
    holds(
        float(array(call(function, shuffled), "L_R")) > 1e-2, "L_R should be above zero where grades are out of order"
    )
