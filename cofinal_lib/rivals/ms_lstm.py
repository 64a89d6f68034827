"""MS-LSTM (Xu et al., TCSVT 2019): one LSTM reads fifty self-attentive summaries of a routine, three LSTMs read it at
three time scales and learn which steps to skip.

As released: github.com/chmxu/MS_LSTM at 103b31e, which no longer imports on any supported PyTorch; its skip cell is the
one of Campos et al. (ICLR 2018). Read off the source, tested against a naive second reading. Its loader takes PCS as
the target whatever it is asked (the flag is overwritten by the score), and its dropout layer is never called.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cofinal_lib.errors import CofinalError
from cofinal_lib.padding import each_clip
from cofinal_lib.train import Schedule

SCALES = {"scale1": (2, 1), "scale2": (4, 2), "scale3": (8, 4)}  # kernel and stride in clips
LONGEST_KERNEL = 8


@dataclass(frozen=True)
class MSLSTMConfig:
    """Sizes and options; the defaults are the released ones, but for `random_start`: calm at test.

    Attributes:
        feature_dim: D_C (4,096 for the C3D features it was made for).
        reduced_dim, hidden_dim, n_summaries: width of the reduced clips, of the LSTMs' states, attention rows.
        random_start: the skip LSTMs' first state is drawn at random "always" (released, at test too), or in "training"
            only, and zero at test.
    """

    feature_dim: int = 1024
    reduced_dim: int = 128
    hidden_dim: int = 256
    n_summaries: int = 50
    random_start: str = "training"

    def __post_init__(self):
        if self.random_start not in ("always", "training"):
            raise CofinalError(f"MSLSTMConfig: random_start is {self.random_start!r}; expected 'always' or 'training'")


class MSLSTM(nn.Module):
    """Self-attentive LSTM beside a multi-scale convolutional skip LSTM."""

    Config = MSLSTMConfig
    schedule = Schedule(optimiser="adam", lr=5e-4, decay="none", weight_decay=0.0, batch_size=128)

    def __init__(self, config: MSLSTMConfig, generator: torch.Generator | None = None):
        super().__init__()
        c = self.config = config
        self.reduce = nn.Linear(c.feature_dim, c.reduced_dim)
        self.reduce_norm = nn.BatchNorm1d(c.reduced_dim)
        self.attention = SelfAttention(c.reduced_dim, c.n_summaries)
        self.lstm = nn.LSTM(c.reduced_dim, c.hidden_dim, batch_first=True)
        self.scales = nn.ModuleDict(
            {name: ConvSkipLSTM(c.reduced_dim, c.hidden_dim, *shape) for name, shape in SCALES.items()}
        )
        self.heads = nn.ModuleList(nn.Linear(c.hidden_dim, 64) for _ in range(len(SCALES) + 1))
        self.merge = nn.Linear(64 * (len(SCALES) + 1), 64)
        self.score = nn.Linear(64, 1)

    def forward(self, features: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Score routines: features (B, C, D_C), padded with anything, and lengths (B,).

        Returns:
            a dict: score (B,) in points; penalty, a scalar, of the attention; attention (B, C', 50); embedding (B, 64).
        """
        random_start = self.training or self.config.random_start == "always"
        clips, mask = each_clip(lambda x: self.reduce_norm(self.reduce(x).relu()), features, lengths)  # (B, C', 128)
        summaries, attention, penalty = self.attention(clips, mask)
        read = [scale(clips, lengths, random_start) for scale in self.scales.values()]
        read.append(self.lstm(summaries)[0][:, -1])  # (B, 256) each
        read = torch.cat([head(x).relu() for head, x in zip(self.heads, read, strict=True)], dim=1)  # (B, 256)
        embedding = self.merge(read).relu()
        score = self.score(embedding).squeeze(1)
        return {"score": score, "penalty": penalty, "attention": attention, "embedding": embedding}

    def loss(self, out: dict[str, Tensor], scores: Tensor) -> dict[str, Tensor]:
        """Squared error in points, and the penalty on attention rows that look at the same clips."""
        mse = (out["score"] - scores).square().mean()
        return {"mse": mse, "penalty": out["penalty"], "total": mse + out["penalty"]}


class SelfAttention(nn.Module):
    """Structured self-attention (Lin et al., 2017): each summary is a weighted mean of the clips."""

    def __init__(self, dim: int, n_summaries: int):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, 64, bias=False), nn.Tanh(), nn.Linear(64, n_summaries, bias=False))
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, clips: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Clips (B, C, D) and mask (B, C) -> summaries (B, R, D), attention A (B, C, R), |A'A - I|^2 / B."""
        A = self.score(clips).masked_fill(~mask.unsqueeze(-1), -torch.inf).softmax(1)  # (B, C, R)
        summaries = self.norm(clips.mT @ A).mT  # (B, R, D)
        overlap = A.mT @ A - torch.eye(A.shape[-1], device=A.device)  # (B, R, R)
        return summaries, A, overlap.square().sum() / len(clips)


class ConvSkipLSTM(nn.Module):
    """A convolution over time, then an LSTM that may copy its state past a step instead of updating it."""

    def __init__(self, dim: int, hidden_dim: int, kernel: int, stride: int):
        super().__init__()
        self.conv = nn.Conv1d(dim, hidden_dim, kernel, stride)
        self.norm = nn.BatchNorm1d(hidden_dim)
        self.gates_x = nn.Linear(hidden_dim, 4 * hidden_dim)
        self.gates_h = nn.Linear(hidden_dim, 4 * hidden_dim)
        self.update = nn.Linear(hidden_dim, 1)
        for linear in (self.gates_x, self.gates_h, self.update):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.constant_(linear.bias, 1.0 if linear is self.update else 0.0)  # at first, update every step

    def forward(self, clips: Tensor, lengths: Tensor, random_start: bool) -> Tensor:
        """Clips (B, C, D), zero where none is, and lengths (B,) -> the state after the last window, (B, hidden_dim).

        Raises:
            CofinalError: a batch in training has one window in all, which batch normalisation cannot centre.
        """
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        clips = nn.functional.pad(clips, (0, 0, 0, max(0, LONGEST_KERNEL - clips.shape[1])))
        windows = self.conv(clips.mT).relu().mT  # (B, T, hidden_dim)
        n_windows = ((lengths - kernel) // stride + 1).clamp(min=1)
        if self.training and int(n_windows.sum()) < 2:
            raise CofinalError(
                f"MS-LSTM: a training batch is one routine of {int(lengths[0])} clips, a single window, and nothing "
                "can be normalised; train with a routine more or less"
            )
        normed, _ = each_clip(self.norm, windows, n_windows)  # (B, T, hidden_dim)
        states = self._skip_lstm(self.gates_x(normed), random_start)  # (T, B, hidden_dim)
        last = (n_windows - 1).to(clips.device, non_blocking=True)
        return states[last, torch.arange(len(clips), device=clips.device)]

    def _skip_lstm(self, gates_x: Tensor, random_start: bool) -> Tensor:
        """Run over (B, T, 4 hidden_dim) of gates from the input; returns the hidden states (T, B, hidden_dim)."""
        start = torch.randn if random_start else torch.zeros
        shape = len(gates_x), self.update.in_features
        c, h = (start(shape, device=gates_x.device).to(gates_x.dtype) for _ in range(2))
        probability = gates_x.new_ones(len(gates_x), 1)  # of updating at the next step
        pending = gates_x.new_zeros(len(gates_x), 1)  # what has gathered since the last update
        states = []
        for x in gates_x.unbind(1):
            i, f, g, o = (x + self.gates_h(h)).chunk(4, dim=1)  # (B, hidden_dim) each
            c_new = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h_new = o.sigmoid() * c_new.tanh()
            pending = pending + torch.minimum(probability, 1 - pending)
            step = pending + (pending.round() - pending).detach()  # 0 or 1, with the gradient of `pending`
            c, h = step * c_new + (1 - step) * c, step * h_new + (1 - step) * h
            probability = step * self.update(c_new).sigmoid() + (1 - step) * probability
            pending = (1 - step) * pending
            states.append(h)
        return torch.stack(states)
