"""Chapter 10: Figure 4, sweeps of grades and sub-grades, and the luck of the best of many settings."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler
from scipy import stats

from cofinal_lib import tables
from cofinal_lib.cofinal import CoFInAl, CoFInAlConfig, count_parameters
from cofinal_lib.figures import BLACK, BLUE, COLOURS, GREEN, ORANGE, nothing, panels, signed
from cofinal_lib.grading import GradeScale
from cofinal_lib.metrics import pearson_of, percentile_interval, resampled_srcc, spearman_rows

PALE = "#9cc3e0"  # a lighter blue: CoFInAl at another setting than its default
SETTING_NAMES = {"n_grades": "number of grades", "n_subgrades": "number of sub-grades"}


def sweep(results: pd.DataFrame, option: str, line: str) -> Figure:
    """Draw Figure 4: test SRCC (last epoch, soft) by n_grades or n_subgrades, a panel a target.

    Bars as in the paper, all of a panel means over the seeds that every setting has; thick lines are 95 % intervals
    over seeds, thin ones over resampled test routines. The band is the default's interval over routines: what lies
    inside cannot be told from it by these test routines. Dashed: ridge regression on the mean clip.
    """
    chosen = tables.last_epoch(results).sort_values(option, kind="stable")
    targets = list(results["target"].unique())
    if not targets:
        return nothing(line)
    chosen = pd.concat([tables.on_shared_seeds(part) for _, part in chosen.groupby("target")])
    fig, axes = panels(len(targets), 2.9)
    for ax, target in zip(axes.flat, targets, strict=False):
        part = chosen[chosen["target"] == target]
        default = _default(part, option)
        x = np.arange(len(part))
        if default is not None and np.isfinite(default["routines_low"]):
            ax.axhspan(default["routines_low"], default["routines_high"], color="0.9", zorder=0)
        usual = part[option] == (None if default is None else default[option])
        ax.bar(x, part["srcc"], color=[BLUE if u else PALE for u in usual], width=0.72, zorder=1)
        ax.vlines(x, part["routines_low"], part["routines_high"], color="0.35", lw=1)
        ax.vlines(x, part["srcc_low"], part["srcc_high"], color=BLACK, lw=3)
        ax.axhline(part["ridge"].iloc[0], color=COLOURS["ridge"], lw=1, ls="--")
        labels = [f"{v:.0f}" for v in part[option]]
        every = max(1, len(labels) // 8)
        ax.set_xticks(x[::every], labels[::every], fontsize=9)
        ax.set_xlim(-0.9, max(len(part), 4) - 0.1)
        ax.set_xlabel(SETTING_NAMES[option], fontsize=10)
        ax.set_title(f"{target} ({part['source'].iloc[0]})\nseeds: {part['seeds'].min()}", fontsize=10)
        ax.axhline(0, color="0.2", lw=0.8)
    lowest = chosen[["srcc", "srcc_low", "routines_low"]].min(axis=None)
    axes[0, 0].set_ylim(min(0.0, lowest), 1)
    for ax in axes[:, 0]:
        ax.set_ylabel("test SRCC")
    return signed(fig, line)


def _default(part: pd.DataFrame, option: str) -> pd.Series | None:
    """Of one target's rows, the one whose run did not set the option: CoFInAl as it stands."""
    unset = ~part["options"].map(lambda said: f"{option}=" in str(said))
    return part[unset].iloc[0] if unset.any() else None


def judged_sweep(results: pd.DataFrame, option: str) -> pd.DataFrame:
    """What Figure 4's data can tell of the best setting, a row a target with two settings or more.

    Columns: target, source, option, settings, seeds that all of them have, which alone count; default and best,
    settings; default_srcc, best_srcc, lead; sd, the standard deviation of one training's SRCC (see `setting_noise`);
    bar, the lead that the best of equally good settings passes once in twenty times (`luck_of_the_best`); beyond,
    whether this lead does; routines_bar, the same of luck over test routines (`luck_of_leads`; NaN where ranks are not
    kept), and beyond_routines; inside, how many of the other settings these routines alone cannot tell from the
    default: their difference from it may be zero over the same resampled routines. With one seed sd, bar are NaN.
    """
    rows = []
    for target, part in tables.last_epoch(results).groupby("target", sort=False):
        default = _default(part, option)
        if default is None or len(part) < 2 or part["srcc"].isna().all():
            continue
        part = part.sort_values(option)
        trainings = tables.shared_seeds(part["per_seed"])
        part["srcc"] = trainings.mean(1)
        default, best = part.loc[default.name], part.loc[part["srcc"].idxmax()]
        sd = float(setting_noise(trainings))
        bar = sd * luck_of_the_best(len(part), trainings.shape[1])["bar"]
        leads = leads_over_routines(default, part.drop(default.name).to_dict("records"))
        low, high = np.array([percentile_interval(row) for row in leads]).T
        over = luck_of_leads(leads)
        lead = best["srcc"] - default["srcc"]
        rows.append(
            {
                "target": target,
                "source": default["source"],
                "option": option,
                "settings": len(part),
                "seeds": trainings.shape[1],
                "default": int(default[option]),
                "default_srcc": default["srcc"],
                "best": int(best[option]),
                "best_srcc": best["srcc"],
                "lead": lead,
                "sd": sd,
                "bar": bar,
                "beyond": bool(lead > bar),
                "routines_bar": over,
                "beyond_routines": bool(lead > over),
                "inside": int((~((low > 0) | (high < 0))).sum()),
            }
        )
    columns = "target source option settings seeds default default_srcc best best_srcc lead sd bar beyond"
    return pd.DataFrame(rows, columns=[*columns.split(), "routines_bar", "beyond_routines", "inside"])


def leads_over_routines(default: pd.Series, others: list[dict], draws: int = 1000) -> np.ndarray:
    """SRCC of n settings less the default's over the same resampled test routines, (n, draws), a mean over seeds.

    Args:
        default, others: rows of `results.tidy`. NaN where ranks are not kept, or are not of the default's routines.
    """
    leads, (own, *ranks) = np.full((len(others), draws), np.nan), [tables.ranks(r) for r in (default, *others)]
    if own is None:
        return leads
    comparable = [r is not None and np.array_equal(r[0], own[0]) for r in ranks]
    n = min(map(len, [own, *(r for r, c in zip(ranks, comparable, strict=True) if c)]))
    base = resampled_srcc(own[1:n], own[0], 0, draws)
    for i in np.flatnonzero(comparable):
        leads[i] = resampled_srcc(ranks[i][1:n], own[0], 0, draws) - base
    return leads


def luck_of_leads(leads: np.ndarray) -> float:
    """The lead that luck over test routines gives the best of equally good settings, once in twenty times.

    How far a setting's lead strays from its own mean is luck.

    Args:
        leads: of `leads_over_routines`, (n, draws). NaN where a setting has none.
    """
    if np.isnan(leads).all(1).any():
        return float("nan")
    return float(np.nanquantile((leads - np.nanmean(leads, 1, keepdims=True)).max(0), 0.95))


def setting_noise(trainings: np.ndarray) -> np.ndarray:
    """Standard deviation of one training's SRCC around its setting's and its seed's mean, (...); NaN with one seed.

    Args:
        trainings: (..., n, S), an SRCC for each of n settings and S seeds. What a seed does to all settings alike (a
            lucky order of routines) favours none of them, and is taken out.
    """
    n, S = trainings.shape[-2:]
    if n < 2 or S < 2:
        return np.full(trainings.shape[:-2], np.nan)
    left = trainings - trainings.mean(-1, keepdims=True) - trainings.mean(-2, keepdims=True)
    left = left + trainings.mean((-2, -1), keepdims=True)
    return np.sqrt((left**2).sum((-2, -1)) / ((n - 1) * (S - 1)))


@cache
def luck_of_the_best(settings: int, seeds: int, trials: int = 10_000, seed: int = 0) -> dict[str, float]:
    """What the best of some equally good settings seems to be worth, by simulation.

    A training's SRCC is the truth plus normal noise; its standard deviation is the unit of what is returned. Every
    setting is trained with the same number of seeds; the first setting is the default.

    Returns:
        above: how far the best setting's mean lies above the truth, on average;
        lead: how far it lies above the default's mean, on average;
        alarms: share of trials in which Student's 95 % interval of its lead, paired by seed, lies above zero;
        bar: the lead that one trial in twenty passes, where the noise is estimated from the trial itself.
        The last two are NaN with one seed.
    """
    noise = np.random.default_rng(seed).standard_normal((trials, settings, seeds))  # (T, n, S)
    means = noise.mean(-1)  # (T, n)
    leads = means.max(1) - means[:, 0]
    found = {"above": float(means.max(1).mean()), "lead": float(leads.mean()), "alarms": np.nan, "bar": np.nan}
    if seeds > 1 and settings > 1:
        difference = noise[np.arange(trials), means.argmax(1)] - noise[:, 0]  # (T, S)
        half = stats.t.ppf(0.975, seeds - 1) * difference.std(1, ddof=1) / np.sqrt(seeds)
        found["alarms"] = float((difference.mean(1) > half).mean())
        found["bar"] = float(np.quantile(leads / setting_noise(noise), 0.95))
    return found


def luck_over_routines(
    settings: int, rho: float, n: int, between: float = 0.9, draws: int = 1000
) -> tuple[float, float]:
    """By how much the best of equally good settings leads the first on n test routines: (mean, one in twenty passes).

    Score and predictions are drawn from a normal distribution, as in `main_results.luck`.

    Args:
        rho: rank correlation of each setting's predictions with the score.
        between: rank correlation of any two settings' predictions.
    """
    r, b = pearson_of(rho), pearson_of(between)
    cov = np.full((settings + 1, settings + 1), b)
    cov[0], cov[:, 0] = r, r
    np.fill_diagonal(cov, 1)
    drawn = np.random.default_rng(0).standard_normal((draws, n, settings + 1)) @ np.linalg.cholesky(cov).T
    score, *predictions = np.moveaxis(drawn, -1, 0)  # (draws, n) each
    srcc = np.array([spearman_rows(p, score) for p in predictions])  # (settings, draws)
    leads = srcc.max(0) - srcc[0]
    return float(leads.mean()), float(np.quantile(leads, 0.95))


def luck_figure(judged: pd.DataFrame, line: str, most: int = 20) -> Figure:
    """Draw what luck gives the best of equally good settings, and the leads measured (`judged_sweep`) beside it."""
    seeds = max([2, *judged["seeds"]])
    counts = np.unique(np.r_[2:11, np.arange(12, most + 1, 2)])
    luck = pd.DataFrame([luck_of_the_best(int(n), seeds) for n in counts], index=counts)
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.8, 3.9))
    left.plot(counts, 100 * luck["alarms"], "o-", color=BLUE, ms=4)
    left.axhline(2.5, color="0.4", lw=1, ls=":")
    left.text(counts[-1], 3.2, "one comparison: 2.5 %", ha="right", fontsize=9, color="0.25")
    left.set_ylim(0, None)
    left.set_ylabel("“better than the default”, %", fontsize=10)
    left.set_title(f"how often the best seems better ({seeds} seeds)", fontsize=10)
    right.plot(counts, luck["lead"], color=BLUE, label="average of luck")
    right.plot(counts, luck["bar"], color=BLUE, ls="--", label="luck's lead in 1 of 20")
    marks = {"movement": "s", "twin": "o", "official": "D"}
    shown = judged[judged["sd"] > 0]
    groups = shown.groupby(["source", "option"], sort=False)
    for i, ((source, option), part) in enumerate(groups):
        beside = 0.4 * (i - (len(groups) - 1) / 2)  # marks of one number of settings stand side by side
        right.plot(part["settings"] + beside, part["lead"] / part["sd"], marks[source], ls="none", ms=7, alpha=0.8,
                   clip_on=False, color={"n_grades": ORANGE, "n_subgrades": GREEN}[option],
                   label=f"{source}, {SETTING_NAMES[option].removeprefix('number of ')}")  # fmt: skip
    right.set_ylim(0, None)
    right.set_ylabel("lead ÷ noise of one training", fontsize=10)
    right.set_title("how far the best leads", fontsize=10)
    fig.legend(fontsize=9, frameon=False, loc="outside upper center", ncols=3)
    for ax in (left, right):
        ax.set_xticks([2, 5, 9, 15, 20])
        ax.set_xlabel("settings tried", fontsize=10)
    return signed(fig, line)


def judged_table(judged: pd.DataFrame) -> Styler:
    """Show `judged_sweep`: the best setting's lead beside what luck gives, a row a target and option."""
    rows = [
        {
            "target": f"{r.target}\n({r.source})",
            "number of": SETTING_NAMES[r.option].removeprefix("number of "),
            "tried": r.settings,
            "default": f"{r.default}: {tables.number(r.default_srcc)}",
            "best": f"{r.best}: {r.best_srcc:.3f}",
            "lead": tables.number(r.lead),
            "luck of\nseeds": tables.number(r.bar),
            "beyond\nluck": tables.NOTHING if np.isnan(r.bar) else ("yes" if r.beyond else "no"),
            "luck of\nroutines": tables.number(r.routines_bar),
            "others like\ndefault": tables.NOTHING if np.isnan(r.lead) else f"{r.inside} of {r.settings - 1}",
        }
        for r in judged.itertuples()
    ]
    table = pd.DataFrame(rows or [{"": "no target with two settings yet"}])
    return tables.styled(table, f"judged-{len(table)}").hide()


def noise_of_settings(results: pd.DataFrame, option: str, most: int) -> Styler:
    """Show, before any result, what can be told: a row a target. No setting's own number is in it.

    Columns: half the default's interval over routines; the noise of one training (`setting_noise`); and, were all
    settings equally good, how far the best of `most` would lie above the truth, from one training each and from ours.
    """
    rows = []
    for target, part in tables.last_epoch(results).groupby("target", sort=False):
        part = tables.on_shared_seeds(part)
        default = _default(part, option)
        trainings = tables.shared_seeds(part["per_seed"])
        S, sd = trainings.shape[1], float(setting_noise(trainings))
        row = {"target": f"{target}\n({part['source'].iloc[0]})", "seeds": S, "noise of\none training": sd}
        half = np.nan if default is None else (default["routines_high"] - default["routines_low"]) / 2
        row[f"best of {most},\n1 seed each: +"] = sd * luck_of_the_best(most, 1)["above"]
        row[f"best of {most},\nthese seeds: +"] = sd * luck_of_the_best(most, S)["above"]
        rows.append(row | {"routines: ±": half})
    frame = pd.DataFrame(rows or [{"": "no runs yet"}])
    numbers = frame.columns[2:]
    frame[numbers] = frame[numbers].map(tables.number)
    return tables.styled(frame, f"noise-{option}-{len(frame)}").hide()


def sweep_in_words(judged: pd.DataFrame) -> Markdown:
    """`judged_sweep` as a list, a line a row."""
    said = []
    for r in judged.itertuples():
        what = SETTING_NAMES[r.option].removeprefix("number of ")
        where = f"- Of {r.settings} numbers of {what} on {r.target},"
        if r.best == r.default:
            said.append(f"{where} the default, {r.default}, has the highest SRCC.")
            continue
        if np.isnan(r.default_srcc):
            said.append(
                f"{where} {r.best} has the highest SRCC, {r.best_srcc:.3f}; the default, {r.default}, has none, for "
                "some training ranks nothing."
            )
            continue
        judged_so = "the noise over seeds is not known" if np.isnan(r.bar) else (
            f"that is {'beyond' if r.beyond else 'within'} the luck of seeds ({r.bar:.3f})"
        )  # fmt: skip
        if np.isfinite(r.routines_bar):
            judged_so += f", and {'beyond' if r.beyond_routines else 'within'} that of routines ({r.routines_bar:.3f})"
        said.append(f"{where} {r.best} has the highest SRCC, {r.lead:.3f} above the default {r.default}; {judged_so}.")
    return Markdown("\n".join(said) or "No target there has been run with two settings yet.")


def grades_filled(scores, counts=(2, 4, 7, 10)) -> pd.DataFrame:
    """How many routines each grade gets when the scores' range is cut into so many: a row a number of grades."""
    rows = {}
    for G in counts:
        grade, _ = GradeScale(float(min(scores)), float(max(scores)), G, 2).decompose(np.asarray(scores), clip=True)
        filled = np.bincount(grade, minlength=G)
        listed = " ".join(map(str, filled))
        rows[G] = {"fewest": filled.min(), "most": filled.max(), "routines, lowest grade first": listed}
    return pd.DataFrame(rows).T.rename_axis("grades").reset_index()


def levels_table(pairs=((4, 20), (4, 100), (10, 20), (10, 100))) -> pd.DataFrame:
    """What levels cost to store and to learn, at the paper's widths: a row a pair (G, G').

    Columns: grades, subgrades, levels (G x G'), names (G + G'), learned, parameters of the network; flat, those of one
    linear layer that names the level on the D_S-wide fine feature; prototypes, those of the network if each level were
    a grade of its own.
    """
    sizes = {G: count_parameters(CoFInAl(CoFInAlConfig(n_grades=G))) for G in {4, 5} | {G for G, _ in pairs}}
    grade = sizes[5] - sizes[4]  # what one grade more adds: its prototype, and its part of the classifier
    width = CoFInAlConfig().score_dim
    rows = [
        (G, K, G * K, G + K, sizes[G], (width + 1) * G * K, sizes[4] + (G * K - 4) * grade) for G, K in pairs
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["grades", "subgrades", "levels", "names", "learned", "flat", "prototypes"])
