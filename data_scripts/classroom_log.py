"""Simulate the training log that assignment 6 examines: `python data_scripts/classroom_log.py > <log>`.

Nobody's training: 200 training and 50 test routines whose predictions approach their scores as epochs go by. A fault
is built in on purpose, which the student is to find; do not read on if you are one.

The sketch in the assignment takes the arg max of the sub-grade logits without saying along which axis. So all 32
routines of a batch get the same sub-grade, counted through the whole batch: up to 31 * 100 + 99 in place of 99. The
training curve of the log has it; the test curve, made with batches of one, has not.
"""

import math

import numpy as np

from cofinal_lib.command import run
from cofinal_lib.metrics import spearman

EPOCHS, TRAIN, TEST, BATCH, SUBGRADES = 200, 200, 50, 32, 100


def main() -> None:
    """Print the log."""
    rng = np.random.default_rng(7)
    train, test = (rng.normal(0.61, 0.126, n) for n in (TRAIN, TEST))
    hard = rng.normal(0, 1, TEST)  # what no training learns about the test routines
    for epoch in range(EPOCHS):
        lr = 0.0001 + 0.0099 * (1 + math.cos(math.pi * epoch / (EPOCHS - 1))) / 2
        progress = 1 - math.exp(-epoch / 18)
        noise = 0.30 * (1 - progress) + 0.025
        predicted = train + rng.normal(0, noise, TRAIN)
        for start in range(0, TRAIN, BATCH):
            n = min(BATCH, TRAIN - start)
            predicted[start : start + n] += rng.integers(n * SUBGRADES) / 10_000
        jitter = 0.09 * (1 - progress) + 4 * lr + 0.006
        on_test = test * (0.2 + 0.8 * progress) + 0.106 * hard + rng.normal(0, jitter, TEST)
        loss = 0.52 * (1 - progress) + 0.081 + rng.normal(0, 0.0004)
        print(
            f"epoch {epoch:03d} | lr {lr:.4f} | loss {loss:.4f} | "
            f"train SRCC {spearman(predicted, train):.3f} | test SRCC {spearman(on_test, test):.3f}"
        )


if __name__ == "__main__":
    run(main)
