"""Dropout from sixteen bits an entry: the share that stays, the expectation, gradients, and modes that do nothing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cofinal_lib.dropout import Dropout, dropout_mask, random_words


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 0.98))
def test_entries_stay_by_their_probability_and_keep_the_expectation(seed, p):
    n = 40_000
    mask = dropout_mask(random_words(n // 4, torch.Generator().manual_seed(seed)), (200, 200), p, torch.float64)
    values = mask.unique()
    assert len(values) == 2 and values[0] == 0 and float(values[1]) == pytest.approx(1 / (1 - p), abs=0.05 / (1 - p))
    deviation = (p * (1 - p) / n) ** 0.5
    assert abs(float((mask > 0).double().mean()) - (1 - p)) < 6 * deviation + 2**-16
    assert abs(float(mask.mean()) - 1) < 6 * deviation / (1 - p)


def test_the_ends_of_the_range_are_near_what_was_asked_for():
    words = random_words(10_000, torch.Generator().manual_seed(0))
    assert dropout_mask(words, (40_000,), 1e-9, torch.float64).mean() == pytest.approx(1, abs=1e-3)
    assert (dropout_mask(words, (40_000,), 1 - 1e-9, torch.float64) > 0).double().mean() < 1e-3


def test_neighbours_are_dropped_independently():
    """Four entries come of one word: no two places of it know of each other."""
    mask = dropout_mask(random_words(100_000, torch.Generator().manual_seed(0)), (100_000, 4), 0.3, torch.float64) > 0
    together = mask.double().T @ mask.double() / 100_000
    wanted = torch.full((4, 4), 0.49, dtype=torch.float64).fill_diagonal_(0.7)
    assert torch.allclose(together, wanted, atol=0.01)


@pytest.mark.parametrize("shape", [(3,), (5, 7), (2, 3, 5)])
def test_the_gradient_is_the_mask_and_the_stream_repeats_it(shape):
    drop, x = Dropout(0.4), torch.randn(shape, requires_grad=True)
    torch.manual_seed(3)
    out = drop(x)
    out.sum().backward()
    assert out.shape == x.shape and torch.equal(out, x * x.grad)
    torch.manual_seed(3)
    assert torch.equal(drop(x), out)


def test_in_evaluation_and_at_its_ends_it_is_nn_dropout():
    x = torch.randn(50)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x) and torch.equal(Dropout(1.0)(x), torch.zeros(50))
