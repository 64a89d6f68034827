"""What may happen to clip features before Eq. 7: nothing in the paper; in the released code, a projection."""

from torch import Tensor, nn

from cofinal_lib.padding import each_clip

PREPARATIONS = ("", "standardise", "layer_norm", "project")


class ClipPreparation(nn.Module):
    """Each clip by itself: (B, C, D_C) -> (B, C', D).

    Args:
        kind: "standardise", each coordinate by the mean and deviation of the batch's clips (in evaluation by their
            running averages), D = D_C; "layer_norm", each clip by its own, D = D_C; "project", as released: linear,
            batch normalisation, ReLU, linear, batch normalisation, D = dim.
        feature_dim, dim: D_C and, for "project", D.
    """

    def __init__(self, kind: str, feature_dim: int, dim: int):
        super().__init__()
        if kind == "standardise":
            self.layers = nn.BatchNorm1d(feature_dim, affine=False)
        elif kind == "layer_norm":
            self.layers = nn.LayerNorm(feature_dim)
        else:
            first, second = nn.Linear(feature_dim, dim), nn.Linear(dim, dim)
            self.layers = nn.Sequential(first, nn.BatchNorm1d(dim), nn.ReLU(), second, nn.BatchNorm1d(dim))

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Prepare clips (B, C, D_C), lengths (B,); returns clips (B, C', D), zero where none is, and mask (B, C').

        Padding has no share in a batch's statistics.
        """
        return each_clip(self.layers, features, lengths)
