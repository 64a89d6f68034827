"""What becomes of the mask and of the last layer's features when CoFInAl as printed is trained on a target.

    python data_scripts/trained_parts.py TARGET SEEDS OUT

Trains with the paper's schedule; a row a seed, stage ("untrained", "trained") and measure goes to the CSV file OUT,
beside the rows of other targets.
Measures: "largest weight" of Eq. 10's mask, a mean over test routines; "within over between" (NC1, see
`cofinal_lib.collapse`) of the coarse classifier's last-layer features, and its "grade accuracy", on training routines.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer

from cofinal_lib.cofinal import CoFInAl
from cofinal_lib.collapse import within_class_collapse
from cofinal_lib.command import run
from cofinal_lib.data import load
from cofinal_lib.results import whole_csv
from cofinal_lib.runs import RunSpec, made_here
from cofinal_lib.train import fit


@torch.no_grad()
def measures(model: CoFInAl, data) -> dict[str, float]:
    """The three measures of one model, in evaluation mode."""
    model.eval()
    outs = {}
    for split in ("train", "test"):
        parts = [model(data.features[r], data.lengths[r]) for r in data.rows(split).split(50)]
        outs[split] = {name: torch.cat([p[name] for p in parts]) for name in ("mask", "coarse", "grade_logits")}
    M = outs["test"]["mask"][..., 0].double()  # (N, G)
    grades = model.targets(data.scores[data.rows("train")])["grade"]
    hidden = model.mlp[:-1](outs["train"]["coarse"].flatten(1))  # (N, D_S), what the last layer reads
    known = grades.unique(return_inverse=True)[1]
    return {
        "largest weight": float(M.max(1).values.mean()),
        "within over between": within_class_collapse(hidden, known),
        "grade accuracy": float((outs["train"]["grade_logits"].argmax(1) == grades).double().mean()),
    }


def main(target: str, seeds: Annotated[int, typer.Argument(min=1)], out: Path) -> None:
    """Train, measure and write."""
    data, spec, rows = load(target), RunSpec(target), []
    build = partial(CoFInAl, spec.config(data))
    head = {"target": target, "source": data.source, "method": "cofinal", "epochs": spec.epochs}
    made = made_here()
    for seed in range(seeds):
        torch.manual_seed(seed)
        stages = {"untrained": build(torch.Generator().manual_seed(seed))}
        (result,) = fit(build, data, [seed], replace(spec.schedule, holdout=0))
        stages["trained"] = result.model
        for stage, model in stages.items():
            for measure, value in measures(model, data).items():
                rows.append(head | {"seed": seed, "stage": stage, "measure": measure, "value": value} | made)
        others = [pd.read_csv(out).query("target != @target")] if out.is_file() else []
        whole_csv(out, pd.concat([*others, pd.DataFrame(rows)]))


if __name__ == "__main__":
    run(main)
