"""Chapter 18's words and tables against numbers that can be checked by hand."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cofinal_lib import results
from cofinal_lib.figures import repair as draw
from cofinal_lib.rivals import METHODS

ROUTINES = {"printed": 0.5, "better": 0.6, "worse": 0.3, "half": 0.9}


@pytest.fixture
def readings():
    rows = [
        (
            "fisv/tes",
            "as printed" if arm == "printed" else arm,
            fold,
            mean + 0.01 * fold,
            mean - 0.08,
            0.9,
            0.55,
            5,
            1.0,
        )
        for arm, mean in ROUTINES.items()
        for fold in range(2 if arm == "half" else 5)
    ]
    return pd.DataFrame(rows, columns=["target", "arm", "fold", "soft", "hard", "train", "ridge", "folds", "seconds"])


def test_gains_are_paired_by_fold(readings):
    arms = draw.compared(readings).set_index("arm")
    assert arms.loc["better", "gain"] == pytest.approx(0.1) and arms.loc["better", "srcc"] == pytest.approx(0.62)
    assert arms.loc["better", "gain_low"] == pytest.approx(0.1) == pytest.approx(arms.loc["better", "gain_high"])
    assert arms.loc["half", "folds"] == 2 and arms.loc["as printed", "gain"] == 0


def test_an_arm_with_folds_missing_is_not_chosen_and_the_words_say_who_is(readings):
    arms = draw.compared(readings)
    assert list(draw.over_both(arms).index) == ["better", "as printed", "worse"]
    words = draw.readings_in_words(arms).data
    assert "*better* is first (0.620" in words and "2 of 3 (0.520)" in words
    assert "beyond luck of the folds: *better*" in words.replace(", *half*", "") and "worse: *worse*" in words
    # 0.08 and the folds' 0.02, or 0.005 for two of them
    assert "in 4 of 4 rows; the mean loss over all of these is 0.096." in words


def test_a_reading_is_whole_with_all_the_folds_there_are_and_a_ranking_of_each(readings):
    begun = draw.compared(readings[readings["fold"] < 3])
    assert draw.over_both(begun).empty, "the longest has three folds of five"
    assert "does not rank all folds" in draw.readings_in_words(begun).data
    assert draw.arms_table(begun).data["fisv/tes", "held out"].str.contains("folds").all()
    (ax,) = draw.arms_figure(begun, "").axes
    assert [line.get_marker() for line in ax.lines].count("x") == 4
    flat = readings.assign(soft=readings["soft"].mask((readings["arm"] == "better") & (readings["fold"] == 1)))
    arms = draw.compared(flat)
    better = arms.set_index("arm").loc["better"]
    assert (better["folds"], better["of"]) == (5, 5) and better[["srcc", "low", "gain", "gain_low"]].isna().all()
    assert list(draw.over_both(arms).index) == ["as printed", "worse"]
    assert draw.arms_table(arms).data.loc["better", ("fisv/tes", "held out")] == "undefined"
    assert "only some (*better*, *half*)" in draw.frozen_in_words(arms.replace({"arm": {"worse": draw.FROZEN}})).data
    draw.arms_figure(arms, "").canvas.draw()
    assert "nan" not in draw.readings_in_words(arms).data


def test_the_record_in_words_tells_the_chosen_from_the_highest():
    record = pd.DataFrame(
        {
            "target": ["fisv/tes", "fisv/tes", "fisv/pcs", "fisv/pcs"],
            "candidate": ["a", "b", "a", "b"],
            "cv": [0.5, 0.6, 0.7, 0.6],
            "test": [0.8, 0.6, 0.7, 0.9],
            "low": 0.4,
            "high": 0.95,
            "chosen": [False, True, True, False],
        }
    )
    words = draw.record_in_words(record, {"fisv/tes": 0.7, "fisv/pcs": 0.8}).data
    assert f"**{np.tanh((np.arctanh(0.6) + np.arctanh(0.7)) / 2):.3f}**, below" in words
    assert f"average {np.tanh((np.arctanh(0.8) + np.arctanh(0.9)) / 2):.3f}" in words and "no record" in words


def test_words_say_where_the_frozen_reading_stands_and_what_is_missing(readings):
    arms = draw.compared(readings.replace({"arm": {"worse": draw.FROZEN}}))
    words = draw.frozen_in_words(arms).data
    assert "By now 3 readings rank all folds" in words and "and 1 only some (*half*)" in words
    assert "is number 3 (0.320); first is *better* (0.620)" in words
    arms = draw.compared(readings[readings["arm"] != "half"].replace({"arm": {"better": draw.FROZEN}}))
    assert draw.frozen_in_words(arms).data.endswith("(0.620), is still first.")


def test_the_frozen_reading_is_the_one_that_the_library_calls_repaired_and_has_run_on_all_folds():
    arms = tomllib.loads((Path(__file__).parents[1] / "data_scripts" / "readings.toml").read_text())["fisv"]["arms"]
    ours = METHODS["cofinal-repaired"].BY_DATASET["fisv"]
    assert {name: ours[name] for name in arms[draw.FROZEN]} == arms[draw.FROZEN]
    assert draw.FROZEN in draw.over_both(draw.compared(results.read("readings", "paper", sources=("official",))))


def test_an_earlier_look_at_the_test_routines_is_told_with_the_reading_that_took_it():
    first = results.read("first-freeze", "paper")
    words = draw.first_look_in_words(first).data
    assert words.startswith("*standardised, segment averages*") and words.count("\n- ") == len(first) == 4
    assert "- fisv/pcs, as searched (2 seeds, 100 epochs): 0.735 (0.621 to 0.829 over test routines)." in words
    assert draw.FROZEN not in set(first["reading"])
