"""Visible tests of assignment 1: grades, sub-grades and what quantisation costs."""

import numpy as np

from cofinal_lib.classroom.checks import array, call, holds, same, several, shaped, whole


def decompose(function) -> None:
    """The worked example, the two ends, and that indices are indices."""
    scores = np.array([[15.4, 0.0], [25.0, 7.3]])
    grade, subgrade = several(call(function, scores, 0.0, 25.0, 5, 10), 2, "decompose")
    for name, index, n in (("the grade", grade, 5), ("the sub-grade", subgrade, 10)):
        shaped(index, (2, 2), name, "the shape of the scores")
        whole(index, 0, n - 1, name)
        holds(
            np.asarray(index).dtype.kind in "iu",
            f"{name}: an index has to be an integer; this is a float: .astype(int)",
        )
    grade, subgrade = array(grade, "grade"), array(subgrade, "subgrade")
    same([grade[0, 0], subgrade[0, 0]], [3, 0], "15.4 points", "Subtract the points of the whole grades below first.")
    same([grade[0, 1], subgrade[0, 1]], [0, 0], "the lowest score", "It belongs to the lowest level.")
    same([grade[1, 0], subgrade[1, 0]], [4, 9], "the highest score", "It belongs to the last level, not to one above.")


def compose(function) -> None:
    """The worked example, and that a level above is S_F more."""
    points = call(function, np.array([3, 3]), np.array([0, 1]), 0.0, 25.0, 5, 10)
    points = shaped(points, (2,), "the points", "one for each level")
    same(points[0], 15.25, "grade 3, sub-grade 0", "Is it the level's middle?")
    same(points[1] - points[0], 0.5, "the step from one sub-grade to the next", "It is S_F points long.")


def spearman(function) -> None:
    """Perfect, reversed, and the worked example with a tie."""
    up = np.array([1.0, 2.0, 3.0, 10.0])
    same(call(function, up, up), 1.0, "the same ranking", "The correlation of a ranking with itself is 1.")
    same(call(function, -up, up), -1.0, "a reversed ranking", "It has the correlation -1.")
    tied = array(call(function, np.array([1.0, 2.0, 2.0, 3.0]), up), "the correlation")
    holds(tied.shape == (), "the correlation should be one number")
    same(np.round(tied, 3), 0.949, "the example with a tie", "Tied routines share the mean of their ranks.", 1e-3)
