"""Chapter 13: the paper's equations beside the released program."""

from html import escape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from cofinal_lib import tables
from cofinal_lib.figures import BLUE, COLOURS, GREEN, ORANGE, PURPLE, RED, SKY, from_top, signed
from cofinal_lib.paper import facts
from cofinal_lib.side_by_side import permalinks, subgrades

RELEASED, PRINTED = SKY, COLOURS["cofinal"]  # as in every figure of the book


def anchor(chapter: str, section: str, words: str) -> str:
    """A link to a section of the same page, whose target is (chapter-section)=."""
    return f'<a href="#{chapter}-{section}">{escape(words)}</a>'


def _places(places: str) -> str:
    return "<br>".join(f'<a href="{url}">{escape(words)}</a>' for words, url in permalinks(places))


def equations_table() -> Styler:
    """Eq. 1 to 16: the text, the released program with permalinks, ours, what follows; linked to the sections."""
    rows = []
    for r in facts("equations").itertuples():
        page, _, section = r.ours_shown.partition("#")
        ours = f'<a href="{page}.html#{section}">{escape(r.ours_at).replace(", ", "<br>")}</a>'
        released = f"{escape(r.released)}<br>{_places(r.released_at)}"
        rows.append((anchor("side", r.section, r.equation), r.says, released, ours, r.consequence, r.known))
    columns = ["Eq.", "the text", "the released program", "ours", "what follows", "known by"]
    table = tables.styled(pd.DataFrame(rows, columns=columns), "equations", wrap=True)
    return table.format(None, subset=["Eq.", "the released program", "ours"]).hide()


def settings_table() -> Styler:
    """Settings of Sec. 4.1 beside the released scripts', with permalinks."""
    table = facts("settings")
    table["released"] = [
        f"{escape(r.released)}<br>{_places(r.released_at)}" for r in table.drop(columns="setting").itertuples()
    ]
    table = table.drop(columns="released_at").replace("", tables.NOTHING)
    table.columns = ["setting", "the text", "the released program", "what follows"]
    return tables.styled(table, "settings", wrap=True).format(None, subset=["the released program"]).hide()


def mates_figure(found: pd.DataFrame, line: str) -> Figure:
    """Draw `side_by_side.among_mates`: how far batches turn one routine, and how far routines lie apart in them."""
    fig, ax = plt.subplots(figsize=(7, 2.4))
    turned = np.rad2deg(np.arccos(found["cosine"].clip(-1, 1)))
    shown = {
        "one routine, in a batch\nagainst alone": (turned, RED),
        "two routines,\neach alone": (found["spread_alone"], PRINTED),
        "two routines,\nin one batch": (found["spread"], RELEASED),
    }
    for y, (values, colour) in enumerate(shown.values()):
        ax.plot(values, np.full(len(values), y), "|", color=colour, ms=16, alpha=0.6)
    from_top(ax, list(shown), 0.5)
    ax.set_xlim(0)
    ax.set_xlabel("angle between fine vectors, degrees", fontsize=10)
    return signed(fig, line)


def subgrades_figure(scores: pd.DataFrame, line: str) -> Figure:
    """Draw how often each of 100 sub-grades occurs, as the released program finds them, a row a target.

    Args:
        scores: target, score (points).
    """
    targets = list(scores["target"].unique())
    size = (8, 1.1 * len(targets) + 0.8)
    fig, axes = plt.subplots(len(targets), 1, figsize=size, sharex=True, sharey=True, squeeze=False)
    axes = axes[:, 0]
    for ax, target in zip(axes, targets, strict=True):
        found = subgrades(scores.loc[scores["target"] == target, "score"].to_numpy())
        count, exact = (np.bincount(found[name], minlength=100) for name in ("fine", "exact_fine"))
        here = np.flatnonzero(count)
        ax.bar(here, count[here], width=1, color=[RELEASED if exact[k] else ORANGE for k in here])
        slipped = int((found["fine"] != found["exact_fine"]).sum())
        words = f"{target}: {len(here)} of 100 occur ({int((exact > 0).sum())} without rounding), {slipped} labels slip"
        ax.set_title(words, fontsize=9, loc="left")
        ax.tick_params(labelsize=8)
    axes[-1].set_xlabel("sub-level (orange: there by rounding alone)", fontsize=9)
    axes[len(axes) // 2].set_ylabel("training routines", fontsize=9)
    return signed(fig, line)


def floor_figure(losses: np.ndarray, constants: dict[str, float], line: str) -> Figure:
    """Draw the log's total training loss by epoch, over what the fine loss alone costs for answers that see nothing.

    Args:
        losses: (E,), as logged, some 250 epochs; none where the log is not at hand.
        constants: words -> L1 of three answers, the best first.
    """
    fig, ax = plt.subplots(figsize=(7, 3.3))
    if len(losses):
        ax.plot(losses, color="0.35", lw=1.2)
        ax.text(40, losses[36], "the whole loss, logged", fontsize=9, va="center", color="0.2")
    for i, (words, value) in enumerate(constants.items()):
        ax.axhline(value, color=(RED, PURPLE, GREEN)[i], lw=1.5)
        ax.text(248, value, f"{words}: {value:.4f}", fontsize=9, ha="right", va="bottom" if i else "top")
    ax.set_ylim(min(constants.values()) - 0.012, max(constants.values()) + 0.02)
    ax.set_xlim(0, max(len(losses), 250))
    ax.set_xlabel("epoch", fontsize=10)
    ax.set_ylabel("loss", fontsize=10)
    return signed(fig, line)


def cap_figure(scores: pd.DataFrame, limits: dict[str, float], line: str) -> Figure:
    """Draw scores of several targets over the highest scores that heads can give.

    Args:
        scores: target, score (points).
        limits: words -> points.
    """
    targets = list(scores["target"].unique())
    fig, axes = plt.subplots(1, len(targets), figsize=(8, 2.8), sharex=True, sharey=True)
    for ax, target in zip(axes, targets, strict=True):
        values = scores.loc[scores["target"] == target, "score"]
        ax.hist(values, bins=np.arange(0, 46, 1.5), color="0.8")
        for (words, limit), colour in zip(limits.items(), (RED, BLUE), strict=True):
            share = 100 * float((values > limit).mean())
            ax.axvline(limit, color=colour, lw=1.6, label=f"{words}: {share:.1f} % above")
        ax.set_title(target.upper(), fontsize=10)
        ax.set_xlabel("score, points", fontsize=9)
        ax.legend(fontsize=8, frameon=False, loc="upper left", handlelength=1)
    axes[0].set_ylim(top=1.3 * axes[0].get_ylim()[1])
    axes[0].set_ylabel("routines", fontsize=9)
    return signed(fig, line)
