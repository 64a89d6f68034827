"""The rows and cells that tables show: which of an artefact's rows, what the paper prints, how the book sets them."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from cofinal_lib.figures import METHOD_NAMES
from cofinal_lib.metrics import bootstrap_interval, difference_interval, mean_interval
from cofinal_lib.paper import printed

# Table 1's row of each of ours: the paper has one CoFInAl, and marks its own version of HGCN by a star.
TABLE1_ROWS = {
    "c3d-svr": ("C3D+SVR", "C3D"),
    "ms-lstm": ("MS-LSTM", "VST"),
    "action-net": ("ACTION-NET", "VST + ResNet"),
    "gdlt": ("GDLT", "VST"),
    "hgcn": ("HGCN*", "VST"),
    "cofinal-released": ("CoFInAl", "VST"),
    "cofinal": ("CoFInAl", "VST"),
}
GROUPS = {"RG": ("ball", "clubs", "hoop", "ribbon"), "Fis-V": ("tes", "pcs")}
AVERAGES = {"RG": "rg_average", "Fis-V": "fisv_average"}
N_TEST = {"RG": 50, "Fis-V": 100, "UI-PRMD": 54}  # test routines of a target; a twin has as many
N_TRAIN = {"RG": 200, "Fis-V": 400, "UI-PRMD": 126}
NOTHING = "–"


def group_of(target: str) -> str:
    """Table 1's heading of a target, such as "rg/ball" or "ball": "RG" or "Fis-V", its twin's too; else "UI-PRMD"."""
    name = target.split("/")[-1].split("@")[0]
    return next((group for group, names in GROUPS.items() if name in names), "UI-PRMD")


def n_train(target: str, options: str) -> int:
    """Training routines of a run: its target's, unless an option of its twin says another number."""
    said = re.search(r"\bn_train=(\d+)", options)
    return int(said[1]) if said else N_TRAIN[group_of(target)]


def soft(results: pd.DataFrame, **values: str) -> pd.DataFrame:
    """Rows of an artefact's data (`results.tidy`) by soft decoding, with these values: soft(results, split="test")."""
    for column, value in {"decoding": "soft", **values}.items():
        results = results[results[column] == value]
    return results


def last_epoch(results: pd.DataFrame) -> pd.DataFrame:
    """Of an artefact's data (`results.tidy`), what is compared first: test routines, last epoch, soft decoding."""
    return soft(results, split="test", selection="last").reset_index(drop=True)


PAGE = 76  # characters that a page of the book holds beside each other, in a table's letters


def _width(table: pd.DataFrame) -> int:
    """Characters of a table's longest lines, with the space around each column."""
    parts = [table.index.get_level_values(i) for i in range(table.index.nlevels)]
    parts += [[name, *table.iloc[:, i]] for i, name in enumerate(table.columns.get_level_values(-1))]
    return sum(2 + max((len(line) for cell in part for line in str(cell).split("\n")), default=0) for part in parts)


def styled(table: pd.DataFrame, name: str, sources: bool = False, wrap: bool = False) -> Styler:
    """A table as the book sets it: left-aligned, line breaks kept; small letters and broken headings where it is wide.

    Args:
        name: makes its style sheet the same each time. sources: rule a line between sources, the columns' first level.
        wrap: break long cells.
    """
    styles = [
        {"selector": "th, td", "props": "text-align: left; vertical-align: top; font-size: 85%; padding: 0.25em 0.4em"},
        {"selector": "th, td", "props": f"white-space: {'pre-wrap' if wrap else 'pre'}"},
    ]
    out = table.rename_axis(index=[None] * table.index.nlevels, columns=[None] * table.columns.nlevels).style
    if not wrap and _width(table) > PAGE:
        styles.append({"selector": "th, td", "props": "font-size: 70%; padding: 0.2em 0.25em"})
        styles.append({"selector": "th", "props": "white-space: normal"})
    if sources:
        first = [i for i, c in enumerate(table.columns) if i and c[0] != table.columns[i - 1][0]]
        styles += [
            {"selector": f"td.col{i}, th.level1.col{i}, th.level0.col{i}", "props": "border-left: 2px solid"}
            for i in first
        ]
    return out.format(escape="html").set_table_styles(styles).set_uuid(name.lower().replace(" ", "-"))


# --------------------------------------------------------------------------------------- Tables 1 and 3, as files


def results_table(results: pd.DataFrame) -> pd.DataFrame:
    """Table 1, or Table 3 where CoFInAl lacks parts, in full: a row a target and method (or arm).

    Columns: last epoch, over seeds and over routines its two intervals (95 %), best on test (optimistic: what the
    released code reports), ridge (regression on the mean clip), paper, and our last epoch less the paper's. The paper's
    cells stand beside official data alone. Table 3 has, in place of ridge, what each arm loses against the whole
    method, seed by seed, and the interval of this loss over the same resampled test routines.
    """
    if results.empty:
        return pd.DataFrame({"": ["no runs here"]}, index=[""])
    arms = results["without"].ne("").any()
    best = soft(results, split="test", selection="best_on_test").set_index(["target", "method", "options"])["srcc"]
    rows = {}
    for r in last_epoch(results).itertuples():
        paper = printed_cell(r.target, r.method, r.without) if r.source == "official" else np.nan
        name = ARM_NAMES[r.without] if arms else METHOD_NAMES[r.method]
        row = {
            "last epoch": number(r.srcc),
            "over seeds": span(r.srcc_low, r.srcc_high),
            "over routines": span(r.routines_low, r.routines_high),
            "best on test": number(best[r.target, r.method, r.options]),
        }
        if not arms:
            row["ridge"] = number(r.ridge)
        rows[f"{r.target} ({r.source})", name] = row | {
            "paper": number(paper),
            "difference": number(r.srcc - paper, "+"),
        }
    table = pd.DataFrame(rows).T
    if arms:
        table[["less than the whole", "this, over routines"]] = NOTHING
        for r in losses_of_arms(results).query("seeds > 0").itertuples():
            row = f"{r.target} ({r.source})", ARM_NAMES[r.without]
            table.loc[row, "less than the whole"] = signed_cell(r.loss, r.low, r.high)
            table.loc[row, "this, over routines"] = span(r.routines_low, r.routines_high, "+")
    return table


ARM_NAMES = {"": "CoFInAl", "L_R": "w/o L_R", "TFM": "w/o TFM", "GPM": "w/o GPM", "FGS": "w/o FGS"}


def losses_of_arms(results: pd.DataFrame) -> pd.DataFrame:
    """What leaving a part out costs: test SRCC of the whole method less the arm's, paired by seed.

    Columns: target, source, without, loss, low, high (Student's 95 % over seeds), seeds that both have; routines_low,
    routines_high, of `same_routines`; NaN and 0 where the whole method has not run.
    """
    rows = []
    for target, part in last_epoch(results).groupby("target", sort=False):
        (whole,) = part[part["without"] == ""].to_dict("records")[:1] or [{"per_seed": ""}]
        for r in part[part["without"] != ""].to_dict("records"):
            of_whole, of_arm = shared_seeds([whole["per_seed"], r["per_seed"]])
            n = len(of_whole)
            loss = mean_interval(of_whole - of_arm) if n else (np.nan,) * 3
            rows.append((target, r["source"], r["without"], *loss, n, *same_routines(whole, r, n)))
    columns = ["target", "source", "without", "loss", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=[*columns, "routines_low", "routines_high"])


def ranks(row: dict | pd.Series) -> np.ndarray | None:
    """The column ranks of `results.tidy`, (1 + S, N): of the score, then of each seed; None where none are kept."""
    text = row.get("ranks")
    return np.array([part.split() for part in text.split("|")], int) if isinstance(text, str) and text else None


def same_routines(first: dict | pd.Series, second: dict | pd.Series, seeds: int | None = None) -> tuple[float, float]:
    """One run's test SRCC less another's, rows of `results.tidy`, over the same resampled routines: low, high.

    Args:
        seeds: of how many of either run's seeds the mean is taken; by default of all.

    NaN where ranks are not kept, or are not of the same routines.
    """
    one, other = ranks(first), ranks(second)
    if one is None or other is None or not np.array_equal(one[0], other[0]):
        return np.nan, np.nan
    return difference_interval(one[1:][:seeds], other[1:][:seeds], one[0])


def per_seed(text: str | float) -> np.ndarray:
    """The column per_seed of `results.tidy`, (S,)."""
    return np.array([float(v) for v in str(text).split()])


def seeds_interval(values, correlations: bool = False) -> tuple[float, float, float]:
    """`metrics.mean_interval` over seeds; a value that no seed moves has no interval: it tells of no other start."""
    mean, low, high = mean_interval(values, correlations)
    return (mean, low, high) if high - low > 1e-9 else (mean, np.nan, np.nan)


def shared_seeds(rows: Iterable[str | float]) -> np.ndarray:
    """Some rows' per_seed, as far as all of them have seeds, (n, S)."""
    trainings = [per_seed(text) for text in rows]
    shortest = min(map(len, trainings))
    return np.array([row[:shortest] for row in trainings])


def on_shared_seeds(part: pd.DataFrame) -> pd.DataFrame:
    """One target's rows of `last_epoch`, cut to the seeds that all of them have: their SRCC, and both its intervals."""
    trainings, part = shared_seeds(part["per_seed"]), part.copy()
    n = trainings.shape[1]
    for at, srcc in zip(part.index, trainings, strict=True):
        if n < part.loc[at, "seeds"]:
            part.loc[at, ["srcc", "srcc_low", "srcc_high"]] = mean_interval(srcc, correlations=True)
            kept = ranks(part.loc[at])
            over = (np.nan, np.nan) if kept is None else bootstrap_interval(kept[1 : n + 1], kept[0], seed=0)
            part.loc[at, ["routines_low", "routines_high"]] = over
            part.loc[at, "seeds"] = n
    return part


def printed_cell(target: str, method: str, without: str = "") -> float:
    """What Table 1 (Table 3 for an arm of CoFInAl) prints for an official target, on the same features; NaN if nothing.

    The features are VST's, unless the target says "@i3d" or "@c3d".
    """
    name, _, backbone = target.split("/")[1].partition("@")
    if without:
        table = printed("table3").set_index("without")
        return float(table.loc[without, name]) if name in table and not backbone else np.nan
    table, (row, _) = printed("table1"), TABLE1_ROWS.get(method, (None, None))
    same = table[(table["method"] == row) & table["backbone"].str.startswith(backbone.upper() or "VST")]
    return float(same[name].iloc[0]) if len(same) and name in same else np.nan


def as_files(artefact: str, results: pd.DataFrame, command: str) -> dict[str, str]:
    """A table as {"html": a page, "tex": a LaTeX tabular}, with the line that says where it comes from."""
    if artefact == "table2":
        table, line = cost_frame(results), f"Counted, no data; times: table2-times.csv · {command}"
    else:
        table, line = results_table(results), signature(results, command)
    heading = TITLES[artefact]
    html = styled(table, artefact).set_caption(f"{heading}. {line}").to_html()
    page = f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{heading}</title>\n{html}</html>\n'
    body = table.rename_axis(index=[None] * table.index.nlevels).to_latex(escape=True, multirow=True)
    return {"html": page, "tex": f"% {heading}\n% {line}\n{body.replace('–', '--')}"}


TITLES = {
    "table1": "Table 1: SRCC on test routines, ours and printed",
    "table2": "Table 2: numbers to learn and multiply-accumulates, counted and printed",
    "table3": "Table 3: SRCC without parts of CoFInAl, ours and printed",
}


def signature(results: pd.DataFrame, command: str) -> str:
    """Where an artefact's numbers come from: sources, seeds, epochs, device, versions, commits, command."""
    if results.empty:
        return f"no runs here · {command}"
    data = ", ".join(f"{t} ({s})" for t, s in results[["target", "source"]].drop_duplicates().to_numpy())
    if "seeds" not in results:  # a row a seed
        arms = results.groupby([name for name in ("target", "kind", "method") if name in results])
        results = results.assign(seeds=arms["seed"].transform("nunique"))
    known = [f"{name} {', '.join(map(str, results[name].unique()))}" for name in ("device", "torch") if name in results]
    commits = [str(c)[:7] + str(c)[40:] for c in results["commit"].dropna().unique()] if "commit" in results else []
    seeds, epochs = extent(results, "seeds"), extent(results, "epochs")
    parts = [f"data: {data}", f"seeds: {seeds}", f"epochs: {epochs}", *known]
    return " · ".join(parts + ([f"commit {', '.join(commits)}"] if commits else []) + [command])


def extent(results: pd.DataFrame, column: str) -> str:
    """A column's smallest and largest value in words, such as "1 to 3"."""
    low, high = results[column].min(), results[column].max()
    return f"{low}" if low == high else f"{low} to {high}"


def in_seeds(n: int | str) -> str:
    """A number of seeds, or an `extent`, in words: "1 seed", "3 seeds", "1 to 3 seeds"."""
    return f"{n} seed{'' if str(n) == '1' else 's'}"


def number(value: float, sign: str = "") -> str:
    """Three decimals, or a dash for what is not there."""
    return NOTHING if pd.isna(value) else f"{value:{sign}.3f}"


def span(low: float, high: float, sign: str = "", digits: int = 3) -> str:
    """An interval in words, or a dash."""
    return NOTHING if pd.isna(low) or pd.isna(high) else f"{low:{sign}.{digits}f} to {high:{sign}.{digits}f}"


def two_lines(mean: float, low: float, high: float, sign: str = "", digits: int = 3) -> str:
    """A number and, where it is known, its interval below it, whose ends have so many decimals."""
    interval = "" if pd.isna(low) else f"\n{span(low, high, sign, digits)}"
    return "undefined" if pd.isna(mean) else f"{mean:{sign}.3f}{interval}"


def p_value(p: float) -> str:
    """A p value, as far as it can be told from zero."""
    if pd.isna(p):
        return "undefined"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def signed_cell(mean: float, low: float, high: float) -> str:
    """A difference and, where it is known, its interval."""
    interval = "" if pd.isna(low) else f" ({span(low, high, '+')})"
    return "undefined" if pd.isna(mean) else f"{mean:+.3f}{interval}"


def cost_frame(counted: pd.DataFrame) -> pd.DataFrame:
    """Table 2's counts, of `results.costs_of_scoring`: parameters and multiply-accumulates, counted and printed."""

    def as_text(values: pd.Series, form: str) -> pd.Series:
        return values.map(lambda v: NOTHING if pd.isna(v) else f"{v:{form}}")

    columns = {}
    for head, ours, paper, form in (
        ("parameters, million", "parameters_m", "printed_m", ".2f"),
        ("MACs, billion", "gmacs", "printed_gmacs", ".4f"),
    ):
        columns[head, "counted"] = as_text(counted[ours], form)
        columns[head, "printed"] = as_text(counted[paper], form)
        columns[head, "printed /\ncounted"] = as_text(counted[paper] / counted[ours], ".2f")
    return pd.DataFrame(columns).set_axis([METHOD_NAMES[m] for m in counted["method"]])
