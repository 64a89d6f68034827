"""Chapter 17: plain regressions on official features, a thousand splits, and cross-validation."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from cofinal_lib import main_results, tables
from cofinal_lib.crossval import ARMS
from cofinal_lib.figures import COLOURS, GREY, METHOD_COLOURS, METHOD_NAMES, from_top, nothing, signed, small
from cofinal_lib.metrics import fisher_mean
from cofinal_lib.paper import table1

REGRESSIONS = {"ridge": "ridge", "c3d-svr": "SVR", "kernel-ridge": "kernel ridge"}
SUMMARIES = {1: "mean clip", 5: "five segment means"}


def arm_name(arm: str) -> str:
    """An arm of `crossval.ARMS` in words."""
    method, _, pool = ARMS[arm]
    name = "SVR, mean clip" if method == "c3d-svr" else METHOD_NAMES[method]
    return name if pool == 1 else f"{name}, {pool} clips averaged"


def widths(line: str, gammas: tuple[float, ...] = (0.02, 1.0, 100.0)) -> Figure:
    """Draw ridge's straight line and kernel ridge of three widths, one penalty, through the same made-up points."""
    random = np.random.default_rng(0)
    x = np.sort(random.uniform(-3, 3, 30))[:, None]
    y = np.tanh(1.5 * x[:, 0]) + 0.25 * random.standard_normal(30)
    fine = np.linspace(-3.2, 3.2, 400)[:, None]
    fig, axes = plt.subplots(1, 4, figsize=(8.6, 2.6), sharey=True)
    titles = ["ridge", *(f"kernel ridge, γ = {gamma:g}" for gamma in gammas)]
    alpha = 0.1
    fits = [Ridge(alpha), *(KernelRidge(kernel="rbf", gamma=gamma, alpha=alpha) for gamma in gammas)]
    for ax, title, fit in zip(axes, titles, fits, strict=True):
        name = "ridge" if title == "ridge" else "kernel-ridge"
        ax.plot(x, y, "o", color=GREY, ms=4)
        ax.plot(fine, fit.fit(x, y).predict(fine), color=METHOD_COLOURS[name])
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("one feature", fontsize=9)
        ax.tick_params(labelsize=8)
    axes[0].set_ylabel("score", fontsize=10)
    return signed(fig, line)


# --------------------------------------------------------------------------------------- six regressions


def with_averages(arms: pd.DataFrame) -> pd.DataFrame:
    """Arms with one more target, "average": Fisher's of both targets, whose test routines are the same hundred."""
    rows = []
    for (method, n_segments), part in arms.groupby(["method", "n_segments"], sort=False):
        cells = part.rename(columns={"test": "srcc", "test_low": "low", "test_high": "high"})
        mean, low, high = main_results.average(cells[["srcc", "low", "high"]], together=True)
        row = {"target": "average", "method": method, "n_segments": n_segments, "source": part["source"].iloc[0]}
        rows.append(row | {"cv": fisher_mean(part["cv"]), "test": mean, "test_low": low, "test_high": high})
    return pd.concat([arms, pd.DataFrame(rows)], ignore_index=True)


def arms_table(arms: pd.DataFrame) -> Styler:
    """Arms as the book's table: cross-validated inside the training routines, then on the test routines."""
    rows = {}
    for r in arms.itertuples():
        row = rows.setdefault((SUMMARIES[r.n_segments], REGRESSIONS[r.method]), {})
        row[r.target, "CV"] = tables.two_lines(r.cv, r.cv_low, r.cv_high, digits=2)
        row[r.target, "test"] = tables.two_lines(r.test, r.test_low, r.test_high, digits=2)
    return tables.styled(pd.DataFrame(rows).T, "arms", sources=True)


def arms_figure(arms: pd.DataFrame, line: str) -> Figure:
    """Draw `with_averages`: hollow, cross-validated inside the training routines; filled, test routines; 95 %.

    Vertical lines: what Table 1 prints for GDLT (dotted) and CoFInAl (dashed) on VST features.
    """
    rows = [(n, method) for n in SUMMARIES for method in REGRESSIONS]
    targets = list(arms["target"].unique())
    fig, axes = plt.subplots(1, len(targets), figsize=(8.8, 3.6), sharey=True)
    for ax, target in zip(axes, targets, strict=True):
        part = arms[arms["target"] == target].set_index(["n_segments", "method"])
        for y, row in enumerate(rows):
            r, colour = part.loc[row], METHOD_COLOURS[row[1]]
            ax.hlines(y + 0.13, r["test_low"], r["test_high"], color=colour, lw=2)
            ax.plot(r["test"], y + 0.13, "o", color=colour, ms=7)
            ax.hlines(y - 0.17, r["cv_low"], r["cv_high"], color=colour, lw=1)
            ax.plot(r["cv"], y - 0.17, "o", color=colour, mfc="w", ms=6)
        for method, dash in (("GDLT", ":"), ("CoFInAl", "--")):
            cell = printed_average(method) if target == "average" else printed_cells()[target].loc[method]
            ax.axvline(cell, color=COLOURS["paper"], ls=dash, lw=1.3, label=f"{method}, printed")
        ax.set(title=f"{target} (official)", xlabel="SRCC")
        small(ax)
    from_top(axes[0], [f"{REGRESSIONS[m]}, {SUMMARIES[n]}" for n, m in rows])
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=9, frameon=False)
    return signed(fig, line)


def printed_cells() -> pd.DataFrame:
    """Table 1's cells of Fis-V on VST features: index method, columns fisv/tes and fisv/pcs."""
    return table1("VST")[["tes", "pcs"]].add_prefix("fisv/")


def printed_average(method: str) -> float:
    """Table 1's Fis-V average of a method on VST features."""
    return float(table1("VST").loc[method, "fisv_average"])


# --------------------------------------------------------------------------------------- a thousand splits


def split_facts(splits: pd.DataFrame) -> pd.DataFrame:
    """What random splits say, a row a target (index): of ridge, and of kernel ridge less ridge on the same splits.

    Columns: splits, mean, sd, low, high (the middle 95 % of splits); official (the official split's), percentile (per
    cent of random splits below it); lead, lead_sd, ahead (splits on which kernel ridge leads), leads (of how many).
    """
    wide = splits.pivot(index="split", columns=["target", "method"], values="srcc")
    drawn, rows = wide.drop(index="official"), {}
    for target in splits["target"].unique():
        ridge = drawn[target, "ridge"]
        lead = (drawn[target, "kernel-ridge"] - ridge if (target, "kernel-ridge") in wide else ridge.iloc[:0]).dropna()
        official = wide.loc["official", (target, "ridge")]
        row = {"splits": len(ridge), "mean": ridge.mean(), "sd": ridge.std(), "official": official}
        row |= {"percentile": 100 * (ridge < official).mean(), "leads": len(lead), "ahead": (lead > 0).sum()}
        row |= {"lead": lead.mean(), "lead_sd": lead.std()}
        rows[target] = row | {"low": ridge.quantile(0.025), "high": ridge.quantile(0.975)}
    return pd.DataFrame(rows).T


def splits_figure(splits: pd.DataFrame, line: str) -> Figure:
    """Draw ridge's test SRCC on random splits, the official one, and above them the cells that Table 1 prints.

    Below: kernel ridge less ridge on the same split, beside the printed lead of CoFInAl over GDLT.
    """
    facts, cells = split_facts(splits), printed_cells()
    fig, axes = plt.subplots(2, len(facts), figsize=(8.6, 5.6), sharex="row", squeeze=False)
    wide = splits[splits["split"] != "official"].pivot(index="split", columns=["target", "method"], values="srcc")
    for (above, below), (target, r) in zip(axes.T, facts.iterrows(), strict=True):
        heights = above.hist(wide[target, "ridge"], 30, color="0.75")[0]
        above.axvline(r["official"], color=METHOD_COLOURS["ridge"], lw=2, label="ridge, official split")
        names = cells.index[cells[target] > r["low"] - 0.1]  # what is printed far below stays out of the picture
        above.plot(cells.loc[names, target], [1.08 * heights.max()] * len(names), "v", mfc="w", color=COLOURS["paper"])
        above.set_title(f"{target} (official), {int(r['splits'])} splits", fontsize=10)
        above.set(ylabel="splits", xlabel="test SRCC of ridge")
        if (target, "kernel-ridge") in wide:
            lead = (wide[target, "kernel-ridge"] - wide[target, "ridge"]).dropna()
            below.hist(lead, 10, color=METHOD_COLOURS["kernel-ridge"], alpha=0.6)
        below.axvline(0, color="k", lw=0.8)
        gap = cells.loc["CoFInAl", target] - cells.loc["GDLT", target]
        below.axvline(gap, color=COLOURS["paper"], ls="--", label="CoFInAl less GDLT, printed")
        below.set_title(f"{wide[target].notna().all(axis=1).sum()} of these splits", fontsize=10)
        below.set(ylabel="splits", xlabel="kernel ridge less ridge, same split")
    axes[0, 0].plot([], [], "v", mfc="w", color=COLOURS["paper"], label="printed, Table 1")
    small(*axes.flat)
    axes[0, 0].legend(fontsize=8, frameon=False, loc="upper left")
    axes[1, 0].legend(fontsize=8, edgecolor="none", framealpha=1, loc="upper left")
    return signed(fig, line)


# --------------------------------------------------------------------------------------- the protocol


def official_cells(table1: pd.DataFrame) -> pd.DataFrame:
    """Official-split runs that an arm repeats: target, arm, srcc, low, high (over test routines); last epoch, soft."""
    rows, runs = [], tables.last_epoch(table1)
    plain = runs[(runs["source"] == "official") & (runs["options"] == "")]
    for arm in (arm for arm in ARMS if ARMS[arm].pool == 1):  # official rows read every clip
        for r in plain[plain["method"] == ARMS[arm].method].itertuples():
            rows.append((r.target, arm, r.srcc, r.routines_low, r.routines_high))
    return pd.DataFrame(rows, columns=["target", "arm", "srcc", "low", "high"])


def protocol_table(compared: pd.DataFrame, official: pd.DataFrame) -> Styler:
    """The second column: `crossval.compare` beside the official split (`official_cells`), a row a target and arm."""
    beside, found, rows = official.set_index(["target", "arm"]), compared.set_index(["target", "arm"]), {}
    for target in compared["target"].unique():
        for arm in ARMS:
            row = dict.fromkeys(("official split", "cross-validated", "folds", "less ridge", "p"), tables.NOTHING)
            if (target, arm) in beside.index:
                o = beside.loc[(target, arm)]
                row["official split"] = tables.two_lines(*o[["srcc", "low", "high"]], digits=2)
            if (target, arm) in found.index:
                r = found.loc[(target, arm)]
                row["cross-validated"] = tables.two_lines(*r[["srcc", "low", "high"]], digits=2)
                row["folds"] = str(int(r["folds"]))
                if arm != "ridge" and np.isfinite(r["p"]):
                    row["less ridge"] = tables.two_lines(*r[["difference", "d_low", "d_high"]], "+")
                    row["p"] = tables.p_value(r["p"])
            else:
                row["cross-validated"] = "not run"
            rows[target, arm_name(arm)] = row
    return tables.styled(pd.DataFrame(rows).T, "protocol")


def protocol_figure(compared: pd.DataFrame, official: pd.DataFrame, line: str) -> Figure:
    """Draw `crossval.compare` (filled; 95 %, corrected) above the official split (hollow; 95 % over test routines)."""
    if compared.empty:
        return nothing(line)
    targets, arms = list(compared["target"].unique()), list(ARMS)
    fig, axes = plt.subplots(1, len(targets), figsize=(8.8, 4.8), sharey=True, squeeze=False)
    for ax, target in zip(axes[0], targets, strict=True):
        for frame, shift, fill in ((compared, -0.15, True), (official, 0.17, False)):
            for r in frame[frame["target"] == target].itertuples():
                y, colour = arms.index(r.arm) + shift, METHOD_COLOURS[ARMS[r.arm].method]
                ax.hlines(y, r.low, r.high, color=colour, lw=2.5 if fill else 1)
                ax.plot(r.srcc, y, "o", color=colour, mfc=colour if fill else "w", ms=6)
        ax.set(title=f"{target} (official)", xlabel="SRCC")
        small(ax)
    from_top(axes[0, 0], [arm_name(arm) for arm in arms])
    return signed(fig, line)
