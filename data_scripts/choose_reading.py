"""Cross-validate readings of the method inside the training routines: how UI-PRMD's grades were chosen.

    python data_scripts/choose_reading.py uiprmd/deep-squat n_grades=4 n_grades=10,n_subgrades=5,sharpness=3

Each argument after the target is one arm: options of CoFInAlConfig that differ from the defaults.
Seven folds, 200 epochs, one seed a fold; the soft score after the last epoch counts. Test routines are never read.
One line an arm: mean SRCC on the held-out folds, its standard error, and each fold's.
"""

import sys
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from cofinal_lib.cli import assignments
from cofinal_lib.cofinal import CoFInAl
from cofinal_lib.data import load
from cofinal_lib.metrics import spearman
from cofinal_lib.runs import RunSpec
from cofinal_lib.train import Schedule, fit

FOLDS = 7


def main(target: str, arms: list[str]) -> None:
    """Print a line an arm."""
    data = load(target)
    train = data.rows("train")
    order = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(0))]
    for arm in arms:
        config = RunSpec(target, options=assignments(arm.split(","))).config(data)
        reached = []
        for fold in range(FOLDS):
            held_out = order[fold::FOLDS]
            is_train = data.is_train.clone()
            is_train[held_out] = False
            (result,) = fit(partial(CoFInAl, config), replace(data, is_train=is_train), [fold], Schedule(), jobs=2)
            reached.append(spearman(result.predictions[-1, held_out, 0], data.scores[held_out]))
        error = np.std(reached, ddof=1) / np.sqrt(FOLDS)
        folds = " ".join(f"{r:.2f}" for r in reached)
        print(f"{arm:<40} {np.mean(reached):.3f} +- {error:.3f}   {folds}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
