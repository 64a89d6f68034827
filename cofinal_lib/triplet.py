"""The hardest-triplet loss with cosine distances that GDLT and the released CoFInAl put on their decoder's outputs."""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def hard_triplet_loss(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean over anchors a of max(0, farthest d(a, same label) - nearest d(a, other label) + margin).

    Args:
        embeddings: (N, D), compared by d(x, y) = 1 - cos(x, y).
        labels: (N,). An anchor alone in its class has no positive, whose distance then counts as 0: pure repulsion.
    """
    unit = normalize(embeddings, dim=-1)
    distance = 1 - unit @ unit.T  # (N, N)
    same = labels[:, None] == labels
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    farthest = (distance * positive).amax(1)
    nearest = distance.masked_fill(same, torch.inf).amin(1)
    return (farthest - nearest + margin).relu().mean()


def own_prototype(answers: Tensor) -> Tensor:
    """Labels for it: an answer belongs with the same prototype's other answers; (B, G, D) -> (B G,)."""
    B, G, _ = answers.shape
    return torch.arange(G, device=answers.device).repeat(B)
