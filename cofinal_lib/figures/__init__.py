"""Everything the book draws, in one style: colour-blind safe, intervals on every estimate, provenance below."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from cofinal_lib.records import RunRecord

# Okabe and Ito's colours (2008), told apart with any colour vision; one colour a method, everywhere.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip
COLOURS = {"cofinal": BLUE, "ridge": BLACK, "train": ORANGE, "test": BLUE, "validation": GREEN, "paper": RED}

METHOD_NAMES = {
    "ridge": "ridge, mean clip",
    "kernel-ridge": "kernel ridge, 5 segments",
    "c3d-svr": "C3D+SVR",
    "ms-lstm": "MS-LSTM",
    "action-net": "ACTION-NET",
    "gdlt": "GDLT",
    "hgcn": "HGCN",
    "cofinal-released": "CoFInAl, released",
    "cofinal": "CoFInAl, as printed",
    "cofinal-repaired": "CoFInAl, repaired",
}
PLAIN_NAMES = {method: name.replace(",", "") for method, name in METHOD_NAMES.items()}  # where commas part a list
METHOD_COLOURS = {
    "ridge": COLOURS["ridge"],
    "kernel-ridge": "#882255",
    "c3d-svr": "0.55",
    "ms-lstm": "#7A4A12",
    "action-net": PURPLE,
    "gdlt": ORANGE,
    "hgcn": GREEN,
    "cofinal-released": SKY,
    "cofinal": COLOURS["cofinal"],
    "cofinal-repaired": "#332288",
}

GREY = "0.6"
SELECTION_NAMES = {"last": "last epoch", "validation": "best on validation", "best_on_test": "best on test"}
MEASURE_NAMES = {"srcc": "SRCC", "relative_l2": "R-ℓ2", "loss": "training loss"}
LOSS_COLOURS = {"L_S": BLUE, "L_C": ORANGE, "L_F": GREEN, "L_R": PURPLE, "total": BLACK}


def use_style() -> None:
    """Set the book's look for every figure drawn after this."""
    sns.set_theme(context="notebook", style="ticks", palette=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK])
    plt.rcParams.update({
        "figure.figsize": (7, 4),
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "savefig.dpi": 120,
        "figure.dpi": 100,
    })  # fmt: skip


def signed(figure: Figure, line: str) -> Figure:
    """Write where a figure's numbers come from below it: data, seeds, device, command; the figure again."""
    figure.supxlabel(_wrapped(line, int(figure.get_figwidth() * 15)), fontsize=8, color="0.35", x=0.01, ha="left")
    return figure


def provenance(record: RunRecord, redraw: str) -> str:
    """The line below a run's figure: data, seeds, device, run id, and how to redraw it."""
    r = record.record
    seeds = ", ".join(map(str, r["spec"]["seeds"]))
    return (
        f"Data: {r['spec']['target']} ({r['provenance']['source']}) · seeds {seeds} · {r['spec']['epochs']} epochs · "
        f"{r['spec']['device'].upper()} · run {r['run_id']} · redraw: {redraw}"
    )


def _wrapped(line: str, width: int) -> str:
    """Break a provenance line between its parts, never inside one."""
    lines = [""]
    for part in line.split(" · "):
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(part)
    return "\n".join(lines)


def band(ax, x, mean, low, high, **style) -> None:
    """Draw a curve and its interval as a band; where an end is NaN, the curve alone."""
    (curve,) = ax.plot(x, mean, **style)
    ax.fill_between(x, low, high, color=curve.get_color(), alpha=0.18, lw=0)


def nothing(line: str) -> Figure:
    """Say that there is nothing to draw."""
    fig, ax = plt.subplots(figsize=(7, 1.2))
    ax.text(0.5, 0.5, "no such runs here yet", ha="center", va="center")
    ax.axis("off")
    return signed(fig, line)


def panels(n: int, height: float, columns: int = 3, width: float | None = None, **shared) -> tuple[Figure, np.ndarray]:
    """A grid of n panels, at most so many a row; those to spare stay empty.

    Args:
        height: of a row, in inches. width: of the whole figure; by default as its columns need. shared: sharex, sharey.
    """
    columns = min(n, columns)
    rows = -(-n // columns)
    size = (width or 2.8 * columns + (0.6 if columns > 1 else 2), height * rows + 0.5)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **({"sharey": True} | shared))
    for ax in axes.flat[n:]:
        ax.axis("off")
    return fig, axes


def small(*axes) -> None:
    """Letters of panels that stand several a row."""
    for ax in axes:
        ax.tick_params(labelsize=9)
        ax.xaxis.label.set_size(10)
        ax.yaxis.label.set_size(10)
        ax.title.set_size(10)


def from_top(ax, names, margin: float = 0.6, **style) -> None:
    """Name rows 0, 1, ... of the vertical axis, the first on top."""
    ax.set_yticks(range(len(names)), names, **style)
    ax.set_ylim(len(names) - 1 + margin, -margin)
