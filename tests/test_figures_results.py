"""Figure 4's and Table 3's drawings and judgements say what the frame says, however little is in it."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from cofinal_lib import tables
from cofinal_lib.figures import BLUE, ablations
from cofinal_lib.figures import grades as draw
from cofinal_lib.metrics import mean_interval

matplotlib.use("agg")
LINE = "data: made up · cofinal reproduce"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def row(target: str, per_seed, options: str = "", **more) -> list[dict]:
    """One run's rows as `results.read` gives them: last epoch and best on test, training and test routines."""
    mean, low, high = mean_interval(np.array(per_seed, float), correlations=True)
    base = {
        "target": target,
        "source": {"t": "twin", "u": "movement", "f": "official"}[target[0]],
        "method": "cofinal",
        "options": options or np.nan,  # as an empty cell is read
        "without": "",
        "n_grades": 4,
        "n_subgrades": 20,
        "seeds": len(per_seed),
        "epochs": 2,
        "decoding": "soft",
        "srcc": mean,
        "srcc_low": low,
        "srcc_high": high,
        "per_seed": " ".join(f"{v:.6g}" for v in per_seed),
        "routines_low": mean - 0.1,
        "routines_high": mean + 0.12,
        "relative_l2": 1.0,
        "ridge": 0.7,
        "commit": "abc",
        "run_id": f"{target} {options}",
    } | more
    return [
        base | {"split": split, "selection": selection} | ({"srcc": mean + 0.2} if split == "train" else {})
        for split in ("train", "test")
        for selection in ("last", "best_on_test")
    ]


def frame(*rows) -> pd.DataFrame:
    return pd.DataFrame([r for rs in rows for r in rs])


def grades(target: str, bars: dict[int, list[float]], default: int = 4) -> list[dict]:
    return [
        r
        for G, per_seed in bars.items()
        for r in row(target, per_seed, "" if G == default else f"n_grades={G} feature_dim=64", n_grades=G)
    ]


def with_arms(target: str, srccs: dict[str, list[float]]) -> list[dict]:
    return [r for arm, v in srccs.items() for r in row(target, v, f"without={arm}" if arm else "", without=arm)]


SWEPT = {4: [0.5, 0.6, 0.55], 2: [0.3, 0.45, 0.4], 10: [0.6, 0.66, 0.64]}
ARMS = {
    "": [0.5, 0.6, 0.55],
    "L_R": [0.49, 0.6, 0.56],
    "TFM": [0.7, 0.81, 0.76],
    "GPM": [0.2, 0.5, 0.3],
    "FGS": [0.5] * 3,
}


def bars_of(ax) -> list:
    return [patch for patch in ax.patches if patch.get_width() == pytest.approx(0.72)]


# --------------------------------------------------------------------------------------- Figure 4


def test_bars_are_as_tall_as_srcc_in_order_of_the_option_and_the_default_is_dark():
    figure = draw.sweep(frame(grades("twin/ball", SWEPT), grades("fisv/pcs", SWEPT)), "n_grades", LINE)
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == ["twin/ball (twin)\nseeds: 3", "fisv/pcs (official)\nseeds: 3"]
    for ax in panels:
        assert [b.get_height() for b in bars_of(ax)] == pytest.approx([np.mean(SWEPT[G]) for G in (2, 4, 10)])
        assert [t.get_text() for t in ax.get_xticklabels()] == ["2", "4", "10"]
        dark = [b.get_facecolor() == to_rgba(BLUE) for b in bars_of(ax)]
        assert dark == [False, True, False]
        (band,) = [p for p in ax.patches if p not in bars_of(ax)]
        default = np.mean(SWEPT[4])
        bottom, top = band.get_extents().transformed(ax.transData.inverted()).intervaly
        assert (bottom, top) == pytest.approx((default - 0.1, default + 0.12))
    assert LINE.split(" · ")[0] in figure.get_supxlabel()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_each_target_has_one_panel(n):
    targets = ["uiprmd/deep-squat", *(f"twin/{name}" for name in ("ball", "clubs", "hoop", "ribbon", "tes", "pcs"))][:n]
    shown = draw.sweep(frame(*(grades(t, SWEPT) for t in targets)), "n_grades", LINE)
    assert [ax.get_title().split()[0] for ax in shown.axes if ax.get_title()] == targets
    shown = ablations.arms(frame(*(with_arms(t, ARMS) for t in targets)), LINE)
    assert [ax.get_title().split()[0] for ax in shown.axes if ax.get_title()] == targets


def test_a_sweep_stands_one_setting_one_seed_and_no_intervals():
    lone = grades("fisv/pcs", {4: [0.4]})  # options are all NaN here, as pandas reads empty cells
    for r in lone:
        r |= {"routines_low": np.nan, "routines_high": np.nan}
    figure = draw.sweep(frame(lone), "n_grades", LINE)
    assert [b.get_height() for b in bars_of(figure.axes[0])] == pytest.approx([0.4])
    judged = draw.judged_sweep(frame(lone), "n_grades")
    assert judged.empty
    assert "No target" in draw.sweep_in_words(judged).data
    one_seed = frame(grades("twin/ball", {4: [0.5], 2: [0.6]}))
    judged = draw.judged_sweep(one_seed, "n_grades")
    assert np.isnan(judged.loc[0, "bar"]) and not judged.loc[0, "beyond"]
    assert "not known" in draw.sweep_in_words(judged).data
    draw.sweep(one_seed, "n_grades", LINE)
    draw.luck_figure(judged, LINE, most=4)
    draw.judged_table(judged).to_html()
    draw.noise_of_settings(one_seed, "n_grades", 9).to_html()


def test_a_default_that_ranks_nothing_has_no_lead_to_tell():
    judged = draw.judged_sweep(frame(grades("twin/ball", SWEPT | {4: [0.5, np.nan, 0.55]})), "n_grades")
    words = draw.sweep_in_words(judged).data
    assert words == (
        "- Of 3 numbers of grades on twin/ball, 10 has the highest SRCC, 0.633; the default, 4, has none, for some "
        "training ranks nothing."
    )
    (shown,) = draw.judged_table(judged).data.to_dict("records")
    assert shown["default"] == f"4: {tables.NOTHING}" and shown["lead"] == tables.NOTHING
    assert not any("nan" in str(cell) for cell in shown.values())


def test_nothing_to_draw_is_said():
    empty = frame(grades("twin/ball", SWEPT)).iloc[:0].assign(without="")
    for figure in (
        draw.sweep(empty, "n_grades", LINE),
        ablations.arms(empty, LINE),
        ablations.train_and_test(empty, LINE),
    ):
        assert "no such runs" in figure.axes[0].texts[0].get_text()
    assert ablations.judged_arms(empty).empty
    for styler in (
        ablations.arms_table(empty),
        ablations.noise_of_arms(ablations.judged_arms(empty)),
        draw.noise_of_settings(empty, "n_grades", 9),
        draw.judged_table(draw.judged_sweep(empty, "n_grades")),
    ):
        assert "yet" in styler.to_html()
    for words in (ablations.arms_in_words(ablations.judged_arms(empty)), ablations.gap_in_words(empty)):
        assert "yet" in words.data
    assert "No loss" in ablations.arms_noise_in_words(ablations.judged_arms(empty)).data


def test_the_best_setting_is_judged_against_the_luck_of_that_many():
    judged = draw.judged_sweep(frame(grades("twin/ball", SWEPT)), "n_grades").iloc[0]
    assert (judged["default"], judged["best"], judged["settings"], judged["seeds"]) == (4, 10, 3, 3)
    assert judged["lead"] == pytest.approx(np.mean(SWEPT[10]) - np.mean(SWEPT[4]))
    assert judged["bar"] == pytest.approx(judged["sd"] * draw.luck_of_the_best(3, 3)["bar"])
    assert judged["beyond"] == (judged["lead"] > judged["bar"])
    assert judged["inside"] == 2  # no ranks are kept, so these routines tell nothing apart


def test_settings_and_arms_are_compared_over_the_seeds_that_all_of_them_have():
    """A default with more seeds than the rest, the later ones poor: over what they share, it is the best."""
    more = SWEPT | {4: [0.7, 0.75, 0.7, 0.1, 0.1]}
    judged = draw.judged_sweep(frame(grades("twin/ball", more)), "n_grades").iloc[0]
    assert (judged["best"], judged["seeds"], judged["lead"]) == (4, 3, 0)
    assert judged["default_srcc"] == pytest.approx(np.mean(more[4][:3]))
    shown = draw.sweep(frame(grades("twin/ball", more)), "n_grades", LINE).axes[0]
    assert [b.get_height() for b in bars_of(shown)] == pytest.approx([np.mean(more[G][:3]) for G in (2, 4, 10)])
    both = frame(with_arms("twin/ball", {"": more[4], "TFM": [0.6, 0.66, 0.64]}))
    said = ablations.gap_in_words(both).data
    lead = np.mean(more[4][:3]) - np.mean([0.6, 0.66, 0.64])
    assert "over 3 seeds that both have" in said and f"ranks the test routines {lead:.3f} worse" in said


def test_what_a_seed_does_to_all_settings_is_no_noise():
    seeds, settings = np.array([0.1, -0.2, 0.05]), np.array([0.5, 0.6])
    additive = settings[:, None] + seeds
    assert draw.setting_noise(additive) == pytest.approx(0, abs=1e-12)
    noise = np.random.default_rng(0).normal(0, 0.03, (300, 6, 4))
    assert np.sqrt((draw.setting_noise(noise) ** 2).mean()) == pytest.approx(0.03, rel=0.03)
    assert np.isnan(draw.setting_noise(additive[:, :1])) and np.isnan(draw.setting_noise(additive[:1]))


def test_luck_of_the_best_against_known_values():
    two, nine = (draw.luck_of_the_best(n, 3) for n in (2, 9))
    assert two["alarms"] == pytest.approx(0.025, abs=0.006)  # one comparison: what Student's interval promises
    assert two["alarms"] < nine["alarms"] < 0.2
    assert draw.luck_of_the_best(9, 1)["above"] == pytest.approx(1.485, abs=0.03)  # mean maximum of nine normals
    assert draw.luck_of_the_best(1, 3)["lead"] == 0
    assert np.isnan(draw.luck_of_the_best(9, 1)["bar"])
    mean, seldom = draw.luck_over_routines(2, 0.8, 50, draws=400)
    more, _ = draw.luck_over_routines(6, 0.8, 50, draws=400)
    assert 0 < mean < seldom and mean < more


def test_every_routine_gets_one_grade():
    filled = draw.grades_filled(np.random.default_rng(0).normal(size=100), counts=(2, 5))
    for counts, G in zip(filled["routines, lowest grade first"], (2, 5), strict=True):
        counts = list(map(int, counts.split()))
        assert len(counts) == G and sum(counts) == 100


def test_a_subgrade_costs_nothing_to_learn_and_a_grade_its_prototype_and_its_share_of_the_classifier():
    levels = draw.levels_table(((4, 20), (4, 100), (5, 20))).set_index(["grades", "subgrades"])
    assert levels.loc[(4, 20), "learned"] == levels.loc[(4, 100), "learned"]
    assert levels.loc[(5, 20), "learned"] - levels.loc[(4, 20), "learned"] == 512 + 256 * 256 + 257
    assert levels.loc[(4, 20), ["levels", "names", "flat"]].tolist() == [80, 24, 257 * 80]


# --------------------------------------------------------------------------------------- Table 3


def test_dots_are_the_losses_and_lines_their_intervals():
    results = frame(with_arms("twin/ball", ARMS))
    (ax,) = ablations.arms(results, LINE).axes
    dots = next(line for line in ax.lines if line.get_marker() == "o")
    losses = tables.losses_of_arms(results)
    assert list(dots.get_xdata()) == pytest.approx(list(losses["loss"]))
    assert losses.set_index("without")["loss"]["TFM"] == pytest.approx(np.mean(ARMS[""]) - np.mean(ARMS["TFM"]))
    spans = [segment[:, 0] for segment in ax.collections[0].get_segments()]
    assert np.array(spans) == pytest.approx(losses[["low", "high"]].to_numpy())
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names == ["w/o FGS", "w/o GPM", "w/o TFM", "w/o $L_R$"]
    assert [names[y] for y in dots.get_ydata()] == [
        n.replace("L_R", "$L_R$") for n in map(tables.ARM_NAMES.get, losses["without"])
    ]


def test_an_arm_has_the_same_row_on_every_target():
    one = {arm: seeds for arm, seeds in ARMS.items() if arm in ("", "TFM")}
    fig = ablations.arms(frame(with_arms("fisv/pcs", ARMS), with_arms("fisv/tes", one)), LINE)
    rows = {ax.get_title(): next(x for x in ax.lines if x.get_marker() == "o").get_ydata() for ax in fig.axes}
    (tes,) = rows["fisv/tes (official)"]
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()][tes] == "w/o TFM" and len(
        rows["fisv/pcs (official)"]
    ) == 4


def test_arms_are_judged_over_seeds_and_over_routines():
    judged = ablations.judged_arms(frame(with_arms("fisv/pcs", ARMS))).set_index("without")
    assert judged["beyond_seeds"].to_dict() == {"L_R": False, "TFM": True, "GPM": False, "FGS": False}
    assert not judged["beyond_routines"].any(), "no ranks, no verdict"
    difference = np.array(ARMS[""]) - np.array(ARMS["GPM"])
    assert judged.loc["GPM", "sd"] == pytest.approx(difference.std(ddof=1))
    n = int(judged.loc["GPM", "needed"])
    assert n > 3 and judged.loc["TFM", "needed"] < n
    words = ablations.arms_in_words(judged.reset_index()).data
    assert "w/o TFM ranks better" in words and "3 of 4" in words
    assert "better" in ablations.gap_in_words(frame(with_arms("fisv/pcs", ARMS))).data


def ranked(rows: list[dict], predicted) -> list[dict]:
    """Rows with ranks, of a score that rises from routine to routine."""
    text = "|".join(" ".join(map(str, row)) for row in (range(len(predicted)), predicted, predicted))
    return [r | {"ranks": text if (r["split"], r["selection"]) == ("test", "last") else np.nan} for r in rows]


def test_arms_whose_ranks_are_kept_are_judged_on_the_same_routines():
    order, swapped = np.arange(40), np.arange(40).reshape(-1, 2)[:, ::-1].ravel()
    rows = ranked(row("fisv/pcs", [0.9, 0.9]), order) + ranked(row("fisv/pcs", [0.8, 0.8], "x", without="TFM"), swapped)
    rows += row("fisv/pcs", [0.3, 0.3], "y", without="GPM")
    judged = ablations.judged_arms(frame(rows)).set_index("without")
    assert judged.loc["TFM", "beyond_routines"] and 0 < judged.loc["TFM", "distance"] < 0.05, "all routines say so"
    assert np.isnan(judged.loc["GPM", "distance"]) and not judged.loc["GPM", "beyond_routines"], "no ranks, no verdict"
    shown = ablations.noise_of_arms(judged.reset_index()).data.iloc[:, -1]
    assert list(shown == tables.NOTHING) == [False, True]
    assert list(ablations.arms_table(frame(rows)).data.iloc[:, 6] == tables.NOTHING) == [True, False, True]
    ablations.arms(frame(rows), LINE)


def test_settings_whose_ranks_are_kept_are_judged_on_the_same_routines():
    random, order = np.random.default_rng(0), np.arange(40)
    near = order.reshape(-1, 2)[:, ::-1].ravel()
    flat = np.eye(40, dtype=int)[-1]  # all tied but one: a resample without that one has no ranking
    settings = {4: order, 2: random.permutation(40), 3: flat, 6: order, 10: near}
    bars = grades("fisv/pcs", {4: [0.9, 0.9], 2: [0.1, 0.1], 3: [0.1, 0.1], 6: [0.9, 0.9], 10: [0.89, 0.9]})
    rows = [ranked([r], settings[r["n_grades"]])[0] for r in bars]
    judged = draw.judged_sweep(frame(rows), "n_grades").iloc[0]
    assert judged["inside"] == 1, "two are much worse, one the same, one a little worse on every draw"
    assert 0 < judged["routines_bar"] < 0.6 and not judged["beyond_routines"]
    assert draw.judged_table(draw.judged_sweep(frame(rows), "n_grades")).data.iloc[0, -2] != tables.NOTHING
    text = "|".join(" ".join(map(str, r)) for r in (order, order))
    leads = draw.leads_over_routines({"ranks": text}, [{"ranks": text}, {"ranks": text}, {}])
    assert draw.luck_of_leads(leads[:2]) == 0 and np.isnan(draw.luck_of_leads(leads))


def test_arms_stand_one_seed_a_missing_whole_and_an_undefined_srcc():
    lone = frame(with_arms("fisv/pcs", {"": [0.4], "TFM": [0.7]}), with_arms("fisv/tes", {"TFM": [0.5]}))
    judged = ablations.judged_arms(lone)
    assert list(judged["target"]) == ["fisv/pcs"] and not judged["beyond_seeds"].any()
    assert "no interval" in ablations.arms_in_words(judged).data
    (ax,) = ablations.arms(lone, LINE).axes
    assert next(line for line in ax.lines if line.get_marker() == "o").get_xdata() == pytest.approx([-0.3])
    assert len([ax for ax in ablations.train_and_test(lone, LINE).axes if ax.get_title()]) == 2
    assert "w/o TFM" in ablations.arms_table(lone).to_html()
    undefined = frame(with_arms("twin/ball", {"": [0.4, 0.5], "FGS": [0.4, np.nan]}))
    judged = ablations.judged_arms(undefined)
    assert np.isnan(judged.loc[0, "loss"]) and not judged.loc[0, "beyond_seeds"]
    ablations.arms(undefined, LINE)
    ablations.train_and_test(undefined, LINE)
    assert "undefined" in ablations.arms_table(undefined).to_html()


def test_printed_cells_stand_beside_official_data_alone():
    assert "paper" not in ablations.arms_table(frame(with_arms("twin/pcs", ARMS))).to_html()
    html = ablations.arms_table(frame(with_arms("fisv/pcs", ARMS))).to_html()
    assert "paper" in html and f"{tables.printed_cell('fisv/pcs', 'cofinal'):.3f}" in html


def test_without_the_regulariser_the_start_is_the_wholes():
    starts = ablations.arm_starts()
    assert list(starts.index) == list(tables.ARM_NAMES.values())
    assert starts.loc["w/o L_R", "shared"] == 100 and starts.loc["w/o TFM", "shared"] < 100
    assert starts.loc["w/o TFM", "parameters_m"] < starts.loc["CoFInAl", "parameters_m"]


def test_the_drawing_of_the_arms_names_all_of_them():
    texts = [text.get_text() for text in ablations.arms_sketch().axes[0].texts]
    assert {name.replace("L_R", "$L_R$") for name in tables.ARM_NAMES.values()} <= set(texts)
    assert texts.count("left out") == 2  # the regulariser, and what it would order where there are no prototypes


def test_two_of_table_3s_percentages_do_not_follow_from_its_cells():
    drops = ablations.printed_drops().set_index(["without", "target"])
    assert len(drops) == 16 and drops["agrees"].sum() == 14
    assert set(drops.index[~drops["agrees"]]) == {("L_R", "hoop"), ("GPM", "clubs")}
    assert drops[drops["in_text"]]["agrees"].all() and drops["in_text"].sum() == 5
    assert drops.loc[("TFM", "ball"), "percent"] == pytest.approx(27.07, abs=0.005)
    assert "≠" in ablations.drops_table(drops.reset_index()).to_html()
