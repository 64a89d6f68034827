"""The hardest-triplet loss against a naive loop, in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cofinal_lib.triplet import hard_triplet_loss, own_prototype


def naive_loss(embeddings, labels, margin):
    """For every anchor: its farthest positive, its nearest negative."""

    def distance(i, j):
        a, b = embeddings[i].tolist(), embeddings[j].tolist()
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return 1 - dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))

    total, N = 0.0, len(labels)
    for a in range(N):
        farthest, nearest = 0.0, math.inf
        for j in range(N):
            if labels[j] != labels[a]:
                nearest = min(nearest, distance(a, j))
            elif j != a:
                farthest = max(farthest, distance(a, j))
        total += max(0.0, farthest - nearest + margin)
    return total / N


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 3), min_size=2, max_size=9), st.sampled_from([0.0, 0.3, 1.0]))
def test_the_loss_is_that_of_a_triple_loop(seed, labels, margin):
    """Labels of all sorts: classes of one, and a single class, which has no negatives and costs nothing."""
    x = torch.randn(len(labels), 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    ours = float(hard_triplet_loss(x, torch.tensor(labels), margin))
    assert ours == pytest.approx(naive_loss(x, labels, margin), abs=1e-9)


def test_an_answer_belongs_with_the_same_prototypes_other_answers():
    B, G, D = 3, 4, 5
    answers = torch.randn(B, G, D, generator=torch.Generator().manual_seed(0))
    labels = own_prototype(answers)
    rows = answers.flatten(0, 1)
    for b in range(B):
        for g in range(G):
            (row,) = [i for i in range(B * G) if torch.equal(rows[i], answers[b, g])]
            assert labels[row] == g


def test_answers_of_one_direction_per_prototype_cost_nothing_and_length_does_not_matter():
    directions = torch.eye(3, dtype=torch.float64)[None] * torch.tensor([1.0, 5.0, 0.2])[:, None, None]  # (3, 3, 3)
    rows, labels = directions.flatten(0, 1), own_prototype(directions)
    assert float(hard_triplet_loss(rows, labels, 1.0)) == pytest.approx(0, abs=1e-12)
    assert float(hard_triplet_loss(rows, labels, 1.5)) == pytest.approx(0.5)
    mixed = labels.sort().values  # each class now holds all three directions
    assert float(hard_triplet_loss(rows, mixed, 1.0)) == pytest.approx(2)


def test_gradients_are_finite_where_an_anchor_has_no_positive_or_no_negative():
    for labels in ([0, 1, 2], [0, 0, 0], [0, 0, 1]):
        x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
        hard_triplet_loss(x, torch.tensor(labels), 1.0).backward()
        assert torch.isfinite(x.grad).all()
        assert (x.grad.abs().sum() > 0) == (labels != [0, 0, 0])
