"""Training: SGD with a cosine schedule (Sec. 4.1), many seeds, every epoch's predictions kept."""

import math
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor, nn
from tqdm import tqdm

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import spearman

DECODINGS = ("soft", "hard")


@dataclass(frozen=True)
class Schedule:
    """How to train; the defaults are the paper's (Sec. 4.1).

    Attributes:
        epochs, batch_size: passes over the training routines, routines a step (the last batch may be smaller).
        optimiser: "sgd" or "adam".
        lr, decay, lr_end: learning rate of the first epoch, and its way down: "cosine" to lr_end in the last epoch,
            "steps" (a tenth after three quarters of the epochs, a hundredth after seven eighths), or "none".
        momentum, weight_decay: of SGD; of either.
        holdout: share of the training routines held out, in a training of their own, to choose the epoch.
    """

    epochs: int = 200
    batch_size: int = 32
    optimiser: str = "sgd"
    lr: float = 0.01
    decay: str = "cosine"
    lr_end: float = 0.0001
    momentum: float = 0.9
    weight_decay: float = 0.01
    holdout: float = 0.2

    def lr_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        if self.decay == "none":
            return self.lr
        if self.decay == "steps":
            return self.lr * 0.1 ** ((4 * epoch >= 3 * self.epochs) + (8 * epoch >= 7 * self.epochs))
        progress = epoch / max(self.epochs - 1, 1)
        return self.lr_end + (self.lr - self.lr_end) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class SeedResult:
    """What one seed's training gave; E epochs, N routines (train and test, in the data's order).

    Attributes:
        model: after the last epoch, in evaluation mode.
        losses: name -> (E,), mean over an epoch's training batches.
        predictions: (E, N, 2), soft and hard scores in points after each epoch.
        validation_srcc: (E,), SRCC (soft) on held-out training routines of a model that never saw them.
    """

    seed: int
    model: nn.Module
    losses: dict[str, np.ndarray]
    predictions: np.ndarray
    validation_srcc: np.ndarray


def fit(
    build: Callable[[torch.Generator], nn.Module],
    data: FeatureSet,
    seeds: Iterable[int],
    schedule: Schedule = Schedule(),  # noqa: B008 (frozen)
    device: str = "cpu",
    jobs: int = 1,
    progress: bool = False,
) -> list[SeedResult]:
    """Train one model per seed on the training routines, predicting every routine after each epoch.

    Args:
        build: makes a model; its generator draws what stays fixed (the ETF).
        data: the routines; the test scores are never read here.
        seeds: one training each: initialisation, order of routines, crops, dropout and held-out routines.
        jobs: trainings at a time, each in a process and on one core of its own (CPU only).
        progress: show a bar on stderr.

    Each seed trains twice: on all training routines, and on those left when `holdout` of them are held out, to
    choose an epoch without the test set. On a CPU a seed gives the same numbers, to the last bit, whatever the
    other seeds and the number of jobs.
    """
    seeds = list(seeds)
    # The features go as a NumPy array: joblib hands it to its processes as one shared file.
    light, features = replace(data, features=torch.empty(0)), data.features.numpy()
    trainings = [
        delayed(_train_once)(build, light, features, schedule, device, seed, hold_out)
        for seed in seeds
        for hold_out in (True, False)
    ]
    parallel = Parallel(n_jobs=1 if device == "cuda" else jobs, return_as="generator", mmap_mode="c")
    bar = tqdm(parallel(trainings), total=len(trainings), unit="training", disable=not progress)
    finished = list(bar)
    return [
        SeedResult(seed, *whole, validation_srcc)
        for seed, validation_srcc, whole in zip(seeds, finished[::2], finished[1::2], strict=True)
    ]


def _train_once(build, data, features, schedule, device, seed, hold_out):
    """One training: the held-out routines' SRCC (E,), or the model, its losses and its predictions."""
    data = replace(data, features=torch.from_numpy(features))
    features, lengths, scores = (t.to(device) for t in (data.features, data.lengths, data.scores.float()))
    train = data.rows("train")
    rows = _held_out(train, schedule.holdout, seed) if hold_out else torch.arange(len(data))
    batches = _batches_by_length(features, lengths, rows)
    kept = train[~torch.isin(train, rows)] if hold_out else train
    epochs = _epochs(kept, build, features, lengths, scores, data.crop, schedule, seed, device)
    predictions, losses = [], {}
    with _one_thread():
        for model, loss in epochs:
            predictions.append(predict(model, batches, len(data)))
            for name, value in loss.items():
                losses.setdefault(name, []).append(value)
    if hold_out:
        return np.array([spearman(p[rows, 0], data.scores[rows]) for p in predictions])
    return model.eval(), {name: np.array(values) for name, values in losses.items()}, np.stack(predictions)


@contextmanager
def _one_thread():
    """Small matrices gain nothing from more threads, and the last bits would depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _held_out(train: Tensor, share: float, seed: int) -> Tensor:
    """The training routines a seed holds out, (n,), at least 4 of them: fewer have no meaningful ranking."""
    n = max(4, round(share * len(train)))
    if n >= len(train):
        raise CofinalError(f"{len(train)} training routines are too few: {n} of them are held out to choose the epoch")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    return train[order[:n]].sort().values


def _epochs(rows, build, features, lengths, scores, crop, schedule, seed, device):
    """Train on `rows`; after each epoch yield (model, mean losses)."""
    draw = torch.Generator().manual_seed(seed)  # order and crops
    with torch.random.fork_rng(devices=[] if device == "cpu" else None):
        torch.manual_seed(seed)  # initialisation and dropout: torch's modules draw them from the global stream
        model = build(torch.Generator().manual_seed(seed)).to(device)
        if hasattr(model, "solve"):
            yield model, model.solve(features[rows], lengths[rows], scores[rows])
            return
        optimiser = _optimiser(model, schedule)
        falling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda epoch: schedule.lr_at(epoch) / schedule.lr)
        for epoch in range(schedule.epochs):
            model.train()
            totals, batches = {}, 0
            for batch in rows[torch.randperm(len(rows), generator=draw)].split(schedule.batch_size):
                clips, n_clips = _crop(features, lengths, batch, crop, draw)
                loss = model.loss(model(clips, n_clips), scores[batch])
                optimiser.zero_grad()
                loss["total"].backward()
                optimiser.step()
                for name, value in loss.items():
                    totals[name] = totals.get(name, 0) + value.detach()
                batches += 1
            means = {name: float(value) / batches for name, value in totals.items()}
            if not math.isfinite(means["total"]):
                raise CofinalError(
                    f"training diverged: the loss of seed {seed} is {means['total']} in epoch {epoch}; "
                    "lower the learning rate or check the features' scale"
                )
            yield model, means
            falling.step()


def _optimiser(model: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    groups = model.groups(schedule.lr) if hasattr(model, "groups") else model.parameters()
    if schedule.optimiser == "adam":
        return torch.optim.Adam(groups, schedule.lr, weight_decay=schedule.weight_decay, fused=True)
    return torch.optim.SGD(groups, schedule.lr, schedule.momentum, weight_decay=schedule.weight_decay, fused=True)


def _crop(features: Tensor, lengths: Tensor, batch: Tensor, crop: int | None, draw: torch.Generator):
    """Cut each routine of a batch to `crop` consecutive clips from a random start, the last start included."""
    n = lengths[batch]
    if crop is None:
        return features[batch], n
    starts = (torch.rand(len(batch), generator=draw) * (n.cpu() - crop + 1).clamp(min=1)).long()
    clips = torch.stack([features[i, s : s + crop] for i, s in zip(batch.tolist(), starts.tolist(), strict=True)])
    return clips, n.clamp(max=crop)


def _batches_by_length(features: Tensor, lengths: Tensor, rows: Tensor, size: int = 60):
    """Batches of routines of like length, so that little padding is computed: [(rows, features, lengths)]."""
    batches = []
    for chunk in rows[lengths.cpu()[rows].argsort(stable=True)].split(size):
        longest = int(lengths[chunk].max())
        batches.append((chunk, features[chunk, :longest], lengths[chunk]))
    return batches


@torch.no_grad()
def predict(model: nn.Module, batches, n: int) -> np.ndarray:
    """Soft and hard scores, (n, 2), in points; rows outside the batches are NaN.

    A method with one way of decoding gives "score" alone, which then stands in both columns.
    """
    model.eval()
    forward = getattr(model, "one_by_one", model)
    scores = np.full((n, len(DECODINGS)), np.nan, dtype=np.float32)
    for rows, features, lengths in batches:
        out = forward(features, lengths)
        for column, decoding in enumerate(DECODINGS):
            scores[rows, column] = out.get(f"score_{decoding}", out.get("score")).cpu()
    return scores


def predict_all(model: nn.Module, data: FeatureSet) -> np.ndarray:
    """Soft and hard scores of every routine, (N, 2), in points."""
    batches = _batches_by_length(data.features, data.lengths, torch.arange(len(data)))
    return predict(model, batches, len(data))


@torch.no_grad()
def embed(model: nn.Module, data: FeatureSet, device: str = "cpu") -> np.ndarray:
    """Each routine's "embedding", (N, D), of a model that lies on `device`."""
    model.eval()
    rows_and_values = [
        (rows, model(features.to(device), lengths.to(device))["embedding"].cpu())
        for rows, features, lengths in _batches_by_length(data.features, data.lengths, torch.arange(len(data)))
    ]
    order = torch.cat([rows for rows, _ in rows_and_values]).argsort()
    return torch.cat([values for _, values in rows_and_values])[order].numpy()
