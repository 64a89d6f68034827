"""What every method of METHODS keeps: the protocol, padding without consequence, training that repeats."""

import copy
import dataclasses
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cofinal_lib.data import load
from cofinal_lib.padding import each_clip, fixed_clips
from cofinal_lib.records import SELECTIONS
from cofinal_lib.rivals import GDLT, HGCN, METHODS, MSLSTM, SOLVED, ActionNet, ReleasedCoFInAl
from cofinal_lib.runs import RunSpec, run
from cofinal_lib.train import Schedule, Single, _groups, _optimiser, embed, fit

SMALL = {  # options for a small twin
    "ridge": {},
    "kernel-ridge": {},
    "c3d-svr": {},
    "ms-lstm": {"reduced_dim": 8, "hidden_dim": 8, "n_summaries": 4},
    "action-net": {"n_clips": 26},
    "gdlt": {"hidden_dim": 16},
    "hgcn": {"n_scenes": 3, "n_clips": 32},
    "cofinal-released": {"hidden_dim": 16},
    "cofinal": {"procedure_dim": 16, "score_dim": 16, "n_subgrades": 10},
    "cofinal-repaired": {"procedure_dim": 16, "score_dim": 16, "n_subgrades": 10},
}
NETWORKS = {
    "gdlt": (GDLT, dict(feature_dim=6, hidden_dim=8)),
    "cofinal-released": (ReleasedCoFInAl, dict(feature_dim=6, hidden_dim=8)),
    "apart": (ReleasedCoFInAl, dict(feature_dim=6, hidden_dim=8, attention_over="prototypes", argmax="routine")),
    "hgcn": (HGCN, dict(feature_dim=8, n_clips=9, n_scenes=3, factor=2)),
    "action-net": (ActionNet, dict(feature_dim=6, n_clips=9)),
    "ms-lstm": (MSLSTM, dict(feature_dim=6, reduced_dim=5, hidden_dim=4, n_summaries=3)),
}


def network(name):
    torch.manual_seed(0)
    method, options = NETWORKS[name]
    return method(method.Config(**options), torch.Generator().manual_seed(0))


def routines(model, padding=0.0, longest=14):
    """Five routines of 14, 4, 1, 9 and 8 clips, and what follows them."""
    lengths = torch.tensor([14, 4, 1, 9, 8])
    clips = torch.randn(5, 14, model.config.feature_dim, generator=torch.Generator().manual_seed(3))
    features = torch.full((5, longest, model.config.feature_dim), padding)
    for row, clip, n in zip(features, clips, lengths, strict=True):
        row[:n] = clip[:n]
    return features, lengths


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e9, -7.0])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_what_stands_in_the_padding_changes_nothing_to_the_last_bit(name, garbage, mode):
    model = network(name)
    results = []
    for padding in (0.0, garbage):
        one = copy.deepcopy(model).train(mode == "train")
        torch.manual_seed(7)
        with torch.set_grad_enabled(mode == "train"):
            results.append(one(*routines(one, padding)) | dict(one.named_buffers()))
    for key, value in results[0].items():
        assert torch.equal(value, results[1][key]) and torch.isfinite(value).all(), key


def short_twin():
    """A small twin, a third of whose routines end within the crop, so that batches are padded."""
    data = load("twin/ball", feature_dim=8, n_train=24)
    lengths = torch.where(torch.arange(len(data)) % 3 == 0, data.lengths // 2, data.lengths)
    features = data.features.masked_fill((torch.arange(data.features.shape[1]) >= lengths[:, None])[..., None], 0.0)
    assert lengths.min() < data.crop
    return dataclasses.replace(data, features=features, lengths=lengths)


TRAINED = [name for name in METHODS if name not in SOLVED]


def built(method, data):
    return partial(METHODS[method], RunSpec("twin/ball", method, options=SMALL[method]).config(data))


@pytest.mark.parametrize("method", TRAINED)
@pytest.mark.parametrize("padded", [False, True])
def test_on_a_device_neither_a_step_nor_a_forward_pass_asks_for_a_value(method, padded, meta):
    data = short_twin() if padded else load("twin/ball", feature_dim=8, n_train=24)
    learner = Single(built(method, data), data, Schedule(clip_norm=1.0), meta, [0])
    loss = learner._step(torch.arange(12), torch.zeros(12, dtype=torch.long), data.crop)
    assert loss["total"].device.type == meta
    model = learner.models()[0]
    for rows, features, lengths in learner.batches(torch.arange(len(data))[None]):
        out = getattr(model, "one_by_one", model)(features, lengths)
        assert out.get("score_soft", out.get("score")).shape == rows.shape


@pytest.mark.parametrize("method", TRAINED)
def test_every_network_trains_on_padded_batches_in_bf16(method):
    data = short_twin()
    full, bf16 = (
        fit(built(method, data), data, [0], Schedule(epochs=2, lr=1e-3, holdout=0, precision=precision))[0]
        for precision in ("full", "bf16")
    )
    assert np.isfinite(bf16.predictions[-1]).all()
    assert not np.array_equal(bf16.predictions[-1], full.predictions[-1])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 2))
def test_a_layer_sees_the_clips_that_exist_and_no_others(lengths, extra):
    features = torch.full((len(lengths), max(lengths) + extra, 3), torch.nan)
    for row, n in zip(features, lengths, strict=True):
        row[:n] = torch.arange(3.0 * n).view(n, 3)
    seen = []
    clips, mask = each_clip(lambda x: seen.append(x) or x[:, :2] + 1, features, torch.tensor(lengths))
    assert torch.equal(seen[0], torch.cat([row[:n] for row, n in zip(features, lengths, strict=True)]))
    assert mask.sum(1).tolist() == lengths and clips.shape == (*mask.shape, 2)
    for clip, row, n in zip(clips, features, lengths, strict=True):
        assert torch.equal(clip[:n], row[:n, :2] + 1) and not clip[n:].any()


@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e9])
@pytest.mark.parametrize("method", SOLVED)
def test_what_is_solved_does_not_see_padding_either(method, garbage):
    features = torch.randn(30, 6, 4, generator=torch.Generator().manual_seed(0))
    lengths, scores = torch.arange(30) % 6 + 1, torch.randn(30, generator=torch.Generator().manual_seed(1))
    results = []
    for padding in (0.0, garbage):
        padded = features.clone()
        for row, n in zip(padded, lengths, strict=True):
            row[n:] = padding
        model = METHODS[method](METHODS[method].Config())
        model.solve(padded, lengths, scores)
        results.append(model(padded, lengths))
        alone = model(padded[4:5], lengths[4:5])["score"]
        assert torch.allclose(alone, results[-1]["score"][4:5], atol=1e-5)
    assert torch.equal(results[0]["score"], results[1]["score"])


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
def test_a_routines_score_depends_neither_on_its_batch_nor_on_how_far_that_is_padded(name):
    model = network(name).eval()
    forward = getattr(model, "one_by_one", model)
    score = forward(*routines(model))["score"]
    assert torch.allclose(forward(*routines(model, longest=40))["score"], score, atol=1e-5)
    features, lengths = routines(model)
    for b in range(len(features)):
        alone = forward(features[b : b + 1], lengths[b : b + 1])["score"]
        cut = forward(features[b : b + 1, : lengths[b]], lengths[b : b + 1])["score"]
        assert torch.allclose(alone, score[b], atol=1e-5) and torch.allclose(cut, score[b], atol=1e-5)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(forward(features[order], lengths[order])["score"], score[order], atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_counted_is_trained(name):
    model = network(name).train()
    features, lengths = routines(model)
    loss = model.loss(model(features, lengths), torch.linspace(0.1, 0.9, 5))
    assert all(value.ndim == 0 for value in loss.values())
    loss["total"].backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 12), st.integers(0, 3))
def test_fixed_clips_are_the_middle_ones_or_are_followed_by_zeros(lengths, n, extra):
    features = torch.full((len(lengths), max(lengths) + extra, 2), float("nan"))
    for b, L in enumerate(lengths):
        for c in range(L):
            features[b, c] = torch.tensor([10.0 * b + c, -1.0])
    clips = fixed_clips(features, torch.tensor(lengths), n)
    assert clips.shape == (len(lengths), n, 2)
    for b, L in enumerate(lengths):
        first = (L - n) // 2 if L > n else 0  # of an odd surplus, the larger half is lost at the end
        for i in range(n):
            wanted = [10.0 * b + first + i, -1.0] if i < min(n, L) else [0.0, 0.0]
            assert clips[b, i].tolist() == wanted


@pytest.fixture(scope="module")
def twin():
    return load("twin/ball", feature_dim=16, n_train=40)


@pytest.fixture(scope="module")
def train(twin):
    def train(method, data=twin):
        spec = RunSpec("twin/ball", method=method, seeds=(3,), epochs=2, options=SMALL[method])
        return fit(built(method, data), data, spec.seeds, spec.schedule)[0]

    return train


def test_every_method_is_tested_here():
    assert set(SMALL) == set(METHODS)


@pytest.mark.parametrize("method", SMALL)
def test_a_method_trains_repeats_to_the_last_bit_and_never_sees_a_test_score(method, twin, train):
    one = train(method)
    epochs = 1 if method in SOLVED else 2
    assert one.predictions.shape == (epochs, 90, 2)
    assert np.isfinite(one.predictions[:, ~twin.is_train]).all() and np.isfinite(one.predictions[-1]).all()
    assert np.nanmax(np.abs(one.predictions)) < 100  # points, of 25
    assert all(values.shape == (epochs,) and np.isfinite(values).all() for values in one.losses.values())
    embedding = embed(one.model, twin)
    assert embedding.shape[0] == 90 and embedding.ndim == 2 and np.isfinite(embedding).all()
    assert np.ptp(embedding, axis=0).max() > 0  # routines differ

    torch.randn(17)  # the global stream moves on
    scores = twin.scores.clone()
    scores[~twin.is_train] = torch.nan
    other = train(method, dataclasses.replace(twin, scores=scores))
    assert np.array_equal(one.predictions, other.predictions, equal_nan=True)
    assert np.array_equal(one.validation_srcc, other.validation_srcc, equal_nan=True)
    assert all(np.array_equal(values, other.losses[name]) for name, values in one.losses.items())
    assert np.array_equal(embedding, embed(other.model, twin))


@pytest.mark.parametrize("method, option", [("hgcn", "draw"), ("ms-lstm", "random_start")])
def test_what_is_drawn_at_test_repeats_too(method, option, twin):
    spec = RunSpec("twin/ball", method=method, seeds=(3,), epochs=2, options=SMALL[method] | {option: "always"})
    build = partial(METHODS[method], spec.config(twin))
    one, other = (fit(build, twin, spec.seeds, spec.schedule)[0] for _ in range(2))
    assert np.array_equal(one.predictions, other.predictions, equal_nan=True)
    assert np.array_equal(embed(one.model, twin), embed(other.model, twin))


def test_sizes_come_from_the_data_options_from_the_authors_and_from_the_reader(twin):
    train = twin.scores[twin.is_train]
    config = RunSpec("twin/ball", method="hgcn").config(twin)
    assert (config.feature_dim, config.n_clips, config.score_cap) == (16, 68, 25.0)
    config = RunSpec("twin/ball", method="c3d-svr").config(twin)
    assert (config.low, config.high) == (float(train.min()), float(train.max()))
    assert RunSpec("twin/ball", method="gdlt").config(twin) == GDLT.Config(feature_dim=16, score_cap=25.0)
    config = RunSpec("twin/tes", method="gdlt", options={"alpha": 0.25}).config(twin)
    assert (config.dropout, config.alpha, config.score_cap) == (0.7, 0.25, 45.0)
    config = RunSpec("twin/pcs", method="cofinal-released").config(twin)
    assert (config.dropout, config.alpha, config.activation, config.score_cap) == (0.3, 0.5, 3, 40.0)
    assert RunSpec("twin/ball", method="ms-lstm", epochs=7).schedule == dataclasses.replace(MSLSTM.schedule, epochs=7)


def test_every_method_trains_as_its_authors_say():
    paper = dict(epochs=200, batch_size=32, optimiser="sgd", lr=0.01, decay="cosine", lr_end=1e-4, momentum=0.9)
    own = {
        "cofinal": dict(weight_decay=0.01, clip_norm=10.0),  # Sec. 4.1; the limit is ours
        "cofinal-released": dict(weight_decay=1e-4),
        "gdlt": dict(weight_decay=1e-4),
        "action-net": dict(weight_decay=1e-4, decay="steps"),
        "hgcn": dict(weight_decay=1e-4, optimiser="adam", lr=1e-4, decay="none"),
        "ms-lstm": dict(weight_decay=0.0, optimiser="adam", lr=5e-4, decay="none", batch_size=128),
    }
    own["cofinal-repaired"] = own["cofinal"]
    assert {m: RunSpec("twin/ball", method=m).schedule for m in METHODS if m not in SOLVED} == {
        m: Schedule(**(paper | changes)) for m, changes in own.items()
    }


def test_cofinals_sizes_are_those_of_sec_4_1():
    twins = {target: load(target, n_train=4) for target in ("twin/ball", "twin/pcs")}
    for target, dropout in (("twin/ball", 0.3), ("twin/pcs", 0.7)):
        c = RunSpec(target).config(twins[target])
        assert (c.feature_dim, c.procedure_dim, c.score_dim, c.n_procedures) == (1024, 512, 256, 5)
        assert (c.dropout, c.weight_c, c.weight_f, c.weight_r) == (dropout, 1, 1, 1)
        assert (c.n_grades, c.n_subgrades, c.sharpness, c.score_unit) == (4, 20, 10, "grade")  # ours
    assert RunSpec("twin/pcs", method="cofinal-repaired").config(twins["twin/pcs"]).dropout == 0.3


def test_action_nets_last_layers_learn_five_times_as_fast():
    model = ActionNet(ActionNet.Config(feature_dim=8, n_clips=5))
    optimiser, _ = _optimiser(_groups(model, ActionNet.schedule), ActionNet.schedule)
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    last = {id(p) for p in model.fc.parameters()}
    assert all(rates[id(p)] == pytest.approx(0.05 if id(p) in last else 0.01) for p in model.parameters())


def test_a_seventh_rival_is_one_class_and_one_line(tmp_path, monkeypatch):
    @dataclass(frozen=True)
    class MeanConfig:
        feature_dim: int = 1024

    class Mean(torch.nn.Module):
        Config = MeanConfig

        def __init__(self, config, generator=None):
            super().__init__()
            self.linear = torch.nn.Linear(config.feature_dim, 1)

        def forward(self, features, lengths):
            mean = torch.stack([clips[:n].mean(0) for clips, n in zip(features, lengths.tolist(), strict=True)])
            return {"score": self.linear(mean).squeeze(1), "embedding": mean}

        def loss(self, out, scores):
            return {"total": (out["score"] - scores).square().mean()}

    monkeypatch.setitem(METHODS, "mean", Mean)
    spec = RunSpec("twin/ball", "mean", seeds=(0, 1), epochs=3, twin={"feature_dim": 16, "n_train": 40})
    record = run(spec, tmp_path, jobs=1)
    assert record.folder.parent == tmp_path and "-mean-" in record.folder.name
    for split in ("train", "test"):
        for measure in ("srcc", "relative_l2"):
            for selection in SELECTIONS:
                for decoding in ("soft", "hard"):
                    metric = record.metric(split, measure, selection, decoding)
                    assert len(metric["per_seed"]) == 2 and np.isfinite(metric["per_seed"]).all()
    assert record.record["config"] == {"feature_dim": 16} and record.record["notes"] == []
    arrays, data = record.arrays, load("twin/ball", **spec.twin)
    assert arrays["predictions"].shape == (2, 3, 90, 2) and arrays["loss/total"].shape == (2, 3)
    assert np.allclose(arrays["embedding"][1], data.mean_clip(), atol=1e-5)
