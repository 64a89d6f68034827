"""MS-LSTM against a second reading: one routine, one clip, one step at a time, in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cofinal_lib.errors import CofinalError
from cofinal_lib.rivals.ms_lstm import MSLSTM, MSLSTMConfig


def build(seed=0, **options):
    """A model with trained-looking statistics, whose skip LSTMs do skip."""
    torch.manual_seed(seed)
    model = MSLSTM(MSLSTMConfig(**(dict(feature_dim=5, reduced_dim=4, hidden_dim=3, n_summaries=3) | options)))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            for tensor in (module.running_mean, module.weight.data, module.bias.data):
                torch.nn.init.normal_(tensor)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    for scale in model.scales.values():
        torch.nn.init.normal_(scale.update.bias, std=2)
    return model


def norm(layer, x):
    return (x - layer.running_mean) / (layer.running_var + layer.eps).sqrt() * layer.weight + layer.bias


def affine(layer, x):
    return layer.weight @ x + (0 if layer.bias is None else layer.bias)


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def cell(gates, c):
    i, f, g, o = gates.split(len(c))
    c = sigmoid(f) * c + sigmoid(i) * torch.tanh(g)
    return c, sigmoid(o) * torch.tanh(c)


def naive_attention(module, clips):
    """Summaries of a routine's clips, the weights A (C, R) behind them, and how much they overlap."""
    first, _, second = module.score
    logits = [affine(second, torch.tanh(affine(first, clip))).tolist() for clip in clips]
    R = len(logits[0])
    A = []
    for r in range(R):
        top = max(row[r] for row in logits)
        e = [math.exp(row[r] - top) for row in logits]
        A.append([x / sum(e) for x in e])
    summaries = [norm(module.norm, sum(a * clip for a, clip in zip(A[r], clips, strict=True))) for r in range(R)]
    overlap = 0.0
    for r in range(R):
        for s in range(R):
            overlap += (sum(a * b for a, b in zip(A[r], A[s], strict=True)) - (r == s)) ** 2
    return summaries, A, overlap


def naive_lstm(layer, inputs):
    h = c = torch.zeros(layer.hidden_size, dtype=torch.float64)
    for x in inputs:
        gates = layer.weight_ih_l0 @ x + layer.bias_ih_l0 + layer.weight_hh_l0 @ h + layer.bias_hh_l0
        c, h = cell(gates, c)
    return h


def naive_skip_lstm(module, clips, updates):
    """As Campos et al. write it: u = round(u~), and u~ gathers dp until it comes to an update."""
    kernel, stride = module.conv.kernel_size[0], module.conv.stride[0]
    nothing = torch.zeros_like(clips[0])
    T = max(1, (len(clips) - kernel) // stride + 1)
    h = c = torch.zeros(module.update.in_features, dtype=torch.float64)
    gathered, dp = 1.0, None
    for t in range(T):
        window = [clips[n] if n < len(clips) else nothing for n in range(t * stride, t * stride + kernel)]
        x = sum(module.conv.weight[:, :, j] @ clip for j, clip in enumerate(window)) + module.conv.bias
        x = norm(module.norm, x.clamp(min=0))
        u = round(gathered)
        updates.append(u)
        if u:
            c, h = cell(affine(module.gates_x, x) + affine(module.gates_h, h), c)
            dp = float(sigmoid(affine(module.update, c)))
            gathered = dp
        else:
            gathered = gathered + min(dp, 1 - gathered)
    return h


def naive_ms_lstm(model, routine, updates):
    clips = [norm(model.reduce_norm, affine(model.reduce, clip).clamp(min=0)) for clip in routine]
    summaries, A, overlap = naive_attention(model.attention, clips)
    read = [naive_skip_lstm(scale, clips, updates) for scale in model.scales.values()]
    read.append(naive_lstm(model.lstm, summaries))
    heads = torch.cat([affine(head, x).clamp(min=0) for head, x in zip(model.heads, read, strict=True)])
    embedding = affine(model.merge, heads).clamp(min=0)
    return affine(model.score, embedding)[0], embedding, A, overlap


@torch.no_grad()
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 30), min_size=1, max_size=3))
def test_the_whole_forward_pass_is_that_of_the_loops(seed, lengths):
    model = build(seed).double().eval()
    features = torch.randn(len(lengths), max(lengths) + 2, 5, dtype=torch.float64)
    out = model(features, torch.tensor(lengths))
    penalty = 0.0
    for b, L in enumerate(lengths):
        score, embedding, A, overlap = naive_ms_lstm(model, features[b, :L], [])
        assert float(out["score"][b]) == pytest.approx(float(score), abs=1e-6)
        assert torch.allclose(out["embedding"][b], embedding, atol=1e-6)
        assert torch.allclose(out["attention"][b, :L].T, torch.tensor(A, dtype=torch.float64), atol=1e-6)
        penalty += overlap / len(lengths)
    assert float(out["penalty"]) == pytest.approx(penalty, abs=1e-6)


@torch.no_grad()
def test_the_second_reading_meets_steps_it_skips():
    """So that the test above says something about skipping: over a few models, updates and copies both occur."""
    updates = []
    for seed in range(6):
        model = build(seed).double().eval()
        routine = torch.randn(30, 5, dtype=torch.float64)
        score = naive_ms_lstm(model, routine, updates)[0]
        assert float(model(routine[None], torch.tensor([30]))["score"]) == pytest.approx(float(score), abs=1e-6)
    assert 0.1 < sum(updates) / len(updates) < 0.9


def test_the_gradient_passes_through_the_rounding_to_every_parameter():
    model = build().train()
    out = model(torch.randn(4, 20, 5), torch.tensor([20, 15, 9, 20]))
    model.loss(out, torch.randn(4))["total"].backward()
    for name, scale in model.scales.items():
        assert scale.update.weight.grad.abs().sum() > 0, name
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


@torch.no_grad()
def test_a_state_is_updated_or_copied_as_the_update_gate_says():
    """Sure to update, the last window matters; sure not to, only the first one does, which always updates."""
    model = build().eval()
    first, later = torch.randn(1, 30, 5), torch.randn(1, 30, 5)
    mixed = torch.cat([first[:, :8], later[:, 8:]], dim=1)  # the first 8 clips: the longest first window
    lengths = torch.tensor([30])
    for bias, copied in ((20.0, False), (-20.0, True)):
        for scale in model.scales.values():
            torch.nn.init.constant_(scale.update.bias, bias)
            one, other = scale(first[..., :4], lengths, False), scale(mixed[..., :4], lengths, False)
            assert torch.equal(one, other) == copied


def test_the_start_is_random_in_training_and_at_test_only_where_asked():
    features, lengths = torch.randn(2, 12, 5), torch.tensor([12, 9])
    calm, released = build().eval(), build(random_start="always").eval()
    assert torch.equal(calm(features, lengths)["score"], calm(features, lengths)["score"])
    assert not torch.equal(released(features, lengths)["score"], released(features, lengths)["score"])
    with pytest.raises(CofinalError, match="random_start"):
        build(random_start="never")


def test_the_loss_is_squared_error_in_points_plus_the_penalty():
    out = {"score": torch.tensor([10.0, 5.0]), "penalty": torch.tensor(0.75)}
    loss = build().loss(out, torch.tensor([12.0, 5.0]))
    assert (float(loss["mse"]), float(loss["penalty"]), float(loss["total"])) == (2.0, 0.75, 2.75)


@torch.no_grad()
def test_batch_statistics_are_over_clips_and_windows_that_exist():
    """Training on padded routines moves the running means as the routines' own clips and windows do."""
    torch.manual_seed(0)
    model = MSLSTM(MSLSTMConfig(feature_dim=5, reduced_dim=4, hidden_dim=3, n_summaries=3))
    features, lengths = torch.randn(3, 20, 5), torch.tensor([20, 9, 4])
    model(features, lengths)
    clips = model.reduce(torch.cat([features[b, :n] for b, n in enumerate(lengths)])).relu()  # (33, 4)
    assert torch.allclose(model.reduce_norm.running_mean, 0.1 * clips.mean(0), atol=1e-6)
    clips = (clips - clips.mean(0)) / (clips.var(0, correction=0) + 1e-5).sqrt()
    for scale in model.scales.values():
        windows = []
        for routine in clips.split(lengths.tolist()):
            missing = max(0, scale.conv.kernel_size[0] - len(routine))
            windows.append(scale.conv(torch.nn.functional.pad(routine.T, (0, missing))).relu().T)
        assert torch.allclose(scale.norm.running_mean, 0.1 * torch.cat(windows).mean(0), atol=1e-6)


def test_a_batch_of_one_window_is_refused_in_words_and_of_two_is_not():
    model = build().train()
    model(torch.randn(1, 12, 5), torch.tensor([12]))
    with pytest.raises(CofinalError, match="one routine of 11 clips, a single window"):
        model(torch.randn(1, 12, 5), torch.tensor([11]))
    model.eval()(torch.randn(1, 12, 5), torch.tensor([11]))
