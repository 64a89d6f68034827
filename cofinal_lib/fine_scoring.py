"""Fine-Grained Scoring (Sec. 3.4): sub-grades read against a fixed ETF, Eq. 14 and 15."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from cofinal_lib.etf import simplex_etf


class FineGrainedScoring(nn.Module):
    """Eq. 14: the sub-grade is the ETF column nearest to the fine feature. Nothing here is learned.

    Args:
        score_dim: D_S, at least `n_subgrades` - 1.
        n_subgrades: G', called K here.
        generator: draws the ETF's rotation.
    """

    def __init__(self, score_dim: int, n_subgrades: int, generator: torch.Generator | None = None):
        super().__init__()
        self.register_buffer("etf", simplex_etf(score_dim, n_subgrades, generator))  # (D_S, K)

    def forward(self, H_F: Tensor) -> tuple[Tensor, Tensor]:
        """Pool fine features (B, G, D_S) over the grades and compare them with the sub-grades.

        Returns:
            unit vector h_F / |h_F| (B, D_S), and its cosines <h_F / |h_F|, e_j> (B, K). Their arg max over K is
            Eq. 14's sub-grade: dividing by the norm changes no arg max.
        """
        h_F = normalize(H_F.sum(1) / H_F.shape[1], dim=-1)  # (B, D_S), of the mean over G
        return h_F, h_F @ self.etf


def dot_regression_loss(cosines: Tensor, subgrade: Tensor) -> Tensor:
    """L_F of Eq. 15: 1/2N sum_i (<h_i, e_i> - 1)^2.

    Args:
        cosines: (B, K), <h_i, e_j> for every sub-grade j.
        subgrade: (B,), the target sub-grade.

    Eq. 15 prints the *predicted* prototype; then s_F would supervise nothing, so e_i is the target's
    (as in Yang et al., 2022, where the loss comes from).
    """
    target = cosines.gather(1, subgrade[:, None])  # (B, 1)
    return (target - 1).square().mean() / 2
