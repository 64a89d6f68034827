"""The rivals against numbers computed once with their authors' released models (random weights, evaluation mode)."""

import re
from dataclasses import fields, replace

import pytest
import torch

from cofinal_lib.cofinal import count_macs, count_parameters
from cofinal_lib.rivals import GDLT, HGCN, METHODS, MSLSTM, ActionNet, ReleasedCoFInAl

FILES = {"gdlt": GDLT, "cofinal": ReleasedCoFInAl, "hgcn": HGCN, "actionnet": ActionNet}


def full(x):
    """All routines of a batch have all its clips."""
    return torch.full((len(x),), x.shape[1])


def assert_close(ours, theirs, relative=False):
    assert ours.shape == theirs.shape
    scale = float(theirs.abs().max()) if relative else 1.0
    assert float((ours - theirs).abs().max()) <= 1e-5 * scale


@torch.no_grad()
def test_gdlt_gives_the_released_numbers(released):
    weights, given, wanted = released("gdlt")
    out = GDLT.from_released(weights)(given["x"], full(given["x"]))
    for name, value in wanted.items():
        assert_close(out[name], value)


@torch.no_grad()
def test_the_released_cofinal_gives_the_released_numbers_targets_and_losses(released):
    weights, given, wanted = released("cofinal")
    model = ReleasedCoFInAl.from_released(weights)
    out = model(given["x"], full(given["x"]))
    loss = model.loss(out, given["y"])
    out |= model.targets(given["y"]) | {f"loss_{name}": loss[name] for name in ("total", "dr", "triplet")}
    assert len(wanted) == 11
    for name, value in wanted.items():
        assert_close(out[name], value)
    assert torch.equal(out["score"], out["score_flat_argmax_batch"])  # the arg max over the batch is the default


@torch.no_grad()
def test_action_net_gives_the_released_numbers_with_images(released):
    weights, given, wanted = released("actionnet")
    model = ActionNet.from_released(weights)
    out = model(given["dynamic"], full(given["dynamic"]), given["static"])
    assert_close(out["score"], wanted["score"])


@torch.no_grad()
def test_hgcn_gives_the_released_numbers(released):
    """Relative to the largest magnitude: the motion graph's softmax over large numbers amplifies rounding, so that the
    released code's own `motion` moves by 1.5e-4, of 54, with the number of threads."""
    weights, given, wanted = released("hgcn")
    out = HGCN.from_released(weights)(given["x"], full(given["x"]))
    for name, value in wanted.items():
        assert_close(out[name], value, relative=True)
    assert torch.allclose(out["score"], out["mean"].sum((1, 2)), atol=1e-5)  # at test the mean, seven scenes' sum


def test_sizes_are_read_off_the_released_shapes(released):
    sizes = {
        "gdlt": {"feature_dim": 128, "hidden_dim": 256, "n_encoder": 1, "n_decoder": 2, "n_queries": 4},
        "cofinal": {"feature_dim": 128, "hidden_dim": 256, "n_encoder": 1, "n_decoder": 2, "n_queries": 4},
        "hgcn": {"feature_dim": 128, "n_clips": 68, "n_scenes": 7, "n_groups": 1, "factor": 4},
        "actionnet": {"feature_dim": 1024, "n_clips": 26, "static": "images", "static_dim": 2048, "n_images": 80},
    }
    for file, wanted in sizes.items():
        model = FILES[file].from_released(released(file)[0])
        assert {name: getattr(model.config, name) for name in wanted} == wanted
        assert not model.training


ODD_SIZES = {
    GDLT: {"feature_dim": 10, "hidden_dim": 6, "n_encoder": 2, "n_decoder": 3, "n_queries": 5},
    ReleasedCoFInAl: {"feature_dim": 10, "hidden_dim": 8, "n_encoder": 3, "n_decoder": 1},
    HGCN: {"feature_dim": 24, "n_clips": 9, "n_scenes": 5, "n_groups": 2, "factor": 2, "differences": "all"},
    ActionNet: {"feature_dim": 8, "n_clips": 7, "static": "images", "static_dim": 12, "n_images": 5},
}


@pytest.mark.parametrize("method", ODD_SIZES)
def test_a_state_dict_of_any_size_comes_back_as_the_same_model(method):
    config = method.Config(**ODD_SIZES[method])
    state = method(config, torch.Generator().manual_seed(0)).state_dict()
    again = method.from_released(state)
    assert again.config == config
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())


@pytest.mark.parametrize("method", ODD_SIZES)
def test_a_state_dict_with_a_missing_an_extra_or_a_misshapen_name_is_refused(method):
    state = dict(method(method.Config(**ODD_SIZES[method])).state_dict())
    method.from_released(state)
    for name in state:
        if not name.endswith("num_batches_tracked"):  # a counter that torch fills in and no number depends on
            with pytest.raises((KeyError, RuntimeError), match=re.escape(name.rsplit(".", 2)[0])):
                method.from_released({key: value for key, value in state.items() if key != name})
    with pytest.raises(RuntimeError, match="regressor9"):
        method.from_released(state | {"regressor9.bias": torch.zeros(1)})
    last = list(state)[-1]
    with pytest.raises(RuntimeError, match="size mismatch"):
        method.from_released(state | {last: torch.zeros(3, 1, 4)})


def test_options_that_no_shape_shows_are_passed_on():
    state = ReleasedCoFInAl(ReleasedCoFInAl.Config(**ODD_SIZES[ReleasedCoFInAl])).state_dict()
    model = ReleasedCoFInAl.from_released(state, activation=3, score_cap=40.0, argmax="routine")
    assert (model.config.activation, model.config.score_cap, model.config.argmax) == (3, 40.0, "routine")


def test_parameters_and_macs_are_those_behind_table_2():
    """At 68 clips of 1,024. Table 2 prints 3.20 M, 0.1164 G for GDLT and 3.70 M, 0.1178 G for CoFInAl."""
    gdlt, cofinal = (method(method.Config(), torch.Generator().manual_seed(0)) for method in (GDLT, ReleasedCoFInAl))
    assert round(count_parameters(gdlt) / 1e6, 4) == 3.1634
    assert round(count_parameters(cofinal) / 1e6, 4) == 3.7157
    macs_gdlt, macs_cofinal = (count_macs(model, 68, 1024) / 1e9 for model in (gdlt, cofinal))
    assert round(macs_gdlt, 4) == 0.1159 == pytest.approx(0.1164, rel=0.01)
    assert round(macs_cofinal, 4) == 0.1173 == pytest.approx(0.1178, rel=0.01)
    with torch.no_grad():
        assert count_macs(gdlt, 68, 1024) / 1e9 == macs_gdlt  # whether or not the caller wants gradients
    for model in (gdlt, cofinal):
        model.train()
        count_macs(model, 5, 1024)
        assert model.training  # left as it was


def test_parameters_of_hgcn_and_action_net_are_the_measured_ones():
    for groups, millions in ((1, 1.2600), (2, 0.7029), (4, 0.4244), (8, 0.2851)):
        assert round(count_parameters(HGCN(HGCN.Config(n_groups=groups))) / 1e6, 4) == millions
    images = ActionNet(ActionNet.Config(static="images"))
    assert round(count_parameters(images) / 1e6, 4) == 3.5428
    assert round(count_macs(HGCN(HGCN.Config()), 68, 1024) / 1e9, 4) == 0.0917


def test_macs_of_ms_lstm_count_every_step_of_every_lstm():
    """By hand; the penalty's A'A is computed, and counted, at test too."""
    C, D_C, D, H, R = 68, 1024, 128, 256, 50
    macs = C * D_C * D + C * D * 64 + C * 64 * R + D * C * R + R * C * R  # reduce; attention; summaries; A'A
    macs += R * 4 * H * (D + H)  # the LSTM over the summaries
    for kernel, stride in ((2, 1), (4, 2), (8, 4)):
        T = (C - kernel) // stride + 1
        macs += T * kernel * D * H + T * 8 * H * H + T * H  # convolution, both sides' gates, whether to update
    macs += 4 * H * 64 + 256 * 64 + 64
    assert count_macs(MSLSTM(MSLSTM.Config()), C, D_C) == macs


def test_every_method_that_reads_released_weights_is_checked_against_them():
    assert {m for m in METHODS.values() if hasattr(m, "from_released")} == set(FILES.values()) == set(ODD_SIZES)
    for method, sizes in ODD_SIZES.items():
        assert replace(method.Config(), **sizes) != method.Config()
        assert set(sizes) <= {f.name for f in fields(method.Config)}
