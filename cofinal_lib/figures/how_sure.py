"""Chapter 16: intervals of an SRCC, the best of many epochs, paired tests, printed differences, power."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas.io.formats.style import Styler
from scipy import stats

from cofinal_lib import tables
from cofinal_lib.figures import (
    BLACK,
    BLUE,
    GREEN,
    METHOD_COLOURS,
    METHOD_NAMES,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    from_top,
    nothing,
    signed,
    small,
)
from cofinal_lib.metrics import spearman_interval
from cofinal_lib.paired import printed_test, routines_needed

TARGET_MARKS = {"fisv/tes": ("s", "TES"), "fisv/pcs": ("o", "PCS"), "rg/ball": ("D", "Ball")}
OTHER = "^", "other targets"
TARGET_COLOURS = {"ball": BLUE, "clubs": ORANGE, "hoop": GREEN, "ribbon": PURPLE, "tes": SKY, "pcs": BLACK}


def width_figure(rhos: tuple[float, ...], line: str) -> Figure:
    """Draw the 95 % interval of an SRCC against the number of test routines, a panel an SRCC."""
    n = np.unique(np.geomspace(10, 2000, 60).astype(int))
    fig, axes = plt.subplots(1, len(rhos), figsize=(2.8 * len(rhos), 3), sharey=True, squeeze=False)
    for ax, rho in zip(axes[0], rhos, strict=True):
        low, high = np.array([spearman_interval(rho, k) for k in n]).T
        ax.fill_between(n, low, high, color=BLUE, alpha=0.2, lw=0)
        ax.axhline(rho, color=BLUE, lw=1.2)
        for k in (50, 100, 500):
            ax.plot([k, k], spearman_interval(rho, k), color=BLACK, lw=1.5, marker="_")
        ax.set(xscale="log", xlabel="test routines", title=f"SRCC {rho:g}", ylim=(0, 1))
        ax.set_xticks([10, 50, 100, 500, 2000], ["10", "50", "100", "500", "2000"], rotation=45)
        ax.minorticks_off()
    axes[0, 0].set_ylabel("95 % interval", fontsize=10)
    small(*axes[0])
    return signed(fig, line)


def coverage_table(found: dict[int, pd.DataFrame]) -> Styler:
    """`paired.coverage` for several numbers of routines: how often the interval holds the truth, and its width."""
    rows = {}
    for n, part in found.items():
        for r in part.itertuples():
            row = rows.setdefault(r.way, {})
            row[f"{n} routines", "holds the truth"] = f"{100 * r.covered:.0f} %"
            row[f"{n} routines", "95 % of that"] = f"{100 * r.low:.0f} to {100 * r.high:.0f} %"
            row[f"{n} routines", "mean width"] = f"{r.width:.3f}"
    return tables.styled(pd.DataFrame(rows).T, "coverage", sources=True)


def best_of_figure(curves: dict[int, dict[float, np.ndarray]], points: pd.DataFrame, line: str) -> Figure:
    """Draw what the best epoch adds to the last in trainings that have run, and what luck alone would add there.

    Args:
        curves: number of test routines -> how alike two epochs are -> `paired.best_of`, as many epochs as any training.
        points: method, target, epochs, lead, routines.
    """
    rows = points.astype({"epochs": int}).sort_values("method", kind="stable")
    rows = dict(iter(rows.groupby(["method", "epochs", "routines"])))  # luck is of so many epochs and test routines
    trained, names = [row[:2] for row in rows], []
    fig, ax = plt.subplots(figsize=(7.4, 0.34 * len(rows) + 1.7))
    for y, ((method, epochs, routines), part) in enumerate(rows.items()):
        size = f", {routines} routines" if trained.count((method, epochs)) > 1 else ""
        names.append(f"{METHOD_NAMES.get(method, method)}, {epochs} epochs{size}")
        for (alike, curve), dash in zip(curves[routines].items(), ("-", (0, (3, 1)), ":"), strict=True):
            label = f"luck, epochs alike to {alike:g}" if y == 0 else None
            ax.vlines(curve[epochs - 1], y - 0.45, y + 0.45, ls=dash, color="0.45", lw=1.6, label=label)
        for target, some in part.groupby("target", sort=False):
            (marker, _), colour = TARGET_MARKS.get(target, OTHER), METHOD_COLOURS.get(method, RED)
            ax.plot(some["lead"], [y] * len(some), marker, ls="", ms=7, mew=1.4, mfc="none", color=colour)
    for marker, words in dict.fromkeys(TARGET_MARKS.get(target, OTHER) for target in sorted(points["target"].unique())):
        ax.plot([], [], marker, ls="", ms=7, mew=1.4, mfc="none", color="0.2", label=words)
    from_top(ax, names)
    ax.set_xlabel("best on test less last")
    ax.axvline(0, color="0.7", lw=0.8)
    ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    small(ax)
    return signed(fig, line)


def halves_figure(found: pd.DataFrame, line: str) -> Figure:
    """Draw what the chosen epoch adds on the half of the test routines that chose it, and on the other half.

    Args:
        found: of `paired.choose_on_half`, with a column seed.
    """
    fig, axes = plt.subplots(1, 2, figsize=(7.4, 2.9), sharex=True, sharey=True)
    bins = np.linspace(found[["chosen", "other"]].min().min(), found[["chosen", "other"]].max().max(), 40)
    words = {"chosen": "on the half that chose", "other": "on the other half"}
    for ax, (name, title) in zip(axes, words.items(), strict=True):
        ax.hist(found[name], bins=bins, color="0.75")
        ax.axvline(0, color="0.3", lw=1)
        ax.axvline(found[name].mean(), color=RED, lw=2)
        ax.set(title=f"{title}\nmean {found[name].mean():+.3f}", xlabel="chosen epoch less the last", yticks=[])
        ax.xaxis.set_major_locator(MaxNLocator(5))
    small(*axes)
    return signed(fig, line)


def pairs_figure(found: pd.DataFrame, line: str) -> Figure:
    """Draw every pair's difference with its interval, and its p value as adjusted; `paired.compare`'s rows."""
    if found.empty:
        return nothing(line)
    fig, ax = plt.subplots(figsize=(7.4, 0.3 * len(found) + 1.2))
    for y, r in enumerate(found.itertuples()):
        colour = RED if r.holm < 0.05 else "0.35"
        ax.hlines(y, r.low, r.high, color=colour, lw=2)
        ax.plot(r.difference, y, "o", color=colour, ms=5)
    ax.axvline(0, color="0.6", lw=0.8)
    from_top(ax, [f"{r.first} – {r.second}" for r in found.itertuples()])
    ax.set_xlabel("difference of SRCC (95 % interval over routines)")
    small(ax)
    return signed(fig, line)


def pairs_table(found: pd.DataFrame) -> Styler:
    """`paired.compare` as the book sets it."""
    rows = {
        f"{r.first} – {r.second}": {
            "predictions\nalike": "undefined" if np.isnan(r.between) else f"{r.between:.2f}",
            "difference": tables.two_lines(r.difference, np.nan, np.nan, "+"),
            "95 %, bootstrap": tables.span(r.low, r.high, "+"),
            "p, permutation": tables.p_value(r.p),
            "p, Holm": tables.p_value(r.holm),
        }
        for r in found.itertuples()
    }
    return tables.styled(pd.DataFrame(rows).T, "pairs")


def printed_table(found: pd.DataFrame) -> Styler:
    """Rows of `paired.printed_differences` as the book sets them."""
    rows = {
        (f"{r.table}, {r.backbone}", f"{r.target}, {r.other}"): {
            "CoFInAl": f"{r.cofinal:.3f}",
            "other": f"{r.rival:.3f}",
            "difference": f"{r.difference:+.3f}",
            "z": f"{r.z:.2f}",
            "p": tables.p_value(r.p),
            "p, Holm": tables.p_value(r.holm),
            "z, alike": f"{r.z_alike:.2f}",
            "p, alike": tables.p_value(r.p_alike),
            "p, alike,\nHolm": tables.p_value(r.holm_alike),
        }
        for r in found.itertuples()
    }
    return tables.styled(pd.DataFrame(rows).T, "printed-differences")


def counts_table(found: pd.DataFrame) -> Styler:
    """How many differences of `paired.printed_differences` lie beyond luck (p < 0.05), a row a table and backbone."""
    columns = {
        "own routines": "p",
        "own routines,\nHolm": "holm",
        "same routines,\nmuch alike": "p_alike",
        "same routines,\nmuch alike, Holm": "holm_alike",
    }
    rows = {}
    for (table, backbone), part in found.groupby(["table", "backbone"], sort=False):
        counts = {words: str(int((part[column] < 0.05).sum())) for words, column in columns.items()}
        rows[f"{table}, {backbone}"] = {"differences": str(len(part))} | counts
    return tables.styled(pd.DataFrame(rows).T, "counts")


def assumed_figure(
    best: pd.DataFrame, averages: dict[str, tuple], family: int, measured: tuple[float, float], line: str
) -> Figure:
    """Draw each lead's z by how alike the two methods' predictions are assumed to be.

    Args:
        best: rows of `paired.printed_differences`, one a target. averages: words -> (first, second, n) of
            `paired.printed_test`, dashed. family: how many tests Holm's first step counts.
        measured: how alike pairs of methods are that have run, a band.
    """
    fig, ax = plt.subplots(figsize=(7, 3.6))
    between = np.linspace(0.5, 0.98, 49)
    for r in best.itertuples():
        possible = between[between >= r.cofinal * r.rival]
        z = [printed_test(r.cofinal, r.rival, r.n, b)[0] for b in possible]
        ax.plot(possible, z, color=TARGET_COLOURS[r.target], lw=1.5, label=f"{r.target}, over {r.other}")
    for (words, (first, second, n)), colour in zip(averages.items(), (RED, "0.5"), strict=False):
        possible = between[between >= np.max(np.multiply(first, second))]
        ax.plot(
            possible, [printed_test(first, second, n, b)[0] for b in possible], "--", color=colour, lw=2, label=words
        )
    ax.axvspan(*measured, color="0.9", lw=0)
    for edge, words in ((0.05, "one test"), (0.05 / family, f"{family} tests (Holm's first)")):
        z = stats.norm.isf(edge / 2)
        ax.axhline(z, color="0.4", lw=1, ls=":")
        ax.text(0.505, z + 0.05, words, fontsize=8, color="0.3")
    ax.set(xlabel="assumed rank correlation of the two methods' predictions", ylabel="z of CoFInAl's lead")
    ax.set(xlim=(0.5, 1), ylim=(0, 4))
    ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    small(ax)
    return signed(fig, line)


def needed_figure(claims: dict[str, tuple], measured: tuple[float, float], line: str) -> Figure:
    """Draw how many test routines of a target a claimed difference needs (power 80 %) by how alike the methods are.

    Args:
        claims: words -> (first, second) of `paired.routines_needed`. measured: as in `assumed_figure`.
    """
    fig, ax = plt.subplots(figsize=(7, 3.6))
    between = np.linspace(0.62, 0.98, 37)
    for (words, (first, second)), colour in zip(claims.items(), (BLUE, GREEN, SKY), strict=False):
        ax.plot(between, [routines_needed(first, second, b) for b in between], color=colour, lw=1.8, label=words)
    ax.axvspan(*measured, color="0.9", lw=0)
    for n, words in ((50, "RG has 50"), (100, "Fis-V has 100")):
        ax.axhline(n, color="0.4", lw=1, ls=":")
        ax.text(0.622, n * 1.06, words, fontsize=8, color="0.3")
    ax.set(
        yscale="log", xlabel="assumed rank correlation of the two methods' predictions", ylabel="test routines needed"
    )
    ax.set_yticks([50, 100, 200, 500, 1000, 2000], ["50", "100", "200", "500", "1000", "2000"])
    ax.minorticks_off()
    ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    small(ax)
    return signed(fig, line)
