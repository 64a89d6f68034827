"""Split the 500 routines of Fis-V 1,000 times at random: results/reference/paper/splits.csv, a row a split and target.

    python data_scripts/splits.py [SPLITS] [KERNEL_SPLITS]

Defaults: 1000, 50. Each split has 400 training and 100 test routines, as the official one, which is row "official".
Ridge regression on five segment means sees them all, kernel ridge (`baselines.KernelRidge`, whose choice of two knobs
takes longer) the first of them. Both choose their knobs inside the training routines of each split. Kill it and start
it again: what the file holds already is not run again.
"""

from typing import Annotated

import pandas as pd
import typer

from cofinal_lib import results
from cofinal_lib.baselines import KernelRidge, KernelRidgeConfig, segments
from cofinal_lib.command import run
from cofinal_lib.data import load
from cofinal_lib.metrics import spearman
from cofinal_lib.records import REFERENCE
from cofinal_lib.runs import made_here
from cofinal_lib.splits import coordinates, random_splits, ridge_over_splits

OUT = REFERENCE / "paper" / "splits.csv"
COLUMNS = ["split", "target", "srcc", "alpha", "method", "n_segments", "source", "device", "commit"]


def main(
    draws: Annotated[int, typer.Argument(min=0, metavar="SPLITS")] = 1000,
    kernel_draws: Annotated[int, typer.Argument(min=0, metavar="KERNEL_SPLITS")] = 50,
) -> None:
    """Add what the file lacks; splits, and so rows, are the same on every machine up to rounding."""
    found = results.read_csv(OUT) if OUT.is_file() else pd.DataFrame(columns=COLUMNS)
    data = load("fisv/tes")
    X = segments(data.features, data.lengths, 5).numpy().astype(float)
    scores = {"fisv/tes": data.scores.numpy(), "fisv/pcs": load("fisv/pcs").scores.numpy()}
    official = data.is_train.numpy()
    splits = [official, *random_splits(len(data), int(official.sum()), draws)]
    if (found["method"] == "ridge").sum() < len(scores) * len(splits):
        found = _keep(found[found["method"] != "ridge"], ridge_over_splits(coordinates(X), scores, splits), "ridge")
    done = set(found.loc[found["method"] == "kernel-ridge", "split"].astype(str))
    for i, train in enumerate(splits[: kernel_draws + 1]):
        if _name(i) in done:
            continue
        rows = []
        for target, y in scores.items():
            kernel = KernelRidge(KernelRidgeConfig()).estimator(*X[train].shape).fit(X[train], y[train])
            rows.append((i, target, spearman(kernel.predict(X[~train]), y[~train])))
        found = _keep(found, pd.DataFrame(rows, columns=["split", "target", "srcc"]), "kernel-ridge")
        print(_name(i), *(f"{row[2]:.3f}" for row in rows), flush=True)


def _name(i: int) -> str:
    return "official" if i == 0 else str(i - 1)


def _keep(found: pd.DataFrame, rows: pd.DataFrame, method: str) -> pd.DataFrame:
    rows = rows.assign(split=rows["split"].map(_name), method=method, n_segments=5, source="official", **made_here())
    found = pd.concat([frame for frame in (found, rows) if len(frame)], ignore_index=True)[COLUMNS]
    results.whole_csv(OUT, found)
    return found


if __name__ == "__main__":
    run(main)
