"""Everything the book draws, in one style: colour-blind safe, intervals on every estimate, provenance below."""

import matplotlib.pyplot as plt
import seaborn as sns

# Okabe and Ito's colours (2008), told apart with any colour vision; one colour a method, everywhere.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip
COLOURS = {"cofinal": BLUE, "ridge": BLACK, "train": ORANGE, "test": BLUE, "validation": GREEN, "paper": RED}


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


def sign(figure, provenance: str) -> None:
    """Write where a figure's numbers come from below it: data, seeds, device, command."""
    figure.supxlabel(provenance, fontsize=8, color="0.35", x=0.01, ha="left")
