"""Tables of the chapters on rivals and efficiency: shapes of a forward pass, losses, Table 1 beside what it prints."""

import numpy as np
import pandas as pd
import torch
from pandas.io.formats.style import Styler
from scipy import stats
from torch import Tensor, nn

from cofinal_lib.figures.rivals import METHOD_NAMES
from cofinal_lib.metrics import difference_interval, fisher_mean, mean_interval, spearman_interval, spearman_rows
from cofinal_lib.paper import printed
from cofinal_lib.rivals import SOLVED

# Table 1's row of each of ours: the paper has one CoFInAl, and marks its own version of HGCN by a star.
PRINTED_ROWS = {
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
NOTHING = "–"

# --------------------------------------------------------------------------------------- shapes

# Modules worth a row, in order of use, and what they do.
STAGES = {
    "ridge": {},
    "kernel-ridge": {},
    "c3d-svr": {},
    "ms-lstm": {
        "reduce": "shorten every clip (all routines' clips in one list)",
        "attention": "50 summaries, each a weighted mean of clips",
        "lstm": "read the summaries",
        "scales.scale1": "read windows of 2 clips, may skip",
        "scales.scale2": "read windows of 4 clips, may skip",
        "scales.scale3": "read windows of 8 clips, may skip",
        "merge": "join the four readings",
    },
    "action-net": {
        "d_ct.embedding": "shorten every clip",
        "d_ct.gcn2": "each clip's context, from its neighbours",
        "d_ct.att": "a weight for each clip",
        "d_ct": "weighted sum of clips and contexts",
        "s_ct": "the same for the static stream",
        "fc": "one number from 0 to 1",
    },
    "gdlt": {
        "in_proj": "shorten every clip (all routines' clips in one list)",
        "transformer.encoder": "clips look at each other",
        "transformer.decoder": "each grade prototype gathers its evidence",
        "regressor": "each grade's answer; only the diagonal is used",
    },
    "hgcn": {
        "shot_gen": "each clip takes from its two neighbours",
        "scene_gen.shot_gcn": "clips exchange over a graph",
        "scene_gen.trans_gcn": "how much of each clip goes into each scene",
        "scene_gen": "scenes",
        "mot_agg": "scenes exchange over a graph",
        "fc2_mean": "each scene's part of the score: its mean",
        "fc2_logvar": "and its spread",
    },
    "cofinal-released": {
        "transformer.encoder": "as GDLT: clips look at each other",
        "transformer.decoder": "as GDLT: each prototype gathers its evidence",
        "regressor": "answers for the score",
        "regressor_revert": "answers for its mirror image",
        "regi.0": "self-attention across the batch",
        "regressori.0": "the fine vector",
    },
    "cofinal": {
        "tfm": "five procedures from all clips (Eq. 7)",
        "gpm": "four grades question the procedures (Eq. 9-11)",
        "mlp": "which grade",
        "fgs": "the fine feature (Eq. 14)",
    },
    "cofinal-repaired": {
        "prepare": "each coordinate in units of its deviation over clips",
        "tfm": "means of five segments",
        "gpm": "four grades question the procedures (Eq. 9-11)",
        "mlp": "which grade",
        "fgs": "the fine feature (Eq. 14)",
    },
}


@torch.no_grad()
def shapes(method: str, model: nn.Module, features: Tensor, lengths: Tensor) -> Styler:
    """The forward pass as a table: what goes in, what each stage gives (by hooks), the scores and embedding given out.

    Args:
        method: a name of `rivals.METHODS`, whose STAGES are shown. model: of that method.
        features, lengths: (B, C, D_C), (B,), a batch of routines.
    """
    seen, hooks = {}, []
    for path in STAGES[method]:

        def keep(module, args, out, path=path):
            seen.setdefault(path, out[0] if isinstance(out, tuple) else out)

        hooks.append(model.get_submodule(path).register_forward_hook(keep))
    try:
        out = model(features, lengths)
    finally:
        for hook in hooks:
            hook.remove()
    rows = [("a batch of routines", "features", features)]
    rows += [(words, path, seen[path]) for path, words in STAGES[method].items()]
    given = {name: value for name, value in out.items() if name.startswith(("score", "embedding"))}
    rows += [("given out", f'out["{name}"]', value) for name, value in given.items()]
    table = pd.DataFrame([(words, name, " × ".join(map(str, value.shape))) for words, name, value in rows])
    return styled(table.set_axis(["what", "where", "shape"], axis=1), f"shapes-{method}").hide()


# --------------------------------------------------------------------------------------- losses

# (what is asked, where it stands, CoFInAlConfig's option, ReleasedCoFInAlConfig's option; "" none, "always" no choice)
LOSSES = [
    ("score: squared error", "Eq. 1", 'score_unit="grade"', "score_loss=1.0"),
    ("grade: cross-entropy", "Eq. 2, text", "weight_c=1.0", ""),
    ("sub-grade: dot regression", "Eq. 15", 'fine_loss="dot_regression"', 'fine_loss="dot_regression"'),
    ("grades in order: angles, as row shares", "Eq. 8", 'regulariser="row_shares"', 'regulariser="row_shares"'),
    ("grades in order: angles, by softmax", "Eq. 8", 'regulariser="softmax"', 'regulariser="softmax"'),
    ("score and its mirror image: squared errors", "released, loss.py", "", "always"),
    ("sub-grade: mean distance of coordinates", "released, loss.py", 'fine_loss="l1"', 'fine_loss="l1"'),
    (
        "answers of a prototype together: hard triplets",
        "released, triplet_loss.py",
        'regulariser="triplet"',
        'regulariser="triplet"',
    ),
    ("no score loss", "released, loss.py", "", "score_loss=0.0"),
]
# Switches that are no loss, and yet decide what a loss sees: (what, released, the alternative).
SWITCHES = [
    ("arg max over the batch, or over each routine", 'argmax="batch"', 'argmax="routine"'),
    ("attention across the batch, or across prototypes", 'attention_over="batch"', 'attention_over="prototypes"'),
    ("levels cut from float32, or rounded", 'decomposition="truncated"', 'decomposition="rounded"'),
]


def losses() -> Styler:
    """Every loss of CoFInAl, as printed or as released, with the option that chooses it in either network."""
    columns = ["what it asks", "where it stands", "CoFInAlConfig", "ReleasedCoFInAlConfig"]
    return styled(pd.DataFrame(LOSSES, columns=columns).replace("", NOTHING), "losses", wrap=True).hide()


def switches() -> Styler:
    """What else the released code does, and the option of ReleasedCoFInAlConfig that undoes it."""
    return styled(pd.DataFrame(SWITCHES, columns=["what", "as released", "instead"]), "switches", wrap=True).hide()


# --------------------------------------------------------------------------------------- Table 1


def group_of(target: str) -> str:
    """The data set of a target in Table 1's heading, "RG" or "Fis-V", which a twin shares; else "UI-PRMD"."""
    name = target.split("/")[1].split("@")[0]
    return next((group for group, names in GROUPS.items() if name in names), "UI-PRMD")


def last_epoch(results: pd.DataFrame) -> pd.DataFrame:
    """Of an artefact's data (`results.tidy`), what is compared first: test routines, last epoch, soft decoding."""
    chosen = results.query("split == 'test' and selection == 'last' and decoding == 'soft'").reset_index(drop=True)
    chosen.attrs = results.attrs
    return chosen


def first_with(sources: tuple[str, ...], *frames: pd.DataFrame) -> pd.DataFrame:
    """The rows of some sources, of the first frame that has any; none where no frame has."""
    chosen = [frame[frame["source"].isin(sources)] for frame in frames]
    i = next((i for i, rows in enumerate(chosen) if len(rows)), -1)
    chosen[i].attrs = frames[i].attrs
    return chosen[i]


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
    table = printed("table1").set_index(["method", "backbone"])
    for method, row in PRINTED_ROWS.items():
        for group, names in GROUPS.items():
            for name in names:
                over_routines = spearman_interval(table.loc[row, name], N_TEST[group])
                rows.append(("paper", group, name, method, table.loc[row, name], np.nan, np.nan, *over_routines))
    for target in grid.loc[grid["target"].str.contains("@"), "target"].unique():
        group, name = group_of(target), target.split("/")[1]
        for method in PRINTED_ROWS:
            if np.isfinite(rho := printed_cell(target, method)):
                over_routines = spearman_interval(rho, N_TEST[group])
                rows.append(("paper", group, name, method, rho, np.nan, np.nan, *over_routines))
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


def verdict(cells: pd.DataFrame, sources: tuple[str, ...] = ("movement", "twin")) -> dict[str, int]:
    """What our part of the table can tell: counts over cells of one method and one target of ours.

    cells; above_ridge, those whose whole interval over seeds lies above ridge regression; pairs of methods on one
    target, and pairs_apart, those whose intervals do not overlap. Methods that draw nothing at random have no interval
    over seeds, or one without any width: they are left out, as are other cells without an interval.
    """
    ours = cells[cells["source"].isin(sources) & (cells["target"] != "average")]
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
    return styled(table, f"table1-{group}", sources=len({s for s, _ in columns}) > 1, narrow=True)


def _cell(mean: float, low: float, high: float) -> str:
    if not np.isfinite(mean):
        return "undefined"
    if not np.isfinite(low):
        return f"{mean:.3f}"
    low, high = (f"{x:.2f}".replace("0.", ".", 1) for x in (low, high))  # narrow enough for ten columns
    return f"{mean:.3f}\n{low} to {high}"


def styled(table: pd.DataFrame, name: str, sources: bool = False, wrap: bool = False, narrow: bool = False) -> Styler:
    """A table as the book sets it: left-aligned, line breaks kept.

    Args:
        name: makes its style sheet the same each time. sources: rule a line between sources, the columns' first level.
        wrap: break long cells. narrow: small letters, close together, so that ten columns fit a page.
    """
    styles = [
        {"selector": "th, td", "props": "text-align: left; vertical-align: top; font-size: 85%; padding: 0.25em 0.5em"},
        {"selector": "th, td", "props": f"white-space: {'pre-wrap' if wrap else 'pre'}"},
    ]
    out = table.rename_axis(index=[None] * table.index.nlevels, columns=[None] * table.columns.nlevels).style
    if narrow:
        styles.append({"selector": "th, td", "props": "font-size: 70%; padding: 0.2em 0.25em"})
        styles.append({"selector": "th.row_heading", "props": "white-space: normal"})
    if sources:
        first = [i for i, c in enumerate(table.columns) if i and c[0] != table.columns[i - 1][0]]
        styles += [
            {"selector": f"td.col{i}, th.level1.col{i}, th.level0.col{i}", "props": "border-left: 2px solid"}
            for i in first
        ]
    return out.format(escape="html").set_table_styles(styles).set_uuid(name.lower().replace(" ", "-"))


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


# --------------------------------------------------------------------------------------- how far Table 1 can be read


def luck(rho: float, n: int, between: float | None = None, targets: int = 1, draws: int = 8000) -> float:
    """How far apart chance alone puts two equally good methods: 95 % of the differences of their SRCC are smaller.

    Score and two predictions of n routines are drawn from a normal distribution, anew for each target (targets > 1:
    differences of Fisher averages).

    Args:
        rho: either method's rank correlation with the score.
        between: rank correlation of the two methods' predictions; None where their errors have nothing in common.
    """
    r = 2 * np.sin(np.pi * rho / 6)  # Pearson's correlation of normal numbers whose rank correlation is rho
    b = r**2 if between is None else 2 * np.sin(np.pi * between / 6)
    root = np.linalg.cholesky(np.array([[1, r, r], [r, 1, b], [r, b, 1]]) + 1e-9 * np.eye(3))
    drawn = np.random.default_rng(0).standard_normal((draws, targets, n, 3)) @ root.T
    ranks = np.moveaxis(drawn, -1, 0).argsort(-1).argsort(-1) - (n - 1) / 2  # (3, draws, targets, n), never tied
    score, *both = ranks * np.sqrt(12 / (n**3 - n))  # of length 1
    first, second = (np.tanh(np.arctanh((x * score).sum(-1)).mean(1)) for x in both)  # (draws,)
    return float(np.quantile(np.abs(first - second), 0.95))


def noise_over_routines(rhos=(0.5, 0.6, 0.7, 0.8, 0.9), sizes=(50, 100), between: float = 0.9) -> Styler:
    """What n test routines can tell: one method's interval, and how far apart two methods have to be (`luck`)."""
    rows = {}
    for rho in rhos:
        row = rows.setdefault(f"{rho:.2f}", {})
        for n in sizes:
            row[f"{n} routines", "95 % interval"] = "{:.2f} to {:.2f}".format(*spearman_interval(rho, n))
            row[f"{n} routines", "needed,\nown errors"] = f"{luck(rho, n):.2f}"
            row[f"{n} routines", "needed,\nmuch alike"] = f"{luck(rho, n, between):.2f}"
    return styled(pd.DataFrame(rows).T, "noise", sources=True, narrow=True)


def printed_leads(between: float = 0.9) -> pd.DataFrame:
    """CoFInAl's lead in Table 1's block of VST features over the best other method there, and what chance alone gives.

    Columns: group, target, cofinal, rival (its name), best (its SRCC), lead, needed (`luck` of methods with errors of
    their own), needed_alike (of methods whose predictions correlate by `between`). The average of RG rests on four
    times fifty routines; that of Fis-V on one hundred only, for both scores are of the same routines.
    """
    table = printed("table1")
    table = table[table["backbone"].str.startswith("VST")].set_index("method")
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
    return styled(table.set_axis(leads["group"] + ", " + leads["target"]), "leads", narrow=True)


def against_ridge(results: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """Each network against ridge regression on the same test routines, resampled together.

    Args:
        results: Table 1's, whose ranks are compared (`ranks`).
        points: of `results.what_features_know`, for networks whose ranks are not kept: one target, kinds "backbone"
            (ridge) and methods, their seeds.

    Returns:
        columns target, source, method, seeds; srcc, ridge (means over seeds); difference, low, high (95 %, over
        routines); between, the rank correlation of the method's predictions with ridge's, a mean over seeds.
    """
    rows = []

    def add(target, source, method, own, ridge, scores):
        """One row; own, ridge: (S, N), (1, N), scores (N,), or their ranks."""
        srcc, base = (float(spearman_rows(p, scores).mean()) for p in (own, ridge))
        ends = difference_interval(own, ridge, scores)
        between = spearman_rows(own, ridge).mean()
        rows.append((target, source, method, len(own), srcc, base, srcc - base, *ends, between))

    for target, part in last_epoch(results).groupby("target", sort=False):
        kept = {r["method"]: (r["source"], ranks(r)) for r in part.to_dict("records")}
        _, ridge = kept.get("ridge", (None, None))
        for method, (source, own) in kept.items():
            if method not in SOLVED and own is not None and ridge is not None and np.array_equal(own[0], ridge[0]):
                add(target, source, method, own[1:], ridge[1:], own[0])
    if "backbone" in points["kind"].to_numpy():
        predicted = {
            k: part.pivot(index="seed", columns="id", values="predicted") for k, part in points.groupby("kind")
        }
        scores = points.drop_duplicates("id").set_index("id")["score"]
        ridge = predicted.pop("backbone")[scores.index].to_numpy()[:1]  # the same for every seed
        target, source = points[["target", "source"]].iloc[0]
        for method in (m for m in METHOD_NAMES if m in predicted and (target, m) not in {(r[0], r[2]) for r in rows}):
            add(target, source, method, predicted[method][scores.index].to_numpy(), ridge, scores.to_numpy())
    names = ["target", "source", "method", "seeds", "srcc", "ridge", "difference", "low", "high", "between"]
    return pd.DataFrame(rows, columns=names)


def noise_over_seeds(results: pd.DataFrame, numbers: tuple[int, ...] = (3, 5, 10)) -> pd.DataFrame:
    """How much single seeds of one method and target differ, by source, and what an interval over n seeds makes of it.

    Columns: source, cells (with two seeds or more; methods that draw nothing at random are left out); spread, the
    median standard deviation of a cell's seeds; n seeds, half the width of Student's 95 % interval at that spread.
    """
    rows = []
    for source, part in last_epoch(results).groupby("source", sort=False):
        spreads = [np.std(seeds, ddof=1) for seeds in map(per_seed, part["per_seed"]) if len(seeds) > 1]
        spreads = [s for s in spreads if s > 1e-9]  # leaves out what is undefined, too
        if spreads:
            spread = float(np.median(spreads))
            halves = [stats.t.ppf(0.975, n - 1) * spread / np.sqrt(n) for n in numbers]
            rows.append((source, len(spreads), spread, *halves))
    return pd.DataFrame(rows, columns=["source", "cells", "spread", *(f"{n} seeds" for n in numbers)])


def selection_leads(results: pd.DataFrame) -> pd.DataFrame:
    """What choosing an epoch brings over the last one: test SRCC (soft), paired by seed.

    Columns: data ("twins", a target of other sources), source, method, selection ("validation" or "best_on_test"),
    lead, low, high (Student's 95 %, over seeds and, of twins, targets), pairs; spans, each pair's lead, as text.
    Methods that are solved have no epochs and are left out, as are seeds without a ranking.
    """
    chosen = results.query("split == 'test' and decoding == 'soft' and method not in @SOLVED")
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
    best = official.query("split == 'test' and selection == 'best_on_test' and decoding == 'soft'")
    best = best.set_index("run_id")["srcc"]
    counts = dict.fromkeys(("printed", "below", "best_below", "outside", "networks", "below_ridge"), 0)
    for r in last_epoch(official).itertuples():
        cell = printed_cell(r.target, r.method)
        counts["printed"] += int(np.isfinite(cell))
        counts["below"] += int(r.srcc < cell)
        counts["best_below"] += int(best[r.run_id] < cell)
        counts["outside"] += int(np.isfinite(cell) and not r.routines_low <= cell <= r.routines_high)
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
    return styled(table.set_axis(pairs["target"] + " (" + pairs["source"] + "), " + names), "paired", narrow=True)


def line_to_pass(results: pd.DataFrame) -> pd.DataFrame:
    """Official targets by the simplest methods, on VST features: one row a target.

    Columns: target; ridge, ridge_low, ridge_high (over routines); kernel, kernel ridge on five segment means, and svr,
    the SVR on the mean clip (NaN without a run); svr_printed, on C3D's features; printed, the number of cells that
    Table 1 prints on VST features; printed_below, those below ridge; printed_near, those inside ridge's interval.
    """
    table = printed("table1")
    svr_printed = table.set_index("method").loc["C3D+SVR"]
    vst = table[table["backbone"].str.startswith("VST")]
    rows = []
    official = last_epoch(results[(results["source"] == "official") & ~results["target"].str.contains("@")])
    for target, part in official.groupby("target", sort=False):
        name, ridge = target.split("/")[1], part["ridge"].iloc[0]
        low, high = spearman_interval(ridge, N_TEST[group_of(target)])
        kernel, svr = (part.loc[part["method"] == m, "srcc"].max() for m in ("kernel-ridge", "c3d-svr"))
        cells = vst[name]
        near = int(cells.between(low, high).sum())
        row = ridge, low, high, kernel, svr, svr_printed[name]
        rows.append((target, *row, len(cells), int((cells < ridge).sum()), near))
    names = ["target", "ridge", "ridge_low", "ridge_high", "kernel", "svr", "svr_printed", "printed", "printed_below"]
    return pd.DataFrame(rows, columns=[*names, "printed_near"])


def in_words(results: pd.DataFrame, methods=("kernel-ridge", "c3d-svr", "cofinal-released", "cofinal")) -> str:
    """Official targets, a sentence each: ridge regression, and those of some methods that ran, with their seeds."""
    official, sentences = last_epoch(results[results["source"] == "official"]), []
    for target, part in official.groupby("target", sort=False):
        said = [f"ridge regression on the mean clip reaches {part['ridge'].iloc[0]:.3f}"]
        for r in part[part["method"].isin(methods)].itertuples():
            name = {"kernel-ridge": "kernel ridge on five segment means", "c3d-svr": "the SVR"}.get(r.method)
            name = name or METHOD_NAMES[r.method].replace(",", "")
            said.append(f"{name} {r.srcc:.3f}" + ("" if r.method in SOLVED else f" ({_seeds(r.seeds)})"))
        sentences.append(f"On {target}, {_listed(said)}.")
    return " ".join(sentences) or "No run on official features is at hand."


def what_ran(results: pd.DataFrame) -> str:
    """Targets of some results, the methods that ran on each, and their seeds, in words."""
    parts = []
    for target, part in last_epoch(results).groupby("target", sort=False):
        methods = [f"{METHOD_NAMES[r.method]} ({_seeds(r.seeds)})" for r in part.itertuples()]
        parts.append(f"{target}: {_listed(methods)}")
    return "; ".join(parts) or "none yet"


def _seeds(n: int) -> str:
    return f"{n} seed{'s' if n > 1 else ''}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


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
    arms = results["without"].fillna("").ne("").any()
    best = results.query("split == 'test' and selection == 'best_on_test' and decoding == 'soft'")
    best = best.set_index(["target", "method", "options"])["srcc"]
    rows = {}
    for r in last_epoch(results).itertuples():
        paper = (
            printed_cell(r.target, r.method, r.without if isinstance(r.without, str) else "")
            if (r.source == "official")
            else np.nan
        )
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
    routines_high, between, of `same_routines`; NaN and 0 where the whole method has not run.
    """
    rows = []
    chosen = last_epoch(results).assign(without=lambda f: f["without"].fillna(""))
    for target, part in chosen.groupby("target", sort=False):
        (whole,) = part[part["without"] == ""].to_dict("records")[:1] or [{"per_seed": ""}]
        for r in part[part["without"] != ""].to_dict("records"):
            both = [per_seed(row["per_seed"]) for row in (whole, r)]
            n = min(map(len, both))
            loss = mean_interval(both[0][:n] - both[1][:n]) if n else (np.nan,) * 3
            rows.append((target, r["source"], r["without"], *loss, n, *same_routines(whole, r)))
    columns = ["target", "source", "without", "loss", "low", "high", "seeds"]
    return pd.DataFrame(rows, columns=[*columns, "routines_low", "routines_high", "between"])


def ranks(row: dict | pd.Series) -> np.ndarray | None:
    """The column ranks of `results.tidy`, (1 + S, N): of the score, then of each seed; None where none are kept."""
    text = row.get("ranks")
    return np.array([part.split() for part in text.split("|")], int) if isinstance(text, str) and text else None


def same_routines(first: dict | pd.Series, second: dict | pd.Series) -> tuple[float, float, float]:
    """One run's test SRCC less another's, rows of `results.tidy`, over the same resampled routines: low, high, between.

    between is the rank correlation of their predictions, a mean over seeds. The seeds are those that both have. All
    three are NaN where ranks are not kept, or are not of the same routines.
    """
    one, other = ranks(first), ranks(second)
    if one is None or other is None or not np.array_equal(one[0], other[0]):
        return (np.nan,) * 3
    n = min(len(one), len(other))
    a, b = one[1:n], other[1:n]
    return *difference_interval(a, b, one[0]), float(spearman_rows(a, b).mean())


def per_seed(text: str | float) -> np.ndarray:
    """The column per_seed of `results.tidy`, (S,)."""
    return np.array([float(v) for v in str(text).split()])


def printed_cell(target: str, method: str, without: str = "") -> float:
    """What Table 1 (Table 3 for an arm of CoFInAl) prints for an official target, on the same features; NaN if nothing.

    The features are VST's, unless the target says "@i3d" or "@c3d".
    """
    name, _, backbone = target.split("/")[1].partition("@")
    if without:
        table = printed("table3").set_index("without")
        return float(table.loc[without, name]) if name in table and not backbone else np.nan
    table, (row, _) = printed("table1"), PRINTED_ROWS.get(method, (None, None))
    same = table[(table["method"] == row) & table["backbone"].str.startswith(backbone.upper() or "VST")]
    return float(same[name].iloc[0]) if len(same) and name in same else np.nan


def as_files(artefact: str, results: pd.DataFrame, command: str) -> dict[str, str]:
    """A table as {"html": a page, "tex": a LaTeX tabular}, with the line that says where it comes from."""
    table = cost_frame(results) if artefact == "table2" else results_table(results)
    line = f"Counted, no data · {command}" if artefact == "table2" else signature(results, command)
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
        results = results.assign(seeds=results["seed"].nunique())
    known = [f"{name} {', '.join(map(str, results[name].unique()))}" for name in ("device", "torch") if name in results]
    commits = [str(c)[:7] + str(c)[40:] for c in results["commit"].dropna().unique()] if "commit" in results else []
    seeds, epochs = extent(results, "seeds"), extent(results, "epochs")
    parts = [f"data: {data}", f"seeds: {seeds}", f"epochs: {epochs}", *known]
    return " · ".join(parts + ([f"commit {', '.join(commits)}"] if commits else []) + [command])


def extent(results: pd.DataFrame, column: str) -> str:
    """A column's smallest and largest value in words, such as "1 to 3"."""
    low, high = results[column].min(), results[column].max()
    return f"{low}" if low == high else f"{low} to {high}"


def number(value: float, sign: str = "") -> str:
    """Three decimals, or a dash for what is not there."""
    return NOTHING if pd.isna(value) else f"{value:{sign}.3f}"


def span(low: float, high: float, sign: str = "") -> str:
    """An interval in words, or a dash."""
    return NOTHING if pd.isna(low) or pd.isna(high) else f"{low:{sign}.3f} to {high:{sign}.3f}"


def signed_cell(mean: float, low: float, high: float) -> str:
    """A difference and, where it is known, its interval."""
    interval = "" if pd.isna(low) else f" ({low:+.3f} to {high:+.3f})"
    return f"{mean:+.3f}{interval}"


# --------------------------------------------------------------------------------------- Table 2


def cost_frame(counted: pd.DataFrame) -> pd.DataFrame:
    """Table 2's counts, of `results.costs_of_scoring`: parameters and multiply-accumulates, counted and printed."""
    columns = {
        ("parameters, million", "counted"): counted["parameters_m"].map("{:.2f}".format),
        ("parameters, million", "printed"): counted["printed_m"].map(lambda v: NOTHING if pd.isna(v) else f"{v:.2f}"),
        ("MACs, billion", "counted"): counted["gmacs"].map("{:.4f}".format),
        ("MACs, billion", "printed"): counted["printed_gmacs"].map(lambda v: NOTHING if pd.isna(v) else f"{v:.4f}"),
    }
    return pd.DataFrame(columns).set_axis([METHOD_NAMES[m] for m in counted["method"]])


def cost_table(counted: pd.DataFrame, compared: pd.DataFrame) -> Styler:
    """Parameters and multiply-accumulates of each method, counted and printed; see `efficiency.against_printed`."""
    joined = counted.join(compared[["printed_m", "printed_gmacs"]])
    return styled(cost_frame(joined.rename_axis("method").reset_index()), "cost", sources=True)


def tried_table(compared: pd.DataFrame) -> Styler:
    """Configurations beside Table 2's row: counted, printed, printed over counted; see `efficiency.against_printed`."""
    columns = {
        ("parameters, million", "counted"): compared["parameters_m"],
        ("parameters, million", "printed"): compared["printed_m"],
        ("parameters, million", "printed ÷\ncounted"): compared["times_m"],
        ("MACs, billion", "counted"): compared["gmacs"],
        ("MACs, billion", "printed"): compared["printed_gmacs"],
        ("MACs, billion", "printed ÷\ncounted"): compared["times_gmacs"],
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
