"""Routines have different lengths: which clips of a padded batch exist.

Lengths may stay on the CPU while the features lie on a GPU: the longest is then known without asking the GPU.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def existing_clips(features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Cut a padded batch to its longest routine, and make what padding is left harmless.

    Args:
        features: (B, C, D_C), anything at all (NaN too) after each routine's last clip.
        lengths: (B,), how many clips each routine has, at least 1; or the mask itself, (B, C), beside features that
            are finite everywhere: then there is nothing to do.

    Returns:
        features (B, C', D_C), C' the longest routine, finite where no clip is, and mask (B, C'), true where one is.

    Cutting makes a result independent of how far the batch was padded, to the last bit. A weight of 0 then removes
    any finite padding, but 0 times NaN is NaN: only such padding is worth the copy that zeroing costs. A GPU copies
    sooner than it answers.
    """
    if lengths.dtype == torch.bool:
        return features, lengths
    exists = _exists(lengths)
    features, mask = features[:, : exists.shape[1]], exists.to(features.device, non_blocking=True)
    if not bool(exists.all()) and (features.device.type != "cpu" or not bool(features.sum().isfinite())):
        features = features.masked_fill(~mask.unsqueeze(-1), 0.0)
    return features, mask


def _exists(lengths: Tensor) -> Tensor:
    """Which clips exist, (B,) -> (B, C'), where the lengths lie."""
    return torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]


def each_clip(layer: Callable[[Tensor], Tensor], features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Give a layer, (n, D_C) -> (n, D), the clips that exist: padding has no share in a batch's statistics.

    features (B, C, D_C), padded with anything, and lengths (B,); returns (B, C', D), zero where no clip is, and the
    mask (B, C').
    """
    exists = _exists(lengths)
    B, C = exists.shape
    mask, H = exists.to(features.device, non_blocking=True), features[:, :C].flatten(0, 1)  # (B C', D_C)
    if bool(exists.all()):  # nothing to leave out: no copy
        return layer(H).view(B, C, -1), mask
    there = exists.flatten().nonzero().squeeze(1).to(H.device, non_blocking=True)
    clips = layer(H[there])  # (n, D)
    filled = clips.new_zeros(B * C, clips.shape[-1]).index_copy(0, there, clips)
    return filled.view(B, C, -1), mask


def fixed_clips(features: Tensor, lengths: Tensor, n: int) -> Tensor:
    """Exactly n clips of each routine: the middle n of a longer one, a shorter one followed by zeros.

    features (B, C, D_C), padded with anything, and lengths (B,); returns (B, n, D_C).
    """
    lengths = lengths.to(features.device, non_blocking=True)
    start = (lengths - n).clamp(min=0) // 2
    clip = start[:, None] + torch.arange(n, device=features.device)  # (B, n)
    exists = clip < lengths[:, None]
    index = clip.clamp(max=features.shape[1] - 1).unsqueeze(-1).expand(-1, -1, features.shape[-1])  # (B, n, D_C)
    return features.gather(1, index).masked_fill(~exists.unsqueeze(-1), 0.0)  # (B, n, D_C)
