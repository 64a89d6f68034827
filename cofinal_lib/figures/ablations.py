"""Chapter 9: Table 3, what each part of CoFInAl is worth, and the drops that the paper prints."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from pandas.io.formats.style import Styler
from scipy import stats

from cofinal_lib import efficiency, tables
from cofinal_lib.figures import BLUE, COLOURS, ORANGE, nothing, panels, signed
from cofinal_lib.metrics import spearman_interval
from cofinal_lib.paper import printed


def arms(results: pd.DataFrame, line: str) -> Figure:
    """Draw Table 3: what each part is worth, the whole method's test SRCC less the arm's, paired by seed.

    Thick: 95 % intervals over seeds; thin: of the difference over the same resampled test routines.
    """
    results = _with_whole(results)
    losses = tables.losses_of_arms(results)
    targets = list(losses["target"].unique())
    if not targets:
        return nothing(line)
    fig, axes = panels(len(targets), 2.6, sharex=True)
    shown = [arm for arm in reversed(tables.ARM_NAMES) if arm in set(losses["without"])]  # a row each, in every panel
    for ax, target in zip(axes.flat, targets, strict=False):
        part = losses[losses["target"] == target]
        y = part["without"].map(shown.index)
        ax.axvline(0, color="0.5", lw=0.8)
        ax.hlines(y, part["low"], part["high"], color=BLUE, lw=3)
        ax.hlines(y - 0.16, part["routines_low"], part["routines_high"], color="0.35", lw=1)
        ax.plot(part["loss"], y, "o", color=BLUE)
        ax.set_yticks(range(len(shown)), [_arm(arm) for arm in shown], fontsize=10)
        ax.set_ylim(-0.6, len(shown) - 0.4)
        ax.set_title(f"{target} ({part['source'].iloc[0]})", fontsize=10)
        ax.tick_params(labelbottom=True, labelsize=9)
        ax.set_xlabel("SRCC lost without it", fontsize=10)
    return signed(fig, line)


def _arm(without: str) -> str:
    return tables.ARM_NAMES[without].replace("L_R", "$L_R$")


def _with_whole(results: pd.DataFrame) -> pd.DataFrame:
    """The rows of targets that have a run of the whole method, to which an arm can be compared."""
    return results[results["target"].isin(results.loc[results["without"] == "", "target"])]


def arms_sketch() -> Figure:
    """Draw what each arm of Table 3 does at each stage, as we read it; changed stages stand out."""
    stages = ["clips to\nprocedures", "procedures to\ngrade features", "grade", "sub-grade", "grades\nin order"]
    whole = ["attention\n(Eq. 7)", "prototypes\nask (Eq. 9–11)", "classifier"]
    whole += ["fixed directions\n(Eq. 14)", "$L_R$ (Eq. 8)"]
    changed = {
        "L_R": {4: ""},
        "TFM": {0: "averages of\n5 segments"},
        "GPM": {1: "average, one\nlinear map", 4: ""},
        "FGS": {3: "learned linear\nclassifier"},
    }
    fig, ax = plt.subplots(figsize=(7, 3.9))
    ax.set(xlim=(-0.95, 5), ylim=(-0.1, 5.75))
    ax.axis("off")
    for x, stage in enumerate(stages):
        ax.text(x + 0.47, 5.1, stage, ha="center", va="bottom", fontsize=9, weight="bold")
    for row, arm in enumerate(tables.ARM_NAMES):
        y = 4 - row
        ax.text(-0.08, y + 0.4, _arm(arm), ha="right", va="center", fontsize=10)
        for x, usual in enumerate(whole):
            text = changed.get(arm, {}).get(x)
            face, edge, ls = {None: ("0.93", "0.45", "-"), "": ("w", ORANGE, "--")}.get(text, ("#f7d9a0", ORANGE, "-"))
            ax.add_patch(Rectangle((x + 0.02, y), 0.9, 0.8, facecolor=face, edgecolor=edge, ls=ls, lw=1.2))
            ax.text(x + 0.47, y + 0.4, usual if text is None else text or "left out", ha="center", va="center",
                    fontsize=8, color="0.45" if text is None else "k")  # fmt: skip
    return signed(fig, "Drawing, no data · redraw: book/09-ablations.ipynb")


def arm_starts(seed: int = 0) -> pd.DataFrame:
    """Each arm's network at the paper's sizes, untrained: million numbers to learn, and how many start as the whole's.

    Columns: parameters_m; shared, per cent of them that have the whole's starting value at the same seed.
    """
    starts = {}
    for arm in tables.ARM_NAMES:
        starts[arm] = dict(efficiency.build("cofinal", seed=seed, without=arm).named_parameters())
    rows = {}
    for arm, parameters in starts.items():
        same = [p.numel() for name, p in parameters.items() if name in starts[""] and p.equal(starts[""][name])]
        n = sum(p.numel() for p in parameters.values())
        rows[tables.ARM_NAMES[arm]] = {"parameters_m": n / 1e6, "shared": 100 * sum(same) / n}
    return pd.DataFrame(rows).T


def arms_table(results: pd.DataFrame) -> Styler:
    """Show the whole method and its arms, a row each: SRCC with intervals over seeds and over routines, and the loss.

    Below an SRCC its interval over seeds; the loss is over the seeds that both rows have. Where a row has a printed
    cell of the same features, it stands in a column.
    """
    if results.empty:
        return tables.styled(pd.DataFrame([{"": "no such runs here yet"}]), "arms-none").hide()
    last = tables.last_epoch(results)
    keys = ["target", "without"]
    best = tables.soft(results, split="test", selection="best_on_test").set_index(keys)["srcc"]
    train = tables.soft(results, split="train", selection="last").set_index(keys)["srcc"]
    losses = tables.losses_of_arms(_with_whole(results)).set_index(keys)
    rows = {}
    for r in last.itertuples():
        row = {
            "seeds": str(r.seeds),
            "test": tables.two_lines(r.srcc, r.srcc_low, r.srcc_high),
            "over routines": "" if pd.isna(r.routines_low) else f"{r.routines_low:.2f} to {r.routines_high:.2f}",
            "training": tables.number(train.get((r.target, r.without), np.nan)),
            "best on test": tables.number(best.get((r.target, r.without), np.nan)),
            "whole less arm,\nsame seeds": tables.NOTHING,
            "whole less arm,\nover routines": tables.NOTHING,
        }
        if (r.target, r.without) in losses.index:
            loss = losses.loc[(r.target, r.without)]
            row["whole less arm,\nsame seeds"] = tables.two_lines(loss["loss"], loss["low"], loss["high"], "+")
            told = tables.span(loss["routines_low"], loss["routines_high"], "+")
            row["whole less arm,\nover routines"] = told.replace(" to ", "\nto ")  # the table is as wide as the page
        if (last["source"] == "official").any():
            official = r.source == "official"
            row["paper"] = tables.number(tables.printed_cell(r.target, r.method, r.without) if official else np.nan)
        heading = f"{r.target}\n({r.source})\nridge {tables.number(r.ridge)}"
        rows[heading, tables.ARM_NAMES[r.without]] = row
    return _unbroken(tables.styled(pd.DataFrame(rows).T, f"arms-{last['source'].iloc[0]}"))


def _unbroken(styler: Styler) -> Styler:
    """Keep row headings in one line each."""
    return styler.set_table_styles([{"selector": "th.row_heading", "props": "white-space: pre"}], overwrite=False)


WANTED = 0.02  # how well a loss should be known, either way


def judged_arms(results: pd.DataFrame) -> pd.DataFrame:
    """What each arm loses, and whether seeds or routines can tell, a row a target and arm.

    Columns: those of `tables.losses_of_arms`; whole and srcc, the two test SRCC; sd, the standard deviation of the
    difference over seeds; needed, how many seeds would know it to WANTED either way (95 %); beyond_seeds, whether the
    interval leaves out zero; distance, how far apart luck over test routines puts the two if they are equally good:
    half the interval of their difference over the same resampled routines; beyond_routines, whether that interval
    leaves out zero.
    """
    results = _with_whole(results)
    found = tables.losses_of_arms(results)
    srcc = tables.last_epoch(results).set_index(["target", "without"])["srcc"]
    half = (found["high"] - found["low"]) / 2
    found["whole"] = [srcc[t, ""] for t in found["target"]]
    found["srcc"] = [srcc[t, w] for t, w in zip(found["target"], found["without"], strict=True)]
    found["sd"] = half * np.sqrt(found["seeds"]) / stats.t.ppf(0.975, (found["seeds"] - 1).clip(lower=1))
    found["needed"] = [_seeds_needed(sd) for sd in found["sd"]]
    found["beyond_seeds"] = found["loss"].abs() > half
    found["distance"] = (found["routines_high"] - found["routines_low"]) / 2
    found["beyond_routines"] = (found["routines_low"] > 0) | (found["routines_high"] < 0)
    return found


def _seeds_needed(sd: float) -> float:
    """Fewest seeds (2 to 1000) whose Student interval of the mean reaches WANTED to either side at most."""
    n = np.arange(2, 1001)
    enough = stats.t.ppf(0.975, n - 1) * sd / np.sqrt(n) <= WANTED
    return float(n[enough.argmax()]) if enough.any() else np.nan


def noise_of_arms(judged: pd.DataFrame) -> Styler:
    """Show, before any result, what can be told of each arm (`judged_arms`): a row a target and arm, no loss in it."""
    rows = {
        (f"{r.target}\n({r.source})", tables.ARM_NAMES[r.without]): {
            "spread of the\ndifference (SD)": tables.number(r.sd),
            f"±, from these\n{tables.in_seeds(r.seeds)}"
            if judged["seeds"].nunique() == 1
            else "±, from\nour seeds": tables.number((r.high - r.low) / 2),
            f"seeds needed\nfor ± {WANTED:g}": tables.NOTHING if np.isnan(r.needed) else f"{r.needed:.0f}",
            "distance needed\nover routines": tables.number(r.distance),
        }
        for r in judged.itertuples()
    }
    table = pd.DataFrame(rows or {"": {"": "no arms here yet"}}).T
    return _unbroken(tables.styled(table, f"noise-arms-{len(table)}"))


def arms_noise_in_words(judged: pd.DataFrame) -> Markdown:
    """How far the losses of `judged_arms` are known over seeds, in words, without saying any of them."""
    half = ((judged["high"] - judged["low"]) / 2).dropna()
    if half.empty:
        return Markdown("No loss has an interval over seeds.")
    least = tables.ARM_NAMES[judged.loc[half.idxmin(), "without"]]
    text = f"A loss is known to ± {half.min():.3f} at best (for {least}) and to ± {half.max():.3f} at worst. "
    enough = judged.loc[half.index, "needed"].fillna(np.inf).median()
    number = f"{enough:.0f}" if np.isfinite(enough) else "more than a thousand"
    text += f"To know it to ± {WANTED:g} would take {number} seeds in the median. "
    same, other = (half[(judged.loc[half.index, "without"] == "L_R") == is_lr].median() for is_lr in (True, False))
    if np.isfinite([same, other]).all():
        text += (
            f"For w/o L_R, which starts from the whole's own weights, the ± is {same:.3f} in the median, "
            f"and for the other arms {other:.3f}."
        )
    return Markdown(text)


def arms_in_words(judged: pd.DataFrame) -> Markdown:
    """`judged_arms` as a list, a line a target: what ranks better or worse beyond the luck of seeds."""
    said = []
    for target, part in judged.groupby("target", sort=False):
        known = part[part["beyond_seeds"]]
        words = [
            f"{', '.join(tables.ARM_NAMES[w] for w in rows['without'])} {'ranks' if len(rows) == 1 else 'rank'} {side}"
            for side, rows in (("worse", known[known["loss"] > 0]), ("better", known[known["loss"] < 0]))
            if len(rows)
        ]
        if part["low"].isna().all():
            words = ["no interval over seeds, so no difference can be told from their luck"]
        elif len(known) < len(part):
            words.append(f"{len(part) - len(known)} of {len(part)} arms cannot be told from the whole")
        said.append(f"- {target}: {'; '.join(words)}.")
    return Markdown("\n".join(said) or "No arm has been run there yet.")


def train_and_test(results: pd.DataFrame, line: str) -> Figure:
    """Draw train and test SRCC (last epoch, soft) of the whole method and its arms, a panel a target.

    Thick: 95 % intervals over seeds; thin: over resampled test routines. Dashed: ridge regression on the mean clip.
    """
    chosen = tables.soft(results, selection="last")
    targets = list(chosen["target"].drop_duplicates())
    if not targets:
        return nothing(line)
    fig, axes = panels(len(targets), 2.9, columns=2, sharex=True, sharey=False)
    for ax, target in zip(axes.flat, targets, strict=False):
        part = chosen[chosen["target"] == target]
        names = [arm for arm in tables.ARM_NAMES if (part["without"] == arm).any()][::-1]
        for split, shift in (("train", 0.14), ("test", -0.14)):
            rows = part[part["split"] == split].set_index("without").reindex(names)
            y = np.arange(len(names)) + shift
            ax.hlines(y, rows["routines_low"], rows["routines_high"], color=COLOURS[split], lw=1)
            ax.hlines(y, rows["srcc_low"], rows["srcc_high"], color=COLOURS[split], lw=5, alpha=0.4)
            ax.plot(rows["srcc"], y, "o", color=COLOURS[split], ms=6, label=split)
        ridge = part.loc[part["split"] == "test", "ridge"].iloc[0]
        ax.axvline(ridge, color=COLOURS["ridge"], lw=1, ls="--", label="ridge, test")
        ax.set_yticks(range(len(names)), [_arm(n) for n in names], fontsize=10)
        ax.set_ylim(-0.6, len(names) - 0.4)
        ax.set_title(f"{target} ({part['source'].iloc[0]})", fontsize=10)
        ax.tick_params(labelbottom=True, labelsize=9)
        ax.set_xlabel("SRCC, last epoch", fontsize=10)
    axes[0, 0].set_xlim(min(0, chosen[["srcc", "srcc_low", "routines_low"]].min(axis=None)), 1)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=9, frameon=False)
    return signed(fig, line)


def gap_in_words(results: pd.DataFrame, without: str = "TFM") -> Markdown:
    """Train and test SRCC of one arm and of the whole, in words, for each target that has both."""
    chosen = tables.soft(results, selection="last")
    trainings = chosen.set_index(["target", "split", "without"])["per_seed"]
    said = []
    for target in chosen["target"].unique():
        try:
            both = [trainings[target, split, w] for w in ("", without) for split in ("train", "test")]
        except KeyError:
            continue
        shared = tables.shared_seeds(both)
        n, srcc = shared.shape[1], shared.mean(1)
        whole, arm = srcc[:2], srcc[2:]
        if not np.isfinite([*whole, *arm]).all():
            continue
        tests, ridge = arm[1] - whole[1], chosen.loc[chosen["target"] == target, "ridge"].iloc[-1]
        memory = "less" if arm[0] < whole[0] else "more"
        said.append(
            f"- On {target}, over {tables.in_seeds(n)} that both have, "
            f"the whole reaches {whole[0]:.3f} on training and {whole[1]:.3f} on test routines, "
            f"{tables.ARM_NAMES[without]} {arm[0]:.3f} and {arm[1]:.3f}: it fits the training routines {memory} "
            f"closely, and ranks the test routines {abs(tests):.3f} {'better' if tests > 0 else 'worse'}. "
            f"Ridge on the mean clip reaches {ridge:.3f}."
        )
    return Markdown(
        "\n".join(said) or f"No target there has both the whole method and {tables.ARM_NAMES[without]} yet."
    )


IN_TEXT = {("TFM", "ball"), ("TFM", "hoop"), ("GPM", "hoop"), ("FGS", "ball"), ("FGS", "hoop")}  # repeated in Sec. 4.2


def printed_drops() -> pd.DataFrame:
    """Table 3's percentages, as printed and from its cells, a row a cell of an arm.

    Columns: without, target, whole, srcc, printed, percent (recomputed); agrees, whether the two are the same to
    whole per cent; possible, whether cells within rounding (0.0005) could give the printed one; in_text, whether the
    paper's text repeats it; inside, whether the arm's cell lies in the whole's 95 % interval over 50 test routines
    (Bonett and Wright's).
    """
    table = printed("table3").set_index("without")
    rows = []
    for arm in table.index.drop(""):
        for target in tables.GROUPS["RG"]:
            whole, srcc, drop = table.loc["", target], table.loc[arm, target], int(table.loc[arm, f"{target}_drop"])
            ends = [100 * (1 - (srcc + e) / (whole - e)) for e in (0.0005, -0.0005)]
            low, high = spearman_interval(whole, tables.N_TEST["RG"])
            rows.append(
                {
                    "without": arm,
                    "target": target,
                    "whole": whole,
                    "srcc": srcc,
                    "printed": drop,
                    "percent": 100 * (1 - srcc / whole),
                    "agrees": bool(round(100 * (1 - srcc / whole)) == drop),
                    "possible": bool(ends[0] - 0.5 <= drop <= ends[1] + 0.5),
                    "in_text": (arm, target) in IN_TEXT,
                    "inside": bool(low <= srcc <= high),
                }
            )
    return pd.DataFrame(rows)


def drops_table(drops: pd.DataFrame) -> Styler:
    """Show `printed_drops`: the cell, its printed per cent and, in brackets, what follows; "≠" where they differ."""
    cells = [f"{r.srcc:.3f}\n{r.printed} % ({r.percent:.2f} %){'' if r.agrees else ' ≠'}" for r in drops.itertuples()]
    table = drops.assign(cell=cells).pivot(index="without", columns="target", values="cell")
    table = table.loc[drops["without"].unique(), list(tables.GROUPS["RG"])].rename(index=tables.ARM_NAMES)
    whole = drops.groupby("target")["whole"].first().map("{:.3f}".format)
    whole = pd.DataFrame([whole], index=[tables.ARM_NAMES[""]])[list(table)]
    return tables.styled(pd.concat([whole, table]).rename(columns=str.capitalize), "drops")
