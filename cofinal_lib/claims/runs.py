"""Checks against runs on official features: a reader's own in results/paper, else ours in results/reference/paper."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pandas as pd

from cofinal_lib import results, tables
from cofinal_lib.claims.verdicts import (
    DIFFERS,
    HOLDS,
    NOISE,
    UNKNOWN,
    Finding,
    cannot,
    our_lead,
    reproduced,
    together,
)  # fmt: skip
from cofinal_lib.efficiency import TABLE2_ROWS
from cofinal_lib.errors import CofinalError
from cofinal_lib.figures import METHOD_NAMES, PLAIN_NAMES
from cofinal_lib.metrics import mean_interval, spearman_interval
from cofinal_lib.rivals import SOLVED

ROOT = results.RESULTS  # where results lie
OURS = ("cofinal", "cofinal-released")  # the paper's one CoFInAl: as its text and as its program have it
COLUMNS = "target source method kind without n_grades n_subgrades run_id seeds per_seed srcc reading".split()
COLUMNS += "split selection decoding measure epoch mean value stage".split()  # what is asked of any artefact's data


def _official(name: str) -> pd.DataFrame:
    """Rows of an artefact's data on official features, a reader's own or else ours; none where there is no file."""
    try:
        return results.read(name, "paper", sources=("official",), root=ROOT)
    except CofinalError:
        return pd.DataFrame(columns=COLUMNS)


def _source(rows: pd.DataFrame) -> str:
    """Provenance of some rows: targets, seeds, epochs, device, torch, commit, command; "" of none."""
    return tables.signature(rows, rows.attrs.get("command", "")) if len(rows) else ""


def _cells(name: str, target: str) -> pd.DataFrame:
    """Test results of one target (last epoch, soft): a row a method and arm, with `best`, its best on test."""
    frame = _official(name)
    part = frame[frame["target"] == target]
    best = tables.soft(part, split="test", selection="best_on_test").set_index("run_id")["srcc"]
    return tables.last_epoch(part).assign(best=lambda last: last["run_id"].map(best))


def _estimate(srcc: float, low: float, high: float) -> str:
    """An SRCC, or a difference of two, and its interval where it is known, in words."""
    interval = "" if np.isnan(low) else f" [{low:.3f}, {high:.3f}]"
    return "undefined" if np.isnan(srcc) else f"{srcc:.3f}{interval}"


# --------------------------------------------------------------------------------------- Table 1


def cell(printed: float, target: str, methods: list[str] = OURS, other: str = "") -> Finding:
    """A cell of Table 1 against our runs of the method on the same features: the run that comes nearest counts.

    The printed cell is one training's, so ours has the interval over test routines that one training has (Bonett and
    Wright's). It is of the last epoch and, since the authors' programs print the best epoch on the test routines, of
    that one: a cell differs where both leave it out. other: in what our runs are not the printed method.
    """
    every = _cells("table1", target)
    rows = every[every["method"].isin(methods)]
    if rows.empty:
        names = " or ".join(METHOD_NAMES[m] for m in methods)
        if target.startswith("rg/"):
            return cannot("rg features", f"We cannot run {names} on {target}: the features' published links are dead.")
        return cannot(f"a run of {names} on {target}", f"No run of {names} on {target} is kept yet.")
    r = rows.loc[(rows["srcc"] - printed).abs().fillna(np.inf).idxmin()]
    n = tables.N_TEST[tables.group_of(target)]
    low, high = spearman_interval(r["srcc"], n)
    best_low, best_high = spearman_interval(r["best"], n)
    verdict = reproduced(printed, r["srcc"], low, high)
    by_best = verdict == DIFFERS and best_low <= printed <= best_high
    told = [
        f"{PLAIN_NAMES[m.method]} {_estimate(m.srcc, *spearman_interval(m.srcc, n))} at the last epoch of "
        f"{tables.in_seeds(m.seeds)}, {_estimate(m.best, *spearman_interval(m.best, n))} with the epoch chosen on the "
        "test routines"
        for m in rows.itertuples()
    ]
    why = f"Ours: {'; '.join(told)} (intervals as of one training); ridge on the mean clip {r['ridge']:.3f}."
    why += f" {other}" if other else ""
    if len(rows) > 1:
        why += f" The nearest, {PLAIN_NAMES[r['method']]}, decides."
    why += " The interval of the chosen epoch has the printed cell in it." if by_best else ""
    repaired = every[every["method"] == "cofinal-repaired"]
    if methods == OURS and len(repaired):
        why += f" Repaired (chapter 18), which is no reading of the text, {repaired['srcc'].iloc[0]:.3f}{_effort()}."
    return Finding(NOISE if by_best else verdict, why, r["srcc"], low, high, _source(rows))


def _effort() -> str:
    """What it took to choose the repaired reading, in brackets; nothing where no search is kept."""
    readings, earlier = _official("readings"), _official("first-freeze")
    if readings.empty:
        return ""
    return (
        f" ({len(readings)} trainings of {readings['arm'].nunique()} readings inside the training routines; earlier "
        f"choices that met the test routines: {earlier['reading'].nunique()})"
    )


def beats(printed: str, target: str) -> Finding:
    """Whether CoFInAl ranks better than GDLT on the same test routines, resampled; the best of OURS counts.

    It holds where the interval of the lead is above zero, and is noise where it has the printed lead in it.
    """
    rows = _cells("table1", target)
    own = rows[rows["method"].isin(OURS)]
    other = rows[rows["method"] == "gdlt"]
    if own.empty or other.empty:
        lacking = "GDLT" if len(own) else "CoFInAl"
        return cannot(f"a run of {lacking} on {target}", f"No run of {lacking} on {target} is kept yet.")
    r, o = own.loc[own["srcc"].fillna(-np.inf).idxmax()], other.iloc[0]
    d, (low, high) = r["srcc"] - o["srcc"], tables.same_routines(r, o)
    said = tables.printed_cell(target, r["method"]) - tables.printed_cell(target, "gdlt")
    verdict = HOLDS if low > 0 else NOISE if low <= said <= high else UNKNOWN if np.isnan(low) else DIFFERS
    told = ", ".join(f"{METHOD_NAMES[m.method]} {m.srcc:.3f} ({m.seeds})" for m in own.itertuples())
    why = f"Last epoch (seeds): {told}; GDLT {o['srcc']:.3f} ({o['seeds']}). The best counts; the "
    why += f"printed lead is {said:.3f}."
    source = _source(rows[rows["method"].isin([r["method"], "gdlt"])])
    return Finding(verdict, why, d, low, high, source)


def unavailable(printed: str, missing: str, targets: list[str], why: str) -> Finding:
    """A block of Table 1 whose features are not to be had, unless somebody's runs on the targets are kept."""
    ran = [t for t in targets if len(_cells("table1", t))]
    return cannot(missing, why + (f" (Runs on {', '.join(ran)} are kept.)" if ran else ""))


# --------------------------------------------------------------------------------------- Table 3


STAND_INS = {
    "L_R": "nothing",
    "TFM": "averages of five segments",
    "GPM": "one pooled feature for both heads",
    "FGS": "a learned classifier of sub-grades",
}


def part(printed: str, without: str) -> Finding:
    """What a part of CoFInAl as printed is worth on official features, beside what stands in its place without it.

    A target holds, or differs, where the difference is beyond luck over seeds and over test routines.
    """
    frame = _official("table3")
    frame = frame[frame["without"].isin(["", without])]
    found = tables.losses_of_arms(frame).query("seeds > 1")
    if found.empty:
        return cannot(f"runs without {without} on official features")
    noise = np.fmax(found["loss"] - found["low"], _luck_of_routines(found))
    verdict = together([our_lead(d, n) for d, n in zip(found["loss"], noise, strict=True)])
    whole = tables.last_epoch(frame).query("without == ''").set_index("target")["srcc"]
    told = [
        f"{r.target}: leaving it out {'costs' if r.loss > 0 else 'gains'} {abs(r.loss):.3f} (loss {r.low:+.3f} to "
        f"{r.high:+.3f} over {r.seeds} seeds, {r.routines_low:+.3f} to {r.routines_high:+.3f} over routines)"
        if np.isfinite(r.loss)
        else f"{r.target}: undefined"
        for r in found.itertuples()
    ]
    why = f"With {STAND_INS[without]} in its place, our reading: {'; '.join(told)}. The method as printed reaches "
    why += f"{' and '.join(f'{whole[t]:.3f}' for t in found['target'])} there; the paper's runs are on RG."
    ends = found[["low", "routines_low"]].min(axis=None), found[["high", "routines_high"]].max(axis=None)
    return Finding(verdict, why, found["loss"].mean(), *ends, _source(frame))


def _luck_of_routines(losses: pd.DataFrame) -> pd.Series:
    """Half the interval over test routines of each of `losses_of_arms`; NaN where it is not known."""
    return (losses["routines_high"] - losses["routines_low"]) / 2


def narrows_gap(printed: str, without: str) -> Finding:
    """Whether the whole method overfits less than an arm: their gaps of training and test SRCC, seed by seed.

    On every target where both ran with two seeds or more. A target holds, or differs, where the gaps are apart by more
    than luck over seeds, and than luck over test routines puts between the two test SRCC.
    """
    chosen = tables.soft(_official("table3"), selection="last")
    runs = {(t, w): part for (t, w), part in chosen.groupby(["target", "without"], sort=False)}
    losses = tables.losses_of_arms(chosen)
    routines = _luck_of_routines(losses[losses["without"] == without].set_index("target"))
    found, said, targets, noise = [], [], [], []
    for target in chosen["target"].unique():
        if not {(target, ""), (target, without)} <= set(runs):
            continue
        gap = {w: _gap(runs[target, w]) for w in ("", without)}
        n = min(map(len, gap.values()))
        if n < 2:
            continue
        gap = {w: values[:n] for w, values in gap.items()}
        less, low, high = mean_interval(gap[without] - gap[""])
        found.append((less, low, high))
        targets.append(target)
        noise.append(np.fmax(less - low, routines[target]))
        luck = f"; luck of the test routines {routines[target]:.3f}" if np.isfinite(routines[target]) else ""
        said.append(
            f"On {target} the gap between training and test is {tables.number(gap[''].mean())} as printed and "
            f"{tables.number(gap[without].mean())} with {STAND_INS[without]} in its place (less by "
            f"{_estimate(less, low, high)}, {n} seeds{luck})."
        )
    if not found:
        return cannot(f"a run without {without} on official features")
    verdict = together([our_lead(less, n) for (less, *_), n in zip(found, noise, strict=True)])
    less, low, high = np.transpose(found)
    source = _source(chosen[chosen["target"].isin(targets) & chosen["without"].isin(["", without])])
    return Finding(verdict, " ".join(said), less.mean(), low.min(), high.max(), source)


def _gap(rows: pd.DataFrame) -> np.ndarray:
    """Training less test SRCC of one run's rows, a value a seed."""
    per_seed = rows.set_index("split")["per_seed"].map(tables.per_seed)
    return per_seed["train"] - per_seed["test"]


# --------------------------------------------------------------------------------------- Figures 4 to 6


def extremes(printed: str, artefact: str, option: str) -> Finding:
    """Whether too few and too many grades (or sub-grades) rank worse than some number between, on official features.

    On every target with at least three numbers.
    """
    last = tables.last_epoch(_official(artefact))
    whole = last[last["without"] == ""]
    counts = whole.groupby("target")[option].nunique()
    if counts.empty or counts.max() < 3:
        told = ", ".join(f"{r[option]:g}: {r['srcc']:.3f} ({r['target']})" for _, r in whole.iterrows())
        return cannot(
            f"runs with more numbers of {'grades' if option == 'n_grades' else 'sub-grades'}",
            f"At least three numbers on one target are needed; kept so far: {told or 'none'}.",
            _source(whole),
        )
    verdicts, said = [], []
    for target in counts.index[counts >= 3]:
        rows = tables.on_shared_seeds(whole[whole["target"] == target].sort_values(option))
        best, ends = rows.loc[rows["srcc"].fillna(-np.inf).idxmax()], rows.iloc[[0, -1]]
        inner = best[option] not in ends[option].to_numpy()
        others = ends if inner else rows.iloc[1:-1]
        clear = (others["srcc_high"] < best["srcc_low"]).all()  # beyond the luck of seeds
        undefined = rows["srcc"].isna().any()
        verdicts.append(UNKNOWN if undefined else NOISE if not clear else HOLDS if inner else DIFFERS)
        told = ", ".join(
            f"{r[option]:g}: {_estimate(r['srcc'], r['srcc_low'], r['srcc_high'])}" for _, r in others.iterrows()
        )
        apart = "lower beyond luck over seeds" if clear else "not told from it by the luck of seeds"
        said.append(
            f"On {target} the best of {len(rows)} numbers is {best[option]:g} "
            f"({_estimate(best['srcc'], best['srcc_low'], best['srcc_high'])}); "
            f"{'the ends' if inner else 'those between'} are {apart} ({told})."
        )
    judged = whole[whole["target"].isin(counts.index[counts >= 3])]
    return Finding(together(verdicts), " ".join(said), source=_source(judged))


CUT = "six grades of equal size, our cut"


def readout(printed: str, of: list[str], beyond: str | None = None) -> Finding:
    """Figure 5, measured: the share of routines left out that lie in their own grade's region of the map.

    Of `of` ("backbone" or methods, of which the highest counts) against what naming the commonest grade gives, or
    against `beyond`, another kind. A difference of 0.1 is taken as luck, as it is on a hundred routines: "mixed" (no
    `beyond`) holds within it.
    """
    frame = _official("figure5-readout")
    chosen = frame[frame["measure"] == "plane, other routines"]
    values = {kind: part["value"].to_numpy() for kind, part in chosen.groupby("kind")}
    of = [kind for kind in of if kind in values]
    if not of or (beyond and beyond not in values):
        return cannot("figure 5 on official features")
    luck = 0.1
    base = frame.loc[frame["measure"] == "always the commonest grade", "value"].mean()
    own = max(values[kind].mean() for kind in of)
    seeds = ", ".join(str(len(values[kind])) for kind in filter(None, (*of, beyond)))
    source = f"{frame['target'].iloc[0]} (official) · seeds: {seeds} · {frame.attrs['command']}"
    if beyond is None:
        why = (
            f"Of routines left out, {100 * own:.0f} % lie in their own grade's region of the map ({CUT}), where naming "
            f"the commonest grade gives {100 * base:.0f} %."
        )
        return Finding(HOLDS if own - base <= luck else DIFFERS, why, own, source=source)
    other = values[beyond].mean()
    told = ", ".join(f"{100 * values[kind].mean():.0f} % on that of {METHOD_NAMES[kind]}" for kind in (*of, beyond))
    why = f"Of routines left out there lie in their own grade's region of the map ({CUT}): {told}."
    return Finding(our_lead(own - other, luck), why, own - other, source=source)


def nearer_line(printed: str) -> Finding:
    """Figure 5(c, e): whose regression of predicted on judged scores has a slope nearer to 1, CoFInAl's or GDLT's."""

    def slope(points, rows):
        s, p = (points[name].to_numpy()[rows] for name in ("score", "predicted"))  # (..., N)
        s = s - s.mean(-1, keepdims=True)
        return (p * s).sum(-1) / (s * s).sum(-1)

    return _against_gdlt(slope, lambda slopes: -np.abs(slopes - 1), "slopes are off the ideal line's by")


def linear(printed: str) -> Finding:
    """Figure 5(d): on whose map the scores rise more nearly along one direction, CoFInAl's or GDLT's.

    Measured by R of the score's linear regression on the plane: 1 where the routines lie in the order and distance of
    their scores; 0.14 or so for a hundred routines at random places.
    """

    def along(points, rows):
        s, x, y = (points[name].to_numpy(float)[rows] for name in ("score", "x", "y"))  # (..., N)
        s, x, y = (v - v.mean(-1, keepdims=True) for v in (s, x, y))
        ss, xx, yy, sx, sy, xy = ((a * b).sum(-1) for a, b in ((s, s), (x, x), (y, y), (s, x), (s, y), (x, y)))
        return np.sqrt((sx**2 * yy - 2 * sx * sy * xy + sy**2 * xx) / ((xx * yy - xy**2) * ss))

    return _against_gdlt(along, lambda R: R, "the scores' correlation with the best direction of the map is")


def _against_gdlt(measure, worth, said: str) -> Finding:
    """By a measure of Figure 5's test routines, the one of OURS that counts for most, against GDLT.

    Args:
        measure: (points, rows) -> (...), of one kind and seed; rows (..., N), maybe resampled, are those that count.
        worth: of a measure's mean over seeds; more is better.
        said: what the numbers are, in words.

    The interval is over resampled test routines, the same for both.
    """
    frame = _official("figure5")
    points = frame[frame["kind"].isin([*OURS, "gdlt"])]
    ran = [kind for kind in OURS if kind in set(points["kind"])]
    if not ran or "gdlt" not in set(points["kind"]):
        return cannot("predictions of CoFInAl and GDLT on official features")
    ids = points["id"].unique()
    seeds = {
        kind: [part.set_index("id").loc[ids] for _, part in points[points["kind"] == kind].groupby("seed")]
        for kind in (*ran, "gdlt")
    }

    def of(kind, rows):
        return worth(np.mean([measure(part, rows) for part in seeds[kind]], axis=0))

    draws = np.random.default_rng(0).integers(0, len(ids), (2000, len(ids)))
    found = {kind: float(of(kind, np.arange(len(ids)))) for kind in seeds}
    own = max(ran, key=found.get)
    d = found[own] - found["gdlt"]
    low, high = np.quantile(of(own, draws) - of("gdlt", draws), [0.025, 0.975])
    told = ", ".join(f"{METHOD_NAMES[kind]} {abs(value):.2f}" for kind, value in found.items())
    why = f"On {points['target'].iloc[0]} {said}: {told}."
    verdict = HOLDS if low > 0 else DIFFERS if high < 0 else NOISE
    if verdict == HOLDS and min(len(seeds[own]), len(seeds["gdlt"])) < 2:
        verdict = NOISE
        why += " One seed a method knows nothing of the luck of seeds."
    of_seeds = ", ".join(str(len(parts)) for parts in seeds.values())
    source = f"{points['target'].iloc[0]} (official) · seeds: {of_seeds} · {frame.attrs['command']}"
    return Finding(verdict, why, d, low, high, source)


def backbone_suits(printed: str) -> Finding:
    """Whether the frozen features are unfit: no run says so; what regressions and networks read off them is told."""
    last, said = tables.last_epoch(_official("table1")), []
    for target, part_ in last.groupby("target", sort=False):
        solved = part_["method"].isin(SOLVED)
        if 0 < solved.sum() < len(part_):
            plain, best = (kind.loc[kind["srcc"].idxmax()] for kind in (part_[solved], part_[~solved]))
            said.append(
                f"{target}: {METHOD_NAMES[plain['method']]} {plain['srcc']:.3f}, the best network of ours, on the same "
                f"frozen features, {best['srcc']:.3f} ({METHOD_NAMES[best['method']]})"
            )
    why = "A map says little of what features know, and nothing of what another backbone's would. "
    why += f"What is read off these: {'; '.join(said) or 'no run is kept yet'}."
    return cannot("another backbone under one method", why, _source(last) if said else "")


def _curve(method: str, target: str) -> pd.DataFrame:
    """Training and test SRCC where both were measured: index epoch, columns train, test and gap, train less test."""
    frame = _official("figure6")
    chosen = frame[(frame["method"] == method) & (frame["target"] == target) & (frame["measure"] == "srcc")]
    wide = chosen.pivot(index="epoch", columns="split", values="mean")
    both = wide.reindex(columns=["train", "test"]).dropna()
    return both.assign(gap=both["train"] - both["test"])


NO_GDLT = "no run of GDLT on Fis-V is kept yet"


def _on_fisv(words: Callable[[pd.DataFrame], str]) -> str:
    """What `words` says of GDLT's `_curve` on each score of Fis-V that has run."""
    curves = {target: _curve("gdlt", target) for target in ("fisv/tes", "fisv/pcs")}
    return "; ".join(f"on {target} {words(curve)}" for target, curve in curves.items() if len(curve)) or NO_GDLT


def crossing(printed: int) -> Finding:
    """After which epoch GDLT's training SRCC surpasses its test SRCC on Ball; Fis-V is told in the meantime."""
    ball, source = _curve("gdlt", "rg/ball"), _source(_official("figure6").query("method == 'gdlt'"))
    if ball.empty:
        told = _on_fisv(lambda c: f"it is above {_first_above(c)[1]}, by {c['gap'].iloc[-1]:.3f} at the end")
        why = f"The curve is of Ball; {told} (measured every fifth epoch, without dropout)."
        return cannot("rg features", why, source)
    first, words = _first_above(ball)
    return Finding(HOLDS if abs(first - printed) <= 5 else DIFFERS, f"It is above {words}.", first, source=source)


def _first_above(curve: pd.DataFrame) -> tuple[float, str]:
    """The first epoch at which training lies above test in a `_curve`, as a number and in words."""
    over = curve.index[curve["train"] > curve["test"]]
    return (float(over[0]), f"at epoch {over[0]} first") if len(over) else (np.nan, "never")


def widening(printed: str) -> Finding:
    """Whether GDLT's gap of training and test SRCC goes on widening on Ball; Fis-V is told in the meantime."""
    ball, source = _curve("gdlt", "rg/ball"), _source(_official("figure6").query("method == 'gdlt'"))
    if ball.empty:
        told = _on_fisv(lambda c: f"the gap is {_widens(c)[2]}")
        return cannot("rg features", f"The curve is of Ball; measured alike, {told}.", source)
    middle, end, words = _widens(ball)
    return Finding(HOLDS if end > middle else DIFFERS, f"The gap is {words}.", end, source=source)


def _widens(curve: pd.DataFrame) -> tuple[float, float, str]:
    """The gap in the middle and at the end of a `_curve`, and both in words."""
    gap = curve["gap"]
    middle, end = gap.iloc[len(gap) // 2], gap.iloc[-1]
    return middle, end, f"{middle:.3f} after {gap.index[len(gap) // 2]} epochs and {end:.3f} after {gap.index[-1]}"


def overfits_less(printed: str) -> Finding:
    """Gaps of training and test SRCC after training, measured alike: the smallest of OURS against GDLT's, by target."""
    chosen = tables.soft(_official("table1"), selection="last")
    chosen = chosen[chosen["method"].isin([*OURS, "gdlt"])]
    luck = 0.1  # gaps of two equally good models on the same 400 and 100 routines differ by some 0.07 to 0.11
    leads, said = {}, []
    for target, rows in chosen.groupby("target", sort=False):
        gaps = {m: float(_gap(part).mean()) for m, part in rows.groupby("method", sort=False)}
        if "gdlt" in gaps and len(gaps) > 1:
            leads[target] = gaps["gdlt"] - np.fmin.reduce([gap for m, gap in gaps.items() if m != "gdlt"])
            said.append(f"{target}: {', '.join(f'{METHOD_NAMES[m]} {gap:.3f}' for m, gap in gaps.items())}")
    if not leads:
        return cannot("runs of GDLT and CoFInAl on official features")
    d = np.array(list(leads.values()))
    why = f"Training less test SRCC at the last epoch, measured alike: {'; '.join(said)}. CoFInAl's smaller counts. "
    why += "On Fis-V GDLT and CoFInAl as printed train with a dropout of 0.7, the released program with 0.3."
    why += "" if "rg/ball" in leads else " The paper's figure is of Ball."
    verdict = together([our_lead(lead, luck) for lead in d])
    source = _source(chosen[chosen["target"].isin(leads)])
    return Finding(verdict, why, d.mean(), d.min() - luck, d.max() + luck, source)


# --------------------------------------------------------------------------------------- trained networks


def _parts(measure: str) -> pd.DataFrame:
    frame = _official("parts")
    return frame[frame["measure"] == measure]


def mask(printed: str, grades: int) -> Finding:
    """Whether the mask of Eq. 10 selects a grade after training: it does if the largest weight reaches a half.

    It cannot be said to select (differs) where the largest weight is within a quarter of an even share.
    """
    rows = _parts("largest weight")
    if rows.empty:
        return cannot("a training on official features that keeps its masks")
    values = rows[rows["stage"] == "trained"]["value"].to_numpy()
    mean, low, high = mean_interval(values)
    even = 1 / grades
    verdict = HOLDS if mean >= 0.5 else DIFFERS if mean <= 1.25 * even else NOISE
    before = rows[rows["stage"] == "untrained"]["value"].mean()
    why = (
        f"The largest of {grades} weights is {before:.4f} before and {mean:.4f} after training, on average over test "
        f"routines; an even share is {even:.4f}."
    )
    return Finding(verdict, why, mean, low, high, _trained(rows))


def collapse(printed: str) -> Finding:
    """Whether last-layer features go towards their class means when CoFInAl is trained as printed.

    They do where NC1, the spread within grades over that between them, falls below a tenth of what it was untrained.
    """
    rows = _parts("within over between")
    if rows.empty:
        return cannot("a training on official features that keeps its last layer")
    before, after = (rows[rows["stage"] == stage]["value"].to_numpy() for stage in ("untrained", "trained"))
    mean, low, high = mean_interval(after)
    accuracy = _parts("grade accuracy").query("stage == 'trained'")["value"].mean()
    why = (
        f"The spread within grades, over that between them, falls from {before.mean():.2f} to {mean:.2f} in training "
        f"(0 is collapse), with {100 * accuracy:.1f} % of training routines in their grade."
    )
    return Finding(HOLDS if mean < before.mean() / 10 else DIFFERS, why, mean, low, high, _trained(rows))


def _trained(rows: pd.DataFrame) -> str:
    return tables.signature(rows, "python data_scripts/trained_parts.py")


def times(printed: float, method: str) -> Finding:
    """A time of Table 2: the paper names no machine, and the released README one that is not here; ours is told."""
    told, source = "no timing is kept", ""
    with suppress(CofinalError):
        frame = results.read("table2-times", "paper", root=ROOT)
        row = frame[(frame["batch"] == 1) & (frame["method"].map(TABLE2_ROWS) == method)].iloc[0]  # a CPU's first
        told = f"on a CPU, one thread, the released network took {row['ms']:.2f} ms"
        if method != "GDLT":
            told += f", {row['ratio']:.2f} times GDLT (the middle half of repeats: {row['ratio_low']:.2f} to "
            told += f"{row['ratio_high']:.2f})"
        source = f"device {row['device']} · torch {row['torch']} · cofinal reproduce table2"
    why = f"The text names neither machine nor batch, the released README an RTX 3090; {told}."
    return cannot("an RTX 3090, and the batch", why, source)
