"""Grade Parsing Module (Sec. 3.3): G grade prototypes question the procedures, Eq. 8 to 11."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from cofinal_lib.errors import CofinalError


class GradeParsing(nn.Module):
    """Eq. 9 to 11: coarse and fine features, one row per grade.

    Args:
        procedure_dim: D_P, width of a procedure and of a prototype.
        score_dim: D_S, width of a coarse or fine feature.
        n_grades: G.

    Eq. 11 subtracts the prototypes, D_P wide, from H_C, D_S wide; we subtract their D_S-wide embedding Q_G of Eq. 9.
    As in Eq. 7, a bias of K_G would vanish in the softmax.
    """

    def __init__(self, procedure_dim: int, score_dim: int, n_grades: int):
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(n_grades, procedure_dim) / math.sqrt(procedure_dim))
        self.query = nn.Linear(procedure_dim, score_dim)
        self.key = nn.Linear(procedure_dim, score_dim, bias=False)
        self.value = nn.Linear(procedure_dim, score_dim)

    def forward(self, procedures: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Parse procedures H~ (B, P, D_P).

        Returns:
            H_C (B, G, D_S), H_F (B, G, D_S), M (B, G, 1) which sums to 1 over the grades, and the attention
            (B, G, P) which sums to 1 over the procedures.
        """
        Q_G = self.query(self.prototypes)  # (G, D_S)
        QWk = Q_G @ self.key.weight  # (G, D_P): K's weight moved to the G queries, as in Eq. 7
        logits = linear(procedures, QWk / math.sqrt(Q_G.shape[-1]))  # (B, P, G): one product for all routines
        attention = logits.softmax(1).mT  # (B, G, P)
        H_C = attention @ self.value(procedures)  # Eq. 9, (B, G, D_S)
        # A mean, whose gradient torch would write out for every entry; a sum's is one number a row.
        M = (H_C.sum(-1, keepdim=True) / H_C.shape[-1]).softmax(1)  # Eq. 10, (B, G, 1)
        H_F = M * (H_C - Q_G)  # Eq. 11, (B, G, D_S)
        return H_C, H_F, M, attention


def graph_regulariser(prototypes: Tensor, form: str = "row_shares") -> Tensor:
    """L_R of Eq. 8: the angles between grade prototypes should grow as the grades' distance |i - j|.

    Args:
        prototypes: G, (G, D_P).
        form: "row_shares" (ours) or "softmax".

    Returns:
        A scalar: the mean over rows i of KL(T_i || P_i), over the other grades j.

    Raises:
        CofinalError: no such form.

    Eq. 8 prints KL(arccos(G^T G, D)), whose bracket is misplaced and whose arguments are no distributions.
    "row_shares": T = D and P = arccos(G G^T), each divided by its row's sum; zero exactly when all angles are
    proportional to |i - j|, be they wide or narrow. "softmax": T = softmax(-D), P = softmax(-arccos(G G^T)), which
    asks for one radian more a further grade, out of reach for more than four grades. The cosine is clamped, for arccos
    has an infinite slope at 1; that blurs angles below a tenth of a degree.
    """
    if form not in ("row_shares", "softmax"):
        raise CofinalError(f"graph_regulariser: form is {form!r}; it can be 'row_shares' or 'softmax'")
    G = len(prototypes)
    unit = prototypes / prototypes.norm(dim=-1, keepdim=True)
    angle = (unit @ unit.T).clamp(-1 + 1e-6, 1 - 1e-6).arccos()  # (G, G)
    i = torch.arange(G, device=prototypes.device)
    distance = (i[:, None] - i).abs().to(prototypes.dtype)  # D of Eq. 8
    angle, distance = _off_diagonal(angle), _off_diagonal(distance)  # (G, G - 1): a grade against itself says nothing
    if form == "row_shares":
        T = distance / distance.sum(1, keepdim=True)
        P = angle / angle.sum(1, keepdim=True)
        return (T * (T / P).log()).sum(1).mean()
    log_T, log_P = (-distance).log_softmax(1), (-angle).log_softmax(1)
    return (log_T.exp() * (log_T - log_P)).sum(1).mean()


def _off_diagonal(x: Tensor) -> Tensor:
    """(G, G) -> (G, G - 1), each row without its diagonal entry."""
    G = len(x)
    return x.flatten()[1:].view(G - 1, G + 1)[:, :-1].reshape(G, G - 1)  # (G, G - 1)
