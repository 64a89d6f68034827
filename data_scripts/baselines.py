"""Three regressions on two summaries of a routine, on official Fis-V: results/reference/paper/baselines.csv.

    python data_scripts/baselines.py

Ridge, SVR and RBF kernel ridge, each on the mean clip and on five segment means. Each chooses its knobs inside the 400
training routines (the grids stand in `cofinal_lib/baselines.py` and `rivals/c3d_svr.py`) and is cross-validated there
as a whole, choice and all, on five folds; then the 100 test routines are ranked, once.
"""

from dataclasses import replace
from functools import partial

import pandas as pd

from cofinal_lib import results
from cofinal_lib.command import run
from cofinal_lib.crossval import corrected_interval, cross_validate
from cofinal_lib.data import load
from cofinal_lib.metrics import bootstrap_interval, spearman
from cofinal_lib.records import REFERENCE
from cofinal_lib.rivals import METHODS
from cofinal_lib.runs import RunSpec, made_here
from cofinal_lib.train import fit


def main() -> None:
    """Write the file, a row a target and arm."""
    rows = []
    for target in ("fisv/tes", "fisv/pcs"):
        data = load(target)
        train, test = (data.rows(split) for split in ("train", "test"))
        for n_segments in (1, 5):
            for method in ("ridge", "c3d-svr", "kernel-ridge"):
                spec = RunSpec(target, method, options={"n_segments": n_segments})
                inside = pd.DataFrame(cross_validate(spec, data.only(train)))
                cv, cv_low, cv_high, _ = corrected_interval(inside["srcc"], *inside[["n_train", "n_test"]].iloc[0])
                (result,) = fit(
                    partial(METHODS[method], spec.config(data)), data, [0], replace(spec.schedule, holdout=0)
                )
                predicted, scores = result.predictions[-1, :, 0], data.scores.numpy()
                low, high = bootstrap_interval(predicted[test], scores[test], seed=0)
                rows.append({
                    "target": target,
                    "source": data.source,
                    "method": method,
                    "n_segments": n_segments,
                    "cv": cv,
                    "cv_low": cv_low,
                    "cv_high": cv_high,
                    "train": spearman(predicted[train], scores[train]),
                    "test": spearman(predicted[test], scores[test]),
                    "test_low": low,
                    "test_high": high,
                    "knobs": _knobs(result.model.fitted),
                    **made_here(),
                })  # fmt: skip
                print(target, method, n_segments, f"cv {cv:.3f} test {rows[-1]['test']:.3f}", flush=True)
    results.whole_csv(REFERENCE / "paper" / "baselines.csv", pd.DataFrame(rows))


def _knobs(fitted) -> str:
    chosen = getattr(fitted, "best_params_", None) or {"alpha": fitted.alpha_}
    return " ".join(f"{name.split('__')[-1]}={value:.3g}" for name, value in chosen.items())


if __name__ == "__main__":
    run(main)
