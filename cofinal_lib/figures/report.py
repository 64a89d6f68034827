"""Tables and figures of one run: its report, book/experiments/run.ipynb, and chapter 4; for any method."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pandas.io.formats.style import Styler

from cofinal_lib.figures import (
    BLACK,
    BLUE,
    COLOURS,
    GREEN,
    LOSS_COLOURS,
    MEASURE_NAMES,
    ORANGE,
    PURPLE,
    RED,
    SELECTION_NAMES,
    SKY,
    band,
    provenance,
    signed,
)
from cofinal_lib.metrics import bootstrap_interval, mean_interval, spearman
from cofinal_lib.records import RunRecord, cell, srcc_curves
from cofinal_lib.tables import NOTHING

SOURCES = {
    "official": "clip features of real routines with judges' scores",
    "movement": "real movements, whose scores a formula gave and no judge",
    "twin": "a simulated twin, whose features and scores are made up",
}
REPORT = "book/experiments/run.ipynb"

# --------------------------------------------------------------------------------------- words


def headline(record: RunRecord) -> Markdown:
    """Say what was run on what, and the test SRCC after the last epoch."""
    spec, arrays = record.record["spec"], record.arrays
    n_train, n_test, n_epochs = arrays["is_train"].sum(), (~arrays["is_train"]).sum(), arrays["predictions"].shape[1]
    source = record.record["provenance"].get("source", "unknown")
    results = [
        cell(record.metric(decoding=d)) + (f" ({d} decoding)" if len(decodings(record)) > 1 else "")
        for d in decodings(record)
    ]
    return Markdown(
        f"**{spec['method']}** on **{spec['target']}** ({source}: {SOURCES.get(source, 'of unknown kind')}).\n"
        f"{n_train} training and {n_test} test routines, "
        f"{_count(len(spec['seeds']), 'seed')}, {_count(n_epochs, 'epoch')}.\n\n"
        f"Test SRCC after the last epoch: **{', '.join(results)}**."
    )


def notes(record: RunRecord) -> Markdown:
    """List the sentences that the run left for its reader."""
    return Markdown("\n".join(f"- {note}" for note in record.record.get("notes") or ["This run left no notes."]))


def about_curves(record: RunRecord) -> Markdown:
    """Say what the learning curves show, or why there are none."""
    losses, srccs = _curves(record)
    if not losses and not srccs:
        return Markdown("No curves are drawn: this run holds no more than one epoch.")
    lines = ["Lines: means over seeds; bands: 95 % intervals over seeds (none with one seed)."]
    if losses:
        lines.append(f"Losses: the parts of the training loss, {', '.join(f'`{name}`' for name in losses)}.")
    else:
        lines.append("No losses are drawn: this run holds none, or those of one epoch.")
    if srccs:
        lines.append("Training and test SRCC are those of the reported models.")
        lines.append("An epoch without a ranking in some seed is left out.")
        if "held-out" in srccs:
            lines.append("The held-out SRCC is that of a second training, which never saw the routines held out.")
    else:
        lines.append("No SRCC is drawn: no more than one epoch has a ranking in every seed.")
    return Markdown("\n".join(lines))


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'s' * (n != 1)}"


# --------------------------------------------------------------------------------------- tables


def decodings(record: RunRecord) -> list[str]:
    """Names of the decodings that differ: ["soft", "hard"], or the first alone where all give the same numbers."""
    cells = [c for split in record.record["metrics"].values() for measure in split.values() for c in measure.values()]
    names = list(cells[0])
    same = all(cell[name] == cell[names[0]] for cell in cells for name in names)
    return names[:1] if same else names


def settings_table(record: RunRecord) -> Styler:
    """Table of what was asked for (spec) and what the method made of it (config, schedule): one row a name."""
    titles = {"spec": "asked for", "config": "configuration", "schedule": "schedule"}
    parts = {title: record.record.get(part) or {} for part, title in titles.items()}
    rows = {(part, name): _plain(value) for part, names in parts.items() for name, value in names.items()}
    return _table(pd.DataFrame({"value": pd.Series(rows)}), "settings")


def metrics_table(record: RunRecord) -> Styler:
    """Table of every metric: mean over seeds [95 % interval]; SRCC in [-1, 1], R-l2 in 1/100 of squared range.

    Rows: measure and choice of epoch. Columns: split, and decoding where the decodings differ.
    """
    metrics, rows = record.record["metrics"], {}
    several = len(decodings(record)) > 1
    for split in ("test", "train"):
        for measure, selections in metrics[split].items():
            for selection, metric in selections.items():
                row = (MEASURE_NAMES.get(measure, measure), _selection(selection))
                for decoding in decodings(record):
                    column = (split, decoding) if several else split
                    rows.setdefault(column, {})[row] = cell(metric[decoding])
    frame = pd.DataFrame({column: pd.Series(cells) for column, cells in rows.items()})
    frame.index.names = ["measure", "epoch"]
    return _table(frame, "metrics")


def seeds_table(record: RunRecord) -> Styler:
    """Table of each seed's test SRCC (first decoding), and the epoch that each choice took, counted from 1."""
    decoding, epochs, columns = decodings(record)[0], record.record.get("epochs", {}), {}
    for selection, metric in record.record["metrics"]["test"]["srcc"].items():
        name = _selection(selection)
        columns[name] = ["undefined" if v is None else f"{v:.3f}" for v in metric[decoding]["per_seed"]]
        if selection in epochs:
            columns[name] = [f"{v} (epoch {e + 1})" for v, e in zip(columns[name], epochs[selection], strict=True)]
    seeds = pd.Index([str(s) for s in record.record["spec"]["seeds"]], name="seed")
    return _table(pd.DataFrame(columns, index=seeds), "seeds")


def baselines_table(record: RunRecord) -> Styler:
    """Table of the baselines that the run computed beside the method: SRCC of both splits, and their settings."""
    rows = {}
    for name, baseline in (record.record.get("baselines") or {}).items():
        row = rows[name.replace("_", " ")] = {}
        for split in ("test", "train"):
            for measure, value in baseline.get(split, {}).items():
                row[f"{split} {MEASURE_NAMES.get(measure, measure)}"] = "undefined" if value is None else f"{value:.3f}"
        row |= {key: _plain(value) for key, value in baseline.items() if not isinstance(value, dict)}
    return _table(pd.DataFrame(rows or {"none": {"test SRCC": NOTHING}}).T.fillna(NOTHING), "baselines")


def provenance_table(record: RunRecord) -> Styler:
    """Table of where the numbers come from: run id, versions, commit, device, data, cost, command."""
    units = {"seconds": ("time", "s"), "peak_memory_mib": ("peak memory", "MiB")}
    rows = {"run": record.record["run_id"]}
    for name, value in record.record["provenance"].items():
        if name in units and value is not None:
            rows[units[name][0]] = f"{_plain(value)} {units[name][1]}"
        elif name not in units:
            rows[name.replace("_", " ")] = _plain(value)
    return _table(pd.DataFrame({"value": pd.Series(rows)}), "provenance")


def _table(frame: pd.DataFrame, name: str) -> Styler:
    """Left-aligned, values escaped; `name` makes its style sheet the same each time."""
    left = [{"selector": "th, td", "props": "text-align: left; vertical-align: top"}]
    left += [{"selector": "td", "props": "white-space: pre-wrap; overflow-wrap: anywhere"}]
    return frame.style.format(escape="html").set_table_styles(left).set_uuid(name)


def _plain(value) -> str:
    """A value as a reader would write it: no brackets, no quotes, a dash for what is empty."""
    if isinstance(value, dict):
        return "\n".join(f"{name} {_plain(item)}" for name, item in value.items()) or NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or NOTHING
    if isinstance(value, float):
        return f"{value:.6g}"
    return NOTHING if value is None or value == "" else str(value)


def _selection(name: str) -> str:
    return SELECTION_NAMES.get(name, name) + (" (optimistic)" if name == "best_on_test" else "")


# --------------------------------------------------------------------------------------- figures


def learning_curves(record: RunRecord, redraw: str = REPORT) -> Figure | None:
    """Draw the training loss's parts and the SRCC of three splits by epoch: means over seeds, Student's bands.

    A panel without two epochs to join is left out; with neither, nothing is drawn. redraw: the notebook that draws it.
    """
    panels = [(draw, curves) for draw, curves in zip((_draw_losses, _draw_srccs), _curves(record), strict=True)]
    panels = [(draw, curves) for draw, curves in panels if curves]
    if not panels:
        return None
    fig, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 4.1), squeeze=False)
    for ax, (draw, curves) in zip(axes[0], panels, strict=True):
        draw(ax, curves)
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        widest = max(map(len, curves)) + 6
        ax.legend(
            fontsize=9,
            ncols=int(np.clip(56 // widest, 1, 5)),
            frameon=False,
            loc="lower center",
            bbox_to_anchor=(0.5, 0.99),
            columnspacing=1,
            handlelength=1.2,
        )
    return signed(fig, provenance(record, redraw))


def _curves(record: RunRecord) -> tuple[dict, dict]:
    """Losses and SRCCs of at least two measured epochs: name -> (epochs (E,) from 1, values (S, E))."""
    arrays = record.arrays
    losses = {name.removeprefix("loss/"): v for name, v in arrays.items() if name.startswith("loss/")}
    srccs = {name.replace("validation", "held-out"): v for name, v in srcc_curves(arrays).items()}
    return tuple({n: m for n, v in group.items() if len((m := _measured(v))[0]) > 1} for group in (losses, srccs))


def _measured(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, E) -> the epochs, counted from 1, at which every seed has a value, and their values."""
    epochs = np.flatnonzero(np.isfinite(values).all(0))
    return epochs + 1, values[:, epochs]


def seeds_band(ax, epochs: np.ndarray, values: np.ndarray, correlations: bool = False, **style) -> None:
    """Mean over seeds of values (S, E) and its Student interval; marks where epochs are few or far apart."""
    mean, low, high = np.array([mean_interval(v, correlations=correlations) for v in values.T]).T
    marker = "o" if len(epochs) <= 10 or len(epochs) < epochs[-1] / 2 else ""
    band(ax, epochs, mean, low, high, lw=1.5, marker=marker, ms=3.5, **style)


def _draw_losses(ax, curves: dict) -> None:
    others = iter([n for n in curves if n not in LOSS_COLOURS])
    colours = LOSS_COLOURS | dict(zip(others, [SKY, RED, BLUE, ORANGE, GREEN, PURPLE] * len(curves), strict=False))
    for name, (epochs, values) in curves.items():
        symbol = f"${name[0]}_{name[2]}$" if name in LOSS_COLOURS and name != "total" else name
        seeds_band(ax, epochs, values, color=colours[name] if len(curves) > 1 else BLACK, label=symbol)
    means = np.concatenate([values.mean(0) for _, values in curves.values()])
    ax.set_ylabel("training loss")
    if means.min() > 0:
        ax.set(yscale="log", ylim=(max(means.min(), 1e-8 * means.max()) / 2, 2 * means.max()))


def _draw_srccs(ax, curves: dict) -> None:
    for name, (epochs, values) in curves.items():
        seeds_band(ax, epochs, values, True, color=COLOURS["validation" if name == "held-out" else name], label=name)
    lowest = min(values.mean(0).min() for _, values in curves.values())
    ax.set(ylabel="SRCC", ylim=(max(-1.02, min(-0.2, lowest - 0.1)), 1.02))


def scatter(record: RunRecord, redraw: str = REPORT) -> Figure:
    """Draw true against predicted scores (points) after the last epoch, the first seed's, one panel a decoding.

    Titles: the test SRCC of that seed, with its bootstrap interval over test routines.
    """
    arrays, config = record.arrays, record.record.get("config") or {}
    names, test, scores = decodings(record), ~arrays["is_train"], arrays["scores"]
    fig, axes = plt.subplots(
        1, len(names), figsize=(1.2 + 3.6 * len(names), 4.5), sharex=True, sharey=True, squeeze=False
    )
    for column, (ax, name) in enumerate(zip(axes[0], names, strict=True)):
        predicted = arrays["predictions"][0, -1, :, column].astype(float)  # (N,)
        _grade_lines(ax, config)
        ax.plot(*[[scores.min(), scores.max()]] * 2, color="k", lw=1, ls=":")
        for rows, split, alpha in ((~test, "train", 0.35), (test, "test", 0.8)):
            ax.scatter(scores[rows], predicted[rows], s=16, alpha=alpha, lw=0, color=COLOURS[split], label=split)
        title = f"test SRCC {_with_interval(predicted[test], scores[test])}"
        ax.set_title(f"{name}: {title}" if len(names) > 1 else title, fontsize=10)
        ax.set_xlabel("true score (points)")
    axes[0, 0].set_ylabel("predicted score (points)")
    axes[0, 0].legend(fontsize=9, loc="upper left")
    return signed(fig, provenance(record, redraw))


def _grade_lines(ax, config: dict) -> None:
    """Borders between grades, for a method that has grades."""
    if {"low", "high", "n_grades"} <= set(config):
        for edge in np.linspace(config["low"], config["high"], config["n_grades"] + 1):
            ax.axhline(edge, color="0.88", lw=1, zorder=0)
            ax.axvline(edge, color="0.88", lw=1, zorder=0)


def _with_interval(predicted: np.ndarray, scores: np.ndarray) -> str:
    """SRCC [95 % bootstrap interval over routines] of two (N,); where there is no ranking, the word for it."""
    rho = spearman(predicted, scores)
    if not np.isfinite(rho):
        return "undefined"
    low, high = bootstrap_interval(predicted, scores, seed=0)
    return f"{rho:.2f} [{low:.2f}, {high:.2f}]"
