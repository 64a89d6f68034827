"""Equations that cannot be meant as printed: their readings, as small changes of the printed method, and trained.

Each reading differs from ours, `cofinal_lib.cofinal`, in one place: a forward hook on the fusion or the grade parsing
module, a loss term, or an option. Nothing here is used by a run.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from cofinal_lib.cofinal import CoFInAl, CoFInAlConfig
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError
from cofinal_lib.grade_parsing import graph_regulariser
from cofinal_lib.metrics import mean_interval, spearman
from cofinal_lib.padding import existing_clips
from cofinal_lib.train import fit

# --------------------------------------------------------------------------------------- readings


class HardScore(CoFInAl):
    """L_S as Eq. 1, 2 and 6 print it: on the score decoded by arg max, which has no gradient."""

    def loss(self, out, scores, targets=None):
        """The objective of Eq. 2 with the hard score in L_S."""
        return super().loss(out | {"score_soft": out["score_hard"]}, scores, targets)


class PredictedPrototype(CoFInAl):
    """L_F as Eq. 15 prints it: with the prototype of the sub-grade that is predicted."""

    def loss(self, out, scores, targets=None):
        """The objective of Eq. 2 with the predicted sub-grade in L_F."""
        targets = self.targets(scores) if targets is None else targets
        return super().loss(out, scores, targets | {"subgrade": out["cosines"].argmax(1)})


# A hook on TemporalFusion: (module, its inputs, (H~, attention)) -> the same two, changed.


def cut_queries(tfm, inputs, out):
    """Eq. 7 with equal, disjoint segments: the remainder of clips is in no query; all clips are attended to."""
    H, mask = existing_clips(*inputs)  # (B, C, D_C), (B, C)
    Q = tfm.query(cut_segments(mask.sum(1), tfm.n_procedures, H.shape[1]) @ H)  # (B, P, D_P)
    logits = Q @ tfm.key(H).mT / math.sqrt(Q.shape[-1])  # (B, P, C)
    attention = logits.masked_fill(~mask[:, None], -math.inf).softmax(-1)
    return attention @ tfm.value(H), attention


# Hooks on GradeParsing: (module, its inputs, (H_C, H_F, M, attention)) -> the same four, changed.


def even_mask(gpm, inputs, out):
    """Eq. 10 left out: every grade weighs 1/G."""
    H_C, H_F, M, attention = out
    even = torch.full_like(M, 1 / M.shape[1])
    return H_C, even * (H_F / M), even, attention


def largest_mask(gpm, inputs, out):
    """Eq. 10 with the largest number of a row in its average's place."""
    H_C, H_F, M, attention = out
    largest = H_C.amax(-1, keepdim=True).softmax(1)
    return H_C, largest * (H_F / M), largest, attention


def nothing_subtracted(gpm, inputs, out):
    """Eq. 11 without the difference: M times H_C."""
    H_C, _, M, attention = out
    return H_C, M * H_C, M, attention


def own_projection(gpm, inputs, out):
    """Eq. 11 with a projection of the prototypes of its own; needs `add_projection`."""
    H_C, _, M, attention = out
    return H_C, M * (H_C - gpm.shift(gpm.prototypes)), M, attention


def add_projection(gpm: nn.Module) -> None:
    """Give a GradeParsing what `own_projection` needs, drawn without moving the random stream."""
    with torch.random.fork_rng(devices=[]):
        gpm.shift = nn.Linear(gpm.query.in_features, gpm.query.out_features)


@dataclass(frozen=True)
class Reading:
    """One way to read one equation.

    Attributes:
        equation, words: which, and what is different from ours.
        method: CoFInAl, or a subclass with another loss.
        fusion, parsing: forward hooks on its temporal fusion and on its grade parsing module.
        options: fields of CoFInAlConfig.
    """

    equation: str
    words: str
    method: type[CoFInAl] = CoFInAl
    fusion: Callable | None = None
    parsing: Callable | None = None
    options: dict = field(default_factory=dict)

    def build(self, config: CoFInAlConfig, generator: torch.Generator | None = None) -> CoFInAl:
        """A model in this reading."""
        model = self.method(replace(config, **self.options), generator)
        if self.parsing is own_projection:
            add_projection(model.gpm)
        for module, hook in ((model.tfm, self.fusion), (model.gpm, self.parsing)):
            if hook is not None:
                module.register_forward_hook(hook)
        return model


READINGS = {
    "ours": Reading("", "our reading of all"),
    "hard": Reading("Eq. 2", "as printed: L_S on hard scores", HardScore),
    "cut": Reading("Eq. 7", "equal segments, the rest unread", fusion=cut_queries),
    "softmax": Reading("Eq. 8", "softmax of angles and distances", options={"regulariser": "softmax"}),
    "even": Reading("Eq. 10", "no mask: every grade 1/G", parsing=even_mask),
    "largest": Reading("Eq. 10", "largest number, not average", parsing=largest_mask),
    "unsubtracted": Reading("Eq. 11", "nothing subtracted", parsing=nothing_subtracted),
    "projected": Reading("Eq. 11", "a projection of its own", parsing=own_projection),
    "predicted": Reading("Eq. 15", "as printed: predicted column", PredictedPrototype),
}


# --------------------------------------------------------------------------------------- trained


def train(name: str, data: FeatureSet, config: CoFInAlConfig, seeds, epochs: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train one of READINGS with the paper's schedule, and measure it at the last epoch, seed by seed.

    Returns:
        measures, a row a seed: reading, seed; soft, hard, the SRCC on test routines; subgrade, the share of training
        routines whose true sub-grade it names; named, how many sub-grades it names at all; evenness, the mask's;
        step, the mean angle between neighbouring grades' prototypes in degrees;
        curves, a row a seed and epoch (from 1): reading, seed, epoch, L_F.

    Raises:
        CofinalError: no such reading.
    """
    if name not in READINGS:
        raise CofinalError(f"unknown reading {name!r}; expected one of {', '.join(READINGS)}")
    reading = READINGS[name]
    schedule = replace(CoFInAl.schedule, epochs=epochs, holdout=0)
    results = fit(lambda generator: reading.build(config, generator), data, seeds, schedule)
    test, known = data.rows("test"), data.rows("train")
    measures, curves = [], []
    for r in results:
        soft, hard = (spearman(r.predictions[-1, test, i], data.scores[test]) for i in (0, 1))
        with torch.no_grad():
            out = r.model(data.features[known], data.lengths[known])
        said, true = out["cosines"].argmax(1), r.model.targets(data.scores[known])["subgrade"]
        found = {
            "soft": soft,
            "hard": hard,
            "subgrade": float((said == true).double().mean()),
            "named": len(said.unique()),
            "evenness": evenness(out["mask"][..., 0]),
            "step": neighbour_angle(r.model.gpm.prototypes),
        }
        measures.append({"reading": name, "seed": r.seed} | found)
        curves.append(pd.DataFrame({"epoch": np.arange(1, epochs + 1), "L_F": r.losses["L_F"]}).assign(seed=r.seed))
    return pd.DataFrame(measures), pd.concat(curves, ignore_index=True).assign(reading=name)


def against_ours(measures: pd.DataFrame, measure: str = "soft") -> pd.DataFrame:
    """Every reading's measure less ours, paired by seed.

    Returns:
        reading, mean, low, high (Student's 95 % over seeds; NaN for one seed).
    """
    wide = measures.pivot(index="seed", columns="reading", values=measure)
    others = [name for name in READINGS if name in wide and name != "ours"]
    rows = [(name, *mean_interval(wide[name] - wide["ours"])) for name in others]
    return pd.DataFrame(rows, columns=["reading", "mean", "low", "high"])


def commonest(data: FeatureSet, config: CoFInAlConfig) -> float:
    """The share of training routines with the commonest sub-grade: what knowing nothing of a routine gets right."""
    _, subgrade = config.scale.decompose(data.scores[data.rows("train")], clip=True)
    return float(np.bincount(subgrade).max() / len(subgrade))


# --------------------------------------------------------------------------------------- measures


def evenness(M: Tensor) -> float:
    """Normalised entropy of masks (B, G), mean over routines: 1 if all grades weigh the same, 0 if one takes all."""
    return float(-(M * M.clamp(min=1e-12).log()).sum(1).mean() / math.log(M.shape[1]))


def neighbour_angle(prototypes: Tensor) -> float:
    """Mean angle between the prototypes (G, D) of neighbouring grades, in degrees."""
    unit = normalize(prototypes.detach().double(), dim=1)
    return float((unit[:-1] * unit[1:]).sum(1).clamp(-1, 1).arccos().rad2deg().mean())


# --------------------------------------------------------------------------------------- one equation at a time


def printed_subgrade(scores, grade_length: float, subgrade_length: float) -> np.ndarray:
    """The sub-grade formula below Eq. 6, word for word: floor((s - floor(s / S_C)) / S_F); scores in points, from 0."""
    s = np.asarray(scores, float)
    return np.floor(np.round((s - np.floor(s / grade_length)) / subgrade_length, 9)).astype(int)


def least_softmax(n_grades: int, width: int = 64, steps: int = 150, seed: int = 0) -> float:
    """The least that gradient descent finds of Eq. 8 read as softmax(-angles) against softmax(-|i - j|).

    Starts from prototypes on an arc, one radian a grade as far as half a circle allows, slightly shaken.
    """
    angle = torch.linspace(0, min(math.pi, n_grades - 1), n_grades)
    arc = torch.zeros(n_grades, width)
    arc[:, 0], arc[:, 1] = angle.cos(), angle.sin()
    moved = arc + 0.01 * torch.randn(arc.shape, generator=torch.Generator().manual_seed(seed))
    optimiser = torch.optim.Adam([moved.requires_grad_()], lr=0.01)
    least = math.inf
    for _ in range(steps):
        loss = graph_regulariser(moved, "softmax")
        least = min(least, float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return max(least, 0.0)  # rounding alone goes below


def cut_segments(lengths: Tensor, n_segments: int, n_clips: int) -> Tensor:
    """Eq. 7's pooling in the reading of equal, disjoint segments, the remainder of clips unread.

    Args:
        lengths: (B,), clips of each routine; at least n_segments. n_clips: C, those of the longest.

    Returns:
        weights (B, P, C).
    """
    size = (lengths // n_segments)[:, None]  # (B, 1)
    first = torch.arange(n_segments, device=lengths.device) * size  # (B, P)
    c = torch.arange(n_clips, device=lengths.device)
    inside = (c >= first[..., None]) & (c < (first + size)[..., None])  # (B, P, C)
    return inside / size[..., None]
