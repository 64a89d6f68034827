"""Figures 5 and 6 from hand-made frames: they draw what a frame says, however little it holds."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from cofinal_lib.figures import features as draw
from cofinal_lib.figures import overfitting
from cofinal_lib.metrics import mean_interval, spearman, spearman_interval

N = 30


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def plane(kinds=("backbone", "cofinal"), seeds=(0, 1), source="twin"):
    """Places, grades and scores of N routines: "cofinal" holds its grades apart, the backbone knows nothing."""
    rows = []
    for kind in kinds:
        for seed in seeds:
            random = np.random.default_rng(10 * seed + len(kind))
            grade = np.arange(N) * 6 // N
            apart = 1000 * (kind == "cofinal")
            x, y = random.normal(size=(2, N)) + apart * np.stack([grade // 2, grade % 2])
            frame = pd.DataFrame({"id": range(N), "x": x, "y": y})
            frame = frame.assign(grade=grade, score=10.0 + np.arange(N), predicted=12 + 0.5 * np.arange(N))
            rows.append(frame.assign(kind=kind, seed=seed, target="twin/pcs", source=source, epochs=3))
    return pd.concat(rows, ignore_index=True)


def readout(kinds=("backbone", "cofinal"), seeds=(0, 1, 2)):
    """Every measure of every kind and seed: the backbone's do not move with the seed."""
    rows = []
    for kind in kinds:
        for seed in seeds:
            for i, measure in enumerate([*draw.READOUT, "always the commonest grade"]):
                value = 0.2 if measure.startswith("always") else 0.3 + 0.05 * i + 0.02 * seed * (kind != "backbone")
                rows.append({"kind": kind, "seed": seed, "measure": measure, "value": value})
    return pd.DataFrame(rows)


def learning(methods=("gdlt", "cofinal"), targets=("twin/ball",), seeds=3, epochs=10):
    """Curves: train every fifth epoch and above test from epoch 10 on, test every epoch, loss."""
    rows = []
    for target in targets:
        for method in methods:
            for measure, split in (("srcc", "train"), ("srcc", "test"), ("relative_l2", "train"),
                                   ("relative_l2", "test"), ("loss", "train")):  # fmt: skip
                for epoch in range(1, epochs + 1):
                    if split == "train" and measure != "loss" and epoch % 5:
                        continue
                    mean = {"train": 0.08 * epoch, "test": 0.3 + 0.04 * epoch}[split]
                    width = 0.1 if seeds > 1 else np.nan
                    head = {"target": target, "source": "twin", "method": method, "seeds": seeds, "epochs": epochs}
                    row = {"measure": measure, "split": split, "epoch": epoch, "mean": mean}
                    rows.append(head | row | {"low": mean - width, "high": mean + width})
    return pd.DataFrame(rows)


def tidy(per_seed: dict, target="twin/ball", options=""):
    """Results in long form: method -> (train of each seed, test of each seed), with a row that must not be taken."""
    rows = []
    for method, splits in per_seed.items():
        for split, values in zip(("train", "test"), splits, strict=True):
            for selection, decoding, without in (("last", "soft", ""), ("last", "hard", ""), ("last", "soft", "TFM"),
                                                 ("best_on_test", "soft", "")):  # fmt: skip
                wanted = (selection, decoding, without) == ("last", "soft", "")
                row = {"target": target, "source": "twin", "method": method, "options": options, "selection": selection}
                row |= {"decoding": decoding, "without": without, "split": split}
                row |= {"per_seed": " ".join(str(v if wanted else 0.99) for v in values)}
                known = split == "test"
                rows.append(row | {"routines_low": 0.2 if known else None, "routines_high": 0.6 if known else None})
    return pd.DataFrame(rows)


# --------------------------------------------------------------------------------------- Figure 5


def test_planes_say_the_share_that_the_picture_shows():
    fig = draw.feature_planes(plane(), "a line")
    titles = [ax.get_title() for ax in fig.axes]
    assert any(t.startswith("CoFInAl, as printed") and "100 %" in t for t in titles)  # separated by construction
    assert any(t.startswith("backbone") and "100 %" not in t for t in titles)
    assert sum("SRCC 1.00" in t for t in titles) == 2
    assert any("slope 0.50" in text.get_text() for ax in fig.axes if ax.get_legend() for text in ax.get_legend().texts)
    assert "twin/pcs (twin), seed 0" in fig._suptitle.get_text()
    assert "a line" in fig.get_supxlabel()


def test_planes_show_the_seed_asked_for_and_only_kinds_that_have_it():
    frame = pd.concat([plane(), plane(("gdlt",), (1,))])
    assert len(draw.feature_planes(frame, "").axes) == 5  # two kinds, two panels each, and the bar of grades
    fig = draw.feature_planes(frame, "", seed=1)
    assert len(fig.axes) == 7
    assert "seed 1" in fig._suptitle.get_text()


def test_planes_of_one_kind_one_grade_and_a_constant_prediction():
    draw.feature_planes(plane(("gdlt",), (4,)), "")
    draw.feature_planes(plane(("gdlt",)).assign(grade=2, predicted=3.0), "").canvas.draw()


def test_shuffled_grades_are_near_chance_on_other_routines_and_above_it_on_the_same():
    floor = draw.shuffled(plane(), draws=20).set_index(["kind", "measure"])
    for kind in ("backbone", "cofinal"):
        same, other = (floor.loc[(kind, f"plane, {which} routines")] for which in ("same", "other"))
        assert other["low"] <= 1 / 6 <= other["high"]
        assert same["mean"] > other["mean"]
        assert same["low"] <= same["mean"] <= same["high"]
    again = draw.shuffled(plane(), draws=20).set_index(["kind", "measure"])
    pd.testing.assert_frame_equal(floor, again)


def test_shuffled_grades_are_dealt_alike_on_the_maps_of_all_seeds():
    one = plane(("backbone",), (0,))
    floor = draw.shuffled(one, draws=20)
    copies = [one.assign(seed=seed).sample(frac=1, random_state=seed) for seed in range(3)]  # any order of rows
    pd.testing.assert_frame_equal(draw.shuffled(pd.concat(copies), draws=20), floor)


def test_over_seeds_gives_students_interval_where_seeds_differ():
    summary = draw.over_seeds(readout()).set_index(["kind", "measure"])
    r = summary.loc[("cofinal", "plane, other routines")]
    assert_allclose(r[["mean", "low", "high"]].astype(float), mean_interval([0.35, 0.37, 0.39]))
    r = summary.loc[("cofinal", "ridge, other routines")]
    assert_allclose(r[["low", "high"]].astype(float), mean_interval([0.45, 0.47, 0.49], correlations=True)[1:])
    assert np.isnan(summary.loc[("backbone", "plane, other routines"), "low"])  # nothing moved
    assert draw.over_seeds(readout(seeds=(0,)))["low"].isna().all()


@pytest.mark.parametrize("kinds", [("cofinal",), ("backbone", "gdlt", "cofinal-released", "cofinal")])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_readout_draws_every_seed_and_mean(kinds, seeds):
    fig = draw.readout_figure(readout(kinds, seeds), draw.shuffled(plane(kinds), draws=5), N, "a line")
    panels = fig.axes
    assert [ax.get_title().replace("\n", " ") for ax in panels] == list(draw.READOUT)
    assert [t.get_text() for t in panels[0].get_yticklabels()] == [draw.KIND_NAMES[k] for k in kinds]
    for i, ax in enumerate(panels):
        rings = [line for line in ax.lines if line.get_markersize() == 5 and line.get_marker() == "o"]
        assert [len(line.get_xdata()) for line in rings] == [len(seeds)] * len(kinds)
        means = [line for line in ax.lines if line.get_markersize() == 7]
        last = readout(kinds, seeds).query(f"kind == {kinds[-1]!r} and measure == {list(draw.READOUT)[i]!r}")
        assert_allclose(means[-1].get_xdata(), last["value"].mean())
    fig.canvas.draw()


def test_readout_with_an_undefined_ranking():
    frame = readout()
    frame.loc[(frame["measure"] == "ridge, other routines") & (frame["kind"] == "cofinal"), "value"] = np.nan
    draw.readout_figure(frame, draw.shuffled(plane(), draws=3), N, "").canvas.draw()


def test_ranks_are_the_predictions_own():
    frame = plane()
    frame.loc[frame["kind"] == "backbone", "predicted"] = np.random.default_rng(0).normal(size=2 * N)
    ranked = draw.ranks(frame).set_index(["kind", "seed"])
    part = frame[(frame["kind"] == "backbone") & (frame["seed"] == 1)]
    assert_allclose(ranked.loc[("backbone", 1), "srcc"], spearman(part["predicted"], part["score"]))
    r = ranked.loc[("cofinal", 0)]
    assert_allclose([r["srcc"], r["pearson"], r["slope"]], [1, 1, 0.5])
    assert_allclose([r["low"], r["high"]], 1)  # of a perfect ranking every resample is perfect
    constant = draw.ranks(plane().assign(predicted=1.0))
    assert constant["srcc"].isna().all()
    assert_allclose(constant["slope"], 0, atol=1e-12)
    draw.slopes_figure(draw.ranks(frame), "").canvas.draw()


def test_rescaling_moves_slope_and_rank_correlation_apart():
    frame = plane(("gdlt",), (0,))
    frame["predicted"] = frame["score"] + np.random.default_rng(0).normal(size=N) * 3
    ranked = draw.ranks(draw.rescaled(frame)).set_index("name")
    was, squeezed, ideal = (ranked.loc[n] for n in ("as they are", "squeezed to a tenth", "around the ideal line"))
    assert_allclose(squeezed["srcc"], was["srcc"])
    assert_allclose(squeezed["slope"], was["slope"] / 10)
    assert_allclose(ideal["slope"], 1)
    assert_allclose(ideal["pearson"], was["pearson"] / 2)
    fig = draw.rescaled_figure(draw.rescaled(frame), "")
    assert [ax.get_title().split("\n")[0] for ax in fig.axes] == list(ranked.index)


def test_ratios_and_toy_planes():
    points = np.array([[0.0, -1], [0, 1], [10, -1], [10, 1], [50, -3], [50, 3]])
    groups = np.array([0, 0, 1, 1, 2, 2])
    assert_allclose(draw.plane_ratios(points, groups), (5, 3))
    planes = {(name, words): points for name in ("one", "two") for words in ("a", "b")}
    fig = draw.toy_planes({"one": points, "two": points}, planes, groups, "")
    assert len(fig.axes) == 6


def test_planes_in_words_compare_with_shuffled_grades():
    floor = pd.DataFrame(
        [("cofinal", "plane, same routines", 0.3, 0.25, 0.29), ("cofinal", "plane, other routines", 0.3, 0.25, 0.4)],
        columns=["kind", "measure", "mean", "low", "high"],
    )
    text = draw.planes_in_words(plane(), readout(("backbone", "cofinal")), floor).data  # 0.32 and 0.37 over seeds
    assert "32 % of the routines that drew the regions lie in their own, above what shuffled grades give" in text
    assert "37 % of routines left out lie in their own, within what shuffled grades give (25 to 40 %)" in text
    assert "left out: CoFInAl as printed (0.37" in text and "the backbone" not in text
    assert "Best at ranking the test routines, in the row below: backbone (mean clip) (1.00; inside" in text, "a tie"


def test_clear_of_chance_counts_kinds():
    frame, floor = readout(("backbone", "cofinal")), draw.shuffled(plane(), draws=10)
    floor["high"] = [0.31, 0.9, 0.31, 0.9]  # backbone 0.30 and cofinal 0.32 on the same routines
    said = draw.clear_of_chance(frame, floor, 100)  # SRCC 0.45 and 0.47, chance 0.197
    assert said == {
        "kinds": 2,
        "plane": 1,
        "ridge": 2,
        "best": "CoFInAl as printed (0.47; inside its interval over routines: backbone (mean clip))",
    }
    assert draw.clear_of_chance(frame, floor, 18)["ridge"] == 0  # chance 0.475
    assert draw.clear_of_chance(frame.iloc[:0], floor.iloc[:0], 0)["kinds"] == 0


def test_seeds_table_says_how_far_apart_seeds_are():
    frame = pd.concat([readout(("backbone", "cofinal")), readout(("gdlt",), (0,))])
    text = draw.seeds_table(frame).to_html()
    assert "0.04" in text  # cofinal: 0.35 to 0.39
    assert "0.00" in text  # backbone
    assert "–" in text  # gdlt: one seed only


def test_readout_table_has_every_measure_and_no_interval_of_one_seed():
    text = draw.readout_table(readout(("backbone", "cofinal"))).to_html()
    assert all(measure.replace(", ", ",\n") in text for measure in draw.READOUT)
    assert "0.370\n" in text.replace("&#10;", "\n")
    assert " to " not in draw.readout_table(readout(seeds=(0,))).to_html()


def test_ranks_in_words_print_the_papers_cells_beside_official_data_only():
    frame = plane(("backbone", "gdlt"), (0,), "official").assign(target="fisv/pcs")
    frame.loc[frame["kind"] == "backbone", "predicted"] = np.random.default_rng(0).normal(size=N)
    assert "the paper prints 0.820" in draw.ranks_in_words(frame).data
    assert "one seed" in draw.ranks_in_words(frame).data
    assert "above the regression" in draw.ranks_in_words(frame).data
    assert "paper prints" not in draw.ranks_in_words(frame.assign(source="twin", target="twin/pcs")).data
    two = plane(("backbone", "gdlt"), (0, 1))
    two.loc[(two["kind"] == "gdlt") & (two["seed"] == 1), "predicted"] = 12.0
    assert "GDLT: undefined (mean of 2 seeds)" in draw.ranks_in_words(two).data
    two.loc[two["kind"] == "gdlt", "predicted"] = 12.0
    assert "nan" not in draw.planes_in_words(two, readout(("backbone", "gdlt")), draw.shuffled(two, 2)).data


def test_nothing_run_is_said_not_raised():
    frame, read = plane().iloc[:0], readout().iloc[:0]
    floor = draw.shuffled(frame)
    figures = [draw.feature_planes(frame, "l"), draw.readout_figure(read, floor, 0, "l")]
    figures += [draw.slopes_figure(draw.ranks(frame), "l"), overfitting.learning_curves(learning().iloc[:0], "l")]
    for fig in figures:
        assert "no such runs" in fig.axes[0].texts[0].get_text()
    for words in (draw.planes_in_words(frame, read, floor), draw.ranks_in_words(frame)):
        assert "Nothing has been run" in words.data
    draw.seeds_table(read).to_html()
    draw.readout_table(read).to_html()
    found = overfitting.gaps(tidy({"cofinal": ([0.9], [0.4])}).iloc[:0])
    overfitting.gaps_figure(found, "l")
    overfitting.gap_table(found).to_html()
    overfitting.crossings_table(overfitting.crossings(learning().iloc[:0])).to_html()
    assert "Nothing has been run" in overfitting.gaps_in_words(found).data
    assert "not been run" in overfitting.overfit_in_words(found).data
    assert overfitting.order_of_gaps(found) == "none has run yet"


# --------------------------------------------------------------------------------------- Figure 6


def test_curves_are_drawn_as_the_frame_says():
    frame = learning()
    fig = overfitting.learning_curves(frame, "a line")
    assert len(fig.axes) == 4  # two methods, SRCC and loss
    assert "GDLT, 3 seeds" in fig.axes[0].get_title()
    lines = {line.get_label(): line for line in fig.axes[0].lines}
    assert_allclose(lines["train"].get_xdata(), [5, 10])
    assert_allclose(lines["test"].get_ydata(), 0.3 + 0.04 * np.arange(1, 11))
    assert fig.axes[0].get_ylim() == fig.axes[1].get_ylim() == (0, 1)


def test_curves_of_what_was_not_run_stay_empty():
    frame = pd.concat([learning(("gdlt",), ("twin/ball",)), learning(("cofinal",), ("twin/pcs",))])
    fig = overfitting.learning_curves(frame, "", measures=("srcc",))
    assert [ax.axison for ax in fig.axes] == [True, False, False, True]


@pytest.mark.parametrize("measures", [("srcc", "loss"), ("relative_l2",), ("srcc", "relative_l2")])
@pytest.mark.parametrize("epochs", [5, 10])
def test_curves_of_one_seed_and_one_method(measures, epochs):
    frame = learning(("cofinal",), seeds=1, epochs=epochs)
    fig = overfitting.learning_curves(frame, "", measures=measures)
    assert "1 seed\n" in fig.axes[0].get_title()
    fig.canvas.draw()


def test_crossings_count_the_epochs_at_which_both_were_measured():
    r = overfitting.crossings(learning(("cofinal",))).iloc[0]
    assert (r["epochs"], r["above"], r["last"]) == (2, 1, 5)  # at 5: 0.40 and 0.50; at 10: 0.80 and 0.70
    assert_allclose(r[["train", "test", "peak"]].astype(float), [0.8, 0.7, 0.7])
    assert r["peak_epoch"] == 10
    text = overfitting.crossings_table(overfitting.crossings(learning(("cofinal",)))).to_html()
    assert "1 of 2" in text
    assert "0.700, epoch 10" in text
    never = learning(("cofinal",))
    never.loc[never["split"] == "test", "mean"] = -1.0
    assert overfitting.crossings(never).iloc[0]["last"] == 0
    assert "never" in overfitting.crossings_table(overfitting.crossings(never)).to_html()
    assert overfitting.crossings(learning().query("split == 'test'")).empty
    apart = learning(("cofinal",)).query("split == 'train' or epoch % 5")  # no epoch has both
    assert overfitting.crossings(apart).empty


def test_gaps_are_paired_by_seed():
    found = overfitting.gaps(tidy({"cofinal": ([0.9, 0.8, 0.7], [0.5, 0.4, 0.3]), "gdlt": ([0.9, 0.8], [0.5, 0.2])}))
    found = found.set_index("method")
    assert_allclose(found.loc["cofinal", ["train", "test", "gap"]].astype(float), [0.8, 0.4, 0.4])
    assert np.isnan(found.loc["cofinal", "gap_low"])  # each seed's gap is the same
    assert_allclose(found.loc["gdlt", ["gap", "gap_low", "gap_high"]].astype(float), mean_interval([0.4, 0.6]))
    (low, high), (test_low, test_high) = spearman_interval(0.85, 200), spearman_interval(0.35, 50)
    ends = [0.5 - np.hypot(0.85 - low, test_high - 0.35), 0.5 + np.hypot(high - 0.85, 0.35 - test_low)]
    assert_allclose(found.loc["gdlt", ["gap_from", "gap_to"]].astype(float), ends)
    fewer = overfitting.gaps(tidy({"gdlt": ([0.9, 0.8], [0.5, 0.2])}, options="feature_dim=64 n_train=100 pool=4"))
    low, _ = spearman_interval(0.85, 100)  # a twin of fewer training routines than its target has
    assert_allclose(fewer["gap_from"].item(), 0.5 - np.hypot(0.85 - low, test_high - 0.35))


def test_gaps_of_one_seed_of_an_undefined_one_and_twice_the_same_run():
    once = tidy({"cofinal": ([0.9], [0.4]), "gdlt": (["nan", 0.8], [0.5, 0.2])})
    found = overfitting.gaps(pd.concat([once, once]))
    assert list(found["method"]) == ["cofinal", "gdlt"]
    assert found["gap_low"].isna().all()
    assert_allclose(found.loc[0, "gap"], 0.5)
    overfitting.gaps_figure(found, "").canvas.draw()
    text = overfitting.gap_table(found).to_html()
    assert "+0.500" in text
    assert f"{found.loc[0, 'gap_from']:+.3f} to {found.loc[0, 'gap_to']:+.3f}" in text
    assert "nan" not in text, "what is undefined is a dash"
    said = overfitting.overfit_in_words(found, "gdlt").data
    assert "undefined" in said and "explained" not in said, "of what is undefined nothing is concluded"
    assert "GDLT" not in overfitting.order_of_gaps(found)


def test_gaps_figure_marks_train_hollow_and_test_filled():
    found = overfitting.gaps(
        pd.concat([tidy({"cofinal": ([0.9, 0.8], [0.5, 0.1])}, t) for t in ("twin/ball", "twin/pcs")])
    )
    fig = overfitting.gaps_figure(found, "a line")
    assert len(fig.axes) == 2
    marks = [line for line in fig.axes[0].lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() == "w" for line in marks] == [True, False]
    assert_allclose([line.get_xdata()[0] for line in marks], [0.85, 0.3])


def test_equally_good_on_both_splits_gaps_scatter_around_zero_and_less_with_more_routines():
    few, many = overfitting.chance_gaps(0.8, 200, 50, draws=800), overfitting.chance_gaps(0.8, 400, 100, draws=800)
    assert abs(np.median(few)) < 0.02
    assert few.std() > 1.2 * many.std()
    assert_allclose(few, overfitting.chance_gaps(0.8, 200, 50, draws=800))
    fig = overfitting.chance_gaps_figure({"few": few, "many": many}, "")
    assert "middle 95 %" in fig.axes[1].get_title()


def test_neighbours_figure_draws_the_means_of_its_draws():
    rows = [(k, i, 1 / k, 0.5 - 0.1 * i) for k in (1, 2) for i in range(2)]
    fig = overfitting.neighbours_figure(pd.DataFrame(rows, columns=["k", "draw", "train", "test"]), "")
    lines = {line.get_label(): line for line in fig.axes[0].lines}
    assert_allclose(lines["test"].get_ydata(), [0.45, 0.45])


def test_gaps_in_words():
    found = overfitting.gaps(tidy({"cofinal": ([0.9, 0.8], [0.5, 0.3]), "gdlt": ([0.5], [0.3])}))
    text = overfitting.gaps_in_words(found).data
    assert "largest gap CoFInAl, as printed (+0.45), lowest GDLT (+0.20)" in text
    assert "best on test routines CoFInAl, as printed (0.40)" in text
    text = overfitting.overfit_in_words(found).data
    assert "2 seeds: 0.850 on training and 0.400 on test" in text
    assert "not explained by the luck" in text
    assert "one seed" in overfitting.overfit_in_words(found, "gdlt").data
    said = overfitting.order_of_gaps(found)
    assert said.index("GDLT") < said.index("CoFInAl as printed") and "(1 seed)" in said
    assert "possibly explained" in overfitting.overfit_in_words(found, "gdlt").data  # the gap's interval holds 0
    assert "alone" in overfitting.gaps_in_words(found[found["method"] == "gdlt"]).data


def test_stopping_in_words_is_paired_by_seed():
    last = tidy({"cofinal": ([0.9, 0.8], [0.5, 0.3]), "gdlt": ([0.9], [0.5])})
    best = last[last["selection"] == "last"].assign(selection="validation")
    best["per_seed"] = best["per_seed"].replace({"0.5 0.3": "0.6 0.5", "0.5": "0.4"})
    text = overfitting.stopping_in_words(pd.concat([last, best])).data
    assert "CoFInAl, as printed, twins (twin): +0.150 (" in text
    assert "GDLT, twins (twin): -0.100 (a single training)" in text
