import re

import pytest
from harness import BLANK, NAMES, Assignment

from cofinal_lib.classroom import checks


@pytest.fixture(params=NAMES)
def assignment(request):
    return Assignment(request.param)


def failed(errors):
    return {cell: error for cell, error in errors.items() if error is not None}


def test_the_reference_earns_everything_and_every_given_cell_runs(assignment, monkeypatch, tmp_path):
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))  # no data, no network: a twin
    assert failed(assignment.grade({}, given=True)) == {}


def test_the_blank_earns_nothing(assignment):
    errors = assignment.grade(dict.fromkeys(assignment.exercises, BLANK))
    assert set(assignment.points) & set(errors) <= set(failed(errors))


def test_other_right_solutions_earn_everything_whatever_becomes_of_other_exercises(assignment):
    for exercise in assignment.exercises:
        right = assignment.answers[exercise]["right"]
        assert len(right) >= 2
        for name, answer in right.items():
            errors = assignment.grade({exercise: assignment.body(exercise, answer)}, only=exercise)
            assert len(errors) >= 3 and failed(errors) == {}, f"{exercise}: {name}"


def test_wrong_solutions_lose_points_and_are_told_why_but_not_the_answer(assignment, record_property):
    tried, survivors = 0, []
    for exercise in assignment.exercises:
        wrong = assignment.answers[exercise]["wrong"]
        assert len(wrong) >= 8
        for name, answer in wrong.items():
            found = failed(assignment.grade({exercise: assignment.body(exercise, answer)}, only=exercise))
            tried += 1
            if not found:
                survivors.append(f"{exercise}: {name}")
            elif name.startswith("hard-coded"):  # made for the visible test, so only hidden ones can tell
                assert f"{exercise}-visible" not in found and f"{exercise}-hidden" in found, f"{exercise}: {name}"
            for message in (str(error) for error in found.values() if isinstance(error, checks.Wrong)):
                assert len(message.split()) >= 4, f"{exercise}, {name}: {message}"
                assert not re.search(r"\d\.\d{3}|tensor\(|array\(|xpected|should be -?\d", message), message
    record_property("mutants", (tried - len(survivors), tried))
    assert len(survivors) <= 0.05 * tried, survivors


def test_arguments_must_stay_as_they_were():
    import numpy as np
    import torch

    def harmless(x):
        return x + 1

    def harmful(features):
        features += 1

    for argument in (np.zeros(3), torch.zeros(3), np.array([np.nan, 1.0])):
        checks.call(harmless, argument)
        with pytest.raises(checks.Wrong, match="harmful changed its argument features"):
            checks.call(harmful, argument)


def test_a_wrong_shape_and_a_wrong_type_are_named():
    with pytest.raises(checks.Wrong, match=r"the mask: the shape is \(2,\), \(B, C\) = \(1, 2\) was asked for"):
        checks.shaped([1, 0], (1, 2), "the mask", "(B, C)")
    with pytest.raises(checks.Wrong, match="NoneType. Does the function return something"):
        checks.array(None, "the score")
    with pytest.raises(checks.Wrong, match=r"position \[1, 0\] \(1 of 4"):
        checks.same([[1, 2], [9, 4]], [[1, 2], [3, 4]], "H")
