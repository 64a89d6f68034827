"""Split the 500 routines of Fis-V 1,000 times at random: results/reference/paper/splits.csv, a row a split and target.

    python data_scripts/splits.py [SPLITS] [KERNEL_SPLITS]

Defaults: 1000, 100. Each split has 400 training and 100 test routines, as the official one, which is row "official".
Ridge regression on five segment means sees them all, kernel ridge (`baselines.KernelRidge`, whose choice of two knobs
takes longer) the first of them. Both choose their knobs inside the training routines of each split.
"""

import sys

import numpy as np
import pandas as pd

from cofinal_lib import results
from cofinal_lib.baselines import KernelRidge, KernelRidgeConfig, segments
from cofinal_lib.data import load
from cofinal_lib.metrics import spearman
from cofinal_lib.runs import checkout, device_name
from cofinal_lib.splits import coordinates, random_splits, ridge_over_splits


def main(draws: int = 1000, kernel_draws: int = 100) -> None:
    """Write the file anew; splits, and so rows, are the same on every machine up to rounding."""
    data = load("fisv/tes")
    X = segments(data.features, data.lengths, 5).numpy().astype(float)
    scores = {"fisv/tes": data.scores.numpy(), "fisv/pcs": load("fisv/pcs").scores.numpy()}
    official = data.is_train.numpy()
    splits = [official, *random_splits(len(data), int(official.sum()), draws)]
    ridge = ridge_over_splits(coordinates(X), scores, splits).assign(method="ridge", n_segments=5)
    _keep(ridge)
    rows = []
    for i, train in enumerate(splits[: kernel_draws + 1]):
        for target, y in scores.items():
            kernel = KernelRidge(KernelRidgeConfig()).estimator(*X[train].shape).fit(X[train], y[train])
            rows.append((i, target, spearman(kernel.predict(X[~train]), y[~train]), "kernel-ridge", 5))
        print(i, *(f"{row[2]:.3f}" for row in rows[-2:]), flush=True)
    _keep(pd.concat([ridge, pd.DataFrame(rows, columns=["split", "target", "srcc", "method", "n_segments"])]))


def _keep(found: pd.DataFrame) -> None:
    split = np.where(found["split"] == 0, "official", (found["split"] - 1).astype(str))
    frame = found.assign(split=split, source="official", device=device_name("cpu"), commit=checkout())
    results.whole_csv(results.RESULTS / "reference" / "paper" / "splits.csv", frame)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(__doc__)
    main(*map(int, sys.argv[1:]))
