"""Temporal Fusion Module (Sec. 3.2): C clips become P procedures by attention with pooled queries, Eq. 7."""

import math

import torch
from torch import Tensor, nn

from cofinal_lib.padding import existing_clips


def segment_means(features: Tensor, mask: Tensor, n_segments: int) -> Tensor:
    """Average the clips that exist into P consecutive segments, (B, C, D) and (B, C) -> (B, P, D).

    Adaptive average pooling, per routine: of L clips, segment p holds those from floor(pL/P) to ceil((p+1)L/P) - 1,
    so segments share a clip where P does not divide L (the paper leaves this open).
    """
    lengths = mask.sum(1, dtype=torch.int32)[:, None]  # (B, 1); 32 bits: half the bytes to compare
    p = torch.arange(n_segments, dtype=torch.int32, device=features.device)
    first = p * lengths // n_segments  # (B, P)
    end = -((p + 1) * lengths // -n_segments)  # (B, P), rounded up
    c = torch.arange(features.shape[1], dtype=torch.int32, device=features.device)
    inside = (c >= first[..., None]) & (c < end[..., None])  # (B, P, C)
    weights = inside.to(features.dtype) / (end - first)[..., None]
    return weights @ features  # (B, P, D)


class TemporalFusion(nn.Module):
    """Eq. 7: H~ = softmax(Q~ K' / sqrt(D_P)) V, with Q~ the P segment means of the clips' queries.

    Args:
        feature_dim: D_C, width of a clip feature.
        procedure_dim: D_P, width of a procedure.
        n_procedures: P.

    Exact algebra saves twentyfold at 124 clips: averaging commutes with the linear query, so P pooled clips are
    projected and not C; the weights of K and V act on the P side, so no clip is ever projected. A bias of K would
    add the same number to every clip's logit and vanish in the softmax, so K has none.
    """

    def __init__(self, feature_dim: int, procedure_dim: int, n_procedures: int):
        super().__init__()
        self.n_procedures = n_procedures
        self.query = nn.Linear(feature_dim, procedure_dim)
        self.key = nn.Linear(feature_dim, procedure_dim, bias=False)
        self.value = nn.Linear(feature_dim, procedure_dim)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse clips (B, C, D_C), lengths (B,), into procedures H~ (B, P, D_P) and attention (B, P, C').

        C' is the longest routine of the batch; attention is zero where no clip is.
        """
        H, mask = existing_clips(features, lengths)  # (B, C', D_C), (B, C')
        Q = self.query(segment_means(H, mask, self.n_procedures))  # (B, P, D_P): pool, then project
        QWk = Q @ self.key.weight  # (B, P, D_C): K's weight moved to the queries
        logits = QWk @ H.mT / math.sqrt(Q.shape[-1])  # (B, P, C')
        attention = logits.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
        return self.value(attention @ H), attention  # a row of attention sums to 1, so V's bias may come after


class EncoderFusion(TemporalFusion):
    """Eq. 7 inside an encoder layer, as "Transformer-based encoder" (Sec. 3.2) may mean: residual and normalisation.

    H = LayerNorm(Q~ + attention), the pooled queries being what attention adds to; and, with `feed_forward`,
    LayerNorm(H + FFN(H)), three times as wide inside, as the released code's.
    """

    def __init__(self, feature_dim: int, procedure_dim: int, n_procedures: int, feed_forward: bool = False):
        super().__init__(feature_dim, procedure_dim, n_procedures)
        self.norm = nn.LayerNorm(procedure_dim)
        self.feed_forward = feed_forward
        if feed_forward:
            wide = 3 * procedure_dim
            self.ffn = nn.Sequential(nn.Linear(procedure_dim, wide), nn.ReLU(), nn.Linear(wide, procedure_dim))
            self.ffn_norm = nn.LayerNorm(procedure_dim)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """As TemporalFusion: procedures (B, P, D_P), attention (B, P, C')."""
        fused, attention = super().forward(features, lengths)
        H, mask = existing_clips(features, lengths)
        H = self.norm(self.query(segment_means(H, mask, self.n_procedures)) + fused)
        return (self.ffn_norm(H + self.ffn(H)) if self.feed_forward else H), attention


class SegmentAverages(nn.Module):
    """Table 3's "w/o TFM", as we read it: P segment means and one linear map, no attention."""

    def __init__(self, feature_dim: int, procedure_dim: int, n_procedures: int):
        super().__init__()
        self.n_procedures = n_procedures
        self.value = nn.Linear(feature_dim, procedure_dim)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, None]:
        """Average clips (B, C, D_C), lengths (B,), into procedures (B, P, D_P); there is no attention."""
        H, mask = existing_clips(features, lengths)
        return self.value(segment_means(H, mask, self.n_procedures)), None
