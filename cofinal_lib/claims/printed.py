"""Checks of the paper's printed numbers against each other, and against what chance alone gives."""

from functools import cache

import numpy as np

from cofinal_lib import main_results
from cofinal_lib.claims.verdicts import (
    CONTRADICTED,
    DIFFERS,
    HOLDS,
    NOISE,
    Finding,
    agrees,
    follows,
    printed_lead,
)  # fmt: skip
from cofinal_lib.metrics import fisher_mean, spearman_interval
from cofinal_lib.paper import printed as table
from cofinal_lib.paper import table1
from cofinal_lib.tables import AVERAGES, GROUPS, N_TEST, group_of

HALF = 0.0005  # of an SRCC as printed
PAIRED = "a paired test would need the predictions, which printed numbers do not give"
ALIKE = 0.9  # how alike two methods' predictions are taken to be, as those of methods that ran are: see chapter 16
ERRORS_ALIKE = 0.5  # of the whole method and an arm, given the scores: 0.3 to 0.6 on Fis-V
TARGETS = [name for names in GROUPS.values() for name in names]


def chance(first: float, second: float, n: int, alike: float, targets: int = 1) -> float:
    """How far apart two equally good methods come to lie on n routines in 95 of 100 cases, if so `alike` (`luck`)."""
    return main_results.luck(float(np.mean([first, second])), n, alike, targets)


def intervals_overlap(first: float, second: float, n: int) -> bool:
    """Whether the two correlations' own 95 % intervals over n routines (Bonett and Wright) overlap."""
    (low, _), (_, high) = sorted((spearman_interval(first, n), spearman_interval(second, n)), reverse=True)
    return low <= high


# --------------------------------------------------------------------------------------- Table 1


def _row(row: list[str]):
    return table("table1").set_index(["method", "backbone"]).loc[tuple(row)]


def _fisher(cells) -> tuple[float, float, float]:
    """Fisher average of printed cells, and what their rounding lets it reach."""
    cells = np.array(cells, float)
    return fisher_mean(cells), fisher_mean(cells - HALF), fisher_mean(cells + HALF)


def average(printed: float, row: list[str], group: str) -> Finding:
    """An average of Table 1 against its cells."""
    cells = [_row(row)[name] for name in GROUPS[group]]
    ours, low, high = _fisher(cells)
    verdict = follows(printed, ours, low, high, HALF)
    why = f"Fisher's average of {', '.join(f'{c:.3f}' for c in cells)} is {ours:.4f}"
    why += "." if verdict == HOLDS else f"; the cells' rounding lets it reach {low:.4f} to {high:.4f}."
    return Finding(verdict, why, ours, low, high, "Table 1")


def averaging(printed: str) -> Finding:
    """Whether Table 1's averages go through Fisher's z: against plain means of the same cells."""
    found = main_results.recomputed_averages()
    rows = table("table1").set_index(["method", "backbone"])
    plain = [
        agrees(r.printed, rows.loc[(r.method, r.backbone), list(GROUPS[r.group])].astype(float).mean(), HALF)
        for r in found.itertuples()
    ]
    fisher = sum(agrees(r.printed, r.recomputed, HALF) for r in found.itertuples())
    why = f"Fisher's z gives {fisher} of {len(found)} printed averages, plain means {sum(plain)}."
    return Finding(HOLDS if fisher > sum(plain) else CONTRADICTED, why, fisher, source="Table 1")


def gain(
    printed: float, over: list[str], row: list[str] | None = None, column: str = "rg_average", at_least: bool = False
) -> Finding:
    """A relative gain in per cent against the printed averages it comes from, and against their cells.

    Differs where the printed averages give it and their cells do not; where the text says "over" (at_least), cells
    that give more are what it says.
    """
    pair = [_row(r) for r in (row or ["CoFInAl", "VST"], over)]
    direct = 100 * (pair[0][column] / pair[1][column] - 1)
    group = next((g for g, c in AVERAGES.items() if c == column), None)
    reach = [
        _fisher(r[list(GROUPS[group])]) if group else (r[column], r[column] - HALF, r[column] + HALF) for r in pair
    ]
    (a, a_low, a_high), (b, b_low, b_high) = reach
    ours, low, high = (100 * (x / y - 1) for x, y in ((a, b), (a_low, b_high), (a_high, b_low)))
    reachable = (at_least or low - 0.005 <= printed) and printed <= high + 0.005
    verdict = (HOLDS if reachable else DIFFERS) if agrees(printed, direct, 0.005) else CONTRADICTED
    why = f"{pair[0][column]:.3f} over {pair[1][column]:.3f} is {direct:.2f} %, a relative gain"
    if group:
        why += f" (a difference of {pair[0][column] - pair[1][column]:+.3f}); the cells behind the averages give "
        why += f"{ours:.2f} % ({low:.2f} to {high:.2f} % by their rounding)"
    return Finding(verdict, why + ".", ours, low, high, "Table 1")


@cache
def _leads(alike: float):
    return main_results.printed_leads(alike).set_index(["group", "target"])


def ahead(printed: str, group: str, target: str = "average") -> Finding:
    """CoFInAl's printed lead over the best other method on VST features, beside what chance alone gives."""
    r = _leads(ALIKE).loc[(group, target)]
    verdict = printed_lead(r["lead"], r["needed_alike"])
    why = (
        f"{r['cofinal']:.3f} against {r['best']:.3f} ({r['rival']}): a lead of {r['lead']:.3f}; two equally good "
        f"methods come to lie up to {r['needed_alike']:.3f} apart even if their predictions correlate by {ALIKE}; "
        f"{PAIRED}."
    )
    low, high = r["lead"] - r["needed_alike"], r["lead"] + r["needed_alike"]
    return Finding(verdict, why, r["lead"], low, high, "Table 1; luck simulated, seed 0")


def _all_at_once(highest: list[bool], targets: list[str]) -> tuple[str, str]:
    """A claim to be highest in all columns: its verdict, and how often luck alone would let it be true, in words."""
    luck = main_results.ahead_everywhere(targets)
    verdict = CONTRADICTED if not all(highest) else HOLDS if luck < 0.05 else NOISE
    return (
        verdict,
        f"luck alone puts one of two equally good methods ahead in all of them in {100 * luck:.1f} % of cases",
    )


def best_everywhere(printed: str) -> Finding:
    """CoFInAl with VST against every other row of Table 1, column by column."""
    rows, columns = table("table1"), [*TARGETS, *AVERAGES.values()]
    own = (rows["method"] == "CoFInAl") & (rows["backbone"] == "VST")
    highest = [rows.loc[own, c].item() > rows.loc[~own, c].max() for c in columns]
    leads = _leads(ALIKE)
    beyond = int((leads["lead"] > leads["needed_alike"]).sum())
    verdict, chance_of_all = _all_at_once(highest, TARGETS)
    why = (
        f"It is highest in {sum(highest)} of {len(columns)} columns; {chance_of_all}. Taken singly, {beyond} of its "
        f"leads over the best other on VST are wider than what chance gives; {PAIRED}."
    )
    return Finding(verdict, why, sum(highest), source="Table 1; luck simulated, seed 0")


def best_of_block(printed: str, backbone: str) -> Finding:
    """CoFInAl against the other rows on the same backbone, column by column."""
    rows = table("table1")
    block = table1(backbone)[TARGETS]
    own, best = block.loc["CoFInAl"], block.drop("CoFInAl").max()
    leads, noise = own - best, [chance(own[t], best[t], N_TEST[group_of(t)], ALIKE) for t in TARGETS]
    beyond = int((leads.to_numpy() > noise).sum())
    verdict, chance_of_all = _all_at_once(list(leads > 0), TARGETS)
    why = (
        f"On {backbone}, CoFInAl is highest in {int((leads > 0).sum())} of {len(leads)} columns, by {leads.min():.3f} "
        f"to {leads.max():.3f}; {chance_of_all}. Taken singly, {beyond} of the leads are wider than luck, if "
        f"predictions correlate by {ALIKE}."
    )
    older = rows[~rows["backbone"].str.startswith((backbone, "VST"))]
    for t in TARGETS:
        r = older.loc[older[t].idxmax()]
        if r[t] > own[t]:
            why += f" In {t}, {r['method']} on {r['backbone']} is higher: {r[t]:.3f} against {own[t]:.3f}."
    return Finding(verdict, why, int((leads > 0).sum()), source="Table 1; luck simulated, seed 0")


def second_best(printed: str, row: list[str], target: str) -> Finding:
    """A row named or underlined as second best of a column: in the whole column, or only on its own backbone."""
    rows = table("table1")
    value = _row(row)[target]
    above = rows[rows[target] > value]
    backbone = row[1].split(" ")[0]
    in_block = int(above["backbone"].str.startswith(backbone).sum()) + 1
    place = len(above) + 1
    verdict = HOLDS if place == 2 else DIFFERS if in_block == 2 else CONTRADICTED
    why = f"{row[0]}'s {value:.3f} is number {place} of the column and number {in_block} among rows on {backbone}"
    if place != 2:
        other = above.sort_values(target).iloc[0]
        why += f"; {other['method']} on {other['backbone']} has {other[target]:.3f}"
    return Finding(verdict, why + ".", place, source="Table 1")


def i3d_over_c3d(printed: str) -> Finding:
    """RG's rows on I3D against its one row on C3D, cell by cell."""
    rows = table("table1")
    columns = list(GROUPS["RG"])
    c3d = rows[rows["backbone"] == "C3D"].dropna(subset=columns)
    i3d = rows[rows["backbone"].str.startswith("I3D")].dropna(subset=columns)
    (base,) = c3d[columns].to_numpy(float)
    leads = i3d[columns].to_numpy(float) - base
    noise = [chance(old, old + more, N_TEST["RG"], ALIKE) for old, more in zip(base, leads.mean(0), strict=True)]
    both = set(c3d["method"]) & set(i3d["method"])
    verdict = CONTRADICTED if (leads <= 0).any() else HOLDS if (leads > noise).all() else NOISE
    why = (
        f"{int((leads > 0).sum())} of {leads.size} cells on I3D lie above C3D+SVR's, by {leads.min():.3f} to "
        f"{leads.max():.3f}, {int((leads > noise).sum())} of them by more than luck, if predictions correlate by "
        f"{ALIKE}; {len(both) or 'no'} method has a row on both, so backbone and method are not told apart."
    )
    return Finding(verdict, why, int((leads > 0).sum()), source="Table 1; luck simulated, seed 0")


def vst_highest(printed: str) -> Finding:
    """Whether the highest averages of both groups are on VST."""
    rows = table("table1")
    best = {g: rows.loc[rows[c].idxmax()] for g, c in AVERAGES.items()}
    n = sum(r["backbone"].startswith("VST") for r in best.values())
    told = ", ".join(f"{g}: {r['method']} on {r['backbone']}, {r[AVERAGES[g]]:.3f}" for g, r in best.items())
    return Finding(HOLDS if n == len(best) else CONTRADICTED, f"Highest averages: {told}.", n, source="Table 1")


def vst_over_i3d(printed: str) -> Finding:
    """Methods with a row on both backbones, cell by cell: on VST less on I3D."""
    gains = (table1("VST")[TARGETS] - table1("I3D")[TARGETS]).stack().dropna()
    lower = [f"{method} in {target} ({gain:+.3f})" for (method, target), gain in gains.items() if gain <= 0]
    verdict = HOLDS if not lower else CONTRADICTED if len(lower) == len(gains) else DIFFERS
    why = f"{len(gains) - len(lower)} of {len(gains)} cells are higher on VST"
    why += f"; lower are {', '.join(lower)}." if lower else "."
    return Finding(verdict, why, len(gains) - len(lower), source="Table 1")


# --------------------------------------------------------------------------------------- Table 2


def extra(printed: float, column: str, digits: int) -> Finding:
    """What CoFInAl costs more than GDLT, as the text says it, against Table 2."""
    rows = table("table2").set_index("method")[column]
    ours, half = rows["CoFInAl"] - rows["GDLT"], 0.5 * 10.0**-digits
    why = f"{rows['CoFInAl']:.{digits}f} less {rows['GDLT']:.{digits}f} is {ours:.{digits}f}."
    return Finding(follows(printed, ours, ours - half, ours + half, half), why, ours, source="Table 2")


MERE = 10.0  # per cent more that we would still call mere


def mere(printed: str) -> Finding:
    """Whether CoFInAl's extra costs over GDLT are small beside what GDLT costs: at most MERE per cent each."""
    rows = table("table2").set_index("method")
    more = 100 * (rows.loc["CoFInAl"] / rows.loc["GDLT"] - 1)
    n = int((more <= MERE).sum())
    verdict = HOLDS if n == len(more) else DIFFERS if n else CONTRADICTED
    why = (
        f"By Table 2 CoFInAl takes {more['gmacs']:.1f} % more multiply-accumulates, {more['parameters_m']:.1f} % more "
        f"parameters and {more['inference_ms']:.1f} % more time than GDLT; we call up to {MERE:.0f} % mere."
    )
    return Finding(verdict, why, float(more.max()), source="Table 2")


def cheaper(printed: str, than: str) -> Finding:
    """Whether CoFInAl is cheaper than another method in all of Table 2's columns (holds), some (differs) or none."""
    rows = table("table2").set_index("method")
    times = rows.loc[than] / rows.loc["CoFInAl"]
    n = int((times > 1).sum())
    verdict = HOLDS if n == len(times) else DIFFERS if n else CONTRADICTED
    why = (
        f"By Table 2 {than} takes {times['gmacs']:.2f} times CoFInAl's multiply-accumulates, "
        f"{times['parameters_m']:.2f} times its parameters and {times['inference_ms']:.2f} times its time."
    )
    return Finding(verdict, why, n, source="Table 2")


# --------------------------------------------------------------------------------------- Table 3


def drop(printed: float, without: str, target: str) -> Finding:
    """A percentage of Table 3 against the two cells it comes from."""
    rows = table("table3").set_index("without")[target]
    whole, arm = rows[""], rows[without]
    ours, low, high = (100 * (1 - (arm + e) / (whole - e)) for e in (0, HALF, -HALF))
    verdict = follows(printed, ours, low, high, 0.5)
    why = f"{arm:.3f} lies {ours:.2f} % below {whole:.3f}"
    why += "." if verdict == HOLDS else f" ({low:.3f} to {high:.3f} % by the cells' rounding)."
    return Finding(verdict, why, ours, low, high, "Table 3")


def repeated(printed: str, drops: list) -> Finding:
    """Percentages that the text repeats, [without, target, per cent] each, against Table 3's own."""
    rows = table("table3").set_index("without")
    same = [rows.loc[arm, f"{target}_drop"] == percent for arm, target, percent in drops]
    why = f"{sum(same)} of the {len(same)} percentages in the text are those of Table 3."
    return Finding(HOLDS if all(same) else CONTRADICTED, why, sum(same), source="Table 3")


def arm(printed: str, without: str) -> Finding:
    """Whether an arm of Table 3 ranks worse for all four kinds of routine, and by more than chance on average."""
    rows = table("table3").set_index("without")[list(GROUPS["RG"])]
    drops = rows.loc[""] - rows.loc[without]
    whole, arm_ = fisher_mean(rows.loc[""]), fisher_mean(rows.loc[without])
    alike = whole * arm_ + ERRORS_ALIKE * np.sqrt((1 - whole**2) * (1 - arm_**2))
    d, noise = whole - arm_, chance(whole, arm_, N_TEST["RG"], alike, len(drops))
    verdict = CONTRADICTED if (drops <= 0).any() else printed_lead(d, noise)
    inside = sum(intervals_overlap(w, a, N_TEST["RG"]) for w, a in zip(rows.loc[""], rows.loc[without], strict=True))
    why = (
        f"{int((drops > 0).sum())} of {len(drops)} cells are lower, {d:.3f} on average, where chance alone puts two "
        f"equally good methods up to {noise:.3f} apart if their errors correlate by {ERRORS_ALIKE}, as they do on "
        f"Fis-V (their predictions then by {alike:.2f}); in {inside} columns the two cells' own intervals overlap; "
        f"{PAIRED}."
    )
    return Finding(verdict, why, d, d - noise, d + noise, "Table 3; luck simulated, seed 0")


def hits(printed: str, without: str, targets: list[str]) -> Finding:
    """Whether an arm of Table 3 costs these kinds of routine more than the others, in per cent of the whole method."""
    rows = table("table3").set_index("without")[list(GROUPS["RG"])]
    drops = (100 * (1 - rows.loc[without] / rows.loc[""])).sort_values(ascending=False)
    told = ", ".join(f"{target} {drop:.1f} %" for target, drop in drops.items())
    holds = set(drops.index[: len(targets)]) == set(targets)
    least = drops[targets].min() - drops.drop(targets).max()
    return Finding(HOLDS if holds else CONTRADICTED, f"Drops: {told}.", least, source="Table 3")


def severity(printed: str, order: list[str]) -> Finding:
    """Whether Table 3's arms cost as the words for them say, the least first: on average, else in some column."""
    rows = table("table3").set_index("without")[list(GROUPS["RG"])]
    drops = 100 * (1 - rows.loc[order] / rows.loc[""])
    fits = (drops.diff().iloc[1:] > 0).all()
    lost = [fisher_mean(rows.loc[""]) - fisher_mean(rows.loc[arm]) for arm in order]
    on_average = ", ".join(f"{arm} {d:.3f}" for arm, d in zip(order, lost, strict=True))
    told = "; ".join(
        f"{target}: {', '.join(f'{arm} {drop:.1f} %' for arm, drop in drops[target].items())}" for target in drops
    )
    verdict = HOLDS if lost == sorted(lost) else DIFFERS if fits.any() else CONTRADICTED
    why = f"On average they cost {on_average} of SRCC; {fits.sum()} of {len(fits)} columns have that order: {told}."
    return Finding(verdict, why, source="Table 3")


def own_words(printed: str, best: int, reason: int) -> Finding:
    """A number of grades found best in Figure 4, against the number whose balance the text gives as the reason."""
    why = f"The sentence finds {best} grades best, and explains it by the balance of {reason}; one may be a slip."
    return Finding(HOLDS if best == reason else CONTRADICTED, why, best, source="Sec. 4.2")
