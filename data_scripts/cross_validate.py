"""Cross-validate methods over all 500 routines of Fis-V: results/reference/paper/crossval.csv, a row a fold.

    python data_scripts/cross_validate.py [ARM ...]

ARM is one of ARMS, by default all. Kill it and start it again: what the file holds already is not run again.
Folds are the same for every arm, so that arms can be compared fold by fold.
"""

import sys
from itertools import product

import pandas as pd

from cofinal_lib import results
from cofinal_lib.crossval import cross_validate
from cofinal_lib.data import load
from cofinal_lib.runs import RunSpec

# arm -> method, its options, repeats of five folds, clips averaged into one: four as the repaired reading was chosen,
# sixteen because the rivals take half an hour a fold on all of them
ARMS = {
    "ridge": ("ridge", {}, 10, 1),
    "kernel-ridge": ("kernel-ridge", {}, 10, 1),
    "svr": ("c3d-svr", {}, 10, 1),
    "cofinal": ("cofinal", {}, 1, 1),
    "repaired": ("cofinal-repaired", {}, 1, 4),
    "released": ("cofinal-released", {}, 1, 16),
    "gdlt": ("gdlt", {}, 1, 16),
    "action-net": ("action-net", {}, 1, 16),
    "hgcn": ("hgcn", {}, 1, 16),
    "ms-lstm": ("ms-lstm", {}, 1, 16),
}
OUT = results.RESULTS / "reference" / "paper" / "crossval.csv"


def main(arms: list[str]) -> None:
    """Run what is missing of some arms, one repeat of all after the other, and keep every fold as it ends."""
    data = {target: load(target) for target in ("fisv/tes", "fisv/pcs")}
    for repeat in range(max(ARMS[arm][2] for arm in arms)):
        for target, arm in product(data, arms):
            method, options, repeats, pool = ARMS[arm]
            spec, kept = RunSpec(target, method, options=options), _kept()
            mine = kept[(kept["arm"] == arm) & (kept["target"] == target)]
            done = set(zip(mine["repeat"], mine["fold"], strict=True))
            routines = data[target].pooled(pool) if pool > 1 else data[target]
            for row in cross_validate(spec, routines, 5, min(repeat + 1, repeats), done):
                row = {"arm": arm, "pool": pool} | row
                results.whole_csv(OUT, pd.concat([_kept(), pd.DataFrame([row])], ignore_index=True))
                print(arm, target, row["repeat"], row["fold"], f"{row['srcc']:.3f}", row["seconds"], flush=True)


def _kept() -> pd.DataFrame:
    if OUT.is_file():
        return pd.read_csv(OUT)
    return pd.DataFrame(columns=["arm", "target", "repeat", "fold"])


if __name__ == "__main__":
    if set(sys.argv[1:]) - set(ARMS):
        sys.exit(__doc__)
    main(sys.argv[1:] or list(ARMS))
