"""Train chapter 14's readings at the paper's length: results/reference/errata.csv, a row a reading and seed.

    python data_scripts/readings_of_errata.py

The squats, 10 seeds, 200 epochs: some three minutes on one CPU core.
"""

import pandas as pd

from cofinal_lib import errata, results
from cofinal_lib.command import run
from cofinal_lib.data import load
from cofinal_lib.records import REFERENCE
from cofinal_lib.runs import RunSpec, made_here

TARGET, SEEDS, EPOCHS = "uiprmd/deep-squat", range(10), 200


def main() -> None:
    """Train them one after another, and write the table when all are there."""
    data = load(TARGET)
    config = RunSpec(TARGET).config(data)
    frames = []
    for name in errata.READINGS:
        frames.append(errata.train(name, data, config, SEEDS, EPOCHS)[0])
        print(name, frames[-1][["soft", "hard", "subgrade"]].mean().round(3).to_dict(), flush=True)
    known = {"target": TARGET, "source": data.source, "epochs": EPOCHS} | made_here()
    results.whole_csv(REFERENCE / "errata.csv", pd.concat(frames).assign(**known))


if __name__ == "__main__":
    run(main)
