"""Chapter 15: what an arg max over the whole batch does to a training SRCC."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from cofinal_lib import tables
from cofinal_lib.artefact import shifts, simulate
from cofinal_lib.figures import BLACK, BLUE, COLOURS, GREEN, ORANGE, PURPLE, RED, nothing, signed, small
from cofinal_lib.metrics import spearman

# How each of `artefact.MEASURES` is drawn: colour, dash, its name in a legend.
LINES = {
    "whole": (ORANGE, "--", "train, after the epoch"),
    "per_routine": (ORANGE, "-", "train, while training"),
    "logged": (RED, "-", "train, as logged"),
    "test": (BLUE, "-", "test"),
}


def one_epoch(scores: np.ndarray, cap: float, line: str, seed: int = 0) -> Figure:
    """Draw one epoch of perfect predictions, as they are and as the flat arg max shifts them; a colour a batch.

    Args:
        scores: (N,), in points. cap: the score that counts as 1.
    """
    random = np.random.default_rng(seed)
    true = random.permutation(scores)
    shift = cap * shifts(len(true), 1, random)[0]
    batch = np.arange(len(true)) // 32
    fig, axes = plt.subplots(1, 2, figsize=(8.2, 3.6), sharex=True, sharey=True)
    for ax, predicted, words in zip(axes, (true, true + shift), ("as predicted", "as logged"), strict=True):
        ax.scatter(true, predicted, c=batch, cmap="viridis", s=14)
        ax.plot([true.min(), true.max()], [true.min(), true.max()], color="0.6", lw=0.8, zorder=0)
        ax.set(title=f"{words}: SRCC {spearman(predicted, true):.3f}", xlabel="judges' score (points)")
        small(ax)
    axes[0].set_ylabel("prediction (points)", fontsize=10)
    return signed(fig, line)


def distribution(simulated: pd.DataFrame, marks: dict[str, float], line: str) -> Figure:
    """Draw the logged SRCC of many epochs of perfect predictions, and what share lies below some values.

    Args:
        simulated: of `artefact.simulate`. marks: words -> value.
    """
    fig, ax = plt.subplots(figsize=(7, 3.2))
    ax.hist(simulated["logged"], bins=50, color="0.75")
    low, high = np.quantile(simulated["logged"], [0.025, 0.975])
    ax.hlines(0.02, low, high, color=RED, lw=4, transform=ax.get_xaxis_transform(), label="middle 95 %")
    for (words, value), colour in zip(marks.items(), (BLUE, GREEN, PURPLE), strict=False):
        if np.isfinite(value):
            share = 100 * (simulated["logged"] < value).mean()
            ax.axvline(value, color=colour, lw=1.5, label=f"{words}: {share:.0f} % of epochs lie below")
    ax.axvline(simulated["honest"].mean(), color=BLACK, lw=1.5, label="the SRCC as it is")
    ax.set(xlabel="SRCC of perfect predictions, as logged", yticks=[], ylabel="simulated epochs")
    ax.legend(fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    small(ax)
    return signed(fig, line)


def noise_table(scores: np.ndarray, points: tuple[float, ...], cap: float, draws: int) -> Styler:
    """Models of several qualities: SRCC as it is, and as logged: mean, deviation, middle 90 %.

    Args:
        scores: (N,), in points. points: deviations of the predictions' errors. cap: the score that counts as 1.
    """
    arms = {f"error of {p:g} points": {"noise": p / cap} for p in points}
    arms |= {"no error, 5 sub-grades only": {"columns": 5}}
    rows = {}
    for name, arm in arms.items():
        found = simulate(scores / cap, draws=draws, **arm)
        low, high = found["logged"].quantile([0.05, 0.95])
        rows[name.replace("error of 0 points", "no error")] = {
            "as it is": f"{found['honest'].mean():.3f}",
            "as logged": f"{found['logged'].mean():.3f}",
            "deviation\nbetween epochs": f"{found['logged'].std():.3f}",
            "middle 90 %\nof epochs": tables.span(low, high),
        }
    return tables.styled(pd.DataFrame(rows).T, "noise")


def watched(kept: pd.DataFrame, line: str) -> Figure:
    """Draw the SRCC of one training as it is measured in four ways, a panel a seed.

    Args:
        kept: of `artefact.watch`, several seeds.
    """
    seeds = kept["seed"].unique()
    fig, axes = plt.subplots(1, len(seeds), figsize=(4.1 * len(seeds), 3.6), sharey=True, squeeze=False)
    for ax, seed in zip(axes[0], seeds, strict=True):
        for measure, (colour, dash, words) in LINES.items():
            curve = kept[(kept["seed"] == seed) & (kept["measure"] == measure)]
            ax.plot(curve["epoch"], curve["srcc"], dash, color=colour, lw=1.3, label=words)
        ax.axhline(0, color="0.6", lw=0.6)
        ax.set(title=f"seed {seed}", xlabel="epoch")
        small(ax)
    axes[0, 0].set_ylabel("SRCC", fontsize=10)
    axes[0, 0].legend(fontsize=9, frameon=False, loc="lower right")
    return signed(fig, line)


def watched_table(kept: pd.DataFrame, last: int = 20) -> Styler:
    """The last epochs of each seed: mean and deviation of every measure, and the epochs with train below test."""
    rows = {}
    end = kept[kept["epoch"] > kept["epoch"].max() - last]
    words = {"simulated": "train, while training,\nplus drawn shifts"} | {m: name for m, (_, _, name) in LINES.items()}
    for seed, part in end.groupby("seed"):
        wide = part.pivot(index="epoch", columns="measure", values="srcc")
        for measure in ("whole", "per_routine", "simulated", "logged", "test"):
            values = wide[measure].dropna()
            below = "" if measure == "test" else f"{(values < wide['test'][values.index]).sum()} of {len(values)}"
            rows[f"seed {seed}", words[measure]] = {
                "mean": f"{values.mean():.3f}",
                "deviation": f"{values.std():.3f}",
                "below test": below,
            }
    return tables.styled(pd.DataFrame(rows).T, "watched")


def log_figure(log: pd.DataFrame, line: str, last: int = 50) -> Figure:
    """Draw the authors' log: SRCC on train, as logged, and on test; all epochs, and the last ones."""
    if log.empty:
        return nothing(line)
    fig, axes = plt.subplots(1, 2, figsize=(8.2, 3.5), sharey=True, width_ratios=(3, 2))
    for ax, part in zip(axes, (log, log.tail(last)), strict=True):
        ax.plot(part["epoch"], part["train"], color=RED, lw=1.1, label="train, as logged")
        ax.plot(part["epoch"], part["test"], color=COLOURS["test"], lw=1.3, label="test")
        ax.set_xlabel("epoch (from 0)")
        small(ax)
    axes[0].plot(log["test"].idxmax(), log["test"].max(), "v", color=COLOURS["test"], ms=7, label="highest test")
    axes[0].set_ylabel("SRCC", fontsize=10)
    axes[0].legend(fontsize=9, frameon=False, loc="lower right")
    axes[1].set_title(f"the last {last} epochs", fontsize=10)
    return signed(fig, line)


def inversion_figure(curves: dict[float, pd.DataFrame], facts: dict[str, float], line: str) -> Figure:
    """Draw the SRCC as logged against the SRCC as it is, by how shrunk predictions are; a band for the log's mean.

    Args:
        curves: shrinkage -> `artefact.inversion`. facts: of `artefact.log_facts`.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    for (shrink, curve), dash in zip(curves.items(), ("-", "--", ":"), strict=False):
        ax.plot(curve["honest"], curve["logged"], dash, color=RED, lw=1.6, label=f"predictions × {shrink:g}")
    ax.plot([0.6, 1], [0.6, 1], color="0.6", lw=0.8)
    ax.annotate("as it is", (0.68, 0.69), fontsize=9, color="0.4", rotation=30)
    reach = 1.96 * facts["train_error"]
    ax.axhspan(facts["train"] - reach, facts["train"] + reach, color="0.85", lw=0, label="the log, last 50 epochs")
    ax.set(xlabel="training SRCC, as it is", ylabel="as logged (mean)", xlim=(0.65, 1.01), ylim=(0.55, 1.01))
    ax.legend(fontsize=9, frameon=False, loc="upper left")
    small(ax)
    return signed(fig, line)


def inversion_table(found: pd.DataFrame) -> Styler:
    """The honest SRCC behind the log by shrinkage; see `artefact.behind_the_log`."""
    rows = {
        f"predictions × {r.shrink:g}": {
            "training SRCC, as it is": f"{r.honest:.3f}",
            "95 %": tables.span(r.low, r.high),
            "deviation between\nepochs, simulated": f"{r.spread:.3f}",
            "within the log's": "yes" if r.fits else "no",
        }
        for r in found.itertuples()
    }
    return tables.styled(pd.DataFrame(rows).T, "inversion")
