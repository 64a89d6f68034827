"""Cross-validate readings of the method inside the training routines; test routines are never read.

    python data_scripts/choose_reading.py uiprmd/deep-squat
    python data_scripts/choose_reading.py fisv/pcs --arm "as printed"

The arms, folds and epochs stand in readings.toml beside this file. One seed a fold; what counts is the last epoch.
A row a fold is added to OUT, which keeps those it has: a second call does only what is missing.
"""

import time
import tomllib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from cofinal_lib.baselines import ridge_on_mean_clip
from cofinal_lib.cofinal import CoFInAl
from cofinal_lib.command import run
from cofinal_lib.data import load
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import spearman
from cofinal_lib.records import REFERENCE
from cofinal_lib.results import add_row
from cofinal_lib.runs import RunSpec, made_here
from cofinal_lib.train import fit

ARMS = tomllib.loads(Path(__file__).with_name("readings.toml").read_text())
KEPT = REFERENCE / "paper" / "readings.csv"


def main(
    target: str,
    out: Annotated[Path, typer.Option(help="The CSV file that rows are added to.")] = KEPT,
    arm: Annotated[list[str] | None, typer.Option(help="Only this arm; may be repeated.")] = None,
) -> None:
    """Add to OUT a row for each fold of each arm that it lacks."""
    dataset = target.split("/")[0]
    if dataset not in ARMS:
        raise CofinalError(f"no readings for {target!r}; readings.toml has some for targets of {', '.join(ARMS)}")
    task = ARMS[dataset]
    if unknown := set(arm or ()) - set(task["arms"]):
        raise CofinalError(f"no arm {', '.join(map(repr, unknown))}; readings.toml lists them under [{dataset}.arms]")
    whole = load(target)
    data = whole.only(whole.rows("train")).pooled(task["pool"])
    for name in arm or task["arms"]:
        for i, fold in enumerate(data.folds(task["folds"], seed=0)):
            cell = {"target": target, "arm": name, "fold": i} | {k: task[k] for k in ("epochs", "pool", "folds")}
            done = pd.read_csv(out) if out.exists() else pd.DataFrame(columns=list(cell))
            if not (done[list(cell)] == list(cell.values())).all(axis=1).any():
                row = {"target": target, "source": data.source, "arm": name, "fold": i}
                row |= reached(target, task["arms"][name], fold, i, task["epochs"]) | cell
                add_row(out, row | made_here())


def reached(target: str, arm: dict, fold, seed: int, epochs: int) -> dict:
    """Train an arm on a fold; SRCC on its held-out routines, of soft and hard decoding and of ridge regression."""
    spec, options, started = RunSpec(target, epochs=epochs), dict(arm), time.perf_counter()
    schedule = replace(spec.schedule, holdout=0, **options.pop("schedule", {}))
    if options.get("high") == "cap":
        options["high"] = spec.score_cap
    config = replace(spec, options=options).config(fold)
    (result,) = fit(partial(CoFInAl, config), fold, [seed], schedule)
    train, held = fold.rows("train"), fold.rows("test")
    last, scores = result.predictions[-1], fold.scores
    return {
        "soft": spearman(last[held, 0], scores[held]),
        "hard": spearman(last[held, 1], scores[held]),
        "train": spearman(last[train, 0], scores[train]),
        "ridge": spearman(ridge_on_mean_clip(fold)[0][held], scores[held]),
        "seconds": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    run(main)
