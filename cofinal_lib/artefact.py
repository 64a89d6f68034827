"""What an arg max over the whole batch does to a training SRCC: simulated, watched while training, and in the log.

The released program (github.com/ZhouKanglei/CoFInAl_AQA at fe1f4c1, models/model.py, `re_proj`) takes the arg max of a
batch's (B, 100) cosines without naming a dimension. It is one position, row * 100 + column, for the whole batch: every
routine of the batch gets that number, divided by 10,000, added to its normalised score. At test a batch is one routine.
"""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import spearman_rows
from cofinal_lib.rivals.cofinal_released import LEVELS, ReleasedCoFInAl, ReleasedCoFInAlConfig
from cofinal_lib.train import Schedule, SeedResult, fit

# --------------------------------------------------------------------------------------- simulated


def shifts(n: int, draws: int, random: np.random.Generator, batch_size: int = 32, columns: int = LEVELS) -> np.ndarray:
    """What the flat arg max adds to n normalised scores in the order of their batches, (draws, n).

    Row and column of each batch's largest cosine are drawn evenly, which is an assumption.

    Args:
        batch_size: the last batch has what is left over.
        columns: how many of the 100 columns occur, evenly spaced.
    """
    sizes = np.diff([*range(0, n, batch_size), n])
    rows = random.integers(0, sizes, (draws, len(sizes)))
    chosen = random.integers(0, columns, (draws, len(sizes))) * (LEVELS // columns)
    return np.repeat((rows * LEVELS + chosen) / LEVELS**2, sizes, axis=1)


def simulate(
    scores: np.ndarray, noise: float = 0.0, shrink: float = 1.0, draws: int = 2000, seed: int = 0, columns: int = LEVELS
) -> pd.DataFrame:
    """A model of fixed quality, its training SRCC as it is and as the released program logs it: honest, logged.

    One row an epoch: routines are shuffled into batches, and errors drawn, anew.

    Args:
        scores: (N,), normalised: divided by the score that counts as 1.
        noise, shrink: predictions are mean + shrink * (score - mean) + noise * a normal error.
        columns: of `shifts`.
    """
    scores, random = np.asarray(scores, float), np.random.default_rng(seed)
    true = random.permuted(np.tile(scores, (draws, 1)), axis=1)  # (draws, N), in the order of their batches
    predicted = scores.mean() + shrink * (true - scores.mean()) + noise * random.standard_normal(true.shape)
    shifted = predicted + shifts(len(scores), draws, random, columns=columns)
    return pd.DataFrame({"honest": spearman_rows(predicted, true), "logged": spearman_rows(shifted, true)})


NOISES = np.concatenate([np.linspace(0, 0.12, 25), np.linspace(0.14, 0.4, 8)])


def honest_behind(
    logged: float, scores: np.ndarray, shrink: float = 1.0, draws: int = 400, seed: int = 0
) -> tuple[float, float]:
    """Which honest training SRCC a mean logged one fits, by `simulate`: (honest, the noise that gives it).

    Interpolated over NOISES. A logged value that not even perfect predictions reach gives that of no noise; one below
    all gives NaN.
    """
    means = [simulate(scores, noise, shrink, draws, seed).mean() for noise in NOISES]
    honest, seen = (np.array([m[name] for m in means]) for name in ("honest", "logged"))
    if logged < seen.min():
        return float("nan"), float("nan")
    order = seen.argsort()
    return float(np.interp(logged, seen[order], honest[order])), float(np.interp(logged, seen[order], NOISES[order]))


# --------------------------------------------------------------------------------------- watched


class Watched(ReleasedCoFInAl):
    """The released network, keeping what its training batches were scored while it learned from them."""

    def __init__(self, config: ReleasedCoFInAlConfig, generator: torch.Generator | None = None):
        super().__init__(config, generator)
        self.seen = []  # a batch each: (3, B), scores in points, normalised predictions as logged and by routine

    def loss(self, out, scores):
        """The released objective, which reads neither of the two predictions."""
        kept = scores, out["score_flat_argmax_batch"], out["score_per_sample"]
        self.seen.append(torch.stack([x.detach().double().cpu() for x in kept]))
        return super().loss(out, scores)


MEASURES = {
    "logged": "training, as the released program logs it: while training, arg max over the batch",
    "per_routine": "training, arg max for each routine, otherwise the same",
    "simulated": "training, arg max for each routine, plus drawn shifts (`shifts`)",
    "whole": "training, after the epoch: no dropout, whole routines one by one",
    "test": "test: no dropout, whole routines one by one",
}


def watch(
    data: FeatureSet, config: ReleasedCoFInAlConfig, schedule: Schedule, seed: int
) -> tuple[pd.DataFrame, SeedResult]:
    """Train the released network once, measuring its SRCC in the five ways of MEASURES.

    Returns:
        seed, epoch (from 1), measure, srcc, one row each ("whole" after every fifth epoch and the last); and what
        `fit` returns.
    """
    (result,) = fit(partial(Watched, config), data, [seed], replace(schedule, holdout=0))
    train, test = data.rows("train"), data.rows("test")
    n, E = len(train), schedule.epochs
    scores, logged, own = torch.cat(result.model.seen, dim=1).view(3, E, n).numpy()
    drawn = shifts(n, E, np.random.default_rng(seed), schedule.batch_size)
    after = result.predictions[..., 0]  # (E, N)
    curves = {
        "logged": spearman_rows(logged, scores),
        "per_routine": spearman_rows(own, scores),
        "simulated": spearman_rows(own + drawn, scores),
        "whole": spearman_rows(after[:, train], data.scores[train].numpy()),
        "test": spearman_rows(after[:, test], data.scores[test].numpy()),
    }
    frame = pd.DataFrame(curves).assign(seed=seed, epoch=np.arange(1, E + 1))
    long = frame.melt(["seed", "epoch"], list(MEASURES), "measure", "srcc")
    return long.dropna(subset="srcc"), result


# --------------------------------------------------------------------------------------- the authors' log

LOG = "cofinal/train_log-cofinal-Ball.txt"  # of `data.registry`
_LINE = re.compile(
    r"Epoch: (?P<epoch>\d+)\s+Loss: (?P<loss>\S+)\s+Train Coef: (?P<train>\S+)"
    r"\s+Test Loss: (?P<test_loss>\S+)\s+Test Coef: (?P<test>\S+)\s+Test rl2: (?P<relative_l2>\S+)"
)


def read_log(path: Path) -> pd.DataFrame:
    """A training log of the released program: epoch (from 0, as written), loss, train, test_loss, test, relative_l2.

    train and test are SRCCs as logged; loss is the training objective's mean over batches, test_loss a squared error
    of normalised scores.

    Raises:
        CofinalError: no such file, a line of an epoch that cannot be read, or epochs missing, doubled or out of order.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CofinalError(f"cannot read {path}: {error.strerror}") from error
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("Epoch:"):
            found = _LINE.match(line)
            try:
                rows.append({name: float(value) for name, value in found.groupdict().items()})
            except (AttributeError, ValueError):
                raise CofinalError(f"{path}, line {number}: expected an epoch's numbers, got {line[:60]!r}") from None
    announced = re.search(r"\bepoch=(\d+)", text)
    expected = int(announced[1]) if announced else len(rows)
    if not rows or [row["epoch"] for row in rows] != list(range(expected)):
        raise CofinalError(f"{path}: expected one line for each of {expected} epochs, in order; got {len(rows)}")
    return pd.DataFrame(rows).astype({"epoch": int})
