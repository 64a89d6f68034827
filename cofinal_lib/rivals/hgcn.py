"""HGCN (Zhou et al., TCSVT 2023): clips refine each other along time, gather into scenes, scenes into a score
distribution: three graph convolutions, each with its own kind of edge.

As the CoFInAl authors run it on clip features: github.com/ZhouKanglei/AQA-Benchmark, models/head/hgcn.py. It reads a
fixed number of clips (68 for RG), so longer routines lose both ends, and it draws its score at random, at test too.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cofinal_lib.errors import CofinalError
from cofinal_lib.padding import fixed_clips
from cofinal_lib.train import Schedule

CLIP_DIM, SCENE_DIM, MOTION_DIM = 512, 256, 128  # fixed in the released code


@dataclass(frozen=True)
class HGCNConfig:
    """Sizes and options; the defaults are those of the authors' benchmark, but for `draw`: calm at test.

    Attributes:
        feature_dim, n_clips, n_scenes: D_C, clips read of every routine, scenes they form.
        n_groups: of the convolutions; divides `feature_dim`.
        factor: how much narrower queries, keys and states are than features.
        reach: two clips closer than this are neighbours in the scene graph.
        score_cap: the score that counts as 1.
        differences: of states, between "neighbours" only, which alone have edges; or between "all" clips, masked
            afterwards (released: the same to rounding, at n times the cost).
        draw: sample the score "always" (released), or in "training" only, reporting its mean at test.

    Raises:
        CofinalError: no such `draw` or `differences`, or a factor below 1 or above D_C or 256.
    """

    feature_dim: int = 1024
    n_clips: int = 68
    n_scenes: int = 7
    n_groups: int = 1
    factor: int = 4
    reach: int = 3
    score_cap: float = 1.0
    draw: str = "training"
    differences: str = "neighbours"

    def __post_init__(self):
        if self.draw not in ("always", "training"):
            raise CofinalError(f"HGCNConfig: draw is {self.draw!r}; expected 'always' or 'training'")
        if self.differences not in ("neighbours", "all"):
            raise CofinalError(f"HGCNConfig: differences is {self.differences!r}; expected 'neighbours' or 'all'")
        if not 1 <= self.factor <= min(self.feature_dim, SCENE_DIM):
            raise CofinalError(f"HGCNConfig: factor is {self.factor}; expected 1 to {min(self.feature_dim, SCENE_DIM)}")


class HGCN(nn.Module):
    """Clip refinement, scene construction, motion aggregation, score distribution."""

    Config = HGCNConfig
    schedule = Schedule(optimiser="adam", lr=1e-4, decay="none", weight_decay=1e-4)

    def __init__(self, config: HGCNConfig, generator: torch.Generator | None = None):
        super().__init__()
        c = self.config = config
        self.shot_gen = ClipRefinement(c)
        self.scene_gen = SceneConstruction(c)
        self.mot_agg = MotionAggregation(c)
        self.fc2_mean = nn.Conv1d(MOTION_DIM, 1, 1)
        self.fc2_logvar = nn.Conv1d(MOTION_DIM, 1, 1)

    def forward(self, features: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Score routines: features (B, C, D_C), padded with anything, and lengths (B,).

        Returns:
            a dict: score (B,) in points; shot (B, 512, n_clips), scene (B, 256, n_scenes), motion (B, 128, n_scenes);
            mean, logvar (B, 1, n_scenes), each scene's part of the normalised score; embedding (B, 128).
        """
        c = self.config
        clips = fixed_clips(features, lengths, c.n_clips).mT  # (B, D_C, n_clips): channels first
        shot = self.shot_gen(clips)
        scene = self.scene_gen(shot)
        motion = self.mot_agg(scene)
        mean, logvar = self.fc2_mean(motion), self.fc2_logvar(motion)  # (B, 1, n_scenes)
        parts = mean
        if self.training or c.draw == "always":
            parts = mean + (logvar / 2).exp() * torch.randn_like(mean)
        score = c.score_cap * parts.mean((1, 2)) * c.n_scenes
        out = {"score": score, "shot": shot, "scene": scene, "motion": motion, "mean": mean, "logvar": logvar}
        return out | {"embedding": motion.mean(-1)}

    def loss(self, out: dict[str, Tensor], scores: Tensor) -> dict[str, Tensor]:
        """Squared error of the drawn, normalised score."""
        return {"total": ((out["score"] - scores) / self.config.score_cap).square().mean()}

    @classmethod
    def from_released(cls, state: dict[str, Tensor], **options) -> "HGCN":
        """The model of a released state dict, in evaluation mode; its sizes are read off the shapes.

        Args:
            state: the released names. options: fields of HGCNConfig that no shape shows: reach, score_cap, draw.
        """
        n_scenes, n_clips = state["scene_gen.trans_gcn.S"].shape
        n_groups = CLIP_DIM // state["scene_gen.shot_gcn.shot_agg.0.weight"].shape[1]
        sizes = {
            "feature_dim": state["shot_gen.info_trans.0.weight"].shape[1] * n_groups,
            "n_clips": n_clips,
            "n_scenes": n_scenes,
            "n_groups": n_groups,
            "factor": CLIP_DIM // state["scene_gen.shot_gcn.adp_adj.conv_q.weight"].shape[0],
            "differences": "all",  # to the last bit: later softmaxes amplify rounding
        }
        model = cls(cls.Config(**(sizes | options)))
        model.load_state_dict(state)
        return model.eval()


def neighbours(n: int, reach: int) -> Tensor:
    """Fixed edges between clips less than `reach` apart, (n, n): 1 or 0."""
    t = torch.arange(n)
    return ((t[:, None] - t).abs() < reach).float()


class ClipRefinement(nn.Module):
    """Each clip takes from its two neighbours, weighed by the mean signed difference of a learned state."""

    def __init__(self, c: HGCNConfig):
        super().__init__()
        self.differences = c.differences
        self.state_gen = nn.Sequential(
            nn.Conv1d(c.feature_dim, c.feature_dim // c.factor, 1, groups=c.n_groups), nn.ReLU()
        )
        self.info_trans = nn.Sequential(nn.Conv1d(c.feature_dim, CLIP_DIM, 1, groups=c.n_groups), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """(B, D_C, n) -> (B, 512, n)."""
        state, n = self.state_gen(x), x.shape[-1]  # (B, D_C / factor, n)
        one = torch.eye(n, device=x.device)
        if self.differences == "all":
            near = neighbours(n, 2).to(x)
            edges = ((state.unsqueeze(-1) - state.unsqueeze(-2)).tanh().mean(1) + one) * near  # (B, n, n)
        else:
            step = (state[..., :-1] - state[..., 1:]).tanh().mean(1)  # (B, n - 1); the way back is its negative
            edges = one + step.diag_embed(1) - step.diag_embed(-1)  # (B, n, n)
        return self.info_trans(x @ edges)


class AttentiveEdges(nn.Module):
    """Edges learned as a matrix C, plus alpha times attention between the nodes."""

    def __init__(self, dim: int, n_nodes: int, factor: int, n_groups: int):
        super().__init__()
        self.conv_q = nn.Conv1d(dim, dim // factor, 1, groups=n_groups, bias=False)
        self.conv_k = nn.Conv1d(dim, dim // factor, 1, groups=n_groups, bias=False)
        self.C = nn.Parameter(torch.eye(n_nodes))
        self.alpha = nn.Parameter(torch.ones(1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, n) -> (B, n, n), not normalised."""
        q, k = self.conv_q(x), self.conv_k(x)  # (B, D / factor, n)
        return self.alpha * (q.mT @ k / math.sqrt(q.shape[1])) + self.C  # (B, n, n)


class ClipGraph(nn.Module):
    """One graph convolution over clips, whose fixed edges join those less than `reach` apart."""

    def __init__(self, dim_out: int, c: HGCNConfig, n_groups: int):
        super().__init__()
        self.adp_adj = AttentiveEdges(CLIP_DIM, c.n_clips, c.factor, n_groups)
        self.shot_agg = nn.Sequential(nn.Conv1d(CLIP_DIM, dim_out, 1, groups=n_groups), nn.ReLU())
        self.register_buffer("near", neighbours(c.n_clips, c.reach), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 512, n) -> (B, dim_out, n)."""
        edges = (self.near + self.adp_adj(x)).softmax(-1)  # (B, n, n)
        return self.shot_agg(x @ edges)


class SceneAssignment(ClipGraph):
    """How much of each clip goes into each scene: a learned table S, plus alpha times a graph convolution."""

    def __init__(self, c: HGCNConfig):
        super().__init__(c.n_scenes, c, n_groups=1)
        self.S = nn.Parameter(torch.ones(c.n_scenes, c.n_clips))
        self.alpha = nn.Parameter(torch.ones(1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 512, n) -> (B, n_scenes, n)."""
        return self.S + self.alpha * super().forward(x)


class SceneConstruction(nn.Module):
    """Clips, convolved over their graph, are summed into scenes."""

    def __init__(self, c: HGCNConfig):
        super().__init__()
        self.shot_gcn = ClipGraph(SCENE_DIM, c, c.n_groups)
        self.trans_gcn = SceneAssignment(c)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 512, n) -> (B, 256, n_scenes)."""
        return self.shot_gcn(x) @ self.trans_gcn(x).mT  # (B, 256, n_scenes)


class MotionAggregation(nn.Module):
    """A directed graph over scenes. As released, its mask multiplies before the softmax: a 0 is no absent edge."""

    def __init__(self, c: HGCNConfig):
        super().__init__()
        self.adp_A = AttentiveEdges(SCENE_DIM, c.n_scenes, c.factor, c.n_groups)
        self.mot_agg = nn.Sequential(nn.Conv1d(SCENE_DIM, MOTION_DIM, 1, groups=c.n_groups), nn.ReLU())
        self.register_buffer("past", torch.ones(c.n_scenes, c.n_scenes).tril(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 256, n_scenes) -> (B, 128, n_scenes)."""
        return self.mot_agg(x @ (self.past * self.adp_A(x)).softmax(-1))
