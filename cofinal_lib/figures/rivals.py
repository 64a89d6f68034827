"""Figures of the chapters on rivals and efficiency."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from sklearn.decomposition import PCA
from torch import Tensor, nn

from cofinal_lib.baselines import segments
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.figures import (
    BLUE,
    COLOURS,
    METHOD_COLOURS,
    METHOD_NAMES,
    ORANGE,
    from_top,
    nothing,
    panels,
    signed,
    small,
)
from cofinal_lib.rivals.c3d_svr import C3DSVR


@torch.no_grad()
def inside(model: nn.Module, features: Tensor, lengths: Tensor, *paths: str) -> tuple[dict, list]:
    """A forward pass: its output, and what the named modules gave (the first of what they gave, if several)."""
    seen, hooks = {}, []
    for path in paths:
        hooks.append(model.get_submodule(path).register_forward_hook(lambda m, a, out, p=path: seen.update({p: out})))
    try:
        out = model(features, lengths)
    finally:
        for hook in hooks:
            hook.remove()
    values = [seen[p] for p in paths]
    return out, [v[0] if isinstance(v, tuple) else v for v in values]


def _around_1(shares: list[np.ndarray]) -> TwoSlopeNorm:
    """Colours for multiples of an even share: white at 1, and each side as far as it goes."""
    return TwoSlopeNorm(1, min(0.99, *(float(s.min()) for s in shares)), max(1.01, *(float(s.max()) for s in shares)))


# --------------------------------------------------------------------------------------- one a method


def mean_clips(model: C3DSVR, data: FeatureSet, line: str) -> Figure:
    """C3D+SVR: two training routines as paths of clips with their means; every routine's score, true and predicted."""
    features, lengths, train = data.features, data.lengths, data.rows("train")
    means = segments(features, lengths, 1).numpy()
    plane = PCA(2, random_state=0).fit(np.concatenate([features[i, : lengths[i]] for i in train]))
    order = train[data.scores[train].argsort()]
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.5))
    for row, colour, word in ((order[-1], BLUE, "highest"), (order[0], ORANGE, "lowest")):
        path = plane.transform(features[row, : lengths[row]].numpy())
        left.plot(*path.T, color=colour, lw=0.8, alpha=0.6, marker=".", ms=3)
        left.plot(*plane.transform(means[row : row + 1]).T, "X", color=colour, ms=12, mec="k", label=f"{word} score")
    left.set(xlabel="1st principal component", ylabel="2nd", title="clips (dots) and their mean (cross)")
    left.legend(fontsize=8, loc="best")
    predicted, ends = model(features, lengths)["score"].numpy(), [float(data.scores.min()), float(data.scores.max())]
    for split in ("train", "test"):
        rows = data.rows(split)
        right.plot(data.scores[rows], predicted[rows], "o", color=COLOURS[split], ms=5, alpha=0.7, label=split)
    right.plot(ends, ends, ":", color="k", lw=1)
    right.set(xlabel="score (points)", ylabel="predicted (points)", title="the SVR's scores")
    right.legend(fontsize=8)
    small(left, right)
    return signed(fig, line)


@torch.no_grad()
def skipping(model: nn.Module, features: Tensor, lengths: Tensor, biases: tuple[float, ...], line: str) -> Figure:
    """MS-LSTM: one routine's attention rows; and the windows at which a skip cell updates, by its update gate's bias.

    Args:
        biases: values given to the bias of the update gate of the finest scale, the released start among them.
    """
    out, (gates,) = inside(model, features[:1], lengths[:1], "scales.scale1.gates_x")
    n = int(lengths[0])
    attention = out["attention"][0, :n].T.numpy() * n  # (R, C), 1 an even share
    scale = model.scales["scale1"]
    before, rows = scale.update.bias.clone(), []
    for bias in biases:
        scale.update.bias.fill_(bias)
        states = scale._skip_lstm(gates, random_start=False)[:, 0]  # (T, hidden_dim)
        rows.append((states.diff(dim=0, prepend=torch.zeros_like(states[:1])) != 0).any(-1).numpy())
    scale.update.bias.copy_(before)
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.2), width_ratios=(4, 5))
    image = left.imshow(attention, cmap="RdBu_r", norm=_around_1([attention]), aspect="auto")
    left.set(xlabel="clip", ylabel="summary", title="attention ÷ even share")
    fig.colorbar(image, ax=left, shrink=0.9).ax.tick_params(labelsize=8)
    for y, steps in enumerate(rows):
        right.vlines(np.flatnonzero(steps), y - 0.32, y + 0.32, color=METHOD_COLOURS["ms-lstm"], lw=1.6)
        right.text(len(steps) + 0.8, y, f"{100 * steps.mean():.0f} %", va="center", fontsize=9)
    from_top(right, [f"{b:g}" for b in biases], 0.5)
    right.set(xlabel="window of two clips", ylabel="bias of the update gate", title="windows that update the state")
    right.set_xlim(-1, len(rows[0]) + 8)
    small(left, right)
    return signed(fig, line)


def neighbours(model: nn.Module, features: Tensor, lengths: Tensor, line: str) -> Figure:
    """ACTION-NET: the edges of its temporal graph from one clip, and both streams' weights of the clips read."""
    _, (dynamic, static) = inside(model, features[:1], lengths[:1], "d_ct.att", "s_ct.att")
    n, read = int(lengths[0]), model.config.n_clips
    start = max(0, (n - read) // 2)
    edges = model.adj1[read // 2].numpy()
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.2), width_ratios=(2, 3))
    colour = METHOD_COLOURS["action-net"]
    left.bar(np.arange(read) - read // 2, edges, color=colour)
    left.set(xlim=(-7.5, 7.5), xlabel="clips away", ylabel="edge", title="one clip's edges: $e^{-|i-j|}$, normalised")
    for weights, dash, word in ((dynamic, "-", "dynamic stream"), (static, "--", "static stream")):
        right.plot(np.arange(start, start + read), weights[0, :, 0].numpy() * read, dash, color=colour, label=word)
    for x, width in ((0, start), (start + read, n - start - read)):
        if width > 0:
            right.axvspan(x - 0.5, x + width - 0.5, facecolor="0.95", edgecolor="0.6", hatch="///", lw=0)
    right.axhline(1, color="k", lw=1, ls=":")
    right.set(xlim=(-0.5, n - 0.5), xlabel="clip", ylabel="weight ÷ even share", title="attention; hatched: never read")
    right.set_ylim(top=right.get_ylim()[1] + 0.25 * np.ptp(right.get_ylim()))
    right.legend(fontsize=9, ncols=2, loc="upper center", framealpha=1)
    small(left, right)
    return signed(fig, line)


@torch.no_grad()
def evidence(model: nn.Module, features: Tensor, lengths: Tensor, titles: list[str], line: str) -> Figure:
    """GDLT: where each prototype looks (last decoder layer), and how strongly each grade speaks, a row a routine."""
    cross, asked = model.transformer.decoder.layers[-1].multihead_attn, {}

    def keep(module, args, kwargs):
        asked.update(zip(("query", "key", "value"), args, strict=False), mask=kwargs.get("key_padding_mask"))

    hook = cross.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        out = model(features, lengths)
    finally:
        hook.remove()
    weights = cross(asked["query"], asked["key"], asked["value"], key_padding_mask=asked["mask"])[1]  # (B, G, C)
    strength = model.regressor(out["embed"]).diagonal(dim1=-2, dim2=-1).sigmoid()  # (B, G)
    strength = (strength / strength.sum(1, keepdim=True)).numpy()
    share = [w[:, :n].numpy() * int(n) for w, n in zip(weights, lengths, strict=True)]
    B, G = strength.shape
    fig, axes = plt.subplots(B, 2, figsize=(8.2, 1.45 * B + 0.7), width_ratios=(3, 2), sharex="col", squeeze=False)
    for b, (left, right) in enumerate(axes):
        image = left.imshow(share[b], cmap="RdBu_r", norm=_around_1(share), aspect="auto")
        left.set(yticks=range(G), ylabel="prototype", title=titles[b])
        right.bar(range(G), strength[b], color=METHOD_COLOURS["gdlt"])
        right.set(ylim=(0, max(1.25 * float(strength.max()), 0.6)), title=f"predicted {float(out['score'][b]):.2f}")
        right.set_xticks(range(G), [f"{w:.2g}" for w in model.weight.tolist()])
    axes[-1, 0].set_xlabel("clip")
    axes[-1, 1].set_xlabel("what each grade says")
    axes[B // 2, 1].set_ylabel("share of the vote")
    fig.colorbar(image, ax=axes[:, 0], label="÷ even share", shrink=0.7).ax.tick_params(labelsize=8)
    small(*axes.flat)
    return signed(fig, line)


@torch.no_grad()
def scenes(model: nn.Module, features: Tensor, lengths: Tensor, seed: int, line: str, draws: int = 200) -> Figure:
    """HGCN: learned edges between clips, clips' shares in scenes, and one routine's score drawn many times."""
    paths = ("shot_gen", "scene_gen.trans_gcn")
    out, (shot, assignment) = inside(model, features[:1], lengths[:1], *paths)
    graph = model.scene_gen.shot_gcn
    edges = (graph.near + graph.adp_adj(shot)).softmax(-1)[0].numpy()  # (n, n)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(draws, out["mean"].shape[-1], generator=generator)
    cap, n_scenes = model.config.score_cap, model.config.n_scenes
    drawn = cap * n_scenes * (out["mean"][0] + (out["logvar"][0] / 2).exp() * noise).mean(1)
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(8.4, 3.1), width_ratios=(3, 3, 2.6))
    left.imshow(edges, cmap="Greens", vmin=0, vmax=float(edges.max()))
    left.set(xlabel="clip", ylabel="clip", title="edges between clips")
    image = middle.imshow(assignment[0].numpy(), cmap="Greens", aspect="auto")
    middle.set(xlabel="clip", ylabel="scene", title="share of clips in scenes")
    fig.colorbar(image, ax=middle, shrink=0.8).ax.tick_params(labelsize=8)
    right.hist(drawn.numpy(), 20, color=METHOD_COLOURS["hgcn"], alpha=0.7)
    right.axvline(float(out["score"][0]), color="k", lw=1.5)
    right.set(xlabel="score (points)", ylabel="draws", title=f"one routine, {draws} draws")
    small(left, middle, right)
    return signed(fig, line)


@torch.no_grad()
def mirrored(model: nn.Module, features: Tensor, lengths: Tensor, line: str) -> Figure:
    """Released CoFInAl: the weights of both Likert heads; cosines with 100 directions and two ways to their arg max."""
    out = model(features, lengths)
    cosines = (out["dec"] @ model.etf_vec1).numpy()  # (B, 100)
    B, K = cosines.shape
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.3), width_ratios=(2, 4))
    colour = METHOD_COLOURS["cofinal-released"]
    for shift, weight, face, word in ((-0.2, model.weight, colour, "score"), (0.2, model.weight_revert, "w", "mirror")):
        left.bar(np.arange(len(weight)) + shift, weight, 0.38, facecolor=face, edgecolor=colour, label=word)
    left.axhline(0, color="k", lw=1)
    left.set(xticks=range(len(model.weight)), xlabel="prototype", ylabel="what it says", title="two hand-set scales")
    left.legend(fontsize=8, loc="lower left")
    half = float(np.abs(cosines).max())
    image = right.imshow(cosines, cmap="RdBu_r", vmin=-half, vmax=half, aspect="auto")
    right.plot(cosines.argmax(1), range(B), "o", mfc="none", mec="k", ms=8, ls="none", label="arg max of each routine")
    row, column = np.unravel_index(cosines.argmax(), cosines.shape)
    right.plot(column, row, "*", color="k", ms=11, ls="none", label="arg max of the batch")
    right.set(xlabel="sub-grade", ylabel="routine of the batch", yticks=range(B))
    right.legend(fontsize=8, ncols=2, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 0.98), borderpad=0)
    fig.colorbar(image, ax=right, label="cosine", shrink=0.8).ax.tick_params(labelsize=8)
    small(left, right)
    return signed(fig, line)


@torch.no_grad()
def ladder(model: nn.Module, features: Tensor, lengths: Tensor, line: str) -> Figure:
    """CoFInAl as printed: each routine's grade probabilities and its cosines with the sub-grades' directions."""
    out = model(features, lengths)
    grades, cosines = out["grade_logits"].softmax(-1).numpy(), out["cosines"].numpy()
    fig, axes = plt.subplots(1, 2, figsize=(8.2, 3), width_ratios=(2, 5))
    half = float(np.abs(cosines).max())
    for ax, values, style, title in (
        (axes[0], grades, {"cmap": "Blues", "vmin": 0, "vmax": max(0.5, float(grades.max()))}, "grade: probability"),
        (axes[1], cosines, {"cmap": "RdBu_r", "vmin": -half, "vmax": half}, "sub-grade: cosine with fixed directions"),
    ):
        image = ax.imshow(values, aspect="auto", **style)
        ax.plot(values.argmax(1), range(len(values)), "o", mfc="none", mec="k", ms=8, ls="none")
        ax.set(title=title, ylabel="routine of the batch", yticks=range(len(values)))
        fig.colorbar(image, ax=ax, shrink=0.8).ax.tick_params(labelsize=8)
    axes[0].set(xlabel="grade", xticks=range(grades.shape[1]))
    axes[1].set(xlabel="sub-grade", xticks=range(0, cosines.shape[1], max(1, cosines.shape[1] // 5)))
    small(*axes)
    return signed(fig, line)


# --------------------------------------------------------------------------------------- Table 1


def grid_figure(cells: pd.DataFrame, sources: tuple[str, ...], line: str) -> Figure:
    """Draw cells of `main_results.compare`: a row a method, a panel a target; of twins averages, if all are there.

    Filled: ours, thick intervals over seeds, thin over test routines. Hollow, in official panels: printed, over test
    routines; a square where the printed method read other features. Dashed: ridge, its band over test routines.

    Args:
        sources: of ours, such as ("movement", "twin"); their cells may be missing.
    """
    methods, shown = list(METHOD_NAMES), _panels(cells, sources)
    if not shown:
        return nothing(line)
    fig, axes = panels(len(shown), 3.5, columns=4, width=8.6)
    for ax, (source, group, target) in zip(axes.flat, shown, strict=False):
        part = cells[(cells["group"] == group) & (cells["target"] == target)].set_index(["source", "method"])
        for y, method in enumerate(methods):
            colour = METHOD_COLOURS[method]
            if (source, method) in part.index:
                r = part.loc[source, method]
                ax.plot([r["routines_low"], r["routines_high"]], [y, y], color=colour, lw=1)
                ax.plot([r["low"], r["high"]], [y, y], color=colour, lw=3.5, solid_capstyle="butt")
                ax.plot(r["srcc"], y, "o", color=colour, ms=7)
            # the paper has one CoFInAl: it stands in the released code's row, which nearest made its numbers
            if source == "official" and method != "cofinal" and ("paper", method) in part.index:
                r = part.loc["paper", method]
                ax.plot([r["routines_low"], r["routines_high"]], [y + 0.3] * 2, color=colour, lw=1, ls=":")
                other = method == "c3d-svr" and not target.endswith("@c3d")
                ax.plot(r["srcc"], y + 0.3, "s" if other else "o", color=colour, mfc="w", ms=6)
        if (source, "ridge") in part.index:
            r = part.loc[source, "ridge"]
            ax.axvspan(r["routines_low"], r["routines_high"], color="0.94", lw=0, zorder=0)
            ax.axvline(r["srcc"], color=METHOD_COLOURS["ridge"], lw=1.2, ls="--")
        name = target if target != "average" else f"{group}, average"
        ax.set_title(f"{source}\n{name}", fontsize=9)
        ax.set_xlabel("test SRCC", fontsize=10)
        ax.tick_params(labelsize=9)
    from_top(axes[0, 0], [METHOD_NAMES[m] for m in methods])
    return signed(fig, line)


def _panels(cells: pd.DataFrame, sources: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Panels of `grid_figure`, (source, group, target): a group of twins by its average, else each target."""
    panels = []
    for (source, group), part in cells[cells["source"].isin(sources)].groupby(["source", "group"], sort=False):
        targets = list(part["target"].unique())
        whole = source == "twin" and "average" in targets
        panels += [(source, group, target) for target in (["average"] if whole else targets)]
    return panels


def lead_figure(leads: pd.DataFrame, line: str) -> Figure:
    """Draw `main_results.printed_leads`: CoFInAl's printed lead beside what chance gives two equally good methods."""
    fig, ax = plt.subplots(figsize=(7.6, 3.6))
    y = np.arange(len(leads))
    ax.barh(y, leads["needed"], height=0.62, color="0.9", label="luck of two methods with errors of their own")
    ax.barh(y, leads["needed_alike"], height=0.62, color="0.75", label="luck of two methods much alike")
    ax.plot(leads["lead"], y, "o", mfc="w", mew=2, ms=9, color=COLOURS["paper"], label="printed lead of CoFInAl")
    from_top(ax, leads["group"] + ", " + leads["target"], 0.5)
    ax.set_xlabel("difference of two SRCC")
    ax.legend(fontsize=9, frameon=False, loc="lower center", bbox_to_anchor=(0.4, 1))
    small(ax)
    return signed(fig, line)


def selection_figure(leads: pd.DataFrame, line: str) -> Figure:
    """Draw `main_results.selection_leads`: what choosing the epoch brings over the last, a panel a target (all twins).

    Filled: chosen on held-out training routines; hollow: on the test routines. Ticks: single seeds (and twins).
    """
    if leads.empty:
        return nothing(line)
    methods = [m for m in METHOD_NAMES if m in set(leads["method"])]
    shown = list(leads.groupby(["source", "data"], sort=False))
    fig, axes = plt.subplots(1, len(shown), figsize=(8.6, 3.8), sharey=True, squeeze=False)
    for ax, ((source, data), part) in zip(axes[0], shown, strict=True):
        ax.axvline(0, color="0.5", lw=0.8)
        for r in part.itertuples():
            validation, colour = r.selection == "validation", METHOD_COLOURS[r.method]
            y = methods.index(r.method) + (-0.16 if validation else 0.16)
            single = [float(lead) for lead in r.spans.split()]
            ax.plot(single, [y] * len(single), "|", color=colour, ms=6, alpha=0.5)
            ax.plot([r.low, r.high], [y, y], color=colour, lw=1.6)
            ax.plot(r.lead, y, "o", color=colour, mfc=colour if validation else "w", ms=7)
        ax.set_title(f"{data}\n({'simulated' if source == 'twin' else source})", fontsize=9)
        ax.set_xlabel("SRCC gained", fontsize=9)
        ax.tick_params(labelsize=9)
    from_top(axes[0, 0], [METHOD_NAMES[m] for m in methods])
    return signed(fig, line)


# --------------------------------------------------------------------------------------- efficiency


def cost_figure(counted: pd.DataFrame, compared: pd.DataFrame, line: str) -> Figure:
    """Draw parameters against multiply-accumulates, counted (filled) and printed in Table 2 (hollow), both logarithmic.

    Args:
        counted, compared: what `efficiency.costs` and `efficiency.against_printed` give, by method.
    """
    fig, ax = plt.subplots(figsize=(8, 4.2))
    for method, row in counted.iterrows():
        ax.plot(row["parameters_m"], row["gmacs"], "o", ms=9, color=METHOD_COLOURS[method], label=METHOD_NAMES[method])
        if method in compared.index:
            printed = compared.loc[method, ["printed_m", "printed_gmacs"]]
            x, y = zip(row[["parameters_m", "gmacs"]], printed, strict=True)
            ax.plot(x, y, ":", color=METHOD_COLOURS[method], lw=1.5)
            ax.plot(*printed, "s", ms=11, mfc="none", mew=1.8, color=METHOD_COLOURS[method])
    ax.plot([], [], "s", ms=9, mfc="none", mew=1.8, color="0.3", label="printed, Table 2")
    ax.set(xscale="log", yscale="log", xlabel="parameters (million)", ylabel="multiply-accumulates (billion)")
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return signed(fig, line)


def time_figure(summarised: pd.DataFrame, line: str) -> Figure:
    """Draw `efficiency.summary`: median time with the quartiles' span, a row a method, a panel a batch size."""
    batches = summarised.index.unique("batch")
    fig, axes = plt.subplots(1, len(batches), figsize=(8.4, 3.6), sharey=True, squeeze=False)
    for ax, batch in zip(axes[0], batches, strict=True):
        part = summarised.loc[batch]
        for y, (method, r) in enumerate(part.iterrows()):
            colour = METHOD_COLOURS[method]
            ax.plot([r["ms_low"], r["ms_high"]], [y, y], color=colour, lw=5, alpha=0.4, solid_capstyle="butt")
            ax.plot(r["ms"], y, "o", color=colour, ms=7)
            ax.annotate(f"{r['ms']:.3g}", (r["ms"], y), (0, 7), textcoords="offset points", fontsize=8, ha="center")
        ax.set(xscale="log", xlabel="ms, whole batch", ylim=(len(part) - 0.5, -0.7))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_title(f"batch of {batch}", fontsize=10)
        ax.margins(x=0.12)
        ax.grid(axis="x", which="both", color="0.92", lw=0.8)
        ax.set_axisbelow(True)
        small(ax)
    axes[0, 0].set_yticks(range(len(part)), [METHOD_NAMES[m] for m in part.index])
    return signed(fig, line)
