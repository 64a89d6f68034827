"""Tables of the chapters on rivals and efficiency: shapes of a forward pass, losses, Table 1 beside what it prints."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pandas.io.formats.style import Styler
from torch import Tensor, nn

from cofinal_lib.errors import CofinalError
from cofinal_lib.figures.rivals import METHOD_NAMES
from cofinal_lib.metrics import fisher_mean, spearman_interval
from cofinal_lib.paper import printed

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
N_TEST = {"RG": 50, "Fis-V": 100}  # official test routines of a target
NOTHING = "–"

# --------------------------------------------------------------------------------------- shapes

# Modules worth a row, in order of use, and what they do.
STAGES = {
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


def read_grid(profile: str = "quick", folder: Path | None = None) -> pd.DataFrame:
    """Our grid's test SRCC (last epoch, soft decoding), one row a method and target; see `experiments.tidy`.

    Args:
        profile: whose grid; where it has not been computed, the quick one. `frame.attrs["profile"]` says which it is.
        folder: where the table lies; without it, results/reference of this repository.

    Raises:
        CofinalError: there is no such file, or it holds other columns.
    """
    folder = Path(folder or Path(__file__).resolve().parents[1] / "results" / "reference")
    found = next((p for p in (profile, "quick") if (folder / f"table1-{p}.csv").is_file()), None)
    if found is None:
        path = folder / "table1-quick.csv"
        raise CofinalError(f"{path} is missing: python data_scripts/table1.py quick computes it")
    path = folder / f"table1-{found}.csv"
    grid = pd.read_csv(path)
    wanted = {"target", "source", "method", "split", "selection", "decoding", "srcc", "srcc_low", "srcc_high", "ridge"}
    if lacking := wanted - set(grid):
        raise CofinalError(f"{path} lacks the columns {', '.join(sorted(lacking))}")
    chosen = grid.query("split == 'test' and selection == 'last' and decoding == 'soft'")
    chosen = chosen.reset_index(drop=True)
    chosen.attrs["profile"] = found
    return chosen


def average(cells: pd.DataFrame) -> tuple[float, float, float]:
    """Fisher average of correlations with intervals (columns srcc, low, high): (mean, low, high).

    The cells count as independent: half-widths on Fisher's z add as squares. A cell without an interval leaves none.
    """
    z, low, high = (np.arctanh(cells[c].to_numpy(float).clip(-1 + 1e-9, 1 - 1e-9)) for c in ("srcc", "low", "high"))
    half = np.sqrt((((high - low) / 2) ** 2).sum()) / len(z)
    return fisher_mean(cells["srcc"]), float(np.tanh(z.mean() - half)), float(np.tanh(z.mean() + half))


def compare(grid: pd.DataFrame) -> pd.DataFrame:
    """All cells of Table 1 in long form, ours and the printed ones: source, method, group, target, srcc, low, high.

    Sources: "movement" and "twin" are ours, intervals over seeds (Student's); "paper" are the cells that Table 1
    prints for official features, intervals over its test routines (Bonett and Wright's), for it reports no seeds.
    Target "average" is each group's Fisher average. Method "ridge" is our baseline, without an interval.
    """
    rows = []
    for r in grid.itertuples():
        name = r.target.split("/")[1]
        group = next((g for g, names in GROUPS.items() if name in names), "UI-PRMD")
        rows.append((r.source, r.method, group, name, r.srcc, r.srcc_low, r.srcc_high))
        rows.append((r.source, "ridge", group, name, r.ridge, np.nan, np.nan))
    table = printed("table1").set_index(["method", "backbone"])
    for method, row in PRINTED_ROWS.items():
        for group, names in GROUPS.items():
            for name in names:
                rho = table.loc[row, name]
                rows.append(("paper", method, group, name, rho, *spearman_interval(rho, N_TEST[group])))
    columns = ["source", "method", "group", "target", "srcc", "low", "high"]
    cells = pd.DataFrame(rows, columns=columns).drop_duplicates(columns[:4])
    means = [
        (*key[:3], "average", *average(part))
        for key, part in cells[cells["group"].isin(GROUPS)].groupby(columns[:3], sort=False)
        if len(part) == len(GROUPS[key[2]])
    ]
    return pd.concat([cells, pd.DataFrame(means, columns=columns)], ignore_index=True)


SOURCE_HEADINGS = {
    "movement": "movement, ours",
    "twin": "simulated twin, ours",
    "paper": "paper, official features",
}


def verdict(cells: pd.DataFrame) -> dict[str, int]:
    """What our part of the table can tell: counts over cells of one method and one target of ours.

    cells; above_ridge, those whose whole interval lies above ridge regression; pairs of methods on one target, and
    pairs_apart, those whose intervals do not overlap. A method that draws nothing at random (C3D+SVR) has an interval
    over seeds without any width, which says nothing: it is left out, as are cells without an interval.
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


def side_by_side(cells: pd.DataFrame, group: str) -> Styler:
    """One group's targets: methods in rows, each source in columns of its own, every cell with its interval."""
    part = cells[cells["group"] == group].copy()
    part["cell"] = [_cell(*row) for row in part[["srcc", "low", "high"]].to_numpy()]
    part["source"] = part["source"].map(SOURCE_HEADINGS)
    table = part.pivot(index="method", columns=["source", "target"], values="cell")
    targets = [*GROUPS.get(group, table.columns.unique("target")), "average"]
    columns = [(s, t) for s in SOURCE_HEADINGS.values() for t in targets if (s, t) in table.columns]
    table = table.reindex([m for m in [*METHOD_NAMES, "ridge"] if m in table.index])[columns]
    table = table.rename(index=METHOD_NAMES | {"ridge": "ridge, mean clip"}).fillna(NOTHING)
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
    out = table.rename_axis(index=None, columns=[None] * table.columns.nlevels).style
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


# --------------------------------------------------------------------------------------- Table 2


def cost_table(counted: pd.DataFrame, compared: pd.DataFrame) -> Styler:
    """Parameters and multiply-accumulates of each method, counted and printed; see `efficiency.against_printed`."""
    rows = {}
    for method, r in counted.iterrows():
        p = compared.loc[method] if method in compared.index else None
        rows[METHOD_NAMES[method]] = {
            ("parameters, million", "counted"): f"{r['parameters_m']:.2f}",
            ("parameters, million", "printed"): NOTHING if p is None else f"{p['printed_m']:.2f}",
            ("MACs, billion", "counted"): f"{r['gmacs']:.4f}",
            ("MACs, billion", "printed"): NOTHING if p is None else f"{p['printed_gmacs']:.4f}",
        }
    return styled(pd.DataFrame(rows).T, "cost", sources=True)


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
        row[head, "ms"] = _span(r, "ms")
        if batch > 1:
            row[head, "ms a routine"] = f"{r['ms'] / batch:.3g}"
        row[head, "ratio to GDLT"] = _span(r, "ratio")
    return styled(pd.DataFrame(rows).T, "times", sources=True)


def beside_table(beside: pd.DataFrame) -> Styler:
    """Ratios to GDLT, ours and printed, with the printed milliseconds; see `efficiency.ratios_beside_printed`."""
    rows = {
        METHOD_NAMES[method]: {
            ("this machine", "ratio to GDLT"): _span(r, "ratio"),
            ("paper, its machine", "ms"): f"{r['printed_ms']:.4f}",
            ("paper, its machine", "ratio to GDLT"): f"{r['printed_ratio']:.3g}",
        }
        for method, r in beside.iterrows()
    }
    return styled(pd.DataFrame(rows).T, "beside", sources=True)


def _span(row: pd.Series, name: str) -> str:
    return f"{row[name]:.3g}\n{row[name + '_low']:.3g} to {row[name + '_high']:.3g}"
