"""Training: SGD with a cosine schedule (Sec. 4.1), many seeds, every epoch's predictions kept."""

import copy
import math
import signal
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor, nn
from tqdm import tqdm

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.dropout import dropout_mask, random_words, word_count
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import spearman_rows
from cofinal_lib.precision import bf16, tf32, upcast

DECODINGS = ("soft", "hard")
PREDICTED_AT_ONCE = 60  # routines


@dataclass(frozen=True)
class Schedule:
    """How to train; the defaults are the paper's (Sec. 4.1).

    Attributes:
        epochs, batch_size: passes over the training routines, routines a step (the last batch may be smaller).
        optimiser: "sgd" or "adam".
        lr, decay, lr_end: learning rate of the first epoch, and its way down: "cosine" to lr_end in the last epoch,
            "steps" (a tenth after three quarters of the epochs, a hundredth after seven eighths), or "none".
        momentum, weight_decay: of SGD; of either.
        clip_norm: a longer gradient (of all of a seed's parameters) is shortened to this; None for no limit.
        precision: of training's matrix products: "full" (the features' own), "tf32" (10 bits of mantissa) or "bf16" (7
            bits); losses, parameters and every prediction stay in full.
        holdout: share of the training routines held out, in a training of their own, to choose the epoch; 0 for no
            such training, and an epoch that nobody chooses.

    Raises:
        CofinalError: no such optimiser, decay or precision.
    """

    epochs: int = 200
    batch_size: int = 32
    optimiser: str = "sgd"
    lr: float = 0.01
    decay: str = "cosine"
    lr_end: float = 0.0001
    momentum: float = 0.9
    weight_decay: float = 0.01
    clip_norm: float | None = None
    precision: str = "full"
    holdout: float = 0.2

    def __post_init__(self):
        if self.optimiser not in ("sgd", "adam") or self.decay not in ("cosine", "steps", "none"):
            raise CofinalError(
                f"Schedule: optimiser {self.optimiser!r} with decay {self.decay!r}; "
                "expected sgd or adam, and cosine, steps or none"
            )
        if self.precision not in ("full", "tf32", "bf16"):
            raise CofinalError(f"Schedule: precision {self.precision!r}; expected full, tf32 or bf16")

    def complete(self, epoch: int, n_epochs: int) -> bool:
        """Whether training routines are predicted after an epoch (from 0) too: every fifth, and the last."""
        return (epoch + 1) % 5 == 0 or epoch == n_epochs - 1

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
        predictions: (E, N, 2), soft and hard scores in points: of the test routines after each epoch, of the training
            routines after every fifth and the last, which `Schedule.complete` names; NaN between.
        validation_srcc: (E,), SRCC (soft) on held-out training routines of a model that never saw them; NaN where
            none were held out.
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
    stack: int | None = None,
) -> list[SeedResult]:
    """Train one model per seed on the training routines, predicting the test routines after each epoch.

    Args:
        build: makes a model; its generator draws what stays fixed (the ETF).
        data: the routines; the test scores are never read here.
        seeds: one training each: initialisation, order of routines, crops, dropout and held-out routines.
        jobs: trainings at a time, each in a process and on one core of its own (CPU only).
        progress: show a bar on stderr.
        stack: how many seeds train as one batched computation, if the method `stacks`; by default all on a GPU and
            where batches are small, one where a single seed already keeps a core busy. A GPU without the memory for
            as many takes half of them, and so on.

    Raises:
        CofinalError: too few training routines to hold some out, a loss that is not finite, or a GPU without the
            memory for one seed.

    Each seed trains twice: on all training routines, and on those left when `holdout` of them are held out, to
    choose an epoch without the test set (unless `holdout` is 0). On a CPU the same call gives the same numbers to the
    last bit, whatever the number of jobs; a seed's numbers depend on the other seeds by rounding, and not at all where
    stack is 1.
    """
    seeds = list(seeds)
    size = _stack_size(build, data, schedule, device, len(seeds), stack)
    groups = [seeds[i : i + size] for i in range(0, len(seeds), size)]
    # The features go as a NumPy array: joblib hands it to its processes as one shared file.
    light, features = replace(data, features=torch.empty(0)), data.features.numpy()
    kinds = (True, False) if schedule.holdout else (False,)
    trainings = [
        delayed(_train)(build, light, features, schedule, device, group, hold_out)
        for hold_out in kinds
        for group in groups
    ]
    parallel = Parallel(
        n_jobs=1 if device == "cuda" else jobs,
        return_as="generator",
        mmap_mode="c",
        initializer=_leave_interrupts_to_the_parent,  # of workers alone: a single job runs in this process
    )
    bar = tqdm(parallel(trainings), total=len(trainings), unit="training", disable=not progress)
    finished = list(bar)
    whole = list(chain(*finished[-len(groups) :]))
    unchosen = [(np.full(len(predictions), np.nan),) for _, _, predictions in whole]
    held_out = chain(*finished[: -len(groups)]) if schedule.holdout else unchosen
    return [SeedResult(seed, *of_all, *of_some) for seed, of_all, of_some in zip(seeds, whole, held_out, strict=True)]


def _leave_interrupts_to_the_parent():
    """Ctrl-C reaches every process of a terminal: the first one stops the others, which have nothing to say."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _stack_size(build, data, schedule, device, n_seeds: int, wanted: int | None) -> int:
    """As many as wanted; else all where launching operations costs more than computing them; one of what cannot."""
    if not getattr(_build(build, 0)[0], "stacks", False):
        return 1
    batch_bytes = schedule.batch_size * (data.crop or data.features.shape[1]) * data.feature_dim * 4
    return wanted or (n_seeds if device == "cuda" or batch_bytes <= 2**20 else 1)


def _build(build, seed: int, device: str = "cpu") -> tuple[nn.Module, Tensor]:
    """A seed's model, and the state of the random stream, behind its initialisation, that dropout draws from."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = build(torch.Generator().manual_seed(seed)).to(device)
        return model, torch.get_rng_state()


def _train(build, data, features, schedule, device, seeds, hold_out) -> list[tuple]:
    """One training of some seeds: (held-out SRCC (E,),), or (model, losses, predictions), for each seed."""
    data = replace(data, features=torch.from_numpy(features))
    with one_thread():
        return _train_or_halve(build, data, schedule, device, seeds, hold_out)


def _train_or_halve(build, data, schedule, device, seeds, hold_out):
    try:
        return _train_group(build, data, schedule, device, seeds, hold_out)
    except torch.cuda.OutOfMemoryError:
        if len(seeds) == 1:
            raise CofinalError(f"the GPU has no memory for one seed on {data.target}; take a smaller method") from None
    torch.cuda.empty_cache()  # behind the except clause, whose error held the tensors
    halves = seeds[: len(seeds) // 2], seeds[len(seeds) // 2 :]
    return [r for half in halves for r in _train_or_halve(build, data, schedule, device, half, hold_out)]


def _train_group(build, data, schedule, device, seeds, hold_out):
    learner = (Stacked if len(seeds) > 1 else Single)(build, data, schedule, device, seeds)
    S, E, train = len(seeds), 1 if learner.solves else schedule.epochs, data.rows("train")
    often, everyone = data.rows("test").expand(S, -1), torch.arange(len(data)).expand(S, -1)  # (S, n)
    kept = train.expand(S, -1)
    if hold_out:
        held = often = everyone = torch.stack([_held_out(train, schedule.holdout, seed) for seed in seeds])
        kept = torch.stack([train[~torch.isin(train, rows)] for rows in held])
    often, everyone = learner.batches(often), learner.batches(everyone)
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]  # order and crops
    predictions, losses = np.full((S, E, len(data), len(DECODINGS)), np.nan, dtype=np.float32), {}
    for epoch in range(E):
        with tf32(schedule.precision == "tf32", device):
            means_of_epoch = learner.epoch(kept, draws)
        for name, means in means_of_epoch.items():  # (S,)
            losses.setdefault(name, np.zeros((S, E)))[:, epoch] = means
            if not np.isfinite(means).all():
                raise CofinalError(
                    f"training diverged: the loss {name} of seed {seeds[int(np.argmin(np.isfinite(means)))]} is not "
                    f"finite in epoch {epoch}; lower the learning rate or check the features' scale"
                )
        learner.predict(everyone if schedule.complete(epoch, E) else often, predictions[:, epoch])
    if hold_out:
        pairs = zip(predictions, held, strict=True)
        return [(spearman_rows(of_seed[:, rows, 0], data.scores[rows].numpy()),) for of_seed, rows in pairs]
    models = learner.models()
    return [(models[s], {n: v[s] for n, v in losses.items()}, predictions[s]) for s in range(S)]


def _targets(model: nn.Module, data: FeatureSet, device: str) -> dict[str, Tensor]:
    """What the loss compares training routines with, name -> (N, ...); test routines, their scores unread, get 0."""
    train, targets = data.rows("train"), {}
    for name, value in model.targets(data.scores[train].to(data.features)).items():
        everyone = value.new_zeros(len(data), *value.shape[1:])
        targets[name] = everyone.index_copy(0, train.to(value.device), value).to(device)
    return targets


def _order(kept: Tensor, lengths: Tensor, schedule: Schedule, crop: int | None, draws: list):
    """An epoch's batches of one seed each: [(routines (S, B), first clips (S, B))], drawn from each seed's stream."""
    orders = torch.stack(
        [rows[torch.randperm(len(rows), generator=draw)] for rows, draw in zip(kept, draws, strict=True)]
    )
    plan = []
    for batch in orders.split(schedule.batch_size, dim=1):  # (S, B)
        uniform = (
            torch.stack([torch.rand(batch.shape[1], generator=draw) for draw in draws]) if crop else torch.zeros(1)
        )
        room = lengths[batch] - crop + 1 if crop else torch.ones(1)  # the last start included
        plan.append((batch, (uniform * room.clamp(min=1)).long().expand(batch.shape)))
    return plan


@contextmanager
def _drawing_from(stream: Tensor, device: str):
    """Draw from a stream's state, then leave the process's as it was; a GPU's seed is the stream's next draw."""
    with torch.random.fork_rng(devices=[] if device == "cpu" else None):
        torch.set_rng_state(stream)
        if device == "cuda":
            torch.cuda.manual_seed(int(torch.randint(2**62, ())))
        yield


class Single:
    """One seed, trained the plain way."""

    def __init__(self, build, data, schedule, device, seeds):
        self.model, self.stream = _build(build, seeds[0], device)
        self.solves = hasattr(self.model, "solve")
        self.data, self.schedule, self.device = data, schedule, device
        self.features = data.features.to(device)  # lengths stay on the CPU, see `cofinal_lib.padding`
        self.scores = data.scores.to(self.features)
        self.targets = _targets(self.model, data, device) if hasattr(self.model, "targets") else None
        if not self.solves:
            self.optimiser, self.scheduler = _optimiser(_groups(self.model, schedule), schedule)

    def epoch(self, kept, draws) -> dict[str, np.ndarray]:
        """Train once over the routines kept (S, n), each seed drawing from its own; returns mean losses (S,)."""
        if self.solves:
            loss = self.model.solve(self.features[kept[0]], self.data.lengths[kept[0]], self.scores[kept[0]])
            return {name: np.array([value]) for name, value in loss.items()}
        self.model.train()
        totals, crop = {}, self.data.crop
        plan = _order(kept, self.data.lengths, self.schedule, crop, draws)
        with _drawing_from(self.stream, self.device):
            for batch, starts in plan:
                loss = self._step(batch[0], starts[0], crop)
                for name, value in loss.items():
                    totals[name] = totals.get(name, 0) + value.detach()
            self.stream = torch.get_rng_state()
        self.scheduler.step()
        means = torch.stack(list(totals.values())).cpu().double().numpy() / len(plan)
        return dict(zip(totals, means[:, None], strict=True))

    def _step(self, batch, starts, crop):
        lengths, rows = self.data.lengths[batch], batch.to(self.device, non_blocking=True)
        if crop is None:
            clips = self.features[rows]
        else:
            lengths, places = lengths.clamp(max=crop), zip(batch.tolist(), starts.tolist(), strict=True)
            clips = torch.stack([self.features[i, s : s + crop] for i, s in places])
        with bf16(self.schedule.precision == "bf16", self.device):
            out = self.model(clips, lengths)
        targets = [{name: value[rows] for name, value in self.targets.items()}] if self.targets else []
        loss = self.model.loss(upcast(out, clips.dtype), self.scores[rows], *targets)
        self.optimiser.zero_grad()
        loss["total"].backward()
        if self.schedule.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip_norm)
        self.optimiser.step()
        return loss

    def batches(self, rows):
        """Routines (1, n) in batches of like length."""
        return _batches_by_length(self.features, self.data.lengths, rows[0])

    def predict(self, batches, into: np.ndarray) -> None:
        """Write soft and hard scores of the batches' routines into (S, N, 2)."""
        with _drawing_from(self.stream, self.device):  # for methods that draw at test, too
            into[0] = predict(self.model, batches, into.shape[1])

    def models(self):
        """Each seed's model, in evaluation mode."""
        return [self.model.eval()]


class Stacked:
    """Many seeds at once: parameters stacked, one batched forward and backward for all of them (torch.func)."""

    solves = False

    def __init__(self, build, data, schedule, device, seeds):
        self.originals, self.streams = [], []
        for seed in seeds:
            model, state = _build(build, seed, device)
            self.originals.append(model)
            self.streams.append(torch.Generator().set_state(state))
        self.data, self.schedule, self.device = data, schedule, device
        self.features, self.lengths = data.features.to(device), data.lengths.to(device)
        self.scores = data.scores.to(self.features)
        self.targets = _targets(self.originals[0], data, device)
        params, self.buffers = torch.func.stack_module_state(self.originals)
        self.params = {name: p.detach().requires_grad_() for name, p in params.items()}
        self.optimiser, self.scheduler = _optimiser(list(self.params.values()), schedule)
        self.template = _Objective(copy.deepcopy(self.originals[0]), schedule.precision == "bf16", device)
        self.dropouts = {name: m for name, m in self.template.named_modules() if isinstance(m, _GivenDropout)}
        self.shapes = {}

    def epoch(self, kept, draws) -> dict[str, np.ndarray]:
        """Train once over the routines kept (S, n), each seed drawing from its own; returns mean losses (S,)."""
        self.template.train()
        totals, plan = {}, _order(kept, self.data.lengths, self.schedule, self.data.crop, draws)
        for batch, starts in plan:
            loss = self._step(*(drawn.to(self.device, non_blocking=True) for drawn in (batch, starts)))
            for name, value in loss.items():
                totals[name] = totals.get(name, 0) + value.detach()
        self.scheduler.step()
        return {name: (value / len(plan)).cpu().numpy() for name, value in totals.items()}

    def _step(self, batch, starts):
        longest = self.features.shape[1]
        clips, mask = self._clips(batch, starts, min(self.data.crop or longest, longest))
        targets = {name: value[batch] for name, value in self.targets.items()}
        arguments = (clips, mask, self.scores[batch], targets)
        masks = self._dropout_masks(arguments)
        run = torch.func.vmap(lambda p, b, *given: torch.func.functional_call(self.template, (p, b), given))
        params, buffers = ({f"model.{k}": v for k, v in group.items()} for group in (self.params, self.buffers))
        loss = run(params, buffers | masks, *arguments)  # name -> (S,)
        self.optimiser.zero_grad()
        loss["total"].sum().backward()  # no seed's parameters touch another's loss
        if self.schedule.clip_norm is not None:
            gradients = [p.grad for p in self.params.values()]
            together = torch.cat([g.flatten(1) for g in gradients], dim=1)  # (S, all of a seed's parameters)
            norm = torch.linalg.vector_norm(together, dim=1)  # (S,)
            scale = (self.schedule.clip_norm / (norm + 1e-6)).clamp(max=1)
            torch._foreach_mul_(gradients, [scale.view(-1, *[1] * (g.ndim - 1)) for g in gradients])
        self.optimiser.step()
        return loss

    def _clips(self, rows, starts, C: int) -> tuple[Tensor, Tensor]:
        """C clips of routines (S, B), from clip `starts` (S, B) on: (S, B, C, D_C), and which exist, (S, B, C)."""
        windows = self.features.flatten(0, 1).unfold(0, C, 1).mT  # (N C' - C + 1, C, D_C), a view: any C in a row
        first = rows * self.features.shape[1] + starts
        clips = windows.index_select(0, first.flatten()).view(*rows.shape, C, -1)  # (S, B, C, D_C)
        mask = starts[..., None] + torch.arange(C, device=self.device) < self.lengths[rows][..., None]
        return clips, mask

    def _dropout_masks(self, arguments) -> dict[str, Tensor]:
        """Each seed's dropout masks, drawn from its own stream as its `Dropout` would: name -> (S, ...)."""
        B = arguments[0].shape[1]
        if B not in self.shapes:
            with torch.no_grad():
                first = [
                    tree[0] if isinstance(tree, Tensor) else {k: v[0] for k, v in tree.items()} for tree in arguments
                ]
                self.template(*first)
            self.shapes[B] = {name: (m.shape, m.p) for name, m in self.dropouts.items() if m.p}
        n_words = [word_count(shape) for shape, _ in self.shapes[B].values()]
        words = torch.stack([random_words(sum(n_words), stream) for stream in self.streams])  # (S, words of all masks)
        words = words.to(self.device, non_blocking=True)
        return {
            f"{name}.mask": dropout_mask(part, shape, p, self.features.dtype)
            for part, (name, (shape, p)) in zip(words.split(n_words, dim=1), self.shapes[B].items(), strict=True)
        }

    def batches(self, rows):
        """Routines (S, n) in batches of like length, as for one seed, and the longest."""
        order = self.data.lengths[rows].argsort(dim=-1, stable=True)
        batches = rows.gather(-1, order).split(PREDICTED_AT_ONCE, dim=-1)
        return [(batch, int(self.data.lengths[batch].max())) for batch in batches]

    @torch.no_grad()
    def predict(self, batches, into: np.ndarray) -> None:
        """Write soft and hard scores of the batches' routines into (S, N, 2)."""
        self.template.eval()
        model, found = self.template.model, []
        run = torch.func.vmap(lambda p, b, *given: torch.func.functional_call(model, (p, b), given))
        for rows, C in batches:
            batch = rows.to(self.device, non_blocking=True)
            out = run(self.params, self.buffers, *self._clips(batch, torch.zeros_like(batch), C))
            found.append(torch.stack([out[f"score_{decoding}"] for decoding in DECODINGS], dim=-1))  # (S, n, 2)
        rows = torch.cat([rows for rows, _ in batches], dim=1)[..., None]
        np.put_along_axis(into, rows.numpy(), torch.cat(found, dim=1).float().cpu().numpy(), axis=1)

    def models(self):
        """Each seed's model, in evaluation mode."""
        for s, model in enumerate(self.originals):
            model.load_state_dict({k: v[s].detach() for k, v in (self.params | self.buffers).items()})
        return [model.eval() for model in self.originals]


class _Objective(nn.Module):
    """A model and its loss as one module, its dropout masks given from outside."""

    def __init__(self, model, in_bf16, device):
        super().__init__()
        self.model, self.in_bf16, self.device = model, in_bf16, device
        for name, module in list(model.named_modules()):
            if isinstance(module, nn.Dropout):
                parent = model.get_submodule(name.rpartition(".")[0])
                setattr(parent, name.rpartition(".")[2], _GivenDropout(module.p))

    def forward(self, clips, mask, scores, targets):
        with bf16(self.in_bf16, self.device):
            out = self.model(clips, mask)
        return self.model.loss(upcast(out, clips.dtype), scores, targets)


class _GivenDropout(nn.Module):
    """Dropout that multiplies by a mask it was given, and notes the shape it needs."""

    def __init__(self, p):
        super().__init__()
        self.p, self.shape = p, None
        self.register_buffer("mask", torch.ones(()))

    def forward(self, x):
        self.shape = x.shape
        return x * self.mask if self.training else x


@contextmanager
def one_thread():
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


def _groups(model: nn.Module, schedule: Schedule):
    return model.groups(schedule.lr) if hasattr(model, "groups") else list(model.parameters())


def _optimiser(groups, schedule: Schedule):
    """The optimiser, and what lowers its learning rate after each epoch."""
    if schedule.optimiser == "adam":
        optimiser = torch.optim.Adam(groups, schedule.lr, weight_decay=schedule.weight_decay, fused=True)
    else:
        optimiser = torch.optim.SGD(
            groups, schedule.lr, schedule.momentum, weight_decay=schedule.weight_decay, fused=True
        )
    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, lambda e: schedule.lr_at(e) / schedule.lr)


def _batches_by_length(features: Tensor, lengths: Tensor, rows: Tensor):
    """Batches of routines of like length, so that little padding is computed: [(rows, features, lengths)].

    Features may lie on a GPU; rows and lengths, given and returned, lie on the CPU.
    """
    batches = []
    for chunk in rows[lengths[rows].argsort(stable=True)].split(PREDICTED_AT_ONCE):
        longest = int(lengths[chunk].max())
        batches.append((chunk, features[chunk.to(features.device), :longest], lengths[chunk]))
    return batches


@torch.no_grad()
def predict(model: nn.Module, batches, n: int) -> np.ndarray:
    """Soft and hard scores, (n, 2), in points; rows outside the batches are NaN.

    A method with one way of decoding gives "score" alone, which then stands in both columns.
    """
    model.eval()
    forward = getattr(model, "one_by_one", model)
    scores, found = np.full((n, len(DECODINGS)), np.nan, dtype=np.float32), []
    for _, features, lengths in batches:
        out = forward(features, lengths)
        found.append(torch.stack([out.get(f"score_{decoding}", out.get("score")) for decoding in DECODINGS], dim=1))
    scores[torch.cat([rows for rows, _, _ in batches])] = torch.cat(found).cpu()  # one copy off a GPU
    return scores


def predict_all(model: nn.Module, data: FeatureSet) -> np.ndarray:
    """Soft and hard scores of every routine, (N, 2), in points; a method that draws at test draws alike each time."""
    batches = _batches_by_length(data.features, data.lengths, torch.arange(len(data)))
    with one_thread(), _drawing_from(torch.Generator().manual_seed(0).get_state(), "cpu"):
        return predict(model, batches, len(data))


@torch.no_grad()
def embed(model: nn.Module, data: FeatureSet, device: str = "cpu") -> np.ndarray:
    """Each routine's "embedding", (N, D), of a model that lies on `device`; draws at test are alike each time."""
    model.eval()
    batches = _batches_by_length(data.features, data.lengths, torch.arange(len(data)))
    with one_thread(), _drawing_from(torch.Generator().manual_seed(0).get_state(), device):
        rows_and_values = [
            (rows, model(features.to(device), lengths)["embedding"].cpu()) for rows, features, lengths in batches
        ]
    order = torch.cat([rows for rows, _ in rows_and_values]).argsort()
    return torch.cat([values for _, values in rows_and_values])[order].numpy()
