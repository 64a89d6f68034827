"""Train CoFInAl as released on official Fis-V features, and measure its training SRCC as its program does and honestly.

    python data_scripts/artefact_in_figure6.py [FOLDER]

Writes into FOLDER, by default results/reference/paper:
  artefact.csv        SRCC by seed, epoch and measure (`cofinal_lib.artefact.MEASURES`).
  artefact-test.csv   the test routines' predictions after each epoch, a column an epoch, in points.
To keep it within minutes on one core, four clips are averaged into one and training lasts 100 epochs.
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from cofinal_lib import results
from cofinal_lib.artefact import watch
from cofinal_lib.command import run
from cofinal_lib.data import load
from cofinal_lib.records import REFERENCE
from cofinal_lib.runs import RunSpec, made_here

TARGET, EPOCHS, SEEDS, POOLED = "fisv/pcs", 100, (0, 1), 4


def main(folder: Annotated[Path, typer.Argument()] = REFERENCE / "paper") -> None:
    """Train each seed; the files appear when both are done."""
    spec = RunSpec(TARGET, "cofinal-released", SEEDS, EPOCHS)
    made = made_here()
    data = load(TARGET).pooled(POOLED)
    test, curves, predictions = data.rows("test"), [], []
    for seed in SEEDS:
        frame, result = watch(data, spec.config(data), spec.schedule, seed)
        curves.append(frame)
        columns = {f"epoch_{e + 1}": p for e, p in enumerate(result.predictions[:, test, 0])}
        head = {"seed": seed, "id": [data.ids[i] for i in test], "score": data.scores[test]}
        predictions.append(pd.DataFrame(head | columns))
        print(frame.pivot(index="epoch", columns="measure", values="srcc").tail(1), flush=True)
    known = {"target": TARGET, "source": data.source, "method": spec.method, "epochs": EPOCHS, "clips_pooled": POOLED}
    known |= made | {"command": "python data_scripts/artefact_in_figure6.py"}
    results.whole_csv(folder / "artefact.csv", pd.concat(curves).assign(**known))
    results.whole_csv(folder / "artefact-test.csv", pd.concat(predictions))


if __name__ == "__main__":
    run(main)
