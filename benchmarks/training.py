"""What training costs here, beside a plain loop written the usual way. One command, one table.

    python benchmarks/training.py [--out FILE.csv] [--device cuda]

The plain loop is the released one's: two DataLoaders whose worker processes start anew each epoch (8 each, as released;
2 each, which suits two cores better), one seed, the test routines scored one by one after each epoch, modules as their
authors wrote them, and CoFInAl's Eq. 7 multiplied out as printed, every clip projected. Ours: `cofinal_lib.train`. Both
on random features held in memory, in turns; an epoch trains once and scores the test routines.

Rows: seconds an epoch of one seed (median over turns), each loop computing on one thread (or one GPU), and ratios; the
same of ours with matrix products in bf16; on a CPU also with all cores, as either is used: the plain loop on as many
threads as torch takes by itself, ours a seed a core, its time divided by the seeds. Then milliseconds and arithmetic of
a step and its share of this machine's own matrix-product peak, minutes for a seed's two trainings of 200 epochs at
`ours`, peak memory; ten seeds at once against one, in the sizes that the profile `quick` gives twins of RG,
twins of Fis-V (skaters) and squats, and four times as wide; and how the cost grows as one size doubles.
"""

import math
import multiprocessing
import statistics
import time
import warnings
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from joblib import cpu_count
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from cofinal_lib.command import run
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.dropout import Dropout
from cofinal_lib.experiments import profile
from cofinal_lib.padding import existing_clips
from cofinal_lib.rivals import GDLT, CoFInAl, ReleasedCoFInAl
from cofinal_lib.rivals.attention import OneHead
from cofinal_lib.runs import check_device, device_name
from cofinal_lib.temporal_fusion import segment_means
from cofinal_lib.train import Schedule, Single, Stacked


def routines(n_train: int, n_test: int, clips: int, crop: int, dim: int) -> FeatureSet:
    """Random features in the sizes of a data set: speed does not ask what they mean."""
    n, draw = n_train + n_test, torch.Generator().manual_seed(0)
    lengths = torch.randint(crop, clips + 1, (n,), generator=draw)
    features = torch.randn(n, clips, dim, generator=draw)
    features[torch.arange(clips) >= lengths[:, None]] = 0
    names, scores = tuple(map(str, range(n))), torch.rand(n, generator=draw, dtype=torch.float64)
    return FeatureSet("random", "twin", names, features, lengths, scores, torch.arange(n) < n_train, crop)


class PrintedFusion(nn.Module):
    """Eq. 7 in the order it is printed: every clip's query, key and value, then pooling and attention."""

    def __init__(self, fusion):
        super().__init__()
        self.query, self.key, self.value = fusion.query, fusion.key, fusion.value
        self.n_procedures = fusion.n_procedures

    def forward(self, features, lengths):
        """(B, C, D_C), (B,) -> (B, P, D_P) and attention (B, P, C')."""
        H, mask = existing_clips(features, lengths)
        Q, K, V = self.query(H), self.key(H), self.value(H)  # (B, C', D_P)
        Q = segment_means(Q, mask, self.n_procedures)  # (B, P, D_P)
        attention = (Q @ K.mT / math.sqrt(Q.shape[-1])).masked_fill(~mask[:, None], -torch.inf).softmax(-1)
        return attention @ V, attention


class Crops(Dataset):
    """One routine at a time, cut at random."""

    def __init__(self, data, rows):
        self.data, self.rows = data, rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        i, crop = self.rows[i], self.data.crop
        start = int(torch.randint(int(self.data.lengths[i]) - crop + 1, ()))
        return self.data.features[i, start : start + crop], self.data.scores[i].float()


class Whole(Crops):
    """One routine at a time, all its clips."""

    def __getitem__(self, i):
        return self.data.features[self.rows[i], : self.data.lengths[self.rows[i]]]


def plain_epoch(model, optimiser, data, workers, device) -> None:
    """Train once over the training routines, then score the test routines one by one, each with worker processes."""
    model.train()
    for clips, scores in DataLoader(Crops(data, data.rows("train")), 32, shuffle=True, num_workers=workers):
        lengths = torch.full((len(clips),), data.crop)
        loss = model.loss(model(clips.to(device), lengths), scores.to(device))["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    with torch.no_grad():
        for clips in DataLoader(Whole(data, data.rows("test")), 1, num_workers=workers):
            model(clips.to(device), torch.tensor([clips.shape[1]]))["embedding"].cpu()


def plain(build, data, workers, device):
    """The job of one epoch of the plain loop, around the modules as their authors wrote them."""
    model = build(torch.Generator().manual_seed(0))
    if hasattr(model, "tfm"):
        model.tfm = PrintedFusion(model.tfm)
    for child in model.modules():
        if type(child) is OneHead:
            child.__class__ = nn.MultiheadAttention
        elif type(child) is Dropout:
            child.__class__ = nn.Dropout
    model.to(device)
    optimiser = torch.optim.SGD(model.parameters(), 0.01, 0.9, weight_decay=0.01)
    return partial(plain_epoch, model, optimiser, data, workers, device)


class Ours:
    """What `fit` does in an epoch, for some seeds at once: train, then predict the test routines."""

    def __init__(self, build, data, seeds, device, precision="full"):
        schedule = Schedule(precision=precision)
        self.learner = (Stacked if len(seeds) > 1 else Single)(build, data, schedule, device, seeds)
        self.kept = data.rows("train").expand(len(seeds), -1)
        self.test = self.learner.batches(data.rows("test").expand(len(seeds), -1))
        self.draws = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.into = np.zeros((len(seeds), len(data), 2), dtype=np.float32)

    def __call__(self):
        """One epoch."""
        self.learner.epoch(self.kept, self.draws)
        self.learner.predict(self.test, self.into)

    def step(self):
        """One training step of a single seed, on the first 32 routines."""
        self.learner.model.train()
        self.learner._step(self.kept[0, :32], torch.zeros(32, dtype=torch.long), self.learner.data.crop)


@contextmanager
def every_core(build, data):
    """A job: an epoch of a seed a core, all at a time, as in a run: a process each, on the same features in memory."""
    context, cores = torch.multiprocessing.get_context("spawn"), cpu_count()
    meeting = context.Barrier(cores + 1, timeout=600)
    data.features.share_memory_()
    processes = [context.Process(target=_core, args=(build, data, seed, meeting), daemon=True) for seed in range(cores)]
    for process in processes:
        process.start()
    try:
        yield lambda: (meeting.wait(), meeting.wait())
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _core(build, data, seed, meeting):
    torch.set_num_threads(1)
    try:
        ours = Ours(build, data, [seed], "cpu")
        while True:
            meeting.wait()
            ours()
            meeting.wait()
    finally:
        meeting.abort()  # nobody waits for a core that failed


def with_all_cores(build, data, turns, threads) -> dict[str, float]:
    """Seconds an epoch of one seed with the whole CPU: the plain loop on torch's own threads, ours a seed a core."""
    with every_core(build, data) as ours:
        torch.set_num_threads(threads)
        took = beside_plain(build, data, {"ours": ours}, turns, "cpu", seeds=cpu_count())
        torch.set_num_threads(1)
    return {f"{name}_all": value for name, value in took.items()}


def beside_plain(build, data, ours: dict, turns, device, seeds=1) -> dict[str, float]:
    """Seconds an epoch of the plain loop and of our jobs, and ratios to "ours", whose time is divided by its seeds."""
    loops = {"plain": plain(build, data, 2, device), "released": plain(build, data, 8, device)}
    took = seconds(loops | ours, turns, device)
    took["ours"] /= seeds
    return took | {"ratio": took["plain"] / took["ours"], "ratio_released": took["released"] / took["ours"]}


def seconds(jobs: dict, turns: int, device: str) -> dict[str, float]:
    """Median seconds of each job, all of them in turns after one turn to warm up."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    taken = {name: [] for name in jobs}
    for turn in range(turns + 1):
        for name, job in jobs.items():
            wait()
            started = time.perf_counter()
            job()
            wait()
            if turn:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in taken.items()}


def memory(build, size, seeds, device) -> int:
    """MiB at the peak of one epoch, features included: of the GPU, or (on Linux) of a process of its own."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        Ours(build, routines(*size), seeds, device)()
        return torch.cuda.max_memory_allocated() >> 20
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_memory, (build, size, seeds))


def _memory(build, size, seeds):
    torch.set_num_threads(1)
    Ours(build, routines(*size), seeds, "cpu")()
    # getrusage's maximum outlives exec, so that a child would report its parent's.
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) >> 10


SIZES = {
    "RG": (200, 50, 77, 68, 1024),
    "Fis-V": (400, 100, 140, 124, 1024),
    "quick": (100, 50, 20, 17, 32),
    "quick, skaters": (100, 100, 35, 31, 32),
    "quick, squats": (126, 54, 24, 24, 40),
    "quick, 4 times as wide": (100, 50, 20, 17, 32),
}
METHODS = {"cofinal": CoFInAl, "gdlt": GDLT, "cofinal-released": ReleasedCoFInAl}


def thin(feature_dim: int = SIZES["quick"][-1], wider: int = 1, **sizes):
    """CoFInAl of `quick`'s widths, or so many times as wide."""
    widths = {name: wider * width for name, width in profile("quick")["options"]["cofinal"].items()}
    return partial(CoFInAl, replace(CoFInAl.Config(), feature_dim=feature_dim, **widths, **sizes))


def main(out: Path | None = None, turns: Annotated[int, typer.Option(min=1)] = 3, device: str = "cpu") -> None:
    """Measure, print, and keep."""
    check_device(device)
    warnings.filterwarnings("ignore", "This DataLoader will create")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    a, b = torch.randn(2, 1024, 1024, device=device)
    peak = 2 * 1024**3 / seconds({"product": lambda: a @ b}, 30, device)["product"] / 1e9
    print(f"{device_name(device)}, {peak:.0f} GFLOP/s in a matrix product of 1,024 x 1,024")
    rows = []

    def keep(**row):
        rows.append(row)
        print(", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)

    for where in ("RG", "Fis-V"):
        data = routines(*SIZES[where])
        for name, Method in METHODS.items():
            build = partial(Method, Method.Config())
            ours = Ours(build, data, [0], device)
            bf16 = Ours(build, data, [0], device, "bf16")
            took = beside_plain(build, data, {"ours": ours, "bf16": bf16}, turns, device)
            step = seconds({"step": ours.step}, 3 * turns, device)["step"]
            with FlopCounterMode(display=False) as counter:
                ours.step()
            keep(
                method=name,
                size=where,
                seeds=1,
                **took,
                **(with_all_cores(build, data, turns, threads) if device == "cpu" else {}),
                step_ms=1000 * step,
                step_gflop=counter.get_total_flops() / 1e9,
                share_of_peak=counter.get_total_flops() / 1e9 / step / peak,
                minutes_a_seed=200 * took["ours"] * (2 - Schedule.holdout) / 60,
                memory_mib=memory(build, SIZES[where], [0], device),
            )
    builds = {
        "quick": thin(),
        "quick, skaters": thin(),
        "quick, squats": thin(40, n_grades=10, n_subgrades=5),
        "quick, 4 times as wide": thin(wider=4),
    } | ({"RG": partial(CoFInAl, CoFInAl.Config())} if device == "cuda" else {})
    for where, build in builds.items():
        data = routines(*SIZES[where])
        took = seconds({n: Ours(build, data, range(n), device) for n in (1, 10)}, 15 * turns, device)
        for n in (1, 10):
            used = memory(build, SIZES[where], range(n), device)
            keep(method="cofinal", size=where, seeds=n, ours=took[n], ratio=took[n] / took[1], memory_mib=used)
    base = dict(zip(("routines", "test", "clips", "crop", "width"), SIZES["quick"], strict=True))
    larger = {name: base | {name: 2 * base[name]} for name in ("routines", "width")}
    larger["clips"] = base | {"clips": 2 * base["clips"], "crop": 2 * base["crop"]}
    jobs = {name: Ours(thin(s["width"]), routines(*s.values()), [0], device) for name, s in larger.items()}
    jobs |= {"seeds": Ours(thin(), routines(*base.values()), range(2), device)}
    jobs |= {"nothing": Ours(thin(), routines(*base.values()), [0], device)}
    took = seconds(jobs, 15 * turns, device)
    for name in ("routines", "clips", "width", "seeds"):
        keep(method="cofinal", size=f"quick, {name} doubled", ours=took[name], ratio=took[name] / took["nothing"])
    if out:
        version = torch.__version__.split("+")[0]
        kept = pd.DataFrame(rows).assign(
            peak_gflops=peak, cores=cpu_count(), threads=threads, device=device_name(device), torch=version, turns=turns
        )
        from cofinal_lib import results  # not above: a process that measures its memory imports this file

        results.whole_csv(out, kept)


if __name__ == "__main__":
    run(main)
