"""Chapter 8: Table 1 beside what it prints, how far it can be read, and what our own runs say."""

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler
from scipy import stats

from cofinal_lib.figures import METHOD_NAMES, PLAIN_NAMES
from cofinal_lib.metrics import fisher_mean, mean_interval, pearson_of, spearman_interval, spearman_rows
from cofinal_lib.paper import printed, table1
from cofinal_lib.rivals import SOLVED
from cofinal_lib.tables import (
    AVERAGES,
    GROUPS,
    N_TEST,
    NOTHING,
    TABLE1_ROWS,
    group_of,
    in_seeds,
    last_epoch,
    number,
    per_seed,
    printed_cell,
    ranks,
    same_routines,
    signed_cell,
    soft,
    styled,
)

# --------------------------------------------------------------------------------------- Table 1's cells


def compare(grid: pd.DataFrame) -> pd.DataFrame:
    """All cells of Table 1 in long form, ours (`last_epoch`) and the printed ones of the same kind of features.

    Columns: source, method, group, target, srcc; low, high, over seeds (Student's); routines_low, routines_high, over
    test routines (ours resampled; printed cells and ridge by Bonett and Wright's formula).

    Sources: "movement", "twin" and "official" are ours; "paper" are the cells that Table 1 prints for official
    features, which have no interval over seeds, for it reports none. Method "ridge" stands beside every run of ours,
    so it has a cell also where it has no run of its own. Target "average" is a group's Fisher average; Fis-V's two
    scores are of the same routines. A reader's features of another backbone are a target of their own, "pcs@i3d".
    """
    rows, beside = [], []
    for r in grid.itertuples():
        group, name = group_of(r.target), r.target.split("/")[1]
        head = r.source, group, name
        rows.append((*head, r.method, r.srcc, r.srcc_low, r.srcc_high, r.routines_low, r.routines_high))
        beside.append((*head, "ridge", r.ridge, np.nan, np.nan, *spearman_interval(r.ridge, N_TEST[group])))
    table, names = printed("table1").set_index(["method", "backbone"]), [n for group in GROUPS.values() for n in group]
    said = [(name, method, table.loc[row, name]) for method, row in TABLE1_ROWS.items() for name in names]
    others = grid.loc[grid["target"].str.contains("@"), "target"].unique()
    said += [
        (target.split("/")[1], method, printed_cell(target, method)) for target in others for method in TABLE1_ROWS
    ]
    for name, method, rho in said:
        if np.isfinite(rho):
            head = "paper", group_of(name), name, method
            rows.append((*head, rho, np.nan, np.nan, *spearman_interval(rho, N_TEST[group_of(name)])))
    ends = ["low", "high", "routines_low", "routines_high"]
    cells = pd.DataFrame(rows + beside, columns=["source", "group", "target", "method", "srcc", *ends])
    cells = cells.drop_duplicates(["source", "group", "target", "method"])
    means, vst = [], cells[~cells["target"].str.contains("@")]
    for (source, group, method), part in vst.groupby(["source", "group", "method"], sort=False):
        if group in GROUPS and len(part) == len(GROUPS[group]):
            over_routines = average(part, "routines_low", "routines_high", together=group == "Fis-V")
            means.append((source, group, "average", method, *average(part), *over_routines[1:]))
    return pd.concat([cells, pd.DataFrame(means, columns=cells.columns)], ignore_index=True)


SOURCE_HEADINGS = {
    "movement": "movement, ours",
    "twin": "simulated twin, ours",
    "official": "official features, ours",
    "paper": "official features, paper",
}


def verdict(cells: pd.DataFrame) -> dict[str, int]:
    """What our small data can tell: counts over cells of one method and one target, movement or twin.

    cells; above_ridge, those whose whole interval over seeds lies above ridge regression; pairs of methods on one
    target, and pairs_apart, those whose intervals do not overlap. Methods that draw nothing at random have no interval
    over seeds, or one without any width: they are left out, as are other cells without an interval.
    """
    ours = cells[cells["source"].isin(["movement", "twin"]) & (cells["target"] != "average")]
    counts = {"cells": 0, "above_ridge": 0, "pairs": 0, "pairs_apart": 0}
    for _, part in ours.groupby(["source", "target"]):
        ridge = part.loc[part["method"] == "ridge", "srcc"].max()
        known = part[(part["method"] != "ridge") & (part["high"] - part["low"] > 1e-9)]
        low, high = known["low"].to_numpy(), known["high"].to_numpy()
        counts["cells"] += len(known)
        counts["above_ridge"] += int((low > ridge).sum())
        counts["pairs"] += len(known) * (len(known) - 1) // 2
        counts["pairs_apart"] += int((low[:, None] > high).sum())
    return counts


def side_by_side(cells: pd.DataFrame, group: str, sources: tuple[str, ...], over: str = "seeds") -> Styler:
    """One group's targets: methods in rows, each source in columns of its own, every cell with its interval.

    Args:
        cells: of `compare`. group: "UI-PRMD", "RG" or "Fis-V". sources: those shown, of SOURCE_HEADINGS.
        over: "seeds" or "routines", what the interval is over.
    """
    ends = {"seeds": ["low", "high"], "routines": ["routines_low", "routines_high"]}[over]
    part = cells[(cells["group"] == group) & cells["source"].isin(sources)].copy()
    if part.empty:
        return styled(pd.DataFrame({"": [f"no runs of {group} here"]}), f"table1-{group}").hide()
    part["cell"] = [_cell(*row) for row in part[["srcc", *ends]].to_numpy()]
    part["source"] = part["source"].map(SOURCE_HEADINGS)
    table = part.pivot(index="method", columns=["source", "target"], values="cell")
    targets = [*GROUPS.get(group, ()), "average", *table.columns.unique("target")]
    targets = list(dict.fromkeys(targets))
    columns = [(s, t) for s in SOURCE_HEADINGS.values() for t in targets if (s, t) in table.columns]
    table = table.reindex([m for m in METHOD_NAMES if m in table.index])[columns]
    table = table.rename(index=METHOD_NAMES).fillna(NOTHING)
    return styled(table, f"table1-{group}", sources=len({s for s, _ in columns}) > 1)


def _cell(mean: float, low: float, high: float) -> str:
    if not np.isfinite(mean):
        return "undefined"
    if not np.isfinite(low):
        return f"{mean:.3f}"
    low, high = (f"{x:.2f}".replace("0.", ".", 1) for x in (low, high))  # narrow enough for ten columns
    return f"{mean:.3f}\n{low} to {high}"


def average(cells: pd.DataFrame, low: str = "low", high: str = "high", together: bool = False) -> tuple:
    """Fisher average of correlations with intervals (columns srcc, low, high): (mean, low, high).

    The cells count as independent: half-widths on Fisher's z add as squares. Cells of the same routines do not vary
    independently over routines; together=True adds their half-widths plainly, as if they varied as one (no interval
    is wider). A cell without an interval leaves none.
    """
    z, down, up = (np.arctanh(cells[c].to_numpy(float).clip(-1 + 1e-9, 1 - 1e-9)) for c in ("srcc", low, high))
    half = (up - down) / 2
    half = half.mean() if together else np.sqrt((half**2).sum()) / len(z)
    return fisher_mean(cells["srcc"]), float(np.tanh(z.mean() - half)), float(np.tanh(z.mean() + half))


def recomputed_averages() -> pd.DataFrame:
    """Table 1's averages as printed, and again from its cells: method, backbone, group, printed, recomputed, agrees.

    They agree where some cells within rounding (0.0005) of the printed ones average to the printed value.
    """
    rows = []
    for row in printed("table1").to_dict("records"):
        for group, column in AVERAGES.items():
            cells = np.array([row[name] for name in GROUPS[group]], float)
            if np.isfinite(cells).all():
                reach = [fisher_mean(cells + shift) for shift in (-0.0005, 0.0005)]
                agrees = reach[0] - 0.0005 <= row[column] <= reach[1] + 0.0005
                rows.append((row["method"], row["backbone"], group, row[column], fisher_mean(cells), agrees))
    return pd.DataFrame(rows, columns=["method", "backbone", "group", "printed", "recomputed", "agrees"])


# --------------------------------------------------------------------------------------- how far they can be read


def luck(rho: float, n: int, between: float | None = None, targets: int = 1, draws: int = 8000) -> float:
    """How far apart chance alone puts two equally good methods: 95 % of the differences of their SRCC are smaller.

    Score and two predictions of n routines are drawn from a normal distribution, anew for each target (targets > 1:
    differences of Fisher averages).

    Args:
        rho: either method's rank correlation with the score.
        between: rank correlation of the two methods' predictions; None where their errors have nothing in common.
    """
    r = pearson_of(rho)
    b = r**2 if between is None else pearson_of(between)
    root = np.linalg.cholesky(np.array([[1, r, r], [r, 1, b], [r, b, 1]]) + 1e-9 * np.eye(3))
    drawn = np.random.default_rng(0).standard_normal((draws, targets, n, 3)) @ root.T
    ranks = np.moveaxis(drawn, -1, 0).argsort(-1).argsort(-1) - (n - 1) / 2  # (3, draws, targets, n), never tied
    score, *both = ranks * np.sqrt(12 / (n**3 - n))  # of length 1
    first, second = (np.tanh(np.arctanh((x * score).sum(-1)).mean(1)) for x in both)  # (draws,)
    return float(np.quantile(np.abs(first - second), 0.95))


def noise_over_routines(between: float = 0.9) -> Styler:
    """What n test routines can tell: one method's interval, and how far apart two methods have to be (`luck`)."""
    rows = {}
    for rho in (0.5, 0.6, 0.7, 0.8, 0.9):
        row = rows.setdefault(f"{rho:.2f}", {})
        for n in (50, 100):
            row[f"{n} routines", "95 % interval"] = "{:.2f} to {:.2f}".format(*spearman_interval(rho, n))
            row[f"{n} routines", "needed,\nown errors"] = f"{luck(rho, n):.2f}"
            row[f"{n} routines", "needed,\nmuch alike"] = f"{luck(rho, n, between):.2f}"
    return styled(pd.DataFrame(rows).T, "noise", sources=True)


def ahead_everywhere(targets: list[str]) -> float:
    """How often luck alone puts one of two equally good methods ahead on all targets.

    Half the time on each set of test routines; Fis-V's two scores are of one set, and count once.
    """
    return 0.5 ** len({"Fis-V" if target in GROUPS["Fis-V"] else target for target in targets})


def printed_leads(between: float = 0.9) -> pd.DataFrame:
    """CoFInAl's lead in Table 1's block of VST features over the best other method there, and what chance alone gives.

    Columns: group, target, cofinal, rival (its name), best (its SRCC), lead, needed (`luck` of methods with errors of
    their own), needed_alike (of methods whose predictions correlate by `between`). The average of RG rests on four
    times fifty routines; that of Fis-V on one hundred only, for both scores are of the same routines.
    """
    table = table1("VST")
    columns = [(g, name, name, 1) for g, names in GROUPS.items() for name in names]
    columns += [("RG", "average", AVERAGES["RG"], 4), ("Fis-V", "average", AVERAGES["Fis-V"], 1)]
    rows = []
    for group, target, column, targets in columns:
        own, others = table.loc["CoFInAl", column], table[column].drop("CoFInAl")
        rho = (own + others.max()) / 2
        needed = [luck(rho, N_TEST[group], b, targets) for b in (None, between)]
        rows.append((group, target, own, others.idxmax(), others.max(), own - others.max(), *needed))
    names = ["group", "target", "cofinal", "rival", "best", "lead", "needed", "needed_alike"]
    return pd.DataFrame(rows, columns=names)


def leads_table(leads: pd.DataFrame) -> Styler:
    """`printed_leads` as the book sets it."""
    table = pd.DataFrame(
        {
            "CoFInAl": leads["cofinal"].map("{:.3f}".format),
            "best other": leads["best"].map("{:.3f}".format) + ", " + leads["rival"],
            "lead": leads["lead"].map("{:.3f}".format),
            "needed, own errors": leads["needed"].map("{:.3f}".format),
            "needed, much alike": leads["needed_alike"].map("{:.3f}".format),
        }
    )
    return styled(table.set_axis(leads["group"] + ", " + leads["target"]), "leads")


# --------------------------------------------------------------------------------------- what our runs say


def against_ridge(results: pd.DataFrame) -> pd.DataFrame:
    """Each network of Table 1 against ridge regression on the same test routines, resampled together.

    Columns: target, source, method, seeds; srcc, ridge (means over seeds); difference, low, high (95 %, over routines);
    between, the rank correlation of the method's predictions with ridge's, a mean over seeds.
    """
    rows = []
    for target, part in last_epoch(results).groupby("target", sort=False):
        kept = {r["method"]: r for r in part.to_dict("records")}
        ridge = kept.get("ridge", {})
        for method, own in kept.items():
            low, high = same_routines(own, ridge)
            if method not in SOLVED and np.isfinite(low):
                between = spearman_rows(ranks(own)[1:], ranks(ridge)[1:]).mean()
                pair = own["srcc"], ridge["srcc"], own["srcc"] - ridge["srcc"]
                rows.append((target, own["source"], method, own["seeds"], *pair, low, high, between))
    names = ["target", "source", "method", "seeds", "srcc", "ridge", "difference", "low", "high", "between"]
    return pd.DataFrame(rows, columns=names)


def noise_over_seeds(results: pd.DataFrame, numbers: tuple[int, ...] = (3, 5, 10)) -> pd.DataFrame:
    """How much single seeds of one method and target differ, by source, and what an interval over n seeds makes of it.

    Columns: source, cells (with two seeds or more; methods that draw nothing at random are left out); least, spread and
    most, the lowest, median and highest standard deviation of a cell's seeds; n seeds, half the width of Student's 95 %
    interval at the median.
    """
    rows = []
    for source, part in last_epoch(results).groupby("source", sort=False):
        spreads = [np.std(seeds, ddof=1) for seeds in map(per_seed, part["per_seed"]) if len(seeds) > 1]
        spreads = [s for s in spreads if s > 1e-9]  # leaves out what is undefined, too
        if spreads:
            spread = float(np.median(spreads))
            halves = [stats.t.ppf(0.975, n - 1) * spread / np.sqrt(n) for n in numbers]
            rows.append((source, len(spreads), min(spreads), spread, max(spreads), *halves))
    names = ["source", "cells", "least", "spread", "most", *(f"{n} seeds" for n in numbers)]
    return pd.DataFrame(rows, columns=names)


def selection_leads(results: pd.DataFrame) -> pd.DataFrame:
    """What choosing an epoch brings over the last one: test SRCC (soft), paired by seed.

    Columns: data ("twins", a target of other sources), source, method, selection ("validation" or "best_on_test"),
    lead, low, high (Student's 95 %, over seeds and, of twins, targets), pairs; spans, each pair's lead, as text.
    Methods that are solved have no epochs and are left out, as are seeds without a ranking.
    """
    chosen = soft(results[~results["method"].isin(SOLVED)], split="test")
    chosen = chosen.assign(data=chosen["target"].where(chosen["source"] != "twin", "twins"))
    rows = []
    for (data, source, method), part in chosen.groupby(["data", "source", "method"], sort=False):
        seeds = {
            selection: np.concatenate([per_seed(text) for text in cells.sort_values("target")["per_seed"]])
            for selection, cells in part.groupby("selection")
        }
        for selection in ("validation", "best_on_test"):
            leads = seeds[selection] - seeds["last"]
            leads = leads[np.isfinite(leads)]
            if len(leads):
                spans = " ".join(f"{lead:.4g}" for lead in leads)
                rows.append((data, source, method, selection, *mean_interval(leads), len(leads), spans))
    names = ["data", "source", "method", "selection", "lead", "low", "high", "pairs", "spans"]
    return pd.DataFrame(rows, columns=names)


def beside_printed(results: pd.DataFrame) -> dict[str, int]:
    """Our official runs beside the cells that Table 1 prints for the same features: counts of runs.

    printed, runs with such a cell; below, those whose last epoch lies below it; best_below, even with the epoch chosen
    on the test routines; outside, the cell lies outside our interval over routines; and of all networks (what is not
    solved), networks, and below_ridge, those whose last epoch ridge regression on the mean clip surpasses.
    """
    official = results[results["source"] == "official"]
    best = soft(official, split="test", selection="best_on_test").set_index("run_id")["srcc"]
    counts = dict.fromkeys(("printed", "below", "best_below", "outside", "networks", "below_ridge"), 0)
    for r in last_epoch(official).itertuples():
        cell = printed_cell(r.target, r.method)
        counts["printed"] += int(np.isfinite(cell))
        counts["below"] += int(r.srcc < cell)
        counts["best_below"] += int(best[r.run_id] < cell)
        counts["outside"] += int(cell < r.routines_low or cell > r.routines_high)
        counts["networks"] += int(r.method not in SOLVED)
        counts["below_ridge"] += int(r.method not in SOLVED and r.srcc < r.ridge)
    return counts


def paired_table(pairs: pd.DataFrame) -> Styler:
    """`against_ridge` as the book sets it."""
    if pairs.empty:
        return styled(pd.DataFrame({"": ["no predictions here"]}), "paired").hide()
    table = pd.DataFrame(
        {
            "seeds": pairs["seeds"].map(str),
            "SRCC": pairs["srcc"].map("{:.3f}".format),
            "ridge": pairs["ridge"].map("{:.3f}".format),
            "difference": [signed_cell(*row) for row in pairs[["difference", "low", "high"]].to_numpy()],
            "predictions alike": pairs["between"].map("{:.2f}".format),
        }
    )
    names = pairs["method"].map(METHOD_NAMES)
    return styled(table.set_axis(pairs["target"] + " (" + pairs["source"] + "), " + names), "paired")


def line_to_pass(results: pd.DataFrame) -> pd.DataFrame:
    """Official targets by the simplest methods, on VST features: one row a target.

    Columns: target; ridge, ridge_low, ridge_high (over routines; by formula where ridge has no run of its own);
    kernel, kernel ridge on five segment means, and svr, the SVR on the mean clip (NaN without a run); svr_printed, on
    C3D's features; printed, the number of cells that Table 1 prints on VST features; printed_below, those below ridge;
    printed_near, those inside ridge's interval.
    """
    svr_printed, vst, rows = table1("C3D").loc["C3D+SVR"], table1("VST"), []
    official = last_epoch(results[(results["source"] == "official") & ~results["target"].str.contains("@")])
    for target, part in official.groupby("target", sort=False):
        name, ridge = target.split("/")[1], part["ridge"].iloc[0]
        low, high = spearman_interval(ridge, N_TEST[group_of(target)])
        if len(own := part[part["method"] == "ridge"]):
            low, high = own.iloc[0][["routines_low", "routines_high"]]
        kernel, svr = (part.loc[part["method"] == m, "srcc"].max() for m in ("kernel-ridge", "c3d-svr"))
        cells = vst[name]
        near = int(cells.between(low, high).sum())
        row = ridge, low, high, kernel, svr, svr_printed[name]
        rows.append((target, *row, len(cells), int((cells < ridge).sum()), near))
    names = ["target", "ridge", "ridge_low", "ridge_high", "kernel", "svr", "svr_printed", "printed", "printed_below"]
    return pd.DataFrame(rows, columns=[*names, "printed_near"])


def in_words(results: pd.DataFrame) -> str:
    """Official targets, a sentence each: ridge regression, other regressions and CoFInAl where they ran, with seeds."""
    methods = ["kernel-ridge", "c3d-svr", "cofinal-released", "cofinal"]
    official, sentences = last_epoch(results[results["source"] == "official"]), []
    for target, part in official.groupby("target", sort=False):
        said = [f"ridge regression on the mean clip reaches {number(part['ridge'].iloc[0])}"]
        for r in part[part["method"].isin(methods)].itertuples():
            name = {"kernel-ridge": "kernel ridge on five segment means", "c3d-svr": "the SVR"}.get(r.method)
            name = name or PLAIN_NAMES[r.method]
            said.append(f"{name} {number(r.srcc)}" + ("" if r.method in SOLVED else f" ({in_seeds(r.seeds)})"))
        sentences.append(f"On {target}, {_listed(said)}.")
    return " ".join(sentences) or "No run on official features is at hand."


def what_ran(results: pd.DataFrame) -> str:
    """Targets of some results, the methods that ran on each, and their seeds, in words."""
    parts = []
    for target, part in last_epoch(results).groupby("target", sort=False):
        methods = [f"{METHOD_NAMES[r.method]} ({in_seeds(r.seeds)})" for r in part.itertuples()]
        parts.append(f"{target}: {_listed(methods)}")
    return "; ".join(parts) or "none yet"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
