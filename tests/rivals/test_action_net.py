"""ACTION-NET: its temporal graph and attention, its two streams, its learning rates."""

import math

import pytest
import torch

from cofinal_lib.errors import CofinalError
from cofinal_lib.rivals.action_net import ActionNet, ActionNetConfig, ContextAttention, temporal_graph


def build(**options):
    torch.manual_seed(0)
    return ActionNet(ActionNetConfig(**(dict(feature_dim=8, n_clips=5) | options)))


@pytest.mark.parametrize("n", [1, 2, 26])
def test_the_temporal_graph_is_symmetrically_normalised(n):
    A = torch.tensor([[math.exp(-abs(i - j)) for j in range(n)] for i in range(n)], dtype=torch.float64)
    D = torch.diag(torch.tensor([sum(row) for row in A.tolist()], dtype=torch.float64).rsqrt())
    assert torch.allclose(temporal_graph(n).double(), D @ A @ D, atol=1e-6)


@torch.no_grad()
def test_context_attention_weighs_each_element_with_its_context():
    torch.manual_seed(0)
    module = ContextAttention(8).double()
    adjacency = temporal_graph(5).double()
    x = torch.randn(1, 5, 8, dtype=torch.float64)
    own = [module.embedding(x[0, i]) for i in range(5)]
    context = own
    for layer in (module.gcn1, module.gcn2):
        context = [layer(sum(adjacency[i, j] * context[j] for j in range(5))).clamp(min=0) for i in range(5)]
    seen = [torch.cat([a, b]) for a, b in zip(own, context, strict=True)]
    strength = [math.exp(float(module.att[2](module.att[1](module.att[0](v))))) for v in seen]
    wanted = sum(s / sum(strength) * v for s, v in zip(strength, seen, strict=True))
    assert torch.allclose(module(x, adjacency)[0], wanted, atol=1e-9)


def test_images_are_read_where_the_config_says_so_and_refused_elsewhere():
    features, lengths = torch.randn(2, 7, 8), torch.tensor([7, 3])
    clips, images = build().eval(), build(static="images", static_dim=4, n_images=3).eval()
    pictures = torch.randn(2, 3, 4)
    one, other = images(features, lengths, pictures), images(features, lengths, -pictures)
    assert torch.equal(one["embedding"][:, :512], other["embedding"][:, :512])
    assert not torch.allclose(one["score"], other["score"])
    with pytest.raises(CofinalError, match="needs images"):
        images(features, lengths)
    with pytest.raises(CofinalError, match="takes no images"):
        clips(features, lengths, pictures)
    with pytest.raises(CofinalError, match="static"):
        build(static="frames")


def test_without_images_both_streams_read_the_clips_each_with_its_own_weights():
    model = build().eval()
    out = model(torch.randn(2, 7, 8), torch.tensor([7, 3]))
    assert out["embedding"].shape == (2, 1024)
    assert not torch.allclose(out["embedding"][:, :512], out["embedding"][:, 512:])
    model.s_ct.load_state_dict(model.d_ct.state_dict())
    same = model(torch.randn(2, 7, 8), torch.tensor([7, 3]))["embedding"]
    assert torch.equal(same[:, :512], same[:, 512:])


def test_the_last_layers_learn_five_times_as_fast_and_no_parameter_is_left_out():
    model = build()
    rates = {id(p): group["lr"] for group in model.groups(0.01) for p in group["params"]}
    assert len(rates) == sum(len(group["params"]) for group in model.groups(0.01)) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        assert rates[id(parameter)] == pytest.approx(0.05 if name.startswith("fc.") else 0.01), name


def test_scores_lie_between_0_and_the_cap_and_the_loss_counts_in_caps():
    model = build(score_cap=25.0).eval()
    score = model(30 * torch.randn(9, 7, 8), torch.full((9,), 7))["score"]
    assert ((score > 0) & (score < 25)).all() and score.std() > 0
    loss = model.loss({"score": torch.tensor([25.0, 0.0])}, torch.tensor([0.0, 12.5]))
    assert float(loss["total"]) == pytest.approx((1 + 0.25) / 2)
