"""CoFInAl as its authors released it: GDLT, a mirrored second scorer, and an ETF read by 100 x 100 levels.

As released: github.com/ZhouKanglei/CoFInAl_AQA at fe1f4c1. It is not the method of Sec. 3, for which see
`cofinal_lib.cofinal`. Each quirk is an option of ReleasedCoFInAlConfig, on by default.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from cofinal_lib.errors import CofinalError
from cofinal_lib.etf import simplex_etf
from cofinal_lib.fine_scoring import dot_regression_loss
from cofinal_lib.grade_parsing import graph_regulariser
from cofinal_lib.rivals.gdlt import GDLT, GDLTConfig, likert
from cofinal_lib.triplet import hard_triplet_loss, own_prototype

LEVELS = 100  # coarse levels, and sub-grades in each: fixed in the released code
# Hand-set weights of the four grades, for the score and for its mirror image, by "activation type".
ACTIVATIONS = {
    2: ([0.1, 0.2, 0.8, 1.0], [1.0, 1.0, -1.0, -1.0]),
    3: ([-1.0, -0.8, 0.8, 1.0], [1.0, 0.8, -0.8, -1.0]),
}
CHOICES = {
    "align": (0, 1, 2),
    "argmax": ("batch", "routine"),
    "attention_over": ("batch", "prototypes"),
    "decomposition": ("truncated", "rounded"),
    "fine_loss": ("l1", "dot_regression"),
    "regulariser": ("triplet", "row_shares", "softmax"),
}


@dataclass(frozen=True)
class ReleasedCoFInAlConfig(GDLTConfig):
    """GDLT's sizes, and the released quirks.

    Attributes:
        activation: 0 to 3, the grades' weights (Ball and Hoop 2, Clubs, Ribbon and Fis-V 3, says the script).
        align: labels of the triplet loss; 0 and 1 an answer's prototype, 2 (Hoop) every answer its own class.
        argmax: over the whole "batch" (released: one constant for all), or for each "routine".
        attention_over: the "batch" (released: the layer expects the sequence first), or the "prototypes".
        decomposition: floor(10,000 y) "truncated" from float32 (released: 6.5 % of RG's labels slip), or "rounded".
        fine_loss: "l1" on unit vectors (released) or "dot_regression" (Eq. 15).
        regulariser: "triplet" on the decoder's outputs (released), or Eq. 8 on the prototypes, as `graph_regulariser`
            reads it: "row_shares" or "softmax".
        score_loss: weight of L_S (Eq. 1) on the coarse score; the released code has none.

    Raises:
        CofinalError: no such choice, or activation 2 or 3 with other than 4 queries.
    """

    activation: int = 2
    align: int = 1
    argmax: str = "batch"
    attention_over: str = "batch"
    decomposition: str = "truncated"
    fine_loss: str = "l1"
    regulariser: str = "triplet"
    score_loss: float = 0.0

    def __post_init__(self):
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise CofinalError(
                    f"ReleasedCoFInAlConfig: {name} is {getattr(self, name)!r}; expected one of {allowed}"
                )
        if self.activation in ACTIVATIONS and self.n_queries != 4:
            raise CofinalError(f"activation {self.activation} has weights for 4 queries, not {self.n_queries}; take 0")


class ReleasedCoFInAl(GDLT):
    """GDLT's body with two Likert heads and a fine head read against a 100 x 100 ETF."""

    Config = ReleasedCoFInAlConfig
    BY_DATASET: ClassVar = {  # the released scripts; their Ribbon and Fis-V variants cannot run
        "fisv": {"alpha": 0.5, "activation": 3},
        "rg/clubs": {"activation": 3},
        "rg/hoop": {"align": 2},
        "rg/ribbon": {"activation": 3},
    }

    def __init__(self, config: ReleasedCoFInAlConfig, generator: torch.Generator | None = None):
        super().__init__(config, generator)
        c = config
        self.regressor_revert = nn.Linear(c.hidden_dim, c.n_queries)
        self.regi = nn.ModuleList([nn.MultiheadAttention(c.hidden_dim, 4, dropout=c.dropout)])  # sequence first
        head = [nn.Flatten(), nn.Linear(c.n_queries * c.hidden_dim, c.hidden_dim), nn.Linear(c.hidden_dim, LEVELS)]
        self.regressori = nn.ModuleList([nn.Sequential(*head)])
        self.register_buffer("etf_vec1", simplex_etf(LEVELS, LEVELS, generator))
        weight, weight_revert = grade_weights(c.activation, c.n_queries)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("weight_revert", weight_revert, persistent=False)

    def forward(self, features: Tensor, lengths: Tensor, alone: bool = False) -> dict[str, Tensor]:
        """Score routines: features (B, C, D_C), padded with anything, and lengths (B,).

        Args:
            alone: treat each routine as a batch of its own, as the released test does.

        Returns:
            a dict: int, int_revert (B,), the two Likert scores; dec (B, 100), the fine unit vector; embed (B, G, D);
            score_per_sample and score_flat_argmax_batch (B,), normalised, the sub-grade from an arg max over each
            routine and over the whole batch; score (B,) in points, as `argmax` says; embedding (B, D).
        """
        c = self.config
        embed = self.embed(features, lengths)
        out = {
            "int": likert(self.regressor(embed), self.weight),
            "int_revert": likert(self.regressor_revert(embed), self.weight_revert),
            "embed": embed,
            "embedding": embed.mean(1),
        }
        fine = self.regressori[0](self._attend(embed, alone))  # (B, 100)
        out["dec"] = fine / fine.norm(dim=1, keepdim=True)
        cosines = out["dec"] @ self.etf_vec1  # (B, 100)
        coarse = (out["int"] + 1 - out["int_revert"]) / 2
        out["score_per_sample"] = coarse + cosines.argmax(1) / LEVELS**2
        out["score_flat_argmax_batch"] = coarse + cosines.argmax() / LEVELS**2  # one number for all routines
        chosen = "score_flat_argmax_batch" if c.argmax == "batch" and not alone else "score_per_sample"
        return out | {"score": c.score_cap * out[chosen]}

    def one_by_one(self, features: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """The forward pass of the released test, whose batches hold one routine."""
        return self(features, lengths, alone=True)

    def _attend(self, embed: Tensor, alone: bool) -> Tensor:
        """Self-attention (B, G, D) -> (B, G, D), across what the layer takes for the sequence: its first axis."""
        if self.config.attention_over == "prototypes":
            x = embed.transpose(0, 1)  # (G, B, D)
            return self.regi[0](x, x, x, need_weights=False)[0].transpose(0, 1)  # (B, G, D)
        x = embed.reshape(1, -1, embed.shape[-1]) if alone else embed  # (1, B G, D): a sequence of one routine
        return self.regi[0](x, x, x, need_weights=False)[0].reshape(embed.shape)  # (B, G, D)

    def targets(self, scores: Tensor) -> dict[str, Tensor]:
        """Normalise scores (B,) in points to y (B,); decompose it into target_coarse (B,), a hundredth, target_subgrade
        (B,) and its column target_etf (B, 100).
        """
        y = normalised(scores, self.config.score_cap)
        level = (y * LEVELS**2).long() if self.config.decomposition == "truncated" else (y * LEVELS**2).round().long()
        subgrade = level % LEVELS
        return {
            "y": y,
            "target_coarse": (level // LEVELS) / LEVELS,
            "target_subgrade": subgrade,
            "target_etf": self.etf_vec1[:, subgrade].T,  # (B, 100)
        }

    def loss(self, out: dict[str, Tensor], scores: Tensor, targets: dict | None = None) -> dict[str, Tensor]:
        """The released objective (models/loss.py), or, by option, parts of the printed one.

        Args:
            out: what `forward` returned.
            scores: (B,), in points.
            targets: `targets(scores)`, where it is known already.

        Returns:
            dr: squared errors of the two Likert scores plus the fine loss; triplet: the regulariser; and "total".
        """
        c = self.config
        target = self.targets(scores) if targets is None else targets
        y = target["y"]
        mse = mse_loss(out["int"], target["target_coarse"])
        mse_revert = mse_loss(out["int_revert"], 1 - target["target_coarse"])
        if c.fine_loss == "l1":
            fine = l1_loss(out["dec"], target["target_etf"])
        else:
            fine = dot_regression_loss(out["dec"] @ self.etf_vec1, target["target_subgrade"])
        if c.regulariser == "triplet":
            answers = out["embed"].flatten(0, 1)  # (B G, D)
            labels = own_prototype(out["embed"]) if c.align < 2 else torch.arange(len(answers), device=y.device)
            regulariser = hard_triplet_loss(answers, labels, c.margin)
        else:
            regulariser = graph_regulariser(self.prototype.weight, c.regulariser)
        L = {"mse": mse, "mse_revert": mse_revert, "fine": fine, "dr": mse + mse_revert + fine, "triplet": regulariser}
        L["total"] = L["dr"] + c.alpha * regulariser
        if c.score_loss:
            L["L_S"] = ((out["int"] + 1 - out["int_revert"]) / 2 - y).square().mean() / 2
            L["total"] = L["total"] + c.score_loss * L["L_S"]
        return L


def normalised(scores: Tensor, score_cap: float) -> Tensor:
    """Scores (B,) in points as the released loader normalises them: divided in double precision, then rounded.

    Which labels slip in a "truncated" decomposition hangs on that rounding. Float32's shortest decimal is the score
    as written.
    """
    written = scores.detach().cpu().numpy().astype(str).astype(np.float64)
    return torch.from_numpy(written / score_cap).to(scores)


def grade_weights(activation: int, n_queries: int) -> tuple[Tensor, Tensor]:
    """What each grade says in the score and in its mirror image, (G,) each, by the released "activation type".

    Raises:
        CofinalError: no such type.
    """
    if activation in ACTIVATIONS:
        return tuple(torch.tensor(w) for w in ACTIVATIONS[activation])
    if activation not in (0, 1):
        raise CofinalError(f"activation is {activation!r}; the released code knows 0, 1, 2 and 3")
    rising = torch.linspace(0, 1, n_queries) if activation == 0 else torch.linspace(0, 1, n_queries + 1)[1:]
    return rising, rising.flip(0)
