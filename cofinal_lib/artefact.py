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
from scipy import stats

from cofinal_lib.data import registry
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import bootstrap_interval, mean_interval, spearman_rows
from cofinal_lib.records import REFERENCE
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


def inversion(scores: np.ndarray, shrink: float = 1.0, draws: int = 1500, seed: int = 0) -> pd.DataFrame:
    """`simulate` for models from perfect to poor: noise, honest and logged (means), spread (deviation of logged)."""
    rows = []
    for noise in np.linspace(0, 0.12, 13):
        found = simulate(scores, noise, shrink, draws, seed)
        rows.append((noise, *found.mean(), found["logged"].std()))
    return pd.DataFrame(rows, columns=["noise", "honest", "logged", "spread"])


def behind_the_log(facts: dict[str, float], curves: dict[float, pd.DataFrame]) -> pd.DataFrame:
    """Which honest training SRCC the log's mean over its last epochs fits, by how much predictions are shrunk.

    An inference: it takes the log's shifts to be drawn as `shifts` draws them.

    Args:
        facts: of `log_facts`. curves: shrinkage -> `inversion`.

    Returns:
        shrink; honest, low, high (for the mean and the ends of its 95 % interval; 1 where not even perfect predictions
        are logged as high); spread, the deviation between epochs that such a model's log would have; fits, whether it
        lies within the 95 % interval of the log's deviation.
    """
    rows = []
    for shrink, curve in curves.items():
        rising = curve.sort_values("logged")
        logged = facts["train"] + 1.96 * facts["train_error"] * np.array([0, -1, 1])
        honest = np.interp(logged, rising["logged"], rising["honest"], left=np.nan, right=1.0)
        spread = np.interp(logged[0], rising["logged"], rising["spread"])
        rows.append((shrink, *honest, spread, facts["train_sd_low"] <= spread <= facts["train_sd_high"]))
    return pd.DataFrame(rows, columns=["shrink", "honest", "low", "high", "spread", "fits"])


# --------------------------------------------------------------------------------------- watched


class Watched(ReleasedCoFInAl):
    """The released network, keeping what its training batches were scored while it learned from them."""

    def __init__(self, config: ReleasedCoFInAlConfig, generator: torch.Generator | None = None):
        super().__init__(config, generator)
        self.seen = []  # a batch each: (3, B), scores in points, normalised predictions as logged and by routine

    def loss(self, out, scores, targets=None):
        """The released objective, which reads neither of the two predictions."""
        kept = scores, out["score_flat_argmax_batch"], out["score_per_sample"]
        self.seen.append(torch.stack([x.detach().double().cpu() for x in kept]))
        return super().loss(out, scores, targets)


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


def log_at_hand() -> pd.DataFrame:
    """`read_log` of the published log; empty where it cannot be had, and `frame.attrs["why"]` says why not."""
    try:
        return read_log(registry.fetch(LOG))
    except CofinalError as error:
        empty = pd.DataFrame(columns=["epoch", "loss", "train", "test_loss", "test", "relative_l2"], dtype=float)
        empty.attrs["why"] = str(error)
        return empty


def log_facts(log: pd.DataFrame, last: int = 50) -> dict[str, float]:
    """What a log says, in numbers.

    Returns:
        epochs; below, above: epochs whose train SRCC is below, above the test's; first_above, the first epoch (from 0)
        with train above; last_below, those of the `last` epochs with train below. best, best_epoch, end: highest test
        SRCC, its epoch, the last one. Over the `last` epochs: train, test, loss, means; train_sd, test_sd, loss_sd;
        train_error, the standard error of train's mean; train_sd_low, train_sd_high, its deviation's 95 % interval;
        train_step, test_step, deviation of epoch-to-epoch changes; train_memory, test_memory, correlations of
        neighbouring epochs. Of an empty log, those that we kept: results/reference/log-facts.csv.
    """
    if log.empty:
        return pd.read_csv(REFERENCE / "log-facts.csv", index_col="fact")["value"].to_dict()
    end, above = log.tail(last), log["train"] > log["test"]
    sd, n = end["train"].std(), len(end)
    low, high = (sd * np.sqrt((n - 1) / stats.chi2.ppf(q, n - 1)) for q in (0.975, 0.025))
    found = {
        "epochs": len(log),
        "below": int((log["train"] < log["test"]).sum()),
        "above": int(above.sum()),
        "first_above": int(above.idxmax()) if above.any() else -1,
        "last_below": int((end["train"] < end["test"]).sum()),
        "best": log["test"].max(),
        "best_epoch": int(log["test"].idxmax()),
        "end": log["test"].iloc[-1],
        "train_error": sd / np.sqrt(n),
        "train_sd_low": low,
        "train_sd_high": high,
        "loss": end["loss"].mean(),
        "loss_sd": end["loss"].std(),
    }
    for name in ("train", "test"):
        found |= {name: end[name].mean(), f"{name}_sd": end[name].std(), f"{name}_step": end[name].diff().std()}
        found[f"{name}_memory"] = end[name].autocorr(1)
    return {name: value if isinstance(value, int) else float(value) for name, value in found.items()}


# --------------------------------------------------------------------------------------- beside other methods


def as_curves(kept: pd.DataFrame) -> pd.DataFrame:
    """The honest curves of kept `watch` results as `results.curves` gives those of other methods, means over seeds.

    Args:
        kept: results/reference/paper/artefact.csv.
    """
    rows = []
    shown = kept[kept["measure"].isin(["whole", "test"])]
    for (measure, epoch), part in shown.groupby(["measure", "epoch"], sort=False):
        mean, low, high = mean_interval(part["srcc"], correlations=True)
        place = {"measure": "srcc", "split": "train" if measure == "whole" else "test", "epoch": epoch}
        rows.append(place | {"mean": mean, "low": low, "high": high})
    return pd.DataFrame(rows).assign(**_head(kept))


def as_results(kept: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """The last epoch of kept `watch` results as `results.tidy` gives that of other methods, as far as gaps need it.

    Args:
        kept: artefact.csv. predictions: artefact-test.csv, whose routines give the interval over routines.
    """
    end = kept[kept["epoch"] == kept["epoch"].max()]
    wide = predictions.pivot(index="seed", columns="id", values=predictions.columns[-1])
    scores = predictions.drop_duplicates("id").set_index("id")["score"][wide.columns]
    over_routines = bootstrap_interval(wide.to_numpy(), scores.to_numpy(), seed=0)
    rows = []
    for measure, split, (low, high) in (("whole", "train", (np.nan, np.nan)), ("test", "test", over_routines)):
        srcc = end[end["measure"] == measure].sort_values("seed")["srcc"]
        per_seed = " ".join(f"{v:.6g}" for v in srcc)
        rows.append({"split": split, "per_seed": per_seed, "routines_low": low, "routines_high": high})
    chosen = {"selection": "last", "decoding": "soft", "options": "", "without": ""}
    return pd.DataFrame(rows).assign(**chosen, **_head(kept))


def _head(kept: pd.DataFrame) -> dict:
    """What all rows of kept `watch` results share, as columns of other results have it."""
    columns = ["target", "source", "method", "epochs", "device", "torch", "commit"]
    return kept[columns].iloc[0].to_dict() | {"seeds": kept["seed"].nunique()}
