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

from cofinal_lib.cli import assignments
from cofinal_lib.cofinal import CoFInAl
from cofinal_lib.data import load
from cofinal_lib.metrics import spearman
from cofinal_lib.runs import RunSpec
from cofinal_lib.train import fit

FOLDS = 7


def main(target: str, arms: list[str]) -> None:
    """Print a line an arm."""
    data = load(target)
    data = data.only(data.rows("train"))
    for arm in arms:
        spec, reached = RunSpec(target, options=assignments(arm.split(","))), []
        schedule = replace(spec.schedule, holdout=0)
        for seed, fold in enumerate(data.folds(FOLDS, seed=0)):
            (result,) = fit(partial(CoFInAl, spec.config(fold)), fold, [seed], schedule)
            held_out = fold.rows("test")
            reached.append(spearman(result.predictions[-1, held_out, 0], fold.scores[held_out]))
        error = np.std(reached, ddof=1) / np.sqrt(FOLDS)
        folds = " ".join(f"{r:.2f}" for r in reached)
        print(f"{arm:<40} {np.mean(reached):.3f} +- {error:.3f}   {folds}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
