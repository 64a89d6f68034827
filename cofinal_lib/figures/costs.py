"""Chapter 6's tables: Table 2's counts and times, ours and printed."""

import pandas as pd
from pandas.io.formats.style import Styler

from cofinal_lib.figures import METHOD_NAMES
from cofinal_lib.tables import cost_frame, styled


def cost_table(counted: pd.DataFrame, compared: pd.DataFrame) -> Styler:
    """Parameters and multiply-accumulates of each method, counted and printed; see `efficiency.against_printed`."""
    joined = counted.join(compared[["printed_m", "printed_gmacs"]])
    return styled(cost_frame(joined.rename_axis("method").reset_index()), "cost", sources=True)


def tried_table(compared: pd.DataFrame) -> Styler:
    """Configurations beside Table 2's row: counted, printed, printed over counted; see `efficiency.against_printed`."""
    columns = {
        ("parameters, million", "counted"): compared["parameters_m"],
        ("parameters, million", "printed"): compared["printed_m"],
        ("parameters, million", "printed /\ncounted"): compared["times_m"],
        ("MACs, billion", "counted"): compared["gmacs"],
        ("MACs, billion", "printed"): compared["printed_gmacs"],
        ("MACs, billion", "printed /\ncounted"): compared["times_gmacs"],
    }
    return styled(pd.DataFrame(columns).map("{:.3g}".format), "tried", sources=True)


def time_table(summarised: pd.DataFrame) -> Styler:
    """Times and ratios to GDLT of `efficiency.summary`: medians, and below them the middle half of repeats."""
    rows = {}
    for (batch, method), r in summarised.iterrows():
        row, head = rows.setdefault(METHOD_NAMES[method], {}), f"batch of {batch}"
        row[head, "ms"] = _quartiles(r, "ms")
        if batch > 1:
            row[head, "ms a routine"] = f"{r['ms'] / batch:.3g}"
        row[head, "ratio to GDLT"] = _quartiles(r, "ratio")
    return styled(pd.DataFrame(rows).T, "times", sources=True)


def beside_table(beside: pd.DataFrame) -> Styler:
    """Ratios to GDLT, ours and printed, with the printed milliseconds; see `efficiency.ratios_beside_printed`."""
    rows = {
        METHOD_NAMES[method]: {
            ("this machine", "ratio to GDLT"): _quartiles(r, "ratio"),
            ("paper, its machine", "ms"): f"{r['printed_ms']:.4f}",
            ("paper, its machine", "ratio to GDLT"): f"{r['printed_ratio']:.3g}",
        }
        for method, r in beside.iterrows()
    }
    return styled(pd.DataFrame(rows).T, "beside", sources=True)


def _quartiles(row: pd.Series, name: str) -> str:
    return f"{row[name]:.3g}\n{row[name + '_low']:.3g} to {row[name + '_high']:.3g}"
