"""Chapter 14: readings of the paper's equations, compared."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from cofinal_lib import tables
from cofinal_lib.errata import READINGS, against_ours
from cofinal_lib.figures import BLUE, ORANGE, band, from_top, signed
from cofinal_lib.figures.side_by_side import anchor
from cofinal_lib.metrics import mean_interval
from cofinal_lib.paper import facts

DECODINGS = {"soft": "soft score", "hard": "hard score"}
COLUMN_COLOURS = {"ours": BLUE, "predicted": ORANGE}
COLUMN_NAMES = {"ours": "target's column (ours)", "predicted": "predicted column (as printed)"}


def errata_table() -> Styler:
    """paper/errata.csv as the book's table; an equation links to its section."""
    table = facts("errata")
    table["equation"] = [anchor("errata", s, eq) for s, eq in zip(table.pop("section"), table["equation"], strict=True)]
    table.columns = ["equation", "the problem", "our reading", "the alternative"]
    return tables.styled(table, "errata", wrap=True).format(None, subset=["equation"]).hide()


def label(name: str) -> str:
    """A reading's equation and words."""
    return f"{READINGS[name].equation}, {READINGS[name].words}"


def readings_figure(measures: pd.DataFrame, line: str) -> Figure:
    """Draw `errata.against_ours`: test SRCC of each reading less ours, softly and hard; bars are 95 % over seeds."""
    names = [name for name in READINGS if name in set(measures["reading"]) - {"ours"}]
    fig, axes = plt.subplots(1, 2, figsize=(8, 0.42 * len(names) + 1.6), sharey=True)
    for ax, (measure, words) in zip(axes, DECODINGS.items(), strict=True):
        found = against_ours(measures, measure).set_index("reading").loc[names]
        y = np.arange(len(names))
        ax.hlines(y, found["low"], found["high"], color=BLUE, lw=2)
        ax.plot(found["mean"], y, "o", color=BLUE, ms=6)
        ax.axvline(0, color="0.6", lw=0.8)
        ax.set_title(words, fontsize=10)
        ax.set_xlabel("test SRCC less ours", fontsize=9)
        ax.locator_params(axis="x", nbins=4)
        ax.tick_params(labelsize=9)
    from_top(axes[0], [label(name) for name in names], 0.5)
    return signed(fig, line)


def readings_table(measures: pd.DataFrame) -> Styler:
    """Each reading's means over seeds: SRCC with intervals, sub-grades right, sub-grades named, mask, angle."""
    rows = {}
    for name, part in measures.groupby("reading", sort=False):
        soft, hard = (mean_interval(part[m], correlations=True) for m in DECODINGS)
        words = READINGS[name].words if name == "ours" else label(name)
        rows[words] = {
            "SRCC, soft": tables.two_lines(*soft, digits=2),
            "SRCC, hard": tables.two_lines(*hard, digits=2),
            "sub-grade\nright": f"{100 * part['subgrade'].mean():.0f} %",
            "sub-grades\nnamed": f"{part['named'].mean():.1f}",
            "evenness\nof mask": f"{part['evenness'].mean():.4f}",
            "degrees\na grade": f"{part['step'].mean():.0f}",
        }
    return tables.styled(pd.DataFrame(rows).T, "readings")


def lead(measures: pd.DataFrame, name: str, measure: str = "soft") -> str:
    """One row of `errata.against_ours` in words; "not run yet" where there is none."""
    if name not in set(measures["reading"]):
        return "not run yet"
    mean, low, high = against_ours(measures, measure).set_index("reading").loc[name]
    if np.isnan(mean):
        return "undefined, for some seed scores all routines alike"
    return f"{mean:+z.3f} ({low:+z.3f} to {high:+z.3f})"


def estimate(measures: pd.DataFrame, name: str, measure: str, form: str = "{:.0f}") -> str:
    """A reading's mean of one measure with its interval over seeds, in words."""
    values = measures.loc[measures["reading"] == name, measure]
    return "{} ({} to {})".format(*(form.format(v) for v in mean_interval(values)))


def counted(measures: pd.DataFrame, measure: str = "soft") -> dict[str, list[str]]:
    """Readings whose interval of the difference from ours lies "below" or "above" zero; "open": it holds zero, or
    is not known."""
    found = against_ours(measures, measure)
    below, above = found["high"] < 0, found["low"] > 0
    return {
        word: [label(name) for name in found.loc[rows, "reading"]]
        for word, rows in {"below": below, "above": above, "open": ~below & ~above}.items()
    }


def columns_figure(curves: pd.DataFrame, measures: pd.DataFrame, commonest: float, line: str) -> Figure:
    """Draw Eq. 15's two readings: L_F by epoch (left), and how many training sub-grades come out right (right).

    Bands and bars are 95 % over seeds.

    Args:
        curves, measures: of `errata.train`, readings "ours" and "predicted".
        commonest: of `errata.commonest`.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
    for x, (name, colour) in enumerate(COLUMN_COLOURS.items()):
        by_epoch = curves[curves["reading"] == name].groupby("epoch")["L_F"].apply(mean_interval)
        mean, low, high = np.array(by_epoch.tolist()).T
        band(left, by_epoch.index, mean, low, high, color=colour, label=COLUMN_NAMES[name])
        right_share = measures.loc[measures["reading"] == name, "subgrade"]
        mean, low, high = (100 * v for v in mean_interval(right_share))
        right.vlines(x, low, high, color=colour, lw=2)
        right.plot(x, mean, "o", color=colour, ms=7)
    left.set_ylim(0)
    left.set_xlabel("epoch", fontsize=9)
    left.set_ylabel("L_F, training", fontsize=9)
    left.legend(fontsize=8, frameon=False)
    right.axhline(100 * commonest, color="0.5", ls=":", lw=1.2)
    right.text(0.5, 100 * commonest + 2, "always the commonest", fontsize=8, color="0.35", ha="center", va="bottom")
    right.set_xlim(-0.5, 1.5)
    right.set_ylim(0, 100)
    right.set_xticks([0, 1], ["target's\ncolumn", "predicted\ncolumn"], fontsize=9)
    right.set_ylabel("training sub-grades right, %", fontsize=9)
    return signed(fig, line)


def least_figure(least: dict[int, float], line: str) -> Figure:
    """Draw `errata.least_softmax` by the number of grades."""
    fig, ax = plt.subplots(figsize=(6, 2.8))
    ax.plot(list(least), list(least.values()), "o-", color=BLUE)
    ax.axhline(0, color="0.6", lw=0.8)
    ax.set_xticks(list(least))
    ax.set_xlabel("grades, G", fontsize=10)
    ax.set_ylabel("least loss found", fontsize=10)
    return signed(fig, line)
