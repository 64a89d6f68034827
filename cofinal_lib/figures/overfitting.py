"""Chapter 12: Figure 6, learning curves, and the gap between training and test routines."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from cofinal_lib import main_results, tables
from cofinal_lib.figures import (
    BLUE,
    COLOURS,
    MEASURE_NAMES,
    METHOD_COLOURS,
    METHOD_NAMES,
    PLAIN_NAMES,
    band,
    from_top,
    nothing,
    panels,
    signed,
    small,
)
from cofinal_lib.metrics import mean_interval, pearson_of, spearman_interval, spearman_rows


def learning_curves(results: pd.DataFrame, line: str, measures=("srcc", "loss")) -> Figure:
    """Draw Figure 6: curves by epoch, a column a method, a row a target and measure; bands are over seeds.

    SRCC and R-l2 share an axis along a row; losses do not, for each method has its own. One seed has no band. Where no
    curve is kept, the panel says so.

    Args:
        results: of `results.curves`. measures: of "srcc", "relative_l2", "loss".
    """
    if results.empty:
        return nothing(line)
    targets = list(results["target"].unique())
    methods = [m for m in METHOD_NAMES if m in set(results["method"])]
    rows = [(target, measure) for target in targets for measure in measures]
    size = (2.7 * max(len(methods), 2) + 0.6, 2.2 * len(rows) + 0.7)
    fig, axes = plt.subplots(len(rows), len(methods), figsize=size, squeeze=False)
    for along, (target, measure) in zip(axes, rows, strict=True):
        shown = results[(results["target"] == target) & (results["measure"] == measure)]
        for ax, method in zip(along, methods, strict=True):
            part = shown[shown["method"] == method]
            if part.empty:
                ax.axis("off")
                ax.text(0.5, 0.5, "no curve", ha="center", va="center", fontsize=9, color="0.5", transform=ax.transAxes)
                continue
            for split, curve in part.groupby("split", sort=False):
                mark = "o" if len(curve) == 1 else None
                bands = (curve[end] for end in ("mean", "low", "high"))
                band(ax, curve["epoch"], *bands, color=COLOURS[split], label=split, lw=1.4, marker=mark)
            if measure == "srcc":
                ax.axhline(0, color="0.6", lw=0.6)
            if measure != "loss":
                ax.set_ylim(*_span(shown, measure))
            ax.tick_params(labelsize=8)
            ax.margins(x=0.02)
            ax.set_xlabel("epoch" if measure == measures[-1] else "", fontsize=9)
            if measure == measures[0]:
                words = f"{METHOD_NAMES[method]}, {tables.in_seeds(int(part['seeds'].iloc[0]))}"
                ax.set_title(f"{words}\n{target} ({part['source'].iloc[0]})", fontsize=9)
        first = next((ax for ax in along if ax.lines), along[0])
        first.set_ylabel(MEASURE_NAMES[measure], fontsize=10)
    next((ax for ax in axes.flat if ax.lines), axes[0, 0]).legend(fontsize=8, frameon=False)
    return signed(fig, line)


def _span(shown: pd.DataFrame, measure: str) -> tuple[float, float]:
    """The vertical axis that holds all curves and bands of a row."""
    values = shown[["mean", "low", "high"]].to_numpy(float)
    if measure == "srcc":
        return min(0.0, float(np.nanmin(values))), 1.0
    return 0.0, 1.05 * float(np.nanmax(values))


def crossings(results: pd.DataFrame) -> pd.DataFrame:
    """Where test SRCC lies above train SRCC, in the mean over seeds, on the epochs at which both were measured.

    Args:
        results: of `results.curves`.

    Returns:
        target, source, method; epochs measured, above (how many of them), last (the last such epoch; 0 for never); at
        the last epoch measured, train and test; the highest test SRCC, peak, and its epoch, peak_epoch (by hindsight).
    """
    rows = []
    srcc = results[results["measure"] == "srcc"]
    for (target, source, method), part in srcc.groupby(["target", "source", "method"], sort=False):
        wide = part.pivot_table(index="epoch", columns="split", values="mean").reindex(columns=["train", "test"])
        both = wide.dropna()
        if both.empty:
            continue
        peak_epoch = wide["test"].idxmax()
        above = both.index[both["test"] > both["train"]]
        last = int(above.max()) if len(above) else 0
        end = [float(both[split].iloc[-1]) for split in ("train", "test")]
        peak = float(wide.loc[peak_epoch, "test"])
        rows.append((target, source, method, len(both), len(above), last, *end, peak, int(peak_epoch)))
    columns = ["target", "source", "method", "epochs", "above", "last", "train", "test", "peak", "peak_epoch"]
    return pd.DataFrame(rows, columns=columns)


def crossings_table(found: pd.DataFrame) -> Styler:
    """`crossings` as the book's table."""
    rows = {
        (f"{r.target} ({r.source})", METHOD_NAMES[r.method]): {
            "test above\ntrain": f"{r.above} of {r.epochs}",
            "last at\nepoch": str(r.last) if r.last else "never",
            "train,\nat the end": f"{r.train:.3f}",
            "test,\nat the end": f"{r.test:.3f}",
            "highest test,\nby hindsight": f"{r.peak:.3f}, epoch {r.peak_epoch}",
        }
        for r in found.itertuples()
    }
    return tables.styled(pd.DataFrame(rows).T, "crossings")


def gaps(results: pd.DataFrame) -> pd.DataFrame:
    """Train SRCC less test SRCC at the last epoch (soft), a row a target and method; the whole method alone.

    Columns: target, source, method, seeds; train, test with their _low, _high (Student's 95 % over seeds); gap,
    gap_low, gap_high, paired by seed; test_from, test_to, over resampled test routines; gap_from, gap_to, over training
    and test routines, whose errors (Bonett and Wright's) add as squares. One seed has no interval over seeds, nor has a
    method that draws nothing at random.

    Args:
        results: of `results.tidy`, one artefact's or several'; a run that occurs twice counts once.
    """
    chosen = tables.soft(results, selection="last")
    chosen = chosen[chosen["without"] == ""].drop_duplicates(["target", "method", "split"])
    rows = []
    for (target, source, method), part in chosen.groupby(["target", "source", "method"], sort=False):
        split = part.set_index("split")
        if not {"train", "test"} <= set(split.index):
            continue
        train, test = (tables.per_seed(split.loc[name, "per_seed"]) for name in ("train", "test"))
        row = {"target": target, "source": source, "method": method, "seeds": len(test)}
        estimates = {"train": (train, True), "test": (test, True), "gap": (train - test, False)}
        for name, (values, correlations) in estimates.items():
            ends = name, f"{name}_low", f"{name}_high"
            row |= zip(ends, tables.seeds_interval(values, correlations), strict=True)
        row |= {"test_from": split.loc["test", "routines_low"], "test_to": split.loc["test", "routines_high"]}
        n_train = tables.n_train(target, split.loc["train", "options"])
        low, high = spearman_interval(min(row["train"], 1 - 1e-9), n_train)
        test_low, test_high = spearman_interval(row["test"], tables.N_TEST[tables.group_of(target)])
        down = np.hypot(row["train"] - low, test_high - row["test"])
        up = np.hypot(high - row["train"], row["test"] - test_low)
        rows.append(row | {"gap_from": row["gap"] - down, "gap_to": row["gap"] + up})
    columns = ["target", "source", "method", "seeds"]
    columns += [f"{name}{end}" for name in ("train", "test", "gap") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=[*columns, "test_from", "test_to", "gap_from", "gap_to"])


def gaps_figure(found: pd.DataFrame, line: str) -> Figure:
    """Draw `gaps`: train (hollow, above) joined to test (filled, below), a panel a target, a row a method.

    Thick: 95 % intervals over seeds; thin: over resampled test routines.
    """
    if found.empty:
        return nothing(line)
    targets = list(found["target"].unique())
    methods = [m for m in METHOD_NAMES if m in set(found["method"])]
    fig, axes = panels(len(targets), 0.9 + 0.34 * len(methods), width=2.5 * min(len(targets), 3) + 2, sharex=True)
    for ax, target in zip(axes.flat, targets, strict=False):
        part = found[found["target"] == target]
        for r in part.itertuples():
            y, colour = methods.index(r.method), METHOD_COLOURS[r.method]
            up, down = y - 0.17, y + 0.17  # the axis points downwards
            ax.plot([r.train, r.test], [up, down], ":", color=colour, lw=1)
            ax.hlines(down, r.test_from, r.test_to, color=colour, lw=1)
            ax.hlines([up, down], [r.train_low, r.test_low], [r.train_high, r.test_high], color=colour, lw=3)
            ax.plot(r.train, up, "o", color=colour, mfc="w", ms=6)
            ax.plot(r.test, down, "o", color=colour, ms=6)
        ax.axvline(0, color="0.6", lw=0.8)
        ax.set_title(f"{target} ({part['source'].iloc[0]})", fontsize=10)
        ax.tick_params(labelsize=9, labelbottom=True)
    from_top(axes[0, 0], [METHOD_NAMES[m] for m in methods])
    ends = found[["train", "test", "test_from", "train_low", "test_low"]].to_numpy(float)
    axes[0, 0].set_xlim(min(0.0, float(np.nanmin(ends))) - 0.03, 1.03)
    for ax in axes[-1]:
        ax.set_xlabel("SRCC (hollow: train; filled: test)", fontsize=9)
    return signed(fig, line)


def gap_table(found: pd.DataFrame) -> Styler:
    """`gaps` as the book's table: train, test, the gap with its interval over seeds and over routines."""
    rows = {
        (f"{r.target} ({r.source})", METHOD_NAMES[r.method]): {
            "seeds": str(r.seeds),
            "train": tables.number(r.train),
            "test": tables.number(r.test),
            "gap": tables.number(r.gap, "+"),
            "gap, over\nseeds": tables.span(r.gap_low, r.gap_high, "+"),
            "gap, over\nroutines": tables.span(r.gap_from, r.gap_to, "+"),
        }
        for r in found.itertuples()
    }
    return tables.styled(pd.DataFrame(rows).T, "gaps")


def gaps_in_words(found: pd.DataFrame) -> Markdown:
    """Of each target of `gaps`: who has the largest and the lowest gap, and who ranks the test routines best."""
    said = []
    for (target, source), part in found.dropna(subset=["gap"]).groupby(["target", "source"], sort=False):
        part = part.assign(name=part["method"].map(METHOD_NAMES)).set_index("name")
        wide, narrow, best = part["gap"].idxmax(), part["gap"].idxmin(), part["test"].idxmax()
        if len(part) == 1:
            r = part.iloc[0]
            words = f"{wide} alone, {r['train']:.2f} on training and {r['test']:.2f} on test routines"
        else:
            words = f"largest gap {wide} ({part.loc[wide, 'gap']:+.2f}), lowest {narrow} "
            words += f"({part.loc[narrow, 'gap']:+.2f}); best on test routines {best} ({part.loc[best, 'test']:.2f})"
        said.append(f"- {target} ({source}): {words}.")
    return Markdown("\n".join(said) or "Nothing has been run there yet.")


def overfit_in_words(found: pd.DataFrame, method: str = "cofinal") -> Markdown:
    """One method's train and test SRCC and gap, for each target of `gaps` that has it."""
    said = []
    for r in found[found["method"] == method].itertuples():
        seeds = "one seed" if r.seeds == 1 else f"{r.seeds} seeds"
        if np.isnan(r.gap):
            said.append(f"- {METHOD_NAMES[method]} on {r.target} ({r.source}), {seeds}: undefined, one ranks nothing.")
            continue
        over = "" if np.isnan(r.gap_low) else f", {tables.span(r.gap_low, r.gap_high, '+')} over seeds"
        clear = "possibly explained" if r.gap_from <= 0 <= r.gap_to else "not explained"
        said.append(
            f"- {METHOD_NAMES[method]} on {r.target} ({r.source}), {seeds}: {r.train:.3f} on training and {r.test:.3f} "
            f"on test routines. The gap is {r.gap:+.3f}{over}; over routines it runs from {r.gap_from:+.3f} to "
            f"{r.gap_to:+.3f}, so it is {clear} by the luck of these routines alone."
        )
    return Markdown("\n".join(said) or f"{METHOD_NAMES[method]} has not been run there yet.")


COMPARED = ("gdlt", "cofinal-released", "cofinal")  # in words: the methods of Figure 6, CoFInAl in both forms


def order_of_gaps(found: pd.DataFrame) -> str:
    """The COMPARED methods' gaps (`gaps`) on each target, the smallest first, with their seeds, in words."""
    said = []
    known = found[found["method"].isin(COMPARED)].dropna(subset="gap")
    for target, part in known.sort_values("gap").groupby("target", sort=False):
        words = [f"{PLAIN_NAMES[r.method]} {r.gap:+.2f} ({tables.in_seeds(r.seeds)})" for r in part.itertuples()]
        said.append(f"on {target}, {', '.join(words)}")
    return "; ".join(said) or "none has run yet"


def stopping_in_words(results: pd.DataFrame) -> Markdown:
    """What the epoch chosen on held-out training routines brings over the last one, a line a data set and method.

    Args:
        results: of `results.tidy`, one artefact's or several'; whole methods alone.
    """
    chosen = results[results["without"] == ""]
    leads = main_results.selection_leads(chosen.drop_duplicates(["target", "method", "split", "selection", "decoding"]))
    said = []
    for r in leads[(leads["selection"] == "validation") & leads["method"].isin(COMPARED)].itertuples():
        span = "a single training" if np.isnan(r.low) else f"{tables.span(r.low, r.high, '+')} over {r.pairs} trainings"
        said.append(f"- {METHOD_NAMES[r.method]}, {r.data} ({r.source}): {r.lead:+.3f} ({span}).")
    return Markdown("\n".join(said) or "Nothing has been run there yet.")


def neighbours_figure(found: pd.DataFrame, line: str) -> Figure:
    """Draw train and test SRCC by how many neighbours a made-up score is averaged over; bands are over draws.

    Args:
        found: k, draw, train, test.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.4))
    for split in ("train", "test"):
        curve = found.groupby("k")[split].apply(lambda v: mean_interval(v, correlations=True))
        mean, low, high = np.array(curve.tolist()).T
        band(ax, curve.index, mean, low, high, color=COLOURS[split], label=split, marker="o", ms=4)
    ax.set_xscale("log")
    ks = found["k"].unique()
    ax.set_xticks(ks, [str(k) for k in ks])
    ax.minorticks_off()
    ax.axhline(0, color="0.6", lw=0.8)
    ax.set_xlabel("neighbours averaged (1: by heart)", fontsize=10)
    ax.set_ylabel("SRCC", fontsize=10)
    ax.legend(fontsize=9, frameon=False)
    return signed(fig, line)


def chance_gaps(rho: float, n_train: int, n_test: int, draws: int = 5000, seed: int = 0) -> np.ndarray:
    """Train SRCC less test SRCC of a model that is equally good on both, (draws,): luck of the routines alone.

    Scores and predictions are two normal variables whose SRCC over all routines there could be is `rho`.
    """
    random, pearson = np.random.default_rng(seed), pearson_of(rho)
    found = []
    for n in (n_train, n_test):
        scores, noise = random.standard_normal((2, draws, n))
        found.append(spearman_rows(pearson * scores + np.sqrt(1 - pearson**2) * noise, scores))
    return found[0] - found[1]


def chance_gaps_figure(found: dict[str, np.ndarray], line: str) -> Figure:
    """Draw `chance_gaps`: a panel a size of the test set, with the middle 95 %."""
    fig, axes = plt.subplots(1, len(found), figsize=(3.6 * len(found), 2.9), sharex=True, sharey=True, squeeze=False)
    for ax, (words, values) in zip(axes[0], found.items(), strict=True):
        low, high = np.quantile(values, [0.025, 0.975])
        ax.hist(values, bins=np.linspace(-0.3, 0.3, 61), color="0.75")
        ax.axvline(0, color="0.3", lw=1)
        ax.hlines(0.02, low, high, color=BLUE, lw=4, transform=ax.get_xaxis_transform())
        ax.set(title=f"{words}\nmiddle 95 %: {low:+.2f} to {high:+.2f}", xlabel="train SRCC less test SRCC")
        small(ax)
    axes[0, 0].set_ylabel("simulated models", fontsize=10)
    axes[0, 0].set_yticks([])
    return signed(fig, line)
