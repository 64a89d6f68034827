from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cofinal_lib import CofinalError, GradeScale

lows = st.floats(-1e4, 1e4, allow_nan=False).map(lambda x: round(x, 4))
widths = st.floats(0.01, 1e4).map(lambda x: round(x, 4))


@st.composite
def scales(draw):
    low = draw(lows)
    return GradeScale(low, low + draw(widths), draw(st.integers(1, 12)), draw(st.integers(1, 100)))


def slack(scale):
    return 1e-11 * max(abs(scale.low), abs(scale.high), 1)


@given(scales(), st.floats(0, 1))
def test_the_level_of_a_score_is_at_most_half_a_subgrade_off(scale, share):
    s = min(scale.low + share * (scale.high - scale.low), scale.high)
    grade, subgrade = scale.decompose(s)
    assert 0 <= grade < scale.n_grades and 0 <= subgrade < scale.n_subgrades
    assert abs(scale.compose(grade, subgrade) - s) <= scale.subgrade_length / 2 + slack(scale)


@given(scales(), st.data(), st.sampled_from([np.float64, np.float32]))
def test_every_boundary_belongs_to_the_level_above_it_however_it_was_rounded(scale, data, dtype):
    level = data.draw(st.integers(0, scale.n_levels))
    exact = Fraction(scale.low) + (Fraction(scale.high) - Fraction(scale.low)) * level / scale.n_levels
    wanted = min(level, scale.n_levels - 1)
    if scale.subgrade_length < 100 * np.finfo(dtype).eps * max(abs(scale.low), abs(scale.high)):
        return  # float32 cannot tell these levels apart
    spellings = [float(exact), scale.low + level * scale.subgrade_length, scale.compose(0, level, at="lower")]
    for s in spellings:
        grade, subgrade = scale.decompose(np.asarray(s, dtype=dtype), clip=True)
        assert grade * scale.n_subgrades + subgrade == wanted


@given(scales(), st.data())
def test_decompose_undoes_compose(scale, data):
    grade = data.draw(st.integers(0, scale.n_grades - 1))
    subgrade = data.draw(st.integers(0, scale.n_subgrades - 1))
    for at in ("middle", "lower"):
        assert scale.decompose(scale.compose(grade, subgrade, at=at), clip=True) == (grade, subgrade)


@given(scales())
def test_the_ends_of_the_range(scale):
    assert scale.decompose(scale.low) == (0, 0)
    assert scale.decompose(scale.high) == (scale.n_grades - 1, scale.n_subgrades - 1)


def test_the_papers_scale_by_hand():
    scale = GradeScale(0, 25, 5, 10)
    assert (scale.grade_length, scale.subgrade_length, scale.n_levels) == (5, 0.5, 50)
    assert GradeScale(10, 35, 5, 10).grade_length == 5
    assert scale.decompose(15.4) == (3, 0)  # the formula as printed would give sub-grade 24
    assert scale.compose(3, 0, at="lower") == 15.0
    assert scale.compose(3, 0) == 15.25
    assert [int(v) for v in scale.decompose(np.float32(15.5))] == [3, 1]


def test_order_is_kept():
    s = np.linspace(3, 9, 1001)
    scale = GradeScale(3, 9, 7, 13)
    grade, subgrade = scale.decompose(s)
    assert (np.diff(grade * 13 + subgrade) >= 0).all()
    assert len(np.unique(grade * 13 + subgrade)) == 91


def test_a_score_outside_is_refused_or_clipped_as_asked():
    scale = GradeScale(5, 20, 4, 10)
    with pytest.raises(CofinalError, match=r"20\.1 at position 1 lies outside \[5, 20\]"):
        scale.decompose([6.0, 20.1])
    assert scale.decompose(99.0, clip=True) == (3, 9)
    assert scale.decompose(-1.0, clip=True) == (0, 0)
    with pytest.raises(CofinalError, match="score nan at position 0 .*; expected a finite number"):
        scale.decompose(np.nan, clip=True)


@pytest.mark.parametrize("arguments", [(5, 5, 4, 4), (5, 1, 4, 4), (0, 1, 0, 4), (0, 1, 4, 0), (0, np.inf, 1, 1)])
def test_a_scale_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(CofinalError):
        GradeScale(*arguments)


def test_a_level_has_a_middle_and_a_lower_edge_and_no_other_place():
    with pytest.raises(CofinalError, match="'middle' or 'lower'"):
        GradeScale(0, 1, 2, 2).compose(0, 0, at="upper")
