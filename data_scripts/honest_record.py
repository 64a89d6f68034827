"""What can be reached on Fis-V when everything is chosen inside the training routines.

    python data_scripts/honest_record.py networks fisv/pcs    # minutes to hours: trains CoFInAl as repaired
    python data_scripts/honest_record.py record               # minutes: regressions, averages, the test routines once

`networks` writes each training routine's prediction by networks that never saw it, and every routine's by networks
trained on all of them, to results/reference/paper/repaired-predictions.csv; `record` reads it, and writes
honest-record.csv beside it. `record` alone opens the test scores.
"""

from dataclasses import replace
from functools import partial
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from cofinal_lib.command import run
from cofinal_lib.data import load
from cofinal_lib.errors import CofinalError
from cofinal_lib.honest_record import cross_predictions, record
from cofinal_lib.records import REFERENCE
from cofinal_lib.results import whole_csv
from cofinal_lib.rivals import METHODS
from cofinal_lib.runs import RunSpec, device_name
from cofinal_lib.train import fit

KEPT = REFERENCE / "paper"
OTHER = {"fisv/tes": "fisv/pcs", "fisv/pcs": "fisv/tes"}
METHOD = "cofinal-repaired"
app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def networks(
    target: str,
    seeds: Annotated[int, typer.Option(help="Networks averaged; a fold takes as many.")] = 3,
    pool: Annotated[int, typer.Option(help="Consecutive clips averaged into one.")] = 4,
    epochs: int = 100,
) -> None:
    """Train the repaired reading on all training routines and on four fifths of them; keep what it predicts."""
    if target not in OTHER:
        raise CofinalError(f"no record is made of {target!r}; expected {' or '.join(OTHER)}")
    whole = load(target)
    data = whole.pooled(pool)
    spec = RunSpec(target, METHOD, epochs=epochs)
    schedule = replace(spec.schedule, holdout=0)

    def candidate(scores, other, rows):
        part = replace(data, is_train=torch.isin(torch.arange(len(data)), torch.from_numpy(rows)))
        results = fit(partial(METHODS[METHOD], spec.config(part)), part, range(seeds), schedule)
        return np.mean([result.predictions[-1, :, 0] for result in results], axis=0)

    scores, rows = data.scores.numpy(), data.rows("train").numpy()
    found = {"held_out": cross_predictions(candidate, scores, None, rows), "predicted": candidate(scores, None, rows)}
    frame = pd.DataFrame({"target": target, "method": METHOD, "id": data.ids, **found, "seeds": seeds})
    frame = frame.assign(epochs=epochs, pool=pool, device=device_name("cpu"), torch=torch.__version__)
    path = KEPT / "repaired-predictions.csv"
    if path.exists():
        kept = pd.read_csv(path, dtype={"id": str})
        frame = pd.concat([kept[kept["target"] != target], frame])
    whole_csv(path, frame)


@app.command("record")
def write_record() -> None:
    """Cross-validate every candidate, then look at the test routines."""
    path, tables = KEPT / "repaired-predictions.csv", []
    kept = pd.read_csv(path, dtype={"id": str}) if path.exists() else pd.DataFrame(columns=["target"])
    for target, other in OTHER.items():
        data, mine = load(target), kept[kept["target"] == target]
        if len(mine) and tuple(mine["id"]) != data.ids:
            raise CofinalError(f"{path}: the routines of {target} are not those of the data; run networks again")
        pair = {"CoFInAl, repaired": (mine["held_out"].to_numpy(), mine["predicted"].to_numpy())} if len(mine) else {}
        tables.append(record(data, load(other).scores.numpy(), pair))
        print(tables[-1].to_string(index=False))
    whole_csv(KEPT / "honest-record.csv", pd.concat(tables).assign(source="official"))


if __name__ == "__main__":
    run(app)
