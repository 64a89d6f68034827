"""Visible tests of assignment 3: temporal fusion with masks."""

import numpy as np
import torch

from cofinal_lib.classroom.checks import array, call, finite, holds, same, several, shaped


def clip_mask(function) -> None:
    """Two routines, of two and of three clips."""
    mask = call(function, torch.tensor([2, 3]), 4)
    is_boolean(mask)
    shaped(mask, (2, 4), "the mask", "(B, C)")
    mask = array(mask, "the mask")
    same(mask.sum(1), [2, 3], "the number of clips that exist", "A routine of L clips has L of them.")
    holds(mask[:, 0].all() and not mask[:, 3].any(), "a routine's clips come first, its padding last")


def is_boolean(mask) -> None:
    """A mask indexes and fills: 0.0 and 1.0 would not do."""
    kind = str(getattr(mask, "dtype", type(mask).__name__))
    holds("bool" in kind, f"the mask should be true or false (torch.bool); this is {kind}")


def segment_means(function) -> None:
    """One routine of four clips and one of two, padded with NaN."""
    clips = torch.tensor([[[1.0], [3.0], [5.0], [7.0]], [[2.0], [4.0], [torch.nan], [torch.nan]]])
    means = shaped(call(function, clips, torch.tensor([4, 2]), 2), (2, 2, 1), "the segment means", "(B, P, D)")
    same(means[0, :, 0], [2, 6], "routine 0 of the example", "Segment 0 averages its first two clips.")
    finite(means[1], "routine 1", "Padding may be NaN, and 0 times NaN is NaN.")
    same(means[1, :, 0], [2, 4], "routine 1 of the example", "Its segments are those of its own two clips.")


def fuse(function) -> None:
    """Rows sum to one over clips that exist; a query of zeros attends to all of them alike."""
    values, lengths = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [50.0, 50.0]]]), torch.tensor([2])
    H, attention = several(call(function, torch.zeros(1, 4, 2), torch.ones(1, 3, 2), values, lengths), 2, "fuse")
    H = shaped(H, (1, 4, 2), "H", "(B, P, D)")
    is_attention(shaped(attention, (1, 4, 3), "the attention", "(B, P, C)"), lengths)
    same(H[0, :, 0], [2.0] * 4, "H for queries of zeros", "All clips that exist then weigh the same.")


def is_attention(attention, lengths) -> None:
    """(B, P, C): weights, zero where no clip is, that sum to one over the clips that exist."""
    attention = finite(attention, "the attention", "Which row of logits had no clip left, or a padding of NaN?")
    for b, length in enumerate(int(n) for n in lengths):
        holds((np.abs(attention[b, :, length:]) < 1e-8).all(), f"routine {b} attends to clips that do not exist")
        sums = attention[b, :, :length].sum(-1)
        wrong = np.flatnonzero(np.abs(sums - 1) > 1e-3)
        row = wrong[0] if len(wrong) else None
        holds(row is None, f"row {row} of routine {b}'s attention does not sum to 1 over the clips that exist")
        holds((attention[b] >= 0).all(), f"the attention of routine {b} has negative weights")
