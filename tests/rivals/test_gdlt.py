"""GDLT: Likert scoring against a loop, the loss, what an attention mask must not change."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cofinal_lib.rivals.gdlt import GDLT, GDLTConfig, likert
from cofinal_lib.triplet import hard_triplet_loss


def small(**options):
    return GDLT(GDLTConfig(**(dict(feature_dim=6, hidden_dim=8, n_heads=2) | options)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 6))
def test_likert_scoring_is_a_mean_of_weights_by_strength(seed, B, G):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(B, G, G, dtype=torch.float64, generator=generator)
    weight = torch.randn(G, dtype=torch.float64, generator=generator)
    scores = likert(logits, weight)
    assert scores.shape == (B,)
    for b in range(B):
        strength = [1 / (1 + math.exp(-float(logits[b, g, g]))) for g in range(G)]
        wanted = sum(s * float(w) for s, w in zip(strength, weight, strict=True)) / sum(strength)
        assert abs(float(scores[b]) - wanted) < 1e-9
    elsewhere = logits + torch.randn(G, G, dtype=torch.float64, generator=generator).fill_diagonal_(0)
    assert torch.equal(likert(elsewhere, weight), scores)  # a prototype speaks for its own grade only


def test_scores_lie_between_0_and_the_cap():
    torch.manual_seed(0)
    model = small(score_cap=25.0).eval()
    score = model(50 * torch.randn(20, 9, 6), torch.arange(1, 10).repeat(3)[:20])["score"]
    assert ((score > 0) & (score < 25)).all() and score.std() > 0


@torch.no_grad()
def test_the_loss_is_squared_error_of_normalised_scores_plus_alpha_triplets():
    torch.manual_seed(0)
    model = small(score_cap=20.0, alpha=0.3, margin=0.7)
    out, scores = model(torch.randn(5, 4, 6), torch.full((5,), 4)), torch.tensor([3.0, 8.0, 19.0, 0.0, 11.0])
    loss = model.loss(out, scores)
    mse = sum((float(p) / 20 - float(s) / 20) ** 2 for p, s in zip(out["score"], scores, strict=True)) / 5
    answers = [out["embed"][b, g] for b in range(5) for g in range(4)]
    triplet = hard_triplet_loss(torch.stack(answers), torch.tensor([g for _ in range(5) for g in range(4)]), 0.7)
    assert float(loss["mse"]) == pytest.approx(mse, rel=1e-5)
    assert float(loss["triplet"]) == pytest.approx(float(triplet), rel=1e-5)
    assert float(loss["total"]) == pytest.approx(mse + 0.3 * float(triplet), rel=1e-5)


def test_with_and_without_gradients_torch_takes_other_paths_to_the_same_scores():
    """Without gradients torch's encoder is fused, and treats padding in a way of its own."""
    torch.manual_seed(0)
    model = small().eval()
    features, lengths = torch.randn(4, 9, 6), torch.tensor([9, 2, 5, 1])
    with torch.no_grad():
        fused = model(features, lengths)
    plain = model(features, lengths)
    for name in fused:
        assert torch.allclose(fused[name], plain[name], atol=1e-5), name


def test_batch_statistics_are_over_clips_that_exist():
    """Training on padded routines moves the running mean as their clips alone do."""
    torch.manual_seed(0)
    model = small()
    features, lengths = torch.randn(3, 7, 6), torch.tensor([7, 3, 1])
    model(features, lengths)
    projected = model.in_proj[0](torch.cat([features[b, :n] for b, n in enumerate(lengths)]))  # (11, 3)
    assert torch.allclose(model.in_proj[1].running_mean, 0.1 * projected.mean(0), atol=1e-6)
    assert torch.allclose(model.in_proj[1].running_var, 0.9 + 0.1 * projected.var(0), atol=1e-6)
