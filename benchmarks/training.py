"""What an epoch of training costs here, beside a plain loop written the usual way. One command, one table.

    python benchmarks/training.py [--out FILE.csv]

The plain loop: a DataLoader with two worker processes, started anew each epoch; one seed; after each epoch the test
routines one by one; CoFInAl's Eq. 7 multiplied out as printed, every clip projected. Ours: `cofinal_lib.train`, which
also predicts all training routines after every fifth epoch. Both on one thread, on random features, in turns.
Rows: seconds an epoch (median over turns), the ratio, and for `quick` sizes ten seeds against one.
"""

import argparse
import math
import statistics
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.padding import existing_clips
from cofinal_lib.rivals import GDLT, CoFInAl, ReleasedCoFInAl
from cofinal_lib.temporal_fusion import segment_means
from cofinal_lib.train import Schedule, _Single, _Stacked


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


class Whole(Dataset):
    """One routine at a time, all its clips."""

    def __init__(self, data, rows):
        self.data, self.rows = data, rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.data.features[self.rows[i], : self.data.lengths[self.rows[i]]]


def plain_epoch(model, optimiser, data, workers) -> None:
    """Train once over the training routines, then score the test routines one by one, each with worker processes."""
    model.train()
    for clips, scores in DataLoader(Crops(data, data.rows("train")), 32, shuffle=True, num_workers=workers):
        loss = model.loss(model(clips, torch.full((len(clips),), data.crop)), scores)["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    with torch.no_grad():
        for clips in DataLoader(Whole(data, data.rows("test")), 1, num_workers=workers):
            model(clips, torch.tensor([clips.shape[1]]))


def five_epochs(learner, kept, often, everyone, into, draws) -> None:
    """What `fit` does in five epochs: train, then predict the test routines, and all of them once."""
    for epoch in range(5):
        learner.epoch(kept, draws)
        learner.predict(everyone if epoch == 4 else often, into)


def seconds(jobs: dict, turns: int) -> dict[str, float]:
    """Median seconds of each job, all of them in turns after one turn to warm up."""
    taken = {name: [] for name in jobs}
    for turn in range(turns + 1):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            if turn:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in taken.items()}


def ours(build, data, seeds):
    """The job of five epochs of `fit` for some seeds."""
    learner = (_Stacked if len(seeds) > 1 else _Single)(build, data, Schedule(), "cpu", seeds)
    kept, test, everyone = (
        rows.expand(len(seeds), -1) for rows in (data.rows("train"), data.rows("test"), torch.arange(len(data)))
    )
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]
    into = np.zeros((len(seeds), len(data), 2), dtype=np.float32)
    return partial(five_epochs, learner, kept, learner.batches(test), learner.batches(everyone), into, draws)


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out")
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    a, b = torch.randn(2, 1024, 1024)
    peak = 2 * 1024**3 / seconds({"matrix product": lambda: a @ b}, 20)["matrix product"] / 1e9
    print(f"one thread, {peak:.0f} GFLOP/s in a matrix product of 1,024 x 1,024")
    rows = []
    sizes = {"RG": (200, 50, 77, 68, 1024), "Fis-V": (400, 100, 140, 124, 1024)}
    for where, size in sizes.items():
        data = routines(*size)
        methods = {"cofinal": CoFInAl} | ({"gdlt": GDLT, "cofinal-released": ReleasedCoFInAl} if where == "RG" else {})
        for name, Method in methods.items():
            build = partial(Method, Method.Config())
            plain = build(torch.Generator().manual_seed(0))
            if name == "cofinal":
                plain.tfm = PrintedFusion(plain.tfm)
            optimiser = torch.optim.SGD(plain.parameters(), 0.01, 0.9, weight_decay=0.01)
            jobs = {"plain": partial(plain_epoch, plain, optimiser, data), "ours": ours(build, data, [0])}
            took = seconds(jobs, given.turns)
            took["ours"] /= 5
            rows.append({"method": name, "size": where, **took, "ratio": took["plain"] / took["ours"]})
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1))
    small = routines(100, 50, 20, 17, 64)
    build = partial(CoFInAl, replace(CoFInAl.Config(), feature_dim=64, procedure_dim=64, score_dim=64))
    took = seconds({"one": ours(build, small, [0]), "ten": ours(build, small, list(range(10)))}, 3 * given.turns)
    print(
        f"quick size, five epochs: one seed {took['one']:.3f} s, ten seeds {took['ten'] / took['one']:.2f} times that"
    )
    rows.append({"method": "cofinal, ten seeds against one", "size": "quick", "ratio": took["ten"] / took["one"]})
    if given.out:
        pd.DataFrame(rows).assign(peak_gflops=peak, torch=torch.__version__.split("+")[0]).to_csv(
            given.out, index=False
        )


if __name__ == "__main__":
    main()
