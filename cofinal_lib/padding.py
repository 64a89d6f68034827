"""Routines have different lengths: which clips of a padded batch exist."""

import torch
from torch import Tensor


def existing_clips(features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Cut a padded batch to its longest routine, and make what padding is left harmless.

    Args:
        features: (B, C, D_C), anything at all (NaN too) after each routine's last clip.
        lengths: (B,), how many clips each routine has, at least 1; or the mask itself, (B, C), where features are
            finite everywhere: then there is nothing to do.

    Returns:
        features (B, C', D_C), C' the longest routine, finite where no clip is, and mask (B, C'), true where one is.

    Cutting makes a result independent of how far the batch was padded, to the last bit. A weight of 0 then removes
    any finite padding, but 0 times NaN is NaN: only such padding is worth the copy that zeroing costs.
    """
    if lengths.dtype == torch.bool:
        return features, lengths
    longest = int(lengths.max())
    features = features[:, :longest]
    mask = torch.arange(longest, device=features.device) < lengths[:, None]  # (B, C')
    if not bool(mask.all()) and not bool(features.sum().isfinite()):
        features = features.masked_fill(~mask.unsqueeze(-1), 0.0)
    return features, mask


def fixed_clips(features: Tensor, lengths: Tensor, n: int) -> Tensor:
    """Exactly n clips of each routine: the middle n of a longer one, a shorter one followed by zeros.

    features (B, C, D_C), padded with anything, and lengths (B,); returns (B, n, D_C).
    """
    start = (lengths - n).clamp(min=0) // 2
    clip = start[:, None] + torch.arange(n, device=features.device)  # (B, n)
    exists = clip < lengths[:, None]
    index = clip.clamp(max=features.shape[1] - 1).unsqueeze(-1).expand(-1, -1, features.shape[-1])  # (B, n, D_C)
    return features.gather(1, index).masked_fill(~exists.unsqueeze(-1), 0.0)  # (B, n, D_C)
