"""ACTION-NET (Zeng et al., ACM MM 2020): a dynamic stream (motion, clip by clip) and a static stream (posture, image by
image), each weighed by attention that sees its neighbours through a temporal graph.

As released: github.com/qinghuannn/ACTION-NET at a60149c. It reads a fixed number of clips (26 there), so longer
routines lose both ends at test.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError
from cofinal_lib.padding import fixed_clips
from cofinal_lib.train import Schedule

WIDTH = 256  # of a stream, fixed in the released code


@dataclass(frozen=True)
class ActionNetConfig:
    """Sizes and options.

    Attributes:
        feature_dim, n_clips: D_C and clips of the dynamic stream.
        static: where the static stream looks: "clips" (no images here: the clip features stand in for them) or
            "images" (released: ResNet-50 features of about one frame a second, passed as `static`).
        static_dim, n_images: width and number of those; read only where `static` is "images".
        dropout: before the last layer.
        score_cap: the score that counts as 1.
    """

    feature_dim: int = 1024
    n_clips: int = 26
    static: str = "clips"
    static_dim: int = 2048
    n_images: int = 80
    dropout: float = 0.5
    score_cap: float = 1.0

    def __post_init__(self):
        if self.static not in ("clips", "images"):
            raise CofinalError(f"ActionNetConfig: static is {self.static!r}; expected 'clips' or 'images'")


class ActionNet(nn.Module):
    """Two streams of context-aware attention."""

    Config = ActionNetConfig
    schedule = Schedule(weight_decay=1e-4, decay="steps")

    def __init__(self, config: ActionNetConfig, generator: torch.Generator | None = None):
        super().__init__()
        c = self.config = config
        images = c.static == "images"
        self.d_ct = ContextAttention(c.feature_dim)
        self.s_ct = ContextAttention(c.static_dim if images else c.feature_dim)
        self.fc = nn.Sequential(
            nn.Linear(4 * WIDTH, 128),
            nn.ReLU(),
            nn.Dropout(c.dropout),
            nn.Linear(128, 1),
            nn.Sigmoid(),
        )
        self.register_buffer("adj1", temporal_graph(c.n_clips))
        self.register_buffer("adj2", temporal_graph(c.n_images if images else c.n_clips))
        self.apply(_initialise)

    def forward(self, features: Tensor, lengths: Tensor, static: Tensor | None = None) -> dict[str, Tensor]:
        """Score routines: features (B, C, D_C), padded with anything, lengths (B,), static (B, n_images, 2048).

        Returns:
            a dict: score (B,) in points, embedding (B, 1024), both streams.

        Raises:
            CofinalError: `static` is missing where the config says "images", or given where it says "clips".
        """
        c = self.config
        if (static is None) == (c.static == "images"):
            raise CofinalError(f"ActionNet with static={c.static!r} {'needs' if static is None else 'takes no'} images")
        dynamic = fixed_clips(features, lengths, c.n_clips)  # (B, n_clips, D_C)
        streams = [self.d_ct(dynamic, self.adj1), self.s_ct(dynamic if static is None else static, self.adj2)]
        embedding = torch.cat(streams, dim=1)  # (B, 4 * 256)
        return {"score": c.score_cap * self.fc(embedding).squeeze(1), "embedding": embedding}

    def loss(self, out: dict[str, Tensor], scores: Tensor) -> dict[str, Tensor]:
        """Squared error of the normalised score."""
        return {"total": ((out["score"] - scores) / self.config.score_cap).square().mean()}

    def groups(self, lr: float) -> list[dict]:
        """The last layers learn five times as fast."""
        streams = [*self.d_ct.parameters(), *self.s_ct.parameters()]
        return [{"params": list(self.fc.parameters()), "lr": 5 * lr}, {"params": streams, "lr": lr}]

    @staticmethod
    def notes(data: FeatureSet) -> list[str]:
        """What stands in for the static stream."""
        return [
            f"{data.target} has no images for ACTION-NET's static stream: the same clip features feed both streams."
        ]

    @classmethod
    def from_released(cls, state: dict[str, Tensor], **options) -> "ActionNet":
        """The model of a released checkpoint, in evaluation mode; its sizes are read off the shapes."""
        sizes = {
            "feature_dim": state["d_ct.embedding.0.weight"].shape[1],
            "n_clips": len(state["adj1"]),
            "static": "images",
            "static_dim": state["s_ct.embedding.0.weight"].shape[1],
            "n_images": len(state["adj2"]),
        }
        model = cls(cls.Config(**(sizes | options)))
        model.load_state_dict(state)
        return model.eval()


class ContextAttention(nn.Module):
    """Weighs a stream's elements, each seen with its context: two graph convolutions over time."""

    def __init__(self, dim: int):
        super().__init__()
        self.embedding = nn.Sequential(nn.Linear(dim, dim // 2), nn.ReLU(), nn.Linear(dim // 2, WIDTH), nn.ReLU())
        self.gcn1 = nn.Linear(WIDTH, WIDTH)
        self.gcn2 = nn.Linear(WIDTH, WIDTH)
        self.att = nn.Sequential(nn.Linear(2 * WIDTH, 128), nn.ReLU(), nn.Linear(128, 1), nn.Softmax(dim=1))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """(B, n, D) and (n, n) -> (B, 512)."""
        x = self.embedding(x)  # (B, n, 256)
        context = self.gcn1(adjacency @ x).relu()
        context = self.gcn2(adjacency @ context).relu()
        x = torch.cat([x, context], dim=2)  # (B, n, 512)
        return (x * self.att(x)).sum(1)


def temporal_graph(n: int) -> Tensor:
    """Edges exp(-|i - j|) over n moments, divided by the roots of both degrees, (n, n)."""
    t = torch.arange(n)
    edges = (-(t[:, None] - t).abs().float()).exp()
    degree = edges.sum(1)
    return edges / (degree[:, None] * degree).sqrt()


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
