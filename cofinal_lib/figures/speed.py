"""Tables and figures of the chapter on speed."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from cofinal_lib.errors import CofinalError
from cofinal_lib.figures import BLACK, BLUE, METHOD_NAMES, band, signed
from cofinal_lib.metrics import mean_interval
from cofinal_lib.records import REFERENCE
from cofinal_lib.tables import signed_cell, styled


def read_measured(name: str) -> pd.DataFrame:
    """What benchmarks/training.py ("benchmarks") or benchmarks/precision.py ("precision") measured; see there.

    Raises:
        CofinalError: nothing is kept under that name.
    """
    path = REFERENCE / f"{name}.csv"
    if not path.is_file():
        script = {"benchmarks": "training"}.get(name, name)
        raise CofinalError(f"{path} is missing: python benchmarks/{script}.py --out {path} computes it")
    return pd.read_csv(path)


def benchmark_table(measured: pd.DataFrame) -> Styler:
    """Seconds an epoch of the released loop and of ours, how many times faster ours is, and what its step costs.

    All on the first machine measured; a column more says how many times faster ours is on each other one.
    """
    here, *others = (rows for _, rows in measured.dropna(subset="plain").groupby("device", sort=False))
    rows = here.set_index(["method", "size"], drop=False)
    table = _beside_the_plain_loop(rows).assign(
        **{
            "a step, ms": rows["step_ms"].map("{:.0f}".format),
            "of peak": (100 * rows["share_of_peak"]).map("{:.0f} %".format),
            "memory, MiB": rows["memory_mib"].map("{:,.0f}".format),
        }
    )
    for other in others:
        factors = other.set_index(["method", "size"])["ratio_released"]
        table[f"faster on {other['device'].iloc[0]}"] = factors.reindex(table.index).map("{:.1f}".format)
    return styled(table, "benchmarks").hide()


def cores_table(measured: pd.DataFrame) -> Styler:
    """Seconds an epoch of one seed with all cores of the first machine measured, and how many times faster ours is."""
    rows = measured[measured["device"] == measured["device"].iloc[0]].dropna(subset="plain_all")
    table = _beside_the_plain_loop(rows, "_all").rename(columns={"ours, s": "ours, s a seed"})
    table["than with 2 workers"] = rows["ratio_all"].map("{:.1f}".format)
    return styled(table, "cores").hide()


def _beside_the_plain_loop(rows: pd.DataFrame, ending: str = "") -> pd.DataFrame:
    """Seconds of either loop and how many times faster ours is, from columns that end so, formatted."""
    return pd.DataFrame(
        {
            "method": rows["method"].map(METHOD_NAMES),
            "size": rows["size"],
            "loop as released, s": rows[f"released{ending}"].map("{:.2f}".format),
            "with 2 workers, s": rows[f"plain{ending}"].map("{:.2f}".format),
            "ours, s": rows[f"ours{ending}"].map("{:.2f}".format),
            "times faster": rows[f"ratio_released{ending}"].map("{:.1f}".format),
        }
    )


def precision_changes(measured: pd.DataFrame) -> pd.DataFrame:
    """What fewer digits change, of benchmarks/precision.py: a row a target, method and precision but "full".

    Columns: target, source, method, pool, precision; seeds, full (mean test SRCC of training in full); change, low,
    high (mean over paired seeds; Student's 95 %); largest, a seed's largest change either way.
    """
    rows = []
    heads = ["target", "source", "method", "pool"]
    for head, part in measured.groupby(heads, sort=False):
        wide = part.pivot(index="seed", columns="precision", values="srcc")
        for precision in wide.columns.drop("full"):
            change = wide[precision] - wide["full"]
            rows.append((*head, precision, len(wide), wide["full"].mean(), *mean_interval(change), change.abs().max()))
    return pd.DataFrame(rows, columns=[*heads, "precision", "seeds", "full", "change", "low", "high", "largest"])


def precision_table(measured: pd.DataFrame) -> Styler:
    """`precision_changes` as the book sets it."""
    changes = precision_changes(measured)
    table = pd.DataFrame(
        {
            "data": changes["target"] + "\n(" + changes["source"] + ")",
            "clips in one": changes["pool"].map(str),
            "method": changes["method"].map(METHOD_NAMES),
            "seeds": changes["seeds"].map(str),
            "SRCC in full": changes["full"].map("{:.3f}".format),
            "digits": changes["precision"],
            "change": [signed_cell(*row) for row in changes[["change", "low", "high"]].to_numpy()],
            "largest of a seed": changes["largest"].map("{:.3f}".format),
        }
    )
    return styled(table, "precision").hide()


def shares_figure(shares: pd.Series, line: str) -> Figure:
    """Draw where a step's time goes: shares of it by kind of operation, `efficiency.step_shares`."""
    fig, ax = plt.subplots(figsize=(7, 2.6))
    ordered = shares.sort_values()
    bars = ax.barh(ordered.index, 100 * ordered, color=BLUE)
    ax.bar_label(bars, [f"{100 * v:.0f} %" for v in ordered], padding=3, fontsize=9)
    ax.set(xlabel="share of a training step (%)", xlim=(0, 100 * ordered.max() * 1.15))
    return signed(fig, line)


def seeds_figure(times: pd.DataFrame, line: str) -> Figure:
    """Draw seconds against number of seeds, two ways: median, least and most of `efficiency.time_seeds`."""
    fig, ax = plt.subplots(figsize=(7, 3.6))
    for (way, part), colour in zip(times.groupby("way"), (BLACK, BLUE), strict=True):
        spread = part.groupby("seeds")["seconds"].agg(["median", "min", "max"])
        band(ax, spread.index, spread["median"], spread["min"], spread["max"], marker="o", color=colour, label=way)
    ax.set(xlabel="seeds", ylabel="seconds for five epochs", ylim=(0, None), xticks=sorted(times["seeds"].unique()))
    ax.legend(frameon=False)
    return signed(fig, line)
