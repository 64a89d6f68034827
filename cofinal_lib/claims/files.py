"""Checks against public files: judges' scores, the authors' training log, the number of clips of Fis-V's features."""

import os
from functools import cache, wraps

import numpy as np
import pandas as pd
from scipy import stats

from cofinal_lib import side_by_side
from cofinal_lib.artefact import LOG, read_log, simulate
from cofinal_lib.claims.printed import TARGETS
from cofinal_lib.claims.verdicts import ARTEFACT, CONTRADICTED, DIFFERS, HOLDS, NOISE, Finding, agrees, cannot, number
from cofinal_lib.data import at_hand, registry
from cofinal_lib.data.readers import OFFICIAL, read_labels
from cofinal_lib.errors import CofinalError
from cofinal_lib.grading import GradeScale
from cofinal_lib.metrics import fisher_mean, spearman, spearman_interval
from cofinal_lib.paper import printed as printed_table

FROM_LOG = "the authors' log of Ball, 250 epochs, one seed, at the pinned commit"
CAP = 25.0  # what the released code divides scores by


WORDS = {
    "labels": "the public score files",
    "log": "the epochs of the authors' log",
    "fisv features": "Fis-V's features",
}


class _Missing(Exception):
    """A file that a check needs is not to be had; its name for the ledger."""


def _needs_files(check):
    """A check whose files are missing cannot be made, and says so; nothing else is caught."""

    @wraps(check)
    def checked(printed, **args):
        try:
            return check(printed, **args)
        except _Missing as missing:
            return cannot(str(missing), f"This needs {WORDS[str(missing)]}, which are not at hand.")

    return checked


def _have(what: str, read, *names: str):
    """Fetch files and read them, once for each place they may come from; _Missing(what) where they cannot be had."""
    found = _read(read, names, os.environ.get("COFINAL_MIRROR"), os.environ.get("COFINAL_CACHE"))
    if found is None:
        raise _Missing(what)
    return found


@cache
def _read(read, names, *places):
    try:
        return read(*map(registry.fetch, names))
    except CofinalError:
        return None


def _labels(dataset: str) -> pd.DataFrame:
    return _have("labels", read_labels, f"{dataset}/train.txt", f"{dataset}/test.txt")


def _lines(name: str) -> list[list[str]]:
    return _have("labels", _split, name)


def _split(path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines() if line.strip()]


def _log() -> pd.DataFrame:
    """The log's epochs, see `artefact.read_log`."""
    return _have("log", read_log, LOG)


# --------------------------------------------------------------------------------------- the data sets


def _of(target: str) -> pd.DataFrame:
    """Routines of one target: split and score."""
    prefix, column, _ = OFFICIAL[target]
    labels = _labels(target.split("/")[0])
    return labels[labels["video"].str.startswith(prefix)].assign(score=lambda f: f[column])


@_needs_files
def videos(printed: int, dataset: str) -> Finding:
    """How many routines the score files name."""
    ours = _labels(dataset)["video"].nunique()
    return Finding(HOLDS if ours == printed else CONTRADICTED, f"The score files name {ours}.", ours, source="labels")


@_needs_files
def split(printed: str, targets: list[str], train: int, test: int) -> Finding:
    """Training and test routines of each target; label files that name a routine twice are not read at all."""
    counts = {t: tuple((_of(t)["split"] == s).sum() for s in ("train", "test")) for t in targets}
    ok = set(counts.values()) == {(train, test)}
    why = ", ".join(f"{t} {a} and {b}" for t, (a, b) in counts.items())
    return Finding(HOLDS if ok else CONTRADICTED, f"{why}; none in both.", test, source="labels")


ROUGHLY = 0.1  # minutes


@_needs_files
def minutes_rg(printed: float) -> Finding:
    """Mean duration of RG's videos, in minutes, from the score files; the text says "approximate": ROUGHLY."""
    seconds = _labels("rg")["seconds"]
    ours = seconds.mean() / 60
    verdict = HOLDS if agrees(printed, ours, ROUGHLY) else DIFFERS
    why = f"The score files' durations have a mean of {ours:.2f} minutes ({seconds.mean():.1f} s)."
    return Finding(
        verdict, why, ours, seconds.min() / 60, seconds.max() / 60, "labels; low and high: shortest, longest"
    )


@_needs_files
def minutes_fisv(printed: float) -> Finding:
    """Mean duration of Fis-V's videos, in minutes: clips of 32 frames at 25 a second; "approximately": ROUGHLY."""
    if not at_hand("fisv/pcs"):
        raise _Missing("fisv features")
    names = [f"fisv/{registry.CLIP_FOLDER}/{video}.npy" for video in _labels("fisv")["video"]]
    clips = np.array(_have("fisv features", _clips, *names))
    minutes = clips * 32 / 25 / 60
    verdict = HOLDS if agrees(printed, minutes.mean(), ROUGHLY) else DIFFERS
    why = f"{len(clips)} routines have {clips.mean():.1f} clips on average; at 25 frames a second these are "
    why += f"{minutes.mean():.2f} minutes."
    return Finding(
        verdict, why, minutes.mean(), minutes.min(), minutes.max(), "official fisv features; low and high: ends"
    )


def _clips(*paths) -> list[int]:
    return [len(np.load(path, mmap_mode="r")) for path in paths]


@_needs_files
def two_scores(printed: str) -> Finding:
    """Fis-V's two scores for every routine."""
    labels = _labels("fisv")
    known = int(labels[["tes", "pcs"]].notna().all(axis=1).sum())
    rho = spearman(labels["tes"], labels["pcs"])
    why = f"{known} of {len(labels)} routines have both; the two scores' rank correlation is {rho:.2f}."
    return Finding(HOLDS if known == len(labels) else CONTRADICTED, why, known, source="labels")


def _agreeing() -> list[bool]:
    """Whether the two public copies of Fis-V's scores agree, routine by routine: of training and of test routines."""
    names = [(f"fisv/{name}.txt", f"fisv/{name}_dataset.txt") for name in ("train", "test")]
    return [_scores(_lines(a)) == _scores(_lines(b)) for a, b in names]


@_needs_files
def same_split(printed: str) -> Finding:
    """Fis-V's split as the features' publishers have it, against that of the data set's authors."""
    same = _agreeing()
    why = f"The two lists agree in {sum(same)} of {len(same)} splits, routine by routine in both scores."
    return Finding(HOLDS if all(same) else CONTRADICTED, why, sum(same), source="labels (two public copies)")


def _scores(lines: list[list[str]]) -> list[list[float]]:
    return [[float(v) for v in line[1:3]] for line in lines]


@_needs_files
def fisv_source(printed: str) -> Finding:
    """Whose data set Fis-V is: the authors whose repository holds its score files, against those the paper cites."""
    agree = all(_agreeing())
    owner = registry.FILES["fisv/train_dataset.txt"][0].split("/")[3:5]
    why = (
        f"The score files are those of {'/'.join(owner)}, of Xu et al. (2019), whom the paper cites for a method of "
        f"Table 1{'' if agree else ', with other scores'}; the two works it names here published other data sets."
    )
    if not agree:
        return cannot("one list of scores", why, "labels (two public copies)")
    return Finding(HOLDS if "Xu" in printed else DIFFERS, why, source="labels (two public copies)")


@_needs_files
def first_line(printed: str, train: int, test: int) -> Finding:
    """What the released loader reads of Fis-V's score files: it always skips the first line."""
    read = [len(_lines(f"fisv/{name}.txt")) - 1 for name in ("train", "test")]
    header = [any(isinstance(number(v), str) for v in _lines(f"fisv/{name}.txt")[0][1:]) for name in ("train", "test")]
    ok = read == [train, test]
    why = (
        f"The files have {sum(header) or 'no'} header line; skipping the first, as released (datasets.py:25-26), "
        f"leaves {read[0]} and {read[1]} routines."
    )
    return Finding(HOLDS if ok else DIFFERS, why, read[1], source="labels; released code, read")


@_needs_files
def cap(printed: str, targets: list[str]) -> Finding:
    """Share of a data set's scores above 25 points, which the released code counts as 1."""
    above = {t: float((_of(t)["score"] > CAP).mean()) for t in targets}
    worst = max(above.values())
    why = ", ".join(f"{100 * share:.0f} % of {t}" for t, share in above.items()) + f" lie above {CAP:g} points."
    return Finding(HOLDS if worst == 0 else DIFFERS, why, worst, source="labels; released code, read")


# --------------------------------------------------------------------------------------- grades


@_needs_files
def coarse_only(printed: str, grades: int, subgrades: int) -> Finding:
    """The best SRCC that perfect grades alone allow, a Fisher average over all six targets, and with sub-grades."""
    coarse, fine = [], []
    for target in OFFICIAL:
        scores = _of(target)
        low, high = scores.loc[scores["split"] == "train", "score"].agg(["min", "max"])
        test = scores.loc[scores["split"] == "test", "score"].to_numpy()
        scale = GradeScale(low, high, grades, subgrades)
        grade, sub = scale.decompose(test, clip=True)
        coarse.append(spearman(grade, test))
        fine.append(spearman(grade * subgrades + sub, test))
    ours = fisher_mean(coarse)
    why = (
        f"Perfect grades alone ({grades}) rank the test routines with {min(coarse):.3f} to {max(coarse):.3f}, with "
        f"{subgrades} sub-grades each {min(fine):.4f} to {max(fine):.4f}: routines of one grade are tied. The highest "
        f"cell of Table 1 is {printed_table('table1')[TARGETS].max(axis=None):.3f}."
    )
    return Finding(HOLDS if min(fine) > max(coarse) else DIFFERS, why, ours, min(coarse), max(coarse), "labels")


@_needs_files
def balanced(printed: str, grades: int, subgrades: int) -> Finding:
    """Whether the frame's classes, the sub-grades, are balanced: training routines in each, against equal shares.

    Within noise where no target's chi-square is beyond luck at 5 %, shared among the targets; grades are told beside.
    """
    uneven, chances, ratios = [], [], []
    for target in OFFICIAL:
        scores = _of(target).query("split == 'train'")["score"].to_numpy()
        scale = GradeScale(scores.min(), scores.max(), grades, subgrades)
        grade, sub = (
            np.bincount(level, minlength=n)
            for level, n in zip(scale.decompose(scores), (grades, subgrades), strict=True)
        )
        chances.append(stats.chisquare(sub).pvalue)
        uneven.append(sub.max() / sub.min())
        ratios.append(grade.max() / grade.min())
    even = min(chances) > 0.05 / len(OFFICIAL)
    luck = "explains" if even else "does not explain"
    why = (
        f"Of {subgrades} sub-grades the fullest has {min(uneven):.1f} to {max(uneven):.1f} times the training routines "
        f"of the emptiest, which luck {luck} (p {min(chances):.2f} to {max(chances):.2f}); of {grades} grades, which "
        f"have no frame, {min(ratios):.1f} to {max(ratios):.1f} times."
    )
    return Finding(NOISE if even else DIFFERS, why, max(uneven), min(uneven), max(uneven), "labels, training routines")


@_needs_files
def judges_steps(printed: str) -> Finding:
    """What the score files say of how RG's judges score: sums of parts; no grades are in them."""
    labels = _labels("rg")
    off = (labels["difficulty"] + labels["execution"] - labels["penalty"] - labels["total"]).abs()
    n = int((off < 0.015).sum())
    why = (
        f"The files hold no grades: in {n} of {len(labels)} routines the score is difficulty plus execution less "
        "penalty; in which steps a judge gets there they do not say."
    )
    return cannot("the judges' own steps", why, "labels")


# --------------------------------------------------------------------------------------- the authors' log


@_needs_files
def public(printed: str) -> Finding:
    """Whether the authors' repository is public: a file of it, at the pinned commit, with the known SHA-256."""
    n = len(_log())
    return Finding(HOLDS, f"A file of it, the log of {n} epochs, has the digest known.", source=registry.FILES[LOG][0])


@_needs_files
def best_logged(printed: float) -> Finding:
    """Table 1's cell of Ball against the log's best test SRCC."""
    test = _log()["test"]
    ours = float(test.max())
    why = f"The best test SRCC of the log's {len(test)} epochs is {ours:.4f}, after epoch {int(test.idxmax())}, from 0."
    return Finding(HOLDS if agrees(printed, ours, 0.0005) else DIFFERS, why, ours, source=FROM_LOG)


SAME_TRAINING = "That Figure 6(b) shows this training, whose best is Table 1's 0.809, is inferred."
SETTLED = 50  # last epochs: the learning rate is next to nothing, and the test SRCC level


@_needs_files
def best_chosen(printed: float) -> Finding:
    """Whether the printed SRCC is free of a choice on the test routines: an artefact if it is the best of many looks.

    And no other epoch's SRCC rounds to it, so that it cannot be an epoch chosen in another way.
    """
    test = _log()["test"]
    last, best = float(test.iloc[-1]), int(test.idxmax())
    rounds = np.flatnonzero([agrees(printed, value, 0.0005) for value in test])
    if not len(rounds):
        return cannot("a log of that training", f"No epoch of the log would be printed as {printed:.3f}.", FROM_LOG)
    chosen = list(rounds) == [best] and best != len(test) - 1
    why = (
        f"{printed:.3f} is the highest of {len(test)} looks at the test routines, after epoch {best} (from 0), "
        f"{test.max() - last:.3f} above the last epoch's {last:.3f}; "
        f"{len(rounds) - 1 or 'no'} other epoch{'s' * (len(rounds) > 2)} would be printed so. "
        "GDLT's program reports its best epoch on the test routines, too."
    )
    return Finding(
        ARTEFACT if chosen else HOLDS, why, last, *spearman_interval(last, 50), FROM_LOG + "; interval: 50 routines"
    )


@_needs_files
def fine_head(printed: str) -> Finding:
    """Whether the released fine head tells routines of Ball apart: by its loss in the log, and by what it could add.

    The log prints the whole loss alone, of which the head's L1 is a part. It holds where that lies below the L1 of one
    good answer to all routines; where it does not, that the head learned next to nothing is inferred.
    """
    ball = _of("rg/ball")
    train, test = (ball.loc[ball["split"] == split, "score"].to_numpy() for split in ("train", "test"))
    targets = side_by_side.released_frame()[:, side_by_side.subgrades(train)["fine"].tolist()].T  # (N, 100)
    constant = float((targets - side_by_side.best_constant(targets)).abs().mean())
    logged = float(_log()["loss"].tail(SETTLED).mean())
    why = (
        f"Over the last {SETTLED} epochs the log's whole loss is {logged:.4f}, where one and the same fine answer to "
        f"all routines costs {constant:.4f}; that the head learned next to nothing is inferred. A perfect one could "
        f"add {1 - side_by_side.ceiling(test):.4f} to the test SRCC of perfect votes."
    )
    return Finding(HOLDS if logged < constant else DIFFERS, why, logged, source=FROM_LOG + "; its labels")


@_needs_files
def test_above_train(printed: str) -> Finding:
    """Whether the logged test SRCC stays above the logged training SRCC, epoch by epoch."""
    log = _log()
    over = log["train"] > log["test"]
    n = int(over.sum())
    first = f", first after epoch {int(log.loc[over, 'epoch'].min())} (counted from 0)" if n else ""
    why = f"In {n} of {len(log)} epochs the logged training SRCC is the higher one{first}. {SAME_TRAINING}"
    return Finding(CONTRADICTED if n else HOLDS, why, n, source=FROM_LOG)


@_needs_files
def logged_training(printed: str) -> Finding:
    """What the released training SRCC shows of overfitting: perfect predictions, logged as the released program does.

    It adds one random constant to all predictions of a batch (models/model.py:201-202). An artefact where perfect
    predictions would be logged below the log's own test SRCC in more than one epoch of twenty, and where the logged
    training SRCC jumps from epoch to epoch five times as far as the test SRCC.
    """
    log = _log().iloc[-SETTLED:]
    scores = _of("rg/ball").query("split == 'train'")["score"].to_numpy() / CAP
    logged = simulate(scores, draws=4000)["logged"]
    below = float((logged < log["test"].mean()).mean())
    jumps = [log[name].diff().std() for name in ("train", "test")]
    artefact = below > 0.05 and jumps[0] > 5 * jumps[1]
    low, high = np.quantile(logged, [0.025, 0.975])
    why = (
        f"Perfect training predictions would be logged at {logged.mean():.3f} on average, below the test SRCC in "
        f"{100 * below:.0f} % of epochs (dropout in training takes it lower still); the logged training SRCC jumps by "
        f"{jumps[0]:.3f} an epoch, the test SRCC by {jumps[1]:.3f}. {SAME_TRAINING}"
    )
    source = FROM_LOG + "; labels of Ball; simulated, seed 0"
    return Finding(ARTEFACT if artefact else HOLDS, why, float(logged.mean()), float(low), float(high), source)
