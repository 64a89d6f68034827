"""Cross-validation over all routines of a target, and the test that fits it: the protocol the book recommends."""

import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.metrics import LEVEL, fisher_mean, relative_l2, spearman
from cofinal_lib.rivals import METHODS
from cofinal_lib.runs import RunSpec, made_here
from cofinal_lib.train import fit


class Arm(NamedTuple):
    """A method, how often the routines are dealt into folds for it, and how many neighbouring clips are averaged."""

    method: str
    repeats: int = 1
    pool: int = 1


# The book's comparison (chapter 17, data_scripts/cross_validate.py). Four clips averaged, as the repaired reading was
# chosen; sixteen, because these networks take half an hour a fold on all of them. GDLT both ways: it minds.
ARMS = {
    "ridge": Arm("ridge", repeats=10),
    "kernel-ridge": Arm("kernel-ridge", repeats=10),
    "svr": Arm("c3d-svr", repeats=10),
    "ms-lstm": Arm("ms-lstm", repeats=2, pool=16),
    "action-net": Arm("action-net", repeats=2, pool=16),
    "gdlt": Arm("gdlt", repeats=2, pool=4),
    "gdlt-16": Arm("gdlt", pool=16),
    "hgcn": Arm("hgcn", repeats=2, pool=16),
    "released": Arm("cofinal-released", repeats=2, pool=16),
    "cofinal": Arm("cofinal", repeats=2),
    "repaired": Arm("cofinal-repaired", repeats=2, pool=4),
}


def cross_validate(
    spec: RunSpec, data: FeatureSet, k: int = 5, repeats: int = 1, done: Collection[tuple[int, int]] = ()
) -> Iterator[dict]:
    """Train a method k times, each time without another k-th of all routines, and rank those: a row a fold.

    Args:
        spec: the method, its options, epochs and device; its seeds are not used: fold f of repeat r trains with seed
            k r + f. data: of spec's target; its official split plays no part.
        repeats: how often the routines are dealt into folds anew; repeat r with seed r, the same for every method.
        done: (repeat, fold) that are not wanted again.

    Yields:
        target, source, method, options, epochs; k, repeat, fold, seed, n_train, n_test; srcc and relative_l2 of the
        fold's routines after the last epoch (soft: no epoch is chosen, so nothing is held out); seconds, device,
        torch, commit. `pandas.DataFrame(cross_validate(...))` is the table.
    """
    schedule = replace(spec.schedule, holdout=0)
    for repeat in range(repeats):
        for fold, part in enumerate(data.folds(k, seed=repeat)):
            if (repeat, fold) in done:
                continue
            started, config, seed = time.perf_counter(), spec.config(part), repeat * k + fold
            (result,) = fit(partial(METHODS[spec.method], config), part, [seed], schedule, device=spec.device)
            train, test = part.rows("train").numpy(), part.rows("test").numpy()
            scores, predicted = part.scores.numpy(), result.predictions[-1, :, 0]
            yield {
                "target": data.target,
                "source": data.source,
                "method": spec.method,
                "options": " ".join(f"{name}={value}" for name, value in spec.options.items()),
                "epochs": spec.epochs,
                "k": k,
                "repeat": repeat,
                "fold": fold,
                "seed": seed,
                "n_train": len(train),
                "n_test": len(test),
                "srcc": spearman(predicted[test], scores[test]),
                "relative_l2": relative_l2(predicted[test], scores[test], scores[train].min(), scores[train].max()),
                "seconds": round(time.perf_counter() - started, 1),
                **made_here(spec.device),
            }


def corrected_interval(values, n_train: int, n_test: int) -> tuple[float, float, float, float]:
    """Student's test for numbers of cross-validated folds, corrected: (mean, low, high, p).

    Folds share training routines, so their numbers vary together and the plain standard error, s / sqrt(J), is too
    small. Nadeau and Bengio (2003, Sec. 3) put (1 / J + n_test / n_train) s^2 in place of s^2 / J, with J - 1 degrees
    of freedom.

    Args:
        values: (J,), one a fold, such as a difference of two methods on the same folds.
        n_train, n_test: routines of a fold's two parts.

    Returns:
        the mean, the 95 % interval's ends, and the two-sided p of a mean of zero; NaN where J < 2. One NaN among
        the values makes all of them NaN.
    """
    values = np.asarray(values, float)
    mean, J = float(values.mean()), len(values)
    if J < 2 or np.isnan(mean):
        return mean, float("nan"), float("nan"), float("nan")
    error = float(np.sqrt((1 / J + n_test / n_train) * values.var(ddof=1)))
    half = stats.t.ppf((1 + LEVEL) / 2, J - 1) * error
    p = 2 * stats.t.sf(abs(mean) / error, J - 1) if error > 0 else float(mean == 0)
    return mean, mean - half, mean + half, float(p)


def compare(folds: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Arms by target, and each against a reference arm on the folds that both have.

    Args:
        folds: of `cross_validate`, with a column `arm`, a name for each method and its options. Targets of one data
            set share routines and folds, so their Fisher average within a fold is one more target, "average".

    Returns:
        target, source, arm, folds (how many), srcc, low, high (mean over folds; 95 %, `corrected_interval`); difference
        to the reference with its d_low, d_high and p, over d_folds shared folds. Fewer folds than a whole repeat have
        no interval (NaN): two or three say next to nothing. A fold that ran and ranked nothing counts, and makes what
        is a mean over it NaN, with interval and p.
    """
    index, columns = ["repeat", "fold"], ["target", "arm"]
    wide = folds.pivot(index=index, columns=columns, values="srcc")
    ran = folds.assign(ran=True).pivot(index=index, columns=columns, values="ran").notna()
    targets = list(folds["target"].unique())
    for arm in folds["arm"].unique():
        if len(targets) > 1 and all((target, arm) in wide for target in targets):
            both = [(target, arm) for target in targets]
            ran["average", arm] = ran[both].all(axis=1)
            wide["average", arm] = wide[both].apply(fisher_mean, axis=1)
    (n_train, n_test), rows = folds[["n_train", "n_test"]].median(), []
    repeat = round(1 + n_train / n_test)  # folds of a whole one

    def estimate(values):
        if len(values) >= repeat:
            return corrected_interval(values, n_train, n_test)
        return values.mean(skipna=False), *[np.nan] * 3

    for target, arm in wide:
        own, both = wide[target, arm][ran[target, arm]], ran[target, arm] & ran.get((target, reference), False)
        shared = (wide[target, arm] - wide.get((target, reference), np.nan))[both]
        row = target, folds["source"].iloc[0], arm, len(own), *estimate(own)[:3], *estimate(shared), len(shared)
        rows.append(row)
    names = ["target", "source", "arm", "folds", "srcc", "low", "high", "difference", "d_low", "d_high", "p", "d_folds"]
    return pd.DataFrame(rows, columns=names)
