"""GDLT (Xu et al., CVPR 2022): a transformer reads the clips, a few grade prototypes ask for their evidence, and the
score is a Likert average: each grade's answer, weighted by how strongly it speaks.

As released: github.com/xuangch/CVPR22_GDLT. Ours masks padding where theirs reads zeros, and averages batch statistics
over the clips that exist; without padding the two agree.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from cofinal_lib.padding import each_clip
from cofinal_lib.rivals.attention import faster
from cofinal_lib.train import Schedule
from cofinal_lib.triplet import hard_triplet_loss, own_prototype


@dataclass(frozen=True)
class GDLTConfig:
    """Sizes and options; the defaults are those of the released scripts for RG.

    Attributes:
        feature_dim, hidden_dim: D_C, width of the transformer.
        n_heads, n_encoder, n_decoder: attention heads, layers.
        n_queries: grade prototypes, G.
        dropout: inside the transformer.
        score_cap: the score that counts as 1 (the released code says 25 for every data set).
        alpha, margin: weight and margin of the triplet loss.
    """

    feature_dim: int = 1024
    hidden_dim: int = 256
    n_heads: int = 1
    n_encoder: int = 1
    n_decoder: int = 2
    n_queries: int = 4
    dropout: float = 0.3
    score_cap: float = 1.0
    alpha: float = 1.0
    margin: float = 1.0


class GDLT(nn.Module):
    """Grade-decoupling Likert transformer."""

    Config = GDLTConfig
    BY_DATASET: ClassVar = {"fisv": {"dropout": 0.7, "alpha": 0.5}}  # from a public fork that trains on Fis-V
    schedule = Schedule(weight_decay=1e-4)

    def __init__(self, config: GDLTConfig, generator: torch.Generator | None = None):
        super().__init__()
        c = self.config = config
        self.in_proj = nn.Sequential(
            nn.Linear(c.feature_dim, c.feature_dim // 2),
            nn.BatchNorm1d(c.feature_dim // 2),
            nn.ReLU(),
            nn.Linear(c.feature_dim // 2, c.hidden_dim),
            nn.BatchNorm1d(c.hidden_dim),
        )
        layer = nn.TransformerEncoderLayer(c.hidden_dim, c.n_heads, 3 * c.hidden_dim, c.dropout, batch_first=True)
        norm = nn.LayerNorm(c.hidden_dim)
        self.transformer = nn.Transformer(
            c.hidden_dim,
            c.n_heads,
            num_decoder_layers=c.n_decoder,
            dim_feedforward=3 * c.hidden_dim,
            dropout=c.dropout,
            batch_first=True,
            custom_encoder=nn.TransformerEncoder(layer, c.n_encoder, norm, enable_nested_tensor=False),
        )
        faster(self.transformer)
        self.prototype = nn.Embedding(c.n_queries, c.hidden_dim)
        self.regressor = nn.Linear(c.hidden_dim, c.n_queries)
        self.register_buffer("weight", torch.linspace(0, 1, c.n_queries), persistent=False)

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """What the prototypes gather from the clips: (B, C, D_C) and (B,) -> (B, G, D)."""
        clips, mask = each_clip(self.in_proj, features, lengths)  # (B, C', D), (B, C')
        padding = ~mask if int(lengths.min()) < mask.shape[1] else None
        memory = self.transformer.encoder(clips, src_key_padding_mask=padding)
        queries = self.prototype.weight.expand(len(clips), -1, -1)  # (B, G, D)
        return self.transformer.decoder(queries, memory, memory_key_padding_mask=padding)

    def forward(self, features: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Score routines: features (B, C, D_C), padded with anything, and lengths (B,).

        Returns:
            a dict: score (B,) in points, embed (B, G, D), embedding (B, D).
        """
        embed = self.embed(features, lengths)
        score = self.config.score_cap * likert(self.regressor(embed), self.weight)
        return {"score": score, "embed": embed, "embedding": embed.mean(1)}

    def loss(self, out: dict[str, Tensor], scores: Tensor) -> dict[str, Tensor]:
        """Squared error of the normalised score, and the triplet loss that keeps prototypes' answers apart."""
        c = self.config
        mse = ((out["score"] - scores) / c.score_cap).square().mean()
        answers = out["embed"].flatten(0, 1)  # (B G, D)
        triplet = hard_triplet_loss(answers, own_prototype(out["embed"]), c.margin)
        return {"mse": mse, "triplet": triplet, "total": mse + c.alpha * triplet}

    @classmethod
    def from_released(cls, state: dict[str, Tensor], **options) -> "GDLT":
        """The model of a released checkpoint, in evaluation mode; its sizes are read off the shapes.

        Args:
            state: the released names. options: fields of GDLTConfig that no shape shows, such as n_heads.
        """
        model = cls(cls.Config(**(sizes_of(state) | options)))
        model.load_state_dict(pointwise_as_linear(state))
        return model.eval()


def likert(logits: Tensor, weight: Tensor) -> Tensor:
    """Likert scoring: grade g's own logit (the diagonal) says how strongly it speaks, its weight what it says.

    logits (B, G, G), row g from prototype g; weight (G,); returns (B,).
    """
    strength = logits.diagonal(dim1=-2, dim2=-1).sigmoid()  # (B, G)
    return (strength / strength.sum(1, keepdim=True)) @ weight


def sizes_of(state: dict[str, Tensor]) -> dict[str, int]:
    """Sizes of GDLT's body, read off a released state dict."""
    n_layers = {
        part: sum(f"{part}.layers" in name and "linear1.bias" in name for name in state)
        for part in ("encoder", "decoder")
    }
    n_queries, hidden_dim = state["prototype.weight"].shape
    return {
        "feature_dim": state["in_proj.0.weight"].shape[1],
        "hidden_dim": hidden_dim,
        "n_queries": n_queries,
        "n_encoder": n_layers["encoder"],
        "n_decoder": n_layers["decoder"],
    }


def pointwise_as_linear(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The released projection is a convolution over one clip, (out, in, 1): the same map as a linear layer's."""
    convolutions = ("in_proj.0.weight", "in_proj.3.weight")
    return {name: value.squeeze(-1) if name in convolutions else value for name, value in state.items()}
