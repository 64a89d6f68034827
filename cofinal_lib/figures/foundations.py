"""What chapters 1 and 2 draw. Every function returns its Figure, signed with where the numbers come from."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, NullLocator, PercentFormatter

from cofinal_lib.collapse import HEADS
from cofinal_lib.etf import simplex_etf
from cofinal_lib.figures import BLACK, BLUE, COLOURS, GREEN, ORANGE, PURPLE, RED, SKY, band, from_top, signed
from cofinal_lib.metrics import mean_interval
from cofinal_lib.tables import group_of

TARGETS = {"ball": "Ball", "clubs": "Clubs", "hoop": "Hoop", "ribbon": "Ribbon", "tes": "TES", "pcs": "PCS"}
HEAD_COLOURS = dict(zip(HEADS, (BLACK, SKY, PURPLE), strict=True))
HEAD_NAMES = {
    "learned": "learned, cross-entropy",
    "etf": "fixed ETF, cross-entropy",
    "etf_dot": "fixed ETF, dot regression",
}


def data_line(rg: pd.DataFrame, fisv: pd.DataFrame) -> str:
    """Say where two frames of `scores_at_hand` come from, from their attrs["source"]."""
    words = {"official": "official score files", "twin": "simulated twins"}
    sources = [words[frame.attrs["source"]] for frame in (rg, fisv)]
    if sources[0] == sources[1]:
        return f"Data: RG and Fis-V, {sources[0]}"
    return f"Data: RG, {sources[0]}; Fis-V, {sources[1]}"


def score_histograms(scores: pd.DataFrame, provenance: str) -> Figure:
    """Histogram of the scores of each target and split, with each mean's 95 % interval.

    Args:
        scores: long form of `scores_at_hand`: target, split, score in points.
    """
    figure, axes = plt.subplots(2, 3, figsize=(9, 5))
    for ax, (target, name) in zip(axes.flat, TARGETS.items(), strict=True):
        rows = scores[scores["target"] == target]
        bins = np.linspace(rows["score"].min(), rows["score"].max(), 15)
        tallest = 0
        for split, fill in (("train", True), ("test", False)):
            values = rows.loc[rows["split"] == split, "score"]
            style = {"alpha": 0.45} if fill else {"histtype": "step", "linewidth": 2}
            heights, *_ = ax.hist(values, bins, density=True, color=COLOURS[split], label=split, **style)
            tallest = max(tallest, heights.max())
        for place, split in ((1.08, "test"), (1.19, "train")):
            mean, low, high = mean_interval(rows.loc[rows["split"] == split, "score"])
            ax.errorbar(
                mean,
                place * tallest,
                xerr=[[mean - low], [high - mean]],
                fmt="o",
                ms=4,
                capsize=3,
                color=COLOURS[split],
            )
        ax.set(title=f"{group_of(target)} {name}", yticks=[])
        ax.spines["left"].set_visible(False)
    for ax in axes[1]:
        ax.set_xlabel("score (points)")
    axes[0, 0].legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(-0.05, 0.9))
    return signed(figure, f"{provenance} · dots: means with 95 % intervals · CPU · redraw: book/01-problem.ipynb")


def ceilings(frame: pd.DataFrame, provenance: str) -> Figure:
    """The best SRCC a scale allows against its number of levels, a panel a target.

    Args:
        frame: columns target, scale, levels, srcc, low, high.
    """
    figure, axes = plt.subplots(2, 3, figsize=(9, 5), sharex=True, sharey=True)
    colours = dict(zip(frame["scale"].unique(), (BLUE, RED), strict=True))
    markers = dict(zip(colours, "os", strict=True))
    for ax, (target, name) in zip(axes.flat, TARGETS.items(), strict=True):
        for scale, rows in frame[frame["target"] == target].groupby("scale", sort=False):
            style = {"marker": markers[scale], "ms": 4, "color": colours[scale], "label": scale}
            band(ax, rows["levels"], rows["srcc"], rows["low"], rows["high"], **style)
        ax.set(title=name, xscale="log", xticks=[4, 7, 20, 100], xticklabels=[4, 7, 20, 100])
        ax.xaxis.set_minor_locator(NullLocator())
    for ax in axes[1]:
        ax.set_xlabel("levels (grades × sub-grades)")
    for ax in axes[:, 0]:
        ax.set_ylabel("highest SRCC")
    axes[0, 0].legend(frameon=False, fontsize="small", loc="lower right")
    return signed(
        figure,
        f"{provenance} · test routines · bands: 95 % bootstrap over routines · CPU · redraw: book/01-problem.ipynb",
    )


def averages(table: pd.DataFrame) -> Figure:
    """Printed averages less those recomputed from the cells, against what rounding can explain.

    Args:
        table: columns label, printed, recomputed, low, high (what the rounded cells allow), agrees.
    """
    figure, ax = plt.subplots(figsize=(7.5, 0.27 * len(table) + 1.4))
    for y, row in enumerate(table.itertuples()):
        colour = BLUE if row.agrees else RED
        ax.plot(
            [row.low - row.recomputed, row.high - row.recomputed],
            [y, y],
            lw=7,
            color="0.82",
            solid_capstyle="butt",
        )
        ax.errorbar(row.printed - row.recomputed, y, xerr=0.0005, fmt="o", ms=4, color=colour, capsize=2)
    ax.axvline(0, color="0.4", lw=1)
    from_top(ax, table["label"], 0.5)
    ax.set_xlabel("printed − recomputed average (SRCC)")
    ax.tick_params(axis="y", labelsize=9)
    ax.xaxis.set_major_locator(MultipleLocator(0.001))
    return signed(
        figure,
        "Data: Table 1 of the paper · grey: reach of the cells · bars: rounding of the average"
        " · redraw: book/01-problem.ipynb",
    )


def sampling(samples: dict[int, np.ndarray], truth: float, intervals: dict[int, tuple], seed: int) -> Figure:
    """How the SRCC of one and the same model scatters from test set to test set.

    Args:
        samples: number of routines -> simulated SRCCs. truth: the SRCC over all routines there could be.
        intervals: number of routines -> the formula's 95 % interval around `truth`.
    """
    figure, axes = plt.subplots(len(samples), 1, figsize=(7, 1.7 * len(samples) + 0.8), sharex=True)
    bins = np.linspace(min(s.min() for s in samples.values()), 1, 70)
    for ax, (n, values), colour in zip(axes, samples.items(), (BLUE, GREEN, ORANGE), strict=False):
        heights, *_ = ax.hist(values, bins, color=colour, alpha=0.5, density=True)
        ax.axvline(truth, color=BLACK, lw=1)
        middle = np.quantile(values, [0.025, 0.975])
        for place, (low, high), style, name in (
            (1.1, middle, "-", "95 % of the simulated test sets"),
            (1.3, intervals[n], ":", "the formula's 95 % interval"),
        ):
            ax.plot([low, high], [place * heights.max()] * 2, style, color=BLACK, lw=2.5, label=name)
        ax.set(yticks=[], ylabel=f"{n} routines", ylim=(0, 1.45 * heights.max()))
        ax.spines["left"].set_visible(False)
    axes[0].legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    axes[-1].set_xlabel("SRCC on the test set")
    repeats = len(next(iter(samples.values())))
    return signed(
        figure, f"Data: simulated, {repeats} test sets of each size · seed {seed} · CPU · redraw: book/01-problem.ipynb"
    )


def forest(frame: pd.DataFrame) -> Figure:
    """Printed SRCCs of two methods on every target, each with the interval its test routines allow.

    Args:
        frame: columns method, target, n, srcc, low, high.
    """
    figure, ax = plt.subplots(figsize=(7, 4))
    methods = list(frame["method"].unique())
    for i, (method, colour) in enumerate(zip(methods, (ORANGE, COLOURS["cofinal"]), strict=True)):
        rows = frame[frame["method"] == method]
        y = np.arange(len(rows)) + 0.28 * (i - 0.5)
        error = [rows["srcc"] - rows["low"], rows["high"] - rows["srcc"]]
        ax.errorbar(rows["srcc"], y, xerr=error, fmt="os"[i], color=colour, capsize=3, label=f"{method} (printed)")
    names = [f"{TARGETS[t]} ({n} routines)" for t, n in zip(rows["target"], rows["n"], strict=True)]
    from_top(ax, names, 0.5)
    ax.set_xlabel("SRCC")
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return signed(
        figure,
        "Data: Table 1 of the paper (VST rows) · 95 % intervals: ours, Bonett and Wright (2000)"
        " · redraw: book/01-problem.ipynb",
    )


def etf_geometry() -> Figure:
    """The simplex ETFs that fit on paper: two vectors on a line, three in the plane, four in space."""
    figure = plt.figure(figsize=(9, 3.3))
    colours = (BLUE, ORANGE, GREEN, RED)
    around = np.linspace(0, 2 * np.pi, 200)
    for K in (2, 3):
        ax = figure.add_subplot(1, 3, K - 1)
        E = simplex_etf(K - 1, K).numpy()  # (K-1, K)
        E = np.vstack([E, np.zeros(K)])[:2]  # a line is drawn in the plane
        if K == 3:
            ax.plot(np.cos(around), np.sin(around), color="0.85", lw=1)
        for (x, y), colour in zip(E.T, colours, strict=False):
            ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.5})
        for k, (x, y) in enumerate(E.T, start=1):
            ax.text(1.18 * x, 1.18 * y, f"$e_{k}$", ha="center", va="center" if K == 3 else "bottom")
        ax.plot(0, 0, "o", color=BLACK, ms=3)
        ax.set(
            xlim=(-1.35, 1.35),
            ylim=(-1.35, 1.35),
            aspect="equal",
            title=f"K = {K}: cosine {('−1', '−1/2')[K - 2]}",
        )
        ax.axis("off")
    ax = figure.add_subplot(1, 3, 3, projection="3d")
    E = simplex_etf(3, 4).numpy()  # (3, 4)
    for i in range(4):
        for j in range(i):
            ax.plot(*E[:, [i, j]], color="0.7", lw=1)
        ax.plot(*np.stack([np.zeros(3), E[:, i]], 1), color=colours[i], lw=2.5)
        ax.scatter(*E[:, [i]], color=colours[i], s=25)
        ax.text(*(1.2 * E[:, i]), f"$e_{i + 1}$", ha="center", va="center", clip_on=False)
    ax.set(xlim=(-0.9, 0.9), ylim=(-0.9, 0.9), zlim=(-0.9, 0.9), title="K = 4: cosine −1/3")
    ax.view_init(22, -50)
    ax.set_axis_off()
    return signed(figure, "Data: none, exact geometry by cofinal_lib.simplex_etf(K − 1, K) · redraw: book/02-etf.ipynb")


def collapse_curves(runs: pd.DataFrame, provenance: str) -> Figure:
    """Errors and the three measures of neural collapse by epoch: means over seeds, 95 % intervals.

    Means are arithmetic of the errors, which may be zero, and geometric of the measures.

    Args:
        runs: rows of `collapse.train` of several seeds, with a column seed.
    """
    figure, axes = plt.subplots(1, 4, figsize=(11, 3.2), sharex=True)
    by_epoch = runs.groupby("epoch")
    for split in ("train", "test"):
        bands = np.array([mean_interval(g[f"{split}_error"]) for _, g in by_epoch])  # (epochs, 3)
        band(axes[0], list(by_epoch.groups), *bands.clip(0).T, color=COLOURS[split], label=split)
    axes[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0].set_title("error")
    axes[0].legend(frameon=False)
    titles = {"nc1": "spread within classes", "angles": "gap of the cosines", "norms": "unevenness of norms"}
    solved = runs.groupby("seed").apply(lambda g: g.loc[g["train_error"] == 0, "epoch"].min(), include_groups=False)
    for ax, (name, title) in zip(axes[1:], titles.items(), strict=True):
        bands = np.exp([mean_interval(np.log(g[name])) for _, g in by_epoch])
        band(ax, list(by_epoch.groups), *bands.T, color=BLUE, label=name)
        ax.set(title=title, yscale="log")
    for ax in axes:
        if solved.notna().all():
            ax.axvline(solved.max(), color="0.6", lw=1, ls="--")
        ax.set_xlabel("epoch")
    return signed(figure, provenance)


def heads_compared(errors: pd.DataFrame, differences: pd.DataFrame, provenance: str) -> Figure:
    """Test error of three heads by training samples a class, and paired differences from the learned one.

    Args:
        errors, differences: columns head, n, mean, low, high, in shares of 1; differences without "learned".
    """
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8))
    for ax, frame in zip(axes, (errors, differences), strict=True):
        sizes = list(frame["n"].unique())
        for i, (head, rows) in enumerate(frame.groupby("head", sort=False)):
            x = np.array([sizes.index(n) for n in rows["n"]]) + 0.16 * (i - (frame["head"].nunique() - 1) / 2)
            error = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
            style = {"color": HEAD_COLOURS[head], "fmt": "os^"[HEADS.index(head)], "capsize": 3}
            ax.errorbar(x, rows["mean"], yerr=error, label=HEAD_NAMES[head], **style)
        ax.set(xticks=range(len(sizes)), xticklabels=sizes, xlabel="training images a class")
    axes[0].set(ylabel="test error", ylim=(0, None))
    axes[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0].legend(frameon=False, fontsize="small")
    axes[1].axhline(0, color=HEAD_COLOURS["learned"], lw=1)
    axes[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes[1].set_ylabel("fixed − learned (percentage points)")
    return signed(figure, provenance)


def order_lost(K: int) -> Figure:
    """Distances between K sub-grades: as judges count them, |i − j|, and between the columns of an ETF."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.7))
    E = simplex_etf(K - 1, K)
    i = torch.arange(K)
    pictures = {
        "sub-grades apart, |i − j|": (i[:, None] - i).abs(),
        "distance of ETF columns": torch.cdist(E.T, E.T),
    }
    for ax, (title, distance) in zip(axes, pictures.items(), strict=True):
        image = ax.imshow(distance, cmap="cividis", vmin=0)
        ax.set(
            title=title,
            xlabel="sub-grade j",
            ylabel="sub-grade i",
            xticks=range(0, K, 5),
            yticks=range(0, K, 5),
        )
        ax.spines[:].set_visible(False)
        figure.colorbar(image, ax=ax, shrink=0.85)
    return signed(
        figure, f"Data: none, exact distances of {K} sub-grades by cofinal_lib.simplex_etf · redraw: book/02-etf.ipynb"
    )
