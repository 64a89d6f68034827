"""Cross-validate methods over all 500 routines of Fis-V: results/reference/paper/crossval.csv, a row a fold.

    python data_scripts/cross_validate.py [ARM ...]

ARM is one of cofinal_lib.crossval.ARMS, by default all. Kill it and start it again: what the file holds already is not
run again. Folds are the same for every arm, so that arms can be compared fold by fold.
"""

from itertools import product
from typing import Annotated

import pandas as pd
import typer

from cofinal_lib import results
from cofinal_lib.command import run
from cofinal_lib.crossval import ARMS, cross_validate
from cofinal_lib.data import load
from cofinal_lib.errors import CofinalError
from cofinal_lib.records import REFERENCE
from cofinal_lib.runs import RunSpec, checkout

OUT = REFERENCE / "paper" / "crossval.csv"


def main(arms: Annotated[list[str] | None, typer.Argument(help=f"Some of {', '.join(ARMS)}.")] = None) -> None:
    """Run what is missing of some arms, one repeat of all after the other, and keep every fold as it ends."""
    arms = arms or list(ARMS)
    if unknown := set(arms) - set(ARMS):
        raise CofinalError(f"no arm {', '.join(sorted(unknown))}; expected some of {', '.join(ARMS)}")
    if (checkout() or "").endswith("+changes"):
        raise CofinalError("the library differs from its commit; commit first, so that rows can be made again")
    data = {target: load(target) for target in ("fisv/tes", "fisv/pcs")}
    for repeat in range(max(ARMS[arm].repeats for arm in arms)):
        for target, arm in product(data, arms):
            method, repeats, pool = ARMS[arm]
            spec, kept = RunSpec(target, method), _kept()
            mine = kept[(kept["arm"] == arm) & (kept["target"] == target)]
            done = set(zip(mine["repeat"], mine["fold"], strict=True))
            routines = data[target].pooled(pool)
            for row in cross_validate(spec, routines, 5, min(repeat + 1, repeats), done):
                row = {"arm": arm, "pool": pool} | row
                results.add_row(OUT, row)
                print(arm, target, row["repeat"], row["fold"], f"{row['srcc']:.3f}", row["seconds"], flush=True)


def _kept() -> pd.DataFrame:
    if OUT.is_file():
        return pd.read_csv(OUT)
    return pd.DataFrame(columns=["arm", "target", "repeat", "fold"])


if __name__ == "__main__":
    run(main)
