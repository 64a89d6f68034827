"""Figures and tables of the chapters on the modules and on training; `show` displays a thing's own source."""

import inspect
import json
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Code
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.figures import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SELECTION_NAMES,
    SKY,
    YELLOW,
    from_top,
    nothing,
    signed,
    small,
)
from cofinal_lib.metrics import bootstrap_interval, spearman, spearman_interval
from cofinal_lib.records import REFERENCE, SELECTIONS, RunRecord, cell
from cofinal_lib.tables import printed_cell


def show(thing) -> Code:
    """Display the source of a function or class as the library holds it."""
    return Code(textwrap.dedent(inspect.getsource(thing)), language="python")


# --------------------------------------------------------------------------------------- the modules


def routine_sketch() -> Figure:
    """Draw one routine's way through the method: clips, procedures, grades, score."""
    P, G, C = 5, 4, 20
    names = ["jumps", "spin", "steps", "spiral", "last spin"]
    colours = [BLUE, ORANGE, GREEN, PURPLE, SKY]
    fig, ax = plt.subplots(figsize=(8, 5.4))
    ax.set(xlim=(-3.4, 20.6), ylim=(-0.7, 10.3))
    ax.axis("off")

    def box(x, y, width, colour, text="", alpha=0.35):
        ax.add_patch(Rectangle((x, y), width, 1, facecolor=colour, alpha=alpha, edgecolor="none"))
        ax.add_patch(Rectangle((x, y), width, 1, facecolor="none", edgecolor="0.25", lw=0.8))
        ax.text(x + width / 2, y + 0.5, text, ha="center", va="center", fontsize=9)

    def arrow(y, text):
        ax.add_patch(FancyArrowPatch((9, y), (9, y - 1.15), arrowstyle="-|>", mutation_scale=14, color="0.25"))
        ax.text(9.5, y - 0.57, text, fontsize=9, va="center", color="0.15")

    for c in range(C):
        box(c * 0.9, 9, 0.9, colours[c * P // C])
    for p in range(P):
        box(p * 3.6 + 0.3, 6.6, 3.0, colours[p], names[p])
    for g, grade in enumerate(("poor", "fair", "good", "excellent")):
        box(g * 4.5 + 0.4, 4.2, 3.7, YELLOW, grade, alpha=0.15 + 0.2 * g)
    for k in range(5):
        box(0.4 + k * 1.48, 1.8, 1.48, GREY, f"{k}", alpha=0.12 + 0.1 * k)
    ax.text(8.3, 2.3, "sub-grade: the nearest\nof fixed directions (ETF)", fontsize=9, va="center", ha="left")
    ax.plot([0, 18], [0.1, 0.1], color="0.25", lw=1)
    for level in range(G * 5 + 1):
        long = level % 5 == 0
        ax.plot([level * 0.9] * 2, [0.1, 0.45 if long else 0.25], color="0.25", lw=1.4 if long else 0.7)
    ax.plot(12.15, 0.1, "v", color=RED, ms=11, clip_on=False)
    ax.text(12.7, 0.75, "score: grade 2, sub-grade 3", fontsize=9, color=RED, va="center")
    for y, text in (
        (9.5, "clips\n$C \\times D_C$"),
        (7.1, "procedures\n$P \\times D_P$"),
        (4.7, "grades\n$G \\times D_S$"),
        (2.3, "sub-grades\n$G'$"),
        (0.1, "points"),
    ):
        ax.text(-0.4, y, text, ha="right", va="center", fontsize=9, color="0.15")
    arrow(8.9, "temporal fusion, Eq. 7")
    arrow(6.5, "grade parsing, Eq. 9–11, beside $L_R$, Eq. 8")
    arrow(4.1, "classifier: the grade · fine-grained scoring, Eq. 14–15: the sub-grade")
    arrow(1.75, "coupling, Eq. 6")
    return signed(fig, "Drawing, no data · redraw: book/03-modules.ipynb")


def fusion_map(attention: np.ndarray, lengths: np.ndarray, line: str) -> Figure:
    """Draw fusion attention (B, P, C) of padded routines, 1 for an even share; padding is hatched."""
    B, P, C = attention.shape
    fig, axes = plt.subplots(B, 1, figsize=(8, 1.45 * B + 0.6), sharex=True)
    share = [attention[b, :, :n] * n for b, n in enumerate(lengths)]
    half = max(float(np.abs(s - 1).max()) for s in share)
    for b, (ax, n) in enumerate(zip(axes, lengths, strict=True)):
        image = ax.imshow(
            share[b], cmap="RdBu_r", vmin=1 - half, vmax=1 + half, aspect="auto", extent=(0, n, P - 0.5, -0.5)
        )
        if n < C:
            ax.add_patch(Rectangle((n, -0.5), C - n, P, facecolor="0.95", edgecolor="0.6", hatch="///", lw=0))
        ax.set(xlim=(0, C), yticks=range(P), title=f"routine {b}: {n} clips", ylabel="procedure")
        small(ax)
    axes[-1].set_xlabel("clip", fontsize=10)
    fig.colorbar(image, ax=axes, label="attention ÷ even share", shrink=0.8)
    return signed(fig, line)


def parsing_map(attentions: list, masks: list, titles: list[str], line: str) -> Figure:
    """Draw parsing attention (G, P), percent off an even share, and masks M (N, G), a row a stage."""
    rows = len(titles)
    G, P = attentions[0].shape
    fig, axes = plt.subplots(rows, 2, figsize=(8, 2.5 * rows + 0.3), width_ratios=(3, 2))
    for (left, right), attention, mask, title in zip(axes, attentions, masks, titles, strict=True):
        percent = 100 * (attention * P - 1)
        half = float(np.abs(percent).max())
        left.imshow(percent, cmap="RdBu_r", vmin=-half, vmax=half, aspect="auto")
        for g in range(G):
            for p in range(P):
                dark = abs(percent[g, p]) > 0.6 * half
                left.text(
                    p,
                    g,
                    f"{percent[g, p]:+.2g}",
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="w" if dark else "k",
                )
        left.set(xticks=range(P), yticks=range(G), xlabel="procedure", ylabel="grade")
        left.set_title(f"{title}: attention, % off even", fontsize=10)
        mean, spread = mask.mean(0), np.quantile(mask, (0.025, 0.975), axis=0)
        right.bar(range(G), mean, color=GREEN, alpha=0.6, yerr=np.abs(spread - mean), capsize=4)
        right.axhline(1 / G, color="k", lw=1, ls=":")
        right.set(ylim=(0, 1), xticks=range(G), xlabel="grade")
        right.set_title("mask M", fontsize=10)
    small(*axes.flat)
    return signed(fig, line)


def angle_spread(before: dict, after: dict, line: str) -> Figure:
    """Draw angles between prototypes against |i - j|.

    Args:
        before: G -> angles (G, G) in degrees. after: G -> {reading: angles (G, G)}.
    """
    fig, axes = plt.subplots(1, len(before), figsize=(8, 3.7), sharey=True, squeeze=False)
    axes, styles = axes[0], {"row_shares": (BLUE, "o", -0.12), "softmax": (ORANGE, "s", 0.12)}
    for ax, (G, start) in zip(axes, before.items(), strict=True):
        i, j = np.triu_indices(G, 1)
        ax.plot(j - i, start[i, j], "x", color=GREY, ms=6, label="before")
        for reading, angles in after[G].items():
            colour, marker, shift = styles.get(reading, (GREEN, "^", 0))
            ax.plot(j - i + shift, angles[i, j], marker, color=colour, ms=5, alpha=0.7, label=f"after, {reading}")
        steps = np.arange(0, G)
        ax.plot(steps, np.degrees(steps), ls=":", color="k", lw=1, label="1 radian a grade")
        ax.set(xlabel="grades apart, |i − j|", ylim=(0, 185), yticks=(0, 45, 90, 135, 180), xticks=range(1, G))
        ax.set_title(f"{G} grades", fontsize=11)
    axes[0].set_ylabel("angle between prototypes (°)")
    axes[-1].legend(fontsize=8, loc="lower right")
    return signed(fig, line)


def mac_bars(costs: dict[int, dict[str, int]], line: str) -> Figure:
    """Draw multiply-accumulates: number of clips -> {way of computing: MACs}."""
    fig, ax = plt.subplots(figsize=(7, 3.2))
    ways = list(next(iter(costs.values())))
    for k, (way, colour) in enumerate(zip(ways, (GREY, BLUE), strict=True)):
        heights = np.array([c[way] / 1e6 for c in costs.values()])
        bars = ax.bar(np.arange(len(costs)) + 0.4 * k, heights, 0.38, color=colour, label=way)
        ax.bar_label(bars, fmt="%.1f", fontsize=9)
    ax.set_xticks(np.arange(len(costs)) + 0.2, [f"{C} clips" for C in costs])
    ax.margins(y=0.12)
    ax.set_ylabel("million multiply-accumulates")
    ax.legend(fontsize=9)
    return signed(fig, line)


def decoding_curves(x: np.ndarray, soft: np.ndarray, hard: np.ndarray, slope: np.ndarray, edges, line: str) -> Figure:
    """Draw soft and hard scores along a direction x of the logits, and their slopes; `edges` bound grades."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
    for edge in edges:
        left.axhline(edge, color="0.88", lw=1, zorder=0)
    left.plot(x, hard, drawstyle="steps-mid", color=ORANGE, label="hard: likeliest grade")
    left.plot(x, soft, color=BLUE, label="soft: expected grade")
    left.set(xlabel="what the network believes, $x$", ylabel="score (points)")
    left.legend(fontsize=9)
    right.plot(x, np.zeros_like(x), color=ORANGE, label="hard: 0, or undefined at a jump")
    right.plot(x, slope, color=BLUE, label="soft")
    right.set(xlabel="what the network believes, $x$", ylabel="slope (points per unit of $x$)")
    right.legend(fontsize=9, loc="center", bbox_to_anchor=(0.5, 0.24))
    return signed(fig, line)


# --------------------------------------------------------------------------------------- training


def data_glance(data: FeatureSet, line: str) -> Figure:
    """Draw the highest- and the lowest-scored training routine as curves, and the scores of both splits."""
    fig, axes = plt.subplot_mosaic("AC;BC", figsize=(8.4, 4.2), width_ratios=(3, 2))
    train = data.rows("train")
    order = data.scores[train].argsort()
    movement = data.source == "movement"
    for key, row, word in (("A", train[order[-1]], "highest"), ("B", train[order[0]], "lowest")):
        ax, curve = axes[key], data.features[row, : data.lengths[row]].numpy()
        curve = curve.reshape(-1, 4) if movement else curve[:, :4]  # a squat: 10 frames of 4 a clip
        for channel, (colour, dash) in enumerate(
            zip((BLUE, ORANGE, GREEN, PURPLE), ("-", "--", "-.", ":"), strict=True)
        ):
            ax.plot(curve[:, channel], color=colour, ls=dash, lw=1.4, label=f"{channel}")
        ax.set_title(f"{word} training score, {data.scores[row]:.3g} ({data.ids[row]})", fontsize=10)
    low, high = (f([axes[k].get_ylim()[i] for k in "AB"]) for i, f in enumerate((min, max)))
    for key in "AB":
        axes[key].set(ylim=(low, high), ylabel="standardised" if movement else "feature")
    axes["A"].tick_params(labelbottom=False)
    axes["B"].set_xlabel("frame" if movement else "clip")
    handles, labels = axes["B"].get_legend_handles_labels()
    title = "joint angle code:" if movement else "channel:"
    axes["A"].legend(
        handles,
        [f"{title} {labels[0]}", *labels[1:]],
        ncols=4,
        fontsize=8,
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.16),
        borderpad=0,
    )
    bins = np.linspace(float(data.scores.min()), float(data.scores.max()), 21)
    for split in ("train", "test"):
        axes["C"].hist(
            data.scores[data.rows(split)],
            bins,
            histtype="stepfilled",
            alpha=0.45,
            color=COLOURS[split],
            label=split,
        )
    axes["C"].set(xlabel="score (points)", ylabel="routines")
    axes["C"].legend(fontsize=9)
    return signed(fig, line)


def interval_kinds(record: RunRecord) -> pd.DataFrame:
    """One test SRCC (last epoch, soft), three intervals of it: over seeds, over test routines, by a formula.

    Returns:
        rows of source, estimate, low, high. The two intervals over routines are the first seed's.
    """
    a = record.arrays
    test = ~a["is_train"]
    predicted, scores = a["predictions"][0, -1, test, 0], a["scores"][test]
    rho = spearman(predicted, scores)
    m, ridge = record.metric(), spearman(a["ridge"][test], scores)
    rows = [
        ("seeds (Student)", m["mean"], m["low"], m["high"]),
        ("routines (bootstrap)", rho, *bootstrap_interval(predicted, scores, seed=0)),
        ("routines (formula)", rho, *spearman_interval(rho, int(test.sum()))),
        ("ridge: routines (bootstrap)", ridge, *bootstrap_interval(a["ridge"][test], scores, seed=0)),
    ]
    return pd.DataFrame(rows, columns=["interval over", "estimate", "low", "high"]).astype(
        {"estimate": float, "low": float, "high": float}
    )


def interval_figure(record: RunRecord, kinds: pd.DataFrame, line: str) -> Figure:
    """Draw `kinds`, the intervals of `interval_kinds`, the seeds as ticks below theirs."""
    fig, ax = plt.subplots(figsize=(8, 2.9))
    for y, (name, estimate, low, high) in enumerate(kinds.itertuples(index=False)):
        colour = COLOURS["ridge"] if name.startswith("ridge") else COLOURS["cofinal"]
        ax.plot([low, high], [y, y], color=colour, lw=2)
        ax.plot(estimate, y, "o", color=colour, ms=7)
    seeds = [v for v in record.metric()["per_seed"] if v is not None]
    ax.plot(seeds, np.full(len(seeds), 0.28), "|", color=COLOURS["cofinal"], ms=9)
    from_top(ax, kinds["interval over"], 0.5)
    ax.set_xlabel("test SRCC, with 95 % interval")
    return signed(fig, line)


def epoch_choices(record: RunRecord) -> pd.DataFrame:
    """Test SRCC of each way to choose the epoch: mean over seeds, Student's interval, soft and hard."""
    rows = {}
    for selection in SELECTIONS:
        cells = {d: cell(record.metric(selection=selection, decoding=d)) for d in ("soft", "hard")}
        epochs = ", ".join(str(e + 1) for e in record.record["epochs"][selection])
        rows[SELECTION_NAMES[selection]] = cells | {"epochs chosen, a seed each": epochs}
    return pd.DataFrame(rows).T


def epoch_choice_figure(record: RunRecord, line: str) -> Figure:
    """Draw the test SRCC by choice of epoch and by decoding: seeds, their mean, Student's interval."""
    fig, ax = plt.subplots(figsize=(8, 3.6))
    for shift, decoding, colour, marker in ((-0.13, "soft", BLUE, "o"), (0.13, "hard", ORANGE, "s")):
        for y, selection in enumerate(SELECTIONS):
            m = record.metric(selection=selection, decoding=decoding)
            if m["mean"] is None:
                continue
            face = "w" if selection == "best_on_test" else colour
            seeds = [v for v in m["per_seed"] if v is not None]
            ax.plot(seeds, np.full(len(seeds), y + shift - 0.11), "|", color=colour, ms=7)
            if m["low"] is not None:
                ax.plot([m["low"], m["high"]], [y + shift] * 2, color=colour, lw=2)
            label = decoding if y == 0 else None
            ax.plot(m["mean"], y + shift, marker, color=colour, mfc=face, ms=7, label=label, ls="none")
    from_top(ax, [SELECTION_NAMES[s] for s in SELECTIONS], 0.5)
    ax.set_xlabel("test SRCC: seeds, mean, 95 % interval over seeds")
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return signed(fig, line)


# --------------------------------------------------------------------------------------- reference runs


def reference() -> list[dict]:
    """Read the records of our own reference runs, results/reference/*.json, sorted by target and run id."""
    records = [json.loads(path.read_text()) for path in REFERENCE.glob("*.json")]
    return sorted(records, key=lambda r: (r["spec"]["target"], r["run_id"]))


def printed_srcc(target: str) -> float | None:
    """SRCC of CoFInAl that Table 1 prints for an official target such as "fisv/pcs"; None for any other target."""
    return printed_cell(target, "cofinal") if target.startswith(("rg/", "fisv/")) else None


def _summary(record: dict, decoding: str = "soft") -> dict:
    """What the table and the figure need of a reference record."""
    return {s: record["metrics"]["test"]["srcc"][s][decoding] for s in SELECTION_NAMES}


def _ridge(record: dict) -> float:
    return record["baselines"]["ridge_on_mean_clip"]["test"]["srcc"]


REFERENCE_COLUMNS = {
    "results": ["target", "decoding", *SELECTION_NAMES.values(), "ridge, mean clip", "printed (Table 1)"],
    "provenance": ["run", "seeds", "epochs", "grades × sub-grades", "data digest", "commit", "device", "seconds"],
}


def reference_table(records: list[dict], kind: str = "results") -> pd.DataFrame:
    """Table of the reference runs: "results", SRCC by choice of epoch and decoding, or their "provenance"."""
    rows = []
    for r in records:
        p, config, target = r["provenance"], r["config"], r["spec"]["target"]
        paper = printed_srcc(target)
        row = {
            "run": "-\n".join(r["run_id"].rsplit("-", 1)),
            "target": f"{target}\n({p['source']})",
            "ridge, mean clip": f"{_ridge(r):.3f}",
            "printed (Table 1)": "" if paper is None else f"{paper:.3f}",
            "seeds": len(r["spec"]["seeds"]),
            "epochs": r["spec"]["epochs"],
            "grades × sub-grades": f"{config['n_grades']} × {config['n_subgrades']}",
            "data digest": p["data_digest"][:8],
            "commit": (p["commit"] or "")[:8],
            "device": p["device"],
            "seconds": f"{p['seconds']:.0f}",
        }
        if kind == "provenance":
            rows.append(row)
            continue
        for decoding in ("soft", "hard"):
            cells = {SELECTION_NAMES[s]: cell(m).replace(" [", "\n[") for s, m in _summary(r, decoding).items()}
            rows.append(row | {"decoding": decoding} | cells)
    return pd.DataFrame(rows, columns=REFERENCE_COLUMNS[kind])


def reference_verdict(records: list[dict]) -> dict:
    """Count official records of the whole method: last epoch (soft) against the printed value and ridge."""
    whole = [r for r in records if not r["spec"]["options"].get("without")]
    official = [r for r in whole if printed_srcc(r["spec"]["target"]) is not None]
    last = [(_summary(r)["last"], r) for r in official]
    return {
        "runs": len(official),
        "below": sum(m["mean"] < printed_srcc(r["spec"]["target"]) for m, r in last),
        "covered": sum(_covers(m, printed_srcc(r["spec"]["target"])) for m, r in last),
        "below_ridge": sum(m["mean"] < _ridge(r) for m, r in last),
        "best_below": sum(_summary(r)["best_on_test"]["mean"] < printed_srcc(r["spec"]["target"]) for r in official),
    }


def _covers(metric: dict, value: float) -> bool:
    return metric["low"] is not None and metric["low"] <= value <= metric["high"]


def reference_figure(records: list[dict], redraw: str) -> Figure:
    """Draw the reference runs: SRCC (soft) by choice of epoch, ridge, and the printed value where one is."""
    if not records:
        return nothing(f"Data: none (results/reference/) · redraw: {redraw}")
    fig, ax = plt.subplots(figsize=(8.4, 1.6 + 0.75 * len(records)))
    styles = {"last": ("o", BLUE, BLUE), "validation": ("D", GREEN, GREEN), "best_on_test": ("o", BLUE, "w")}
    for y, r in enumerate(records):
        for shift, (selection, m) in zip((-0.2, 0, 0.2), _summary(r).items(), strict=True):
            marker, colour, face = styles[selection]
            if m["low"] is not None:
                ax.plot([m["low"], m["high"]], [y + shift] * 2, color=colour, lw=1.5)
            label = SELECTION_NAMES[selection] if y == 0 else None
            ax.plot(m["mean"], y + shift, marker, color=colour, mfc=face, ms=6, ls="none", label=label)
        for value, colour, word in (
            (_ridge(r), COLOURS["ridge"], "ridge, mean clip"),
            (printed_srcc(r["spec"]["target"]), COLOURS["paper"], "printed (Table 1)"),
        ):
            if value is not None:
                ax.plot([value] * 2, [y - 0.38, y + 0.38], color=colour, lw=2, label=word)
    from_top(ax, [f"{r['spec']['target']} ({len(r['spec']['seeds'])} seeds)" for r in records])
    ax.set_xlabel("test SRCC (soft), 95 % interval over seeds")
    handles, labels = ax.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    order = [*SELECTION_NAMES.values(), "ridge, mean clip", "printed (Table 1)"]
    shown = [name for name in order if name in once]
    handles = [once[name] for name in shown]
    ax.legend(handles, shown, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    runs = ", ".join(r["run_id"].rsplit("-", 1)[-1] for r in records)
    return signed(fig, f"Data: as each row says · runs …{runs} · redraw: {redraw}")
