"""Chapter 18's figures: readings on held-out training routines, and the honest record."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from cofinal_lib.crossval import corrected_interval
from cofinal_lib.figures import BLUE, COLOURS, METHOD_NAMES, ORANGE, from_top, nothing, signed
from cofinal_lib.metrics import fisher_mean
from cofinal_lib.tables import ARM_NAMES, NOTHING, last_epoch, number, printed_cell, soft, span, styled, two_lines

PRINTED = "as printed"
FROZEN = "averages, dropout 0.3"  # the reading that `METHODS["cofinal-repaired"]` is


def compared(readings: pd.DataFrame) -> pd.DataFrame:
    """What `choose_reading.py` found, a row an arm and target; the same folds for all, so differences are paired.

    Columns: target, arm, folds (that have run), of (all there are), srcc (mean over folds, soft), low, high, hard
    (decoded so), train, ridge (on the same folds); gain, over the reading as printed, gain_low, gain_high. Intervals
    (95 %) are Nadeau and Bengio's, for folds share routines. A fold that ran and ranks nothing makes the means over it
    NaN.
    """
    rows = []
    for target, part in readings.groupby("target", sort=False):
        by_arm = {arm: rows_of.set_index("fold") for arm, rows_of in part.groupby("arm", sort=False)}
        k, printed = int(part["folds"].iloc[0]), by_arm[PRINTED]["soft"]
        for arm, of_arm in by_arm.items():
            values, both = of_arm["soft"], of_arm.index.intersection(printed.index)
            srcc, low, high, _ = corrected_interval(values, k - 1, 1)
            gain = corrected_interval(values[both] - printed[both], k - 1, 1)[:3]
            known = {"target": target, "arm": arm, "folds": len(values), "of": k}
            known |= {"srcc": srcc, "low": low, "high": high}
            known |= of_arm[["hard", "train", "ridge"]].mean(skipna=False).to_dict()
            rows.append(known | dict(zip(("gain", "gain_low", "gain_high"), gain, strict=True)))
    return pd.DataFrame(rows)


def arms_figure(arms: pd.DataFrame, line: str) -> Figure:
    """Draw `compared`: a panel a target, a row an arm; filled the held-out, hollow the training routines; a cross
    where folds are missing, and only the hollow where one ranks nothing."""
    if arms.empty:
        return nothing(line)
    fig, panels = _panels(arms, "arm", 0.34)
    names = list(dict.fromkeys(arms["arm"]))
    for ax, part in panels:
        for y, arm in enumerate(names):
            if arm in part.index:
                r = part.loc[arm]
                complete = r["folds"] == r["of"]
                if complete:
                    ax.plot([r["low"], r["high"]], [y, y], color=BLUE, lw=1.5)
                ax.plot(r["srcc"], y, "o" if complete else "x", color=BLUE, ms=7)
                ax.plot(r["train"], y, "o", color=ORANGE, mfc="w", mew=1.5, ms=6)
        ax.axvline(part["ridge"].iloc[0], color=COLOURS["ridge"], lw=1.2, ls="--")
        ax.set_xlim(None, 1.03)
    return signed(fig, line)


def _panels(rows: pd.DataFrame, name: str, height: float) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """A figure with a panel a target, each name of a column in a line of its own; each panel's rows, by name."""
    targets, names = rows["target"].unique(), list(dict.fromkeys(rows[name]))
    size = (8.6, 1.2 + height * len(names))
    fig, axes = plt.subplots(1, len(targets), figsize=size, sharey=True, squeeze=False)
    for ax, target in zip(axes.flat, targets, strict=True):
        ax.set_title(target)
        ax.set_xlabel("SRCC", fontsize=10)
    from_top(axes[0, 0], names, 0.5, fontsize=9)
    parts = [rows[rows["target"] == target].set_index(name) for target in targets]
    return fig, list(zip(axes.flat, parts, strict=True))


def record_figure(record: pd.DataFrame, printed: dict[str, float], line: str) -> Figure:
    """Draw the honest record: a panel a target; hollow by cross-validation in training, filled on the test routines.

    Args:
        record: columns target, candidate, cv, test, low, high, chosen.
        printed: target -> the paper's CoFInAl, dotted.
    """
    if record.empty:
        return nothing(line)
    fig, panels = _panels(record, "candidate", 0.4)
    for ax, part in panels:
        for y, name in enumerate(dict.fromkeys(record["candidate"])):
            r = part.loc[name]
            colour = BLUE if r["chosen"] else "0.45"
            ax.plot([r["low"], r["high"]], [y, y], color=colour, lw=1.5)
            ax.plot(r["test"], y, "o", color=colour, ms=8 if r["chosen"] else 6)
            ax.plot(r["cv"], y, "D", color=colour, mfc="w", mew=1.4, ms=6)
        ax.axvline(printed[ax.get_title()], color=COLOURS["paper"], lw=1.4, ls=":")
    return signed(fig, line)


def arms_table(arms: pd.DataFrame) -> Styler:
    """Means and gains of `compared`, as text: a row an arm, two columns a target."""
    rows = {}
    for r in arms.to_dict("records"):
        row = rows.setdefault(r["arm"], {})
        part = "" if r["folds"] == r["of"] else f" ({r['folds']} folds)"
        row[r["target"], "held out"] = two_lines(r["srcc"], np.nan, np.nan) + part
        gain = two_lines(r["gain"], r["gain_low"], r["gain_high"], "+")
        row[r["target"], "over the printed"] = NOTHING if r["arm"] == PRINTED else gain
    return styled(pd.DataFrame(rows).T.fillna(NOTHING), "arms", sources=True)


def over_both(arms: pd.DataFrame) -> pd.Series:
    """Fisher average over targets of the held-out SRCC, of arms that rank all their folds, best first."""
    arms = arms[arms["folds"] == arms["of"]]
    wide = arms.pivot(index="arm", columns="target", values="srcc").dropna()
    return pd.Series({arm: fisher_mean(row) for arm, row in wide.iterrows()}, dtype=float).sort_values(ascending=False)


def readings_in_words(arms: pd.DataFrame) -> Markdown:
    """The best arm over both targets; which gains clear their interval; whether ridge is reached; hard decoding."""
    order = over_both(arms)
    if PRINTED not in order:
        return Markdown("The printed reading does not rank all folds of every target yet.")
    best, said = order.index[0], []
    said.append(
        f"- Over both targets, *{best}* is first ({order.iloc[0]:.3f}, Fisher average), the printed reading "
        f"{list(order.index).index(PRINTED) + 1} of {len(order)} ({order[PRINTED]:.3f})."
    )
    for target, part in arms.groupby("target", sort=False):
        clear = part[(part["gain_low"] > 0) & (part["arm"] != PRINTED)]["arm"]
        worse = part[(part["gain_high"] < 0) & (part["arm"] != PRINTED)]["arm"]
        passed = part[part["srcc"] > part["ridge"]]["arm"]
        said.append(
            f"- {target}: better than printed beyond luck of the folds: {_listed(clear)}; worse: {_listed(worse)}; "
            f"ahead of ridge regression ({part['ridge'].iloc[0]:.3f}): {_listed(passed)}."
        )
    gains = arms[arms["arm"] != PRINTED].dropna(subset="gain_low")
    said.append(
        f"- Of these {len(gains)} comparisons, {(gains['gain_low'] > 0).sum()} lie above zero with their whole "
        f"interval; were all readings equally good, luck alone would give {0.025 * len(gains):.1f}."
    )
    loss = (arms["srcc"] - arms["hard"]).dropna()
    said.append(
        f"- The likeliest grade and sub-grade (hard) in place of the expected ones (soft) rank worse in "
        f"{(loss > 0).sum()} of {len(loss)} rows; the mean loss over all of these is {number(loss.mean())}."
    )
    return Markdown("\n".join(said))


def frozen_in_words(arms: pd.DataFrame) -> Markdown:
    """Where the frozen reading stands among all that rank every fold by now, and which do not."""
    order, part = over_both(arms), (arms["folds"] < arms["of"]) | arms["srcc"].isna()
    targets = arms.groupby("arm")["target"].nunique()
    missing = sorted(set(arms.loc[part, "arm"]) | set(targets[targets < targets.max()].index))
    if FROZEN not in order:
        return Markdown("The frozen reading has not run here.")
    place, best = list(order.index).index(FROZEN) + 1, order.index[0]
    said = f"By now {len(order)} readings rank all folds of every target"
    said += f", and {len(missing)} only some ({_listed(pd.Series(missing))})." if missing else "."
    if place == 1:
        return Markdown(f"{said} The frozen one, *{FROZEN}* ({order[FROZEN]:.3f}), is still first.")
    return Markdown(
        f"{said} The frozen one, *{FROZEN}*, is number {place} ({order[FROZEN]:.3f}); first is *{best}* "
        f"({order[best]:.3f}). It has not been frozen again, and *{best}* has not seen the test routines."
    )


def _listed(names: pd.Series) -> str:
    return ", ".join(f"*{name}*" for name in names) or "none"


def standing(results: pd.DataFrame) -> Styler:
    """Where the printed method stands: train and test SRCC of CoFInAl and of CoFInAl without its fusion, and ridge."""
    chosen = results[results["without"].isin(["", "TFM"])]
    train = soft(chosen, split="train", selection="last").set_index("run_id")["srcc"]
    rows = {
        (r.target, ARM_NAMES[r.without]): {
            "seeds": str(r.seeds),
            "train": number(train[r.run_id]),
            "test": number(r.srcc) + ("" if np.isnan(r.srcc_low) else f" ({span(r.srcc_low, r.srcc_high)})"),
            "ridge, test": number(r.ridge),
        }
        for r in last_epoch(chosen).itertuples()
    }
    return styled(pd.DataFrame(rows).T, "standing")


REPAIRED = "CoFInAl, repaired"  # its name among the record's candidates


def repaired_table(results: pd.DataFrame, record: pd.DataFrame) -> Styler:
    """Test SRCC of CoFInAl as printed and repaired, of regressions, and what the paper prints; a column a target.

    Of runs the last epoch, and below it the interval over seeds and over test routines; of the repaired reading also
    the record's candidate, the mean of its seeds' predictions.
    """
    rows = {}
    methods = ("cofinal", "cofinal-repaired", "ridge", "kernel-ridge")
    for r in last_epoch(results).itertuples():
        if r.method in methods:
            seeds = "" if r.seeds == 1 else f"\n{r.seeds} seeds: {span(r.srcc_low, r.srcc_high)}"
            told = f"{number(r.srcc)}{seeds}\nroutines: {span(r.routines_low, r.routines_high)}"
            rows.setdefault(METHOD_NAMES[r.method], {})[r.target] = told
    for r in record[record["candidate"] == REPAIRED].itertuples():
        rows.setdefault(f"{REPAIRED}, as searched", {})[r.target] = (
            f"{r.test:.3f}\nroutines: {r.low:.3f} to {r.high:.3f}"
        )
    targets = record["target"].unique()
    rows["paper's CoFInAl"] = {target: f"{printed_cell(target, 'cofinal'):.3f}" for target in targets}
    return styled(pd.DataFrame(rows).T.fillna(NOTHING), "repaired")


def repaired_in_words(results: pd.DataFrame) -> Markdown:
    """What the repaired reading gains on the test routines over the printed one, trained alike, and what lies above."""
    said = []
    for target, part in last_epoch(results).groupby("target", sort=False):
        srcc = part.set_index("method")["srcc"].dropna()
        if {"cofinal", "cofinal-repaired"} <= set(srcc.index):
            own = srcc["cofinal-repaired"]
            ahead = [METHOD_NAMES[m] for m in srcc.index if srcc[m] > own]
            said.append(
                f"- {target}: {own:.3f}, {own - srcc['cofinal']:+.3f} against the printed reading; still ahead of it: "
                f"{'; '.join(ahead) or 'nothing that ran'}."
            )
    return Markdown("\n".join(said) or "The repaired reading has not run here yet.")


def first_look_in_words(first: pd.DataFrame) -> Markdown:
    """What a reading that was frozen before this one reached on the test routines: first-freeze.csv, a line a row."""
    said = [
        f"- {r.target}, {r.trained} ({r.seeds} seeds, {r.epochs} epochs): {r.srcc:.3f} ({r.routines_low:.3f} to "
        f"{r.routines_high:.3f} over test routines)."
        for r in first.itertuples()
    ]
    return Markdown(f"*{first['reading'].iloc[0]}*:\n\n" + "\n".join(said))


def record_table(record: pd.DataFrame, printed: dict[str, float]) -> Styler:
    """The honest record as text, and the Fisher average over targets of the chosen candidates beside the paper's."""
    rows = {}
    for r in record.itertuples():
        row = rows.setdefault(r.candidate, {})
        row[r.target, "cross-validated"] = f"{r.cv:.3f}" + (" ✓" if r.chosen else "")
        row[r.target, "test"] = two_lines(r.test, r.low, r.high)
    rows["paper's CoFInAl"] = {(target, "test"): f"{value:.3f}" for target, value in printed.items()}
    return styled(pd.DataFrame(rows).T.fillna(NOTHING), "record", sources=True)


def record_in_words(record: pd.DataFrame, printed: dict[str, float]) -> Markdown:
    """The chosen candidates, their test SRCC and Fisher average, beside the paper's."""
    chosen = record[record["chosen"]].set_index("target")
    average, theirs = fisher_mean(chosen["test"]), fisher_mean(list(printed.values()))
    said = [
        f"- {r.Index}: chosen by cross-validation, *{r.candidate}*; test SRCC {r.test:.3f} ({r.low:.3f} to "
        f"{r.high:.3f}), the paper's CoFInAl {printed[r.Index]:.3f}."
        for r in chosen.itertuples()
    ]
    word = "above" if average > theirs else "below"
    said.append(
        f"- Average (Fisher): **{average:.3f}**, {word} the {theirs:.3f} that the paper prints for CoFInAl, "
        f"a difference of {average - theirs:+.3f}."
    )
    highest = record.loc[record.groupby("target", sort=False)["test"].idxmax()]
    plain = "kernel ridge, five segments,"  # what "the same" stands for in the table
    names = ", ".join(
        f"*{r.candidate.replace('the same,', plain)}* on {r.target} ({r.test:.3f})" for r in highest.itertuples()
    )
    said.append(
        f"- With hindsight, the highest on the test routines are {names}; average {fisher_mean(highest['test']):.3f}. "
        "Choosing them takes the test scores, so this is no record."
    )
    return Markdown("\n".join(said))


def record_line(record: pd.DataFrame) -> str:
    """Where the record's numbers come from."""
    return (
        f"Data: official Fis-V, {', '.join(record['target'].unique())} · 400 training, 100 test routines · regressions "
        "have no seed; networks average several · CPU · python data_scripts/honest_record.py record"
    )


def effort_in_words(readings: pd.DataFrame, record: pd.DataFrame) -> Markdown:
    """How much was tried, how much of it is whole, and how long it took."""
    trainings, hours = len(readings), readings["seconds"].sum() / 3600
    return Markdown(
        f"- {readings['arm'].nunique()} readings, {len(over_both(compared(readings)))} of them on all folds of every "
        f"target, in {trainings} trainings, {hours:.1f} hours of one CPU core; every one stands in the table of "
        "Section 2.\n"
        f"- {record['candidate'].nunique()} candidates of the record; the widths, penalties and shares each chooses "
        "from stand at the head of `cofinal_lib/honest_record.py`.\n"
        "- The kinds of summaries (segments at three scales, deviation, change) were themselves picked among some "
        "twenty by cross-validation inside the training routines: maxima, quantiles and slower changes added nothing."
    )
