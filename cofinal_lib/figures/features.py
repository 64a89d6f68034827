"""Chapter 11: Figure 5, t-SNE's planes, what features know of grades, predicted against true scores."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from scipy import stats
from sklearn.model_selection import cross_val_predict

from cofinal_lib import tables
from cofinal_lib.figures import BLACK, METHOD_COLOURS, METHOD_NAMES, PLAIN_NAMES, from_top, nothing, signed, small
from cofinal_lib.metrics import bootstrap_interval, spearman, spearman_interval
from cofinal_lib.results import GRADE_FOLDS, grade_classifier

KIND_NAMES = {"backbone": "backbone (mean clip)"} | METHOD_NAMES


def feature_planes(results: pd.DataFrame, line: str, seed: int | None = None) -> Figure:
    """Draw Figure 5: test routines in t-SNE's plane with an SVC's regions, above predicted against true scores.

    Titles: the share of routines in their own grade's region, which helped to draw it; the SRCC of the predictions with
    its 95 % interval over routines.

    Args:
        results: of `results.what_features_know`. seed: which run and t-SNE; the first where none is named.
    """
    if results.empty:
        return nothing(line)
    seed = results["seed"].min() if seed is None else seed
    results = results[results["seed"] == seed]
    kinds = list(results["kind"].unique())
    grades = np.sort(results["grade"].unique())
    shades = ListedColormap(plt.get_cmap("viridis")(np.linspace(0.05, 0.95, len(grades))))
    span = {"vmin": grades[0] - 0.5, "vmax": grades[-1] + 0.5, "cmap": shades}
    fig, axes = plt.subplots(2, len(kinds), figsize=(2.5 * len(kinds) + 0.7, 5.4), squeeze=False)
    for (top, bottom), kind in zip(axes.T, kinds, strict=True):
        part = results[results["kind"] == kind]
        plane = part[["x", "y"]].to_numpy()
        (left, down), (right, up) = plane.min(0), plane.max(0)
        edge = 0.06 * max(right - left, up - down)
        x, y = np.meshgrid(*(np.linspace(a - edge, b + edge, 200) for a, b in ((left, right), (down, up))))
        predict = _regions(plane, part["grade"].to_numpy())
        region = predict(np.c_[x.ravel(), y.ravel()]).reshape(x.shape)
        top.imshow(region, alpha=0.35, origin="lower", extent=(x.min(), x.max(), y.min(), y.max()), aspect="auto",
                   interpolation="nearest", **span)  # fmt: skip
        points = top.scatter(*plane.T, c=part["grade"], s=16, edgecolors="k", linewidths=0.3, **span)
        own = 100 * float((predict(plane) == part["grade"].to_numpy()).mean())
        top.set(xticks=[], yticks=[])
        top.set_title(f"{KIND_NAMES[kind]}\n{own:.0f} % in their own region", fontsize=10)
        _predicted(bottom, part, "", "lower right")
    for ax in axes[1, 1:]:
        ax.sharey(axes[1, 0])
    axes[1, 0].set_ylabel("predicted score\n(backbone: ridge regression)", fontsize=10)
    bar = fig.colorbar(points, ax=list(axes[0]), ticks=grades, shrink=0.85)
    bar.set_label("grade", fontsize=10)
    target = f"{results['target'].iloc[0]} ({results['source'].iloc[0]})"
    fig.suptitle(f"{target}, seed {seed}", fontsize=10)
    return signed(fig, line)


def _predicted(ax, part: pd.DataFrame, heading: str, legend: str) -> None:
    """Predicted against true scores of one run, with the ideal line and the fitted one; in the title its SRCC."""
    row, true, colour = ranks(part).iloc[0], part["score"].to_numpy(), METHOD_COLOURS.get(part["kind"].iloc[0], BLACK)
    ends = np.array([true.min(), true.max()])
    ax.plot(ends, ends, ":", color="0.4", lw=1, label="ideal")
    ax.scatter(true, part["predicted"], s=10, color=colour, alpha=0.7, lw=0)
    fitted = part["predicted"].mean() + row["slope"] * (ends - true.mean())
    ax.plot(ends, fitted, color=colour, label=f"fit, slope {row['slope']:.2f}")
    srcc = f"SRCC {row['srcc']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    ax.set(title=heading + srcc, xlabel="true score")
    small(ax)
    ax.legend(fontsize=8, frameon=False, loc=legend)


def _regions(plane: np.ndarray, grades: np.ndarray):
    """What an SVC fitted to (N, 2) places and their (N,) grades says of other places: a function of (M, 2)."""
    if len(np.unique(grades)) == 1:
        return lambda places: np.full(len(places), grades[0])
    return grade_classifier().fit(plane, grades).predict


def shuffled(results: pd.DataFrame, draws: int = 100, seed: int = 0) -> pd.DataFrame:
    """What the plane's shares are where nothing is known: the same places, with grades dealt out at random.

    A deal gives each routine one grade, the same on the maps of all seeds; its share is the mean over those maps, as
    the real grades' is.

    Args:
        results: of `results.what_features_know`. draws: how many deals.

    Returns:
        kind, measure ("plane, same routines" and "plane, other routines", as in the readout), mean, low, high: the
        middle 95 % of the deals.
    """
    rows, random = [], np.random.default_rng(seed)
    for kind, part in results.groupby("kind", sort=False):
        seeds = [one.sort_values("id") for _, one in part.groupby("seed")]
        planes, grades = [one[["x", "y"]].to_numpy() for one in seeds], seeds[0]["grade"].to_numpy()
        shares = {"plane, same routines": [], "plane, other routines": []}
        for _ in range(draws):
            dealt, svc = random.permutation(grades), grade_classifier()
            same = [_regions(plane, dealt)(plane) == dealt for plane in planes]
            other = [cross_val_predict(svc, plane, dealt, cv=GRADE_FOLDS) == dealt for plane in planes]
            shares["plane, same routines"].append(np.mean(same))
            shares["plane, other routines"].append(np.mean(other))
        for measure, values in shares.items():
            low, high = np.quantile(values, [0.025, 0.975])
            rows.append((kind, measure, float(np.mean(values)), float(low), float(high)))
    return pd.DataFrame(rows, columns=["kind", "measure", "mean", "low", "high"])


# The readout's measures: what is drawn, in this order, and what its axis says.
READOUT = {
    "plane, same routines": "share in own region",
    "plane, other routines": "share in own region",
    "features, other routines": "share in own grade",
    "ridge, other routines": "SRCC",
}


def over_seeds(readout: pd.DataFrame) -> pd.DataFrame:
    """The readout of `results.what_features_know` over seeds: kind, measure, seeds, mean, low, high (Student's 95 %).

    One seed has no interval; nor has a value that no seed moves, for it says nothing about another start.
    """
    rows = []
    for (kind, measure), part in readout.groupby(["kind", "measure"], sort=False):
        rows.append((kind, measure, len(part), *tables.seeds_interval(part["value"], READOUT.get(measure) == "SRCC")))
    return pd.DataFrame(rows, columns=["kind", "measure", "seeds", "mean", "low", "high"])


def readout_figure(readout: pd.DataFrame, floor: pd.DataFrame, n: int, line: str) -> Figure:
    """Draw what can be read off the features: a row a kind, a panel a measure.

    Rings: seeds; marks: means; thick lines: 95 % intervals over seeds; thin ones: over `n` routines (shares: Wilson's;
    SRCC: Bonett and Wright's), not where the same routines drew the regions. Grey: the middle 95 % of what features
    that know nothing give: shuffled grades in the plane, else chance alone. Dashed: always the commonest grade.

    Args:
        readout: "figure5-readout" of `results.what_features_know`. floor: of `shuffled`. n: routines tested.
    """
    if readout.empty:
        return nothing(line)
    summary, kinds = over_seeds(readout), list(readout["kind"].unique())
    commonest = float(readout.loc[readout["measure"] == "always the commonest grade", "value"].mean())
    grey = floor.set_index(["kind", "measure"])
    fig, axes = plt.subplots(1, len(READOUT), figsize=(10.2, 1.5 + 0.62 * len(kinds)), sharey=True)
    for ax, (measure, unit) in zip(axes, READOUT.items(), strict=True):
        for y, kind in enumerate(kinds):
            colour = METHOD_COLOURS.get(kind, BLACK)
            ax.fill_betweenx([y - 0.38, y + 0.38], *_by_chance(grey, kind, measure, commonest, n), color="0.88", lw=0)
            values = readout.loc[(readout["kind"] == kind) & (readout["measure"] == measure), "value"]
            ax.plot(values, [y] * len(values), "o", color=colour, mfc="none", ms=5, alpha=0.7)
            for r in summary[(summary["kind"] == kind) & (summary["measure"] == measure)].itertuples():
                if measure != "plane, same routines":
                    ax.hlines(y, *_over_routines(r.mean, unit, n), color=colour, lw=1)
                ax.hlines(y, r.low, r.high, color=colour, lw=3)
                ax.plot(r.mean, y, "o", color=colour, ms=7)
        if unit == "SRCC":
            ax.axvline(0, color="0.5", lw=0.8)
        else:
            ax.axvline(commonest, color="0.3", lw=1, ls="--")
            ax.set_xlim(0, max(0.6, *ax.get_xlim()))
        ax.set(title=measure.replace(", ", ",\n"), xlabel=unit)
        small(ax)
    from_top(axes[0], [KIND_NAMES[k] for k in kinds])
    return signed(fig, line)


def _by_chance(grey: pd.DataFrame, kind: str, measure: str, commonest: float, n: int) -> tuple[float, float]:
    """The middle 95 % of a measure for features that know nothing."""
    if (kind, measure) in grey.index:
        return tuple(grey.loc[(kind, measure), ["low", "high"]].astype(float))
    if READOUT[measure] == "SRCC":
        return -_chance_srcc(n), _chance_srcc(n)
    return tuple(float(k) / n for k in stats.binom.interval(0.95, n, commonest))


def _over_routines(value: float, unit: str, n: int) -> tuple[float, float]:
    """95 % interval of an SRCC or a share over `n` routines."""
    if not np.isfinite(value):
        return np.nan, np.nan
    if unit == "SRCC":
        return spearman_interval(value, n)
    return tuple(stats.binomtest(round(value * n), n).proportion_ci(method="wilson"))


def planes_in_words(results: pd.DataFrame, readout: pd.DataFrame, floor: pd.DataFrame) -> Markdown:
    """The plane's shares, mean over seeds, beside what shuffled grades give; then which kind is first, and at what.

    Args:
        results: of `results.what_features_know`. readout: of the same. floor: of `shuffled(results)`.
    """
    mean = over_seeds(readout).set_index(["kind", "measure"])["mean"]
    said = []
    for kind, part in floor.groupby("kind", sort=False):
        words = []
        for r in part.itertuples():
            share, low, high = (round(100 * v) for v in (mean[kind, r.measure], r.low, r.high))
            side = "above" if share > high else "below" if share < low else "within"
            where = "of the routines that drew the regions" if "same" in r.measure else "of routines left out"
            words.append(f"{share} % {where} lie in their own, {side} what shuffled grades give ({low} to {high} %)")
        said.append(f"- {KIND_NAMES[kind]}: {'; '.join(words)}.")
    if not said:
        return Markdown("Nothing has been run there yet.")
    share, n = mean.xs("plane, other routines", level="measure"), results["id"].nunique()
    ranking = _ranked(results).sort_index()
    said.append(
        f"\nMost orderly, by the routines left out: {_first(share, _over_routines(share.max(), 'share', n)[0])}. "
        "Best at ranking the test routines, in the row below: "
        f"{_first(ranking['srcc'], ranking['low'][ranking['srcc'].idxmax()])}."
    )
    return Markdown("\n".join(said))


def _first(values: pd.Series, low: float) -> str:
    """The kind with the highest value, and those that lie in its interval over routines, whose lower end is `low`."""
    first = values.idxmax()
    names = KIND_NAMES | PLAIN_NAMES
    near = [names[kind] for kind in values.index if kind != first and values[kind] >= low]
    beside = f"; inside its interval over routines: {', '.join(near)}" if near else ""
    return f"{names[first]} ({values[first]:.2f}{beside})"


def seeds_table(readout: pd.DataFrame) -> Styler:
    """The readout's "plane, other routines": a row a kind of feature, a column a seed, and how far apart seeds are."""
    part = readout[readout["measure"] == "plane, other routines"]
    if part.empty:
        return tables.styled(pd.DataFrame({"seed": []}), "seeds")
    table = part.pivot(index="kind", columns="seed", values="value").reindex(part["kind"].unique())
    apart = table.max(axis=1) - table.min(axis=1)
    apart[table.notna().sum(axis=1) < 2] = np.nan  # a single seed
    table = table.rename(columns="seed {}".format).assign(apart=apart).rename(index=KIND_NAMES)
    return tables.styled(table.map(lambda v: tables.NOTHING if pd.isna(v) else f"{v:.2f}"), "seeds")


def readout_table(readout: pd.DataFrame) -> Styler:
    """The readout, a row a kind of feature, a column a measure: means, and below them intervals over seeds."""
    summary = over_seeds(readout).set_index(["kind", "measure"])
    rows = {
        KIND_NAMES[kind]: {
            measure: tables.two_lines(r["mean"], r["low"], r["high"], digits=2)
            for measure, r in summary.loc[kind].reindex([*READOUT]).iterrows()
        }
        for kind in readout["kind"].unique()
    }
    table = pd.DataFrame(rows).T
    return tables.styled(table.rename(columns=lambda name: name.replace(", ", ",\n")), "readout")


def clear_of_chance(readout: pd.DataFrame, floor: pd.DataFrame, n: int) -> dict:
    """How many kinds of feature lie above chance in the mean over seeds, of `n` test routines.

    Returns:
        kinds, how many there are; plane, above the reach of shuffled grades on the same routines, in whole per cent;
        ridge, above that of shuffled scores in the SRCC on other routines; best, the kind with the highest such SRCC,
        in words.
    """
    if readout.empty:
        return {"kinds": 0, "plane": 0, "ridge": 0, "best": "none"}
    mean = over_seeds(readout).pivot(index="kind", columns="measure", values="mean")
    same, ridge = mean["plane, same routines"], mean["ridge, other routines"]
    reach = floor[floor["measure"] == "plane, same routines"].set_index("kind")["high"]
    return {
        "kinds": len(mean),
        "plane": int((same.mul(100).round() > reach.reindex(same.index).mul(100).round()).sum()),
        "ridge": int((ridge > _chance_srcc(n)).sum()),
        "best": _first(ridge, _over_routines(ridge.max(), "SRCC", n)[0]) if ridge.notna().any() else "none",
    }


def _chance_srcc(n: int) -> float:
    """What 97.5 % of the SRCCs of `n` shuffled scores stay below."""
    return 1.96 / np.sqrt(n - 1)


def ranks_in_words(results: pd.DataFrame) -> Markdown:
    """Test SRCC of each kind of feature's scores, the backbone's by ridge regression, and who passes that regression.

    Args:
        results: of `results.what_features_know`.
    """
    if results.empty:
        return Markdown("Nothing has been run there yet.")
    ranked = _ranked(results)
    target, source = results[["target", "source"]].iloc[0]
    ridge, said = ranked.loc["backbone"], []
    said.append(
        f"- Ridge regression on the backbone's mean clip, {target} ({source}): {ridge['srcc']:.3f}, "
        f"over test routines from {ridge['low']:.2f} to {ridge['high']:.2f}."
    )
    for kind, r in ranked.drop(index="backbone").iterrows():
        lead = r["srcc"] - ridge["srcc"]
        seeds = "one seed" if r["seeds"] == 1 else f"mean of {r['seeds']:.0f} seeds"
        if np.isnan(lead):
            said.append(f"- {KIND_NAMES[kind]}: undefined ({seeds}), for some training ranks nothing.")
            continue
        words = f"{abs(lead):.3f} {'above' if lead > 0 else 'below'} the regression"
        paper = tables.printed_cell(target, kind) if source == "official" else np.nan
        if np.isfinite(paper):
            side = "inside" if ridge["low"] <= paper <= ridge["high"] else "outside"
            words += f"; the paper prints {paper:.3f}, {side} the regression's interval"
        said.append(f"- {KIND_NAMES[kind]}: {r['srcc']:.3f} ({seeds}), {words}.")
    return Markdown("\n".join(said))


def _ranked(results: pd.DataFrame) -> pd.DataFrame:
    """`ranks` by kind, means over seeds: srcc, low, high, and how many seeds; NaN where a seed ranks nothing."""
    by = ranks(results).groupby("kind", sort=False)
    return by[["srcc", "low", "high"]].agg(lambda column: column.mean(skipna=False)).assign(seeds=by.size())


def ranks(results: pd.DataFrame) -> pd.DataFrame:
    """How well scores are read off each kind of feature, a row a run: kind, seed, n, srcc, low, high, pearson, slope.

    The backbone's scores are ridge regression's, fitted to the training routines' mean clips; low and high are over
    resampled test routines (95 %, as in Table 1); pearson is the ordinary correlation; slope is that of the fitted
    line, predicted = slope * true + offset.

    Args:
        results: of `results.what_features_know`, or of `rescaled`: then a row a version, "name" in place of "kind".
    """
    by, rows = ["name" if "name" in results else "kind", "seed"], []
    for key, part in results.groupby(by, sort=False):
        true, predicted, n = part["score"].to_numpy(), part["predicted"].to_numpy(), len(part)
        rho = spearman(predicted, true)
        low, high = bootstrap_interval(predicted, true, seed=0)
        slope, pearson = float(np.polyfit(true, predicted, 1)[0]), float("nan")
        if np.ptp(predicted) > 0:
            pearson = float(np.corrcoef(true, predicted)[0, 1])
        rows.append((*key, n, rho, low, high, pearson, slope))
    return pd.DataFrame(rows, columns=[*by, "n", "srcc", "low", "high", "pearson", "slope"])


def slopes_figure(ranked: pd.DataFrame, line: str) -> Figure:
    """Draw each run's SRCC against the slope of its fitted line: if the slope told the SRCC, they would rise together.

    Args:
        ranked: of `ranks`.
    """
    if ranked.empty:
        return nothing(line)
    fig, ax = plt.subplots(figsize=(6.4, 3.6))
    ax.axvline(1, color="0.4", lw=1, ls=":")
    ax.text(0.99, 0.03, "ideal", transform=ax.get_xaxis_transform(), fontsize=9, color="0.4", ha="right", rotation=90)
    for kind, part in ranked.groupby("kind", sort=False):
        part, colour = part.drop_duplicates(["srcc", "slope"]), METHOD_COLOURS.get(kind, BLACK)
        ax.vlines(part["slope"], part["low"], part["high"], color=colour, lw=1)
        ax.plot(part["slope"], part["srcc"], "o", color=colour, ms=7, label=KIND_NAMES[kind])
    ax.axhline(0, color="0.5", lw=0.8)
    ax.set(xlabel="slope of the fitted line", ylabel="test SRCC", ylim=(None, 1))
    small(ax)
    ax.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return signed(fig, line)


def rescaled(part: pd.DataFrame) -> pd.DataFrame:
    """One run's predictions three times (column "name"), so that slope and SRCC come apart.

    As they are; squeezed to a tenth around their mean, in the same order; and laid around the ideal line, with errors
    so large that the ordinary correlation halves, in another order.

    Args:
        part: rows of one kind and seed, of `results.what_features_know`.
    """
    true, predicted = part["score"].to_numpy(), part["predicted"].to_numpy()
    slope, offset = np.polyfit(true, predicted, 1)
    errors = predicted - (slope * true + offset)  # (N,), not correlated with the true scores
    # Not below 0.05: predictions that hardly go with the scores would ask for errors without end.
    halved = max(abs(np.corrcoef(true, predicted)[0, 1]) / 2, 0.05)
    errors *= true.std() * np.sqrt(1 / halved**2 - 1) / errors.std()
    versions = {
        "as they are": predicted,
        "squeezed to a tenth": predicted.mean() + (predicted - predicted.mean()) / 10,
        "around the ideal line": true + errors,
    }
    return pd.concat([part.assign(name=name, predicted=values) for name, values in versions.items()])


def rescaled_figure(versions: pd.DataFrame, line: str) -> Figure:
    """Draw `rescaled`: true against predicted scores of each version, with the fitted and the ideal line."""
    names = list(versions["name"].unique())
    fig, axes = plt.subplots(1, len(names), figsize=(3.1 * len(names), 3.3), sharex=True)
    for ax, name in zip(axes, names, strict=True):
        _predicted(ax, versions[versions["name"] == name], f"{name}\n", "best")
    axes[0].set_ylabel("predicted score", fontsize=10)
    return signed(fig, line)


def plane_ratios(points: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Of three groups 0, 1, 2: how many times further 2 lies from 0 than 1 does, and how many times wider 2 is than 0.

    Args:
        points: (N, D), in the space where they lie or in a plane. groups: (N,).
    """
    centres = np.stack([points[groups == g].mean(0) for g in range(3)])
    width = [np.sqrt(((points[groups == g] - centres[g]) ** 2).sum(1).mean()) for g in (0, 2)]
    far, near = (np.linalg.norm(centres[g] - centres[0]) for g in (2, 1))
    return float(far / near), float(width[1] / width[0])


def toy_planes(clouds: dict[str, np.ndarray], planes: dict, groups: np.ndarray, line: str) -> Figure:
    """Draw made-up points as they are (two of their numbers) and as t-SNE lays them out; a row a cloud.

    Args:
        clouds: name -> (N, D). planes: (name, words about the setting) -> (N, 2). groups: (N,), whose colours the first
            cloud's points have; the others are grey.
    """
    settings = list(dict.fromkeys(words for _, words in planes))
    fig, axes = plt.subplots(len(clouds), 1 + len(settings), figsize=(10.2, 2.5 * len(clouds) + 0.5), squeeze=False)
    colours = plt.get_cmap("viridis")([0.05, 0.5, 0.9])[groups]
    for i, (row, (name, points)) in enumerate(zip(axes, clouds.items(), strict=True)):
        paint = colours if i == 0 else "0.35"
        row[0].scatter(*points[:, :2].T, c=paint, s=9, lw=0)
        row[0].set_title(f"{name}:\ntwo of its {points.shape[1]} numbers", fontsize=10)
        row[0].tick_params(labelsize=8)
        for ax, words in zip(row[1:], settings, strict=True):
            ax.scatter(*planes[name, words].T, c=paint, s=9, lw=0)
            ax.set_title(words, fontsize=10)
            ax.set(xticks=[], yticks=[])
            ax.set_aspect("equal", "datalim")
    return signed(fig, line)
