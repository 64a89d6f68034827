"""HGCN: its graphs against the literal formulas, and the score it draws."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cofinal_lib.errors import CofinalError
from cofinal_lib.rivals.hgcn import HGCN, AttentiveEdges, ClipGraph, ClipRefinement, HGCNConfig, MotionAggregation


def config(**options):
    return HGCNConfig(**(dict(feature_dim=8, n_clips=6, n_scenes=3, factor=2) | options))


def softmax(xs):
    top = max(xs)
    es = [math.exp(x - top) for x in xs]
    return [e / sum(es) for e in es]


@torch.no_grad()
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from([1, 2]))
def test_clip_refinement_is_the_banded_difference_of_states_for_all_pairs(seed, n, groups):
    """Edge i -> j: the mean over channels of tanh(s_i - s_j) where |i - j| < 2, plus the identity."""
    torch.manual_seed(seed)
    module = ClipRefinement(config(n_groups=groups)).double()
    x = torch.randn(2, 8, n, dtype=torch.float64)
    refined = module(x)
    module.differences = "all"
    assert torch.allclose(module(x), refined, atol=1e-9)  # as released, the same
    state = module.state_gen(x)  # (B, 4, n)
    for b in range(2):
        edges = torch.zeros(n, n, dtype=torch.float64)
        for i in range(n):
            for j in range(n):
                difference = [math.tanh(float(u - v)) for u, v in zip(state[b, :, i], state[b, :, j], strict=True)]
                band = 1.0 if abs(i - j) < 2 else 0.0
                edges[i, j] = band * sum(difference) / len(difference) + (1.0 if i == j else 0.0)
        moved = torch.stack([sum(x[b, :, i] * edges[i, j] for i in range(n)) for j in range(n)], dim=1)  # (8, n)
        assert torch.allclose(refined[b], module.info_trans(moved[None])[0], atol=1e-9)


@torch.no_grad()
def test_clip_and_motion_graphs_are_their_formulas_node_by_node():
    torch.manual_seed(0)
    attention = AttentiveEdges(4, 5, 2, 1).double()
    attention.C.normal_()
    attention.alpha.fill_(0.7)
    x = torch.randn(1, 4, 5, dtype=torch.float64)
    q, k = attention.conv_q(x)[0], attention.conv_k(x)[0]  # (2, 5)
    for i in range(5):
        for j in range(5):
            wanted = 0.7 * float(q[:, i] @ k[:, j]) / math.sqrt(2) + float(attention.C[i, j])
            assert float(attention(x)[0, i, j]) == pytest.approx(wanted, abs=1e-9)

    c = config(reach=2)
    graph = ClipGraph(16, c, 1).double()
    x = torch.randn(1, 512, 6, dtype=torch.float64)
    learned = graph.adp_adj(x)[0]
    edges = [softmax([float(learned[i, j]) + (abs(i - j) < 2) for j in range(6)]) for i in range(6)]
    moved = torch.stack([sum(x[0, :, i] * edges[i][j] for i in range(6)) for j in range(6)], dim=1)
    assert torch.allclose(graph(x)[0], graph.shot_agg(moved[None])[0], atol=1e-9)

    motion = MotionAggregation(c).double()
    x = torch.randn(1, 256, 3, dtype=torch.float64)
    learned = motion.adp_A(x)[0]
    edges = [softmax([float(learned[i, j]) if j <= i else 0.0 for j in range(3)]) for i in range(3)]
    assert edges[0][2] > 0  # as released: the mask comes before the softmax and leaves no edge out
    moved = torch.stack([sum(x[0, :, i] * edges[i][j] for i in range(3)) for j in range(3)], dim=1)
    assert torch.allclose(motion(x)[0], motion.mot_agg(moved[None])[0], atol=1e-9)


def test_the_score_is_drawn_in_training_and_at_test_only_where_asked():
    torch.manual_seed(0)
    features, lengths = torch.randn(4, 6, 8), torch.tensor([6, 6, 3, 1])
    calm, released = (HGCN(config(draw=draw, score_cap=10.0)) for draw in ("training", "always"))
    released.load_state_dict(calm.state_dict())
    calm.eval(), released.eval()
    score = calm(features, lengths)["score"]
    assert torch.equal(score, calm(features, lengths)["score"])
    assert torch.allclose(score, 10 * calm(features, lengths)["mean"].sum((1, 2)), atol=1e-5)
    assert not torch.equal(released(features, lengths)["score"], released(features, lengths)["score"])
    calm.train()
    assert not torch.equal(calm(features, lengths)["score"], calm(features, lengths)["score"])


@torch.no_grad()
def test_drawn_scores_have_the_mean_and_the_variance_the_scenes_predict():
    torch.manual_seed(0)
    model = HGCN(config(draw="always")).eval()
    out = model(torch.randn(1, 6, 8).expand(4000, -1, -1), torch.full((4000,), 6))
    assert float(out["score"].mean()) == pytest.approx(float(out["mean"][0].sum()), abs=0.15)
    assert float(out["score"].var()) == pytest.approx(float(out["logvar"][0].exp().sum()), rel=0.15)


def test_the_loss_is_the_squared_error_of_normalised_scores():
    out = {"score": torch.tensor([10.0, 5.0])}
    model = HGCN(config(score_cap=20.0))
    assert float(model.loss(out, torch.tensor([20.0, 0.0]))["total"]) == pytest.approx((0.25 + 0.0625) / 2)


def test_an_unknown_way_of_drawing_is_refused():
    with pytest.raises(CofinalError, match="draw"):
        config(draw="never")


def test_a_factor_that_leaves_no_channels_is_refused():
    with pytest.raises(CofinalError, match="factor is 1000; expected 1 to 256"):
        HGCNConfig(factor=1000)
