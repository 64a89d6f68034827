"""One-headed attention in half the work: outputs and gradients are those of torch's own."""

import copy
import math

import pytest
import torch
from torch import nn

from cofinal_lib.rivals.attention import OneHead, faster


def pair(D=8, dropout=0.0, heads=1):
    """Torch's attention, with random biases (they start as zeros), and ours with the same parameters."""
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(D, heads, dropout, batch_first=True).double()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.5)
    ours = nn.ModuleList([copy.deepcopy(theirs)])
    faster(ours)
    return theirs, ours[0]


@pytest.mark.parametrize("n_queries", [6, 2])
@pytest.mark.parametrize("kind", [None, torch.float64, torch.bool])  # an encoder hands on floats, a decoder booleans
def test_outputs_and_gradients_are_those_of_torchs_attention(n_queries, kind):
    theirs, ours = pair()
    assert type(ours) is OneHead and ours.training
    values = torch.randn(3, 6, 8, dtype=torch.float64)
    queries = values if n_queries == 6 else torch.randn(3, n_queries, 8, dtype=torch.float64)
    padding = torch.zeros(3, 6, dtype=kind)
    padding[1, 4:] = padding[2, 1:] = True if kind is torch.bool else -math.inf
    given = {"key_padding_mask": None if kind is None else padding, "need_weights": False}
    weights = torch.randn(3, n_queries, 8, dtype=torch.float64)
    outputs = []
    for module in (theirs, ours):
        out, _ = module(queries, values, values, **given)
        (out * weights).sum().backward()
        outputs.append(out)
    assert torch.allclose(*outputs, atol=1e-12)
    for (name, a), b in zip(theirs.named_parameters(), ours.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-10), name
    theirs.eval(), ours.eval()
    assert torch.equal(theirs(queries, values, values, **given)[0], ours(queries, values, values, **given)[0])


def test_dropped_attention_takes_the_values_bias_along():
    """With values of 0 only V's bias is left: what comes out is its share of the attention that stayed."""
    _, ours = pair(dropout=0.5)
    zeros = torch.zeros(1, 4, 8, dtype=torch.float64)
    torch.manual_seed(1)
    out = ours(zeros, zeros, zeros)[0]
    torch.manual_seed(1)
    stayed = ours.drop(torch.full((1, 4, 4), 0.25, dtype=torch.float64)).sum(-1, keepdim=True)
    bias = ours.in_proj_bias.chunk(3)[2]
    assert len(stayed.unique()) > 1 and torch.allclose(out, stayed * (ours.out_proj.weight @ bias) + ours.out_proj.bias)


def test_attention_of_many_heads_stays_torchs():
    assert type(pair(heads=2)[1]) is nn.MultiheadAttention
