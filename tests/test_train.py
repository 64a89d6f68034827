"""Training on small twins: learns, repeats to the last bit, keeps the test set out."""

import dataclasses

import numpy as np
import pytest
import torch

from cofinal_lib.cofinal import CoFInAl, CoFInAlConfig
from cofinal_lib.data import load
from cofinal_lib.errors import CofinalError
from cofinal_lib.grade_parsing import graph_regulariser
from cofinal_lib.metrics import spearman
from cofinal_lib.rivals import GDLT
from cofinal_lib.train import (
    Schedule,
    Stacked,
    _drawing_from,
    _held_out,
    _optimiser,
    _order,
    embed,
    fit,
    predict,
    predict_all,
)


@pytest.fixture(scope="module")
def twin():
    return load("twin/ball", feature_dim=16, n_train=60)


def build_for(data, **options):
    scores = data.scores[data.is_train]
    sizes = dict(feature_dim=data.feature_dim, procedure_dim=16, score_dim=16, n_subgrades=10)
    config = CoFInAlConfig(**sizes, low=float(scores.min()), high=float(scores.max()), **options)
    return lambda generator: CoFInAl(config, generator)


def test_it_learns_what_the_mean_clip_shows(twin):
    shown = torch.randn(len(twin), 1, 16, generator=torch.Generator().manual_seed(0))
    easy = dataclasses.replace(twin, features=twin.features + shown, scores=shown[:, 0, 0].double())
    (result,) = fit(build_for(easy), easy, [0], Schedule(epochs=40))
    train, test = easy.rows("train"), easy.rows("test")
    assert spearman(result.predictions[-1, train, 0], easy.scores[train]) > 0.75
    assert spearman(result.predictions[-1, test, 0], easy.scores[test]) > 0.5
    assert result.losses["total"][-1] < result.losses["total"][0]
    assert result.predictions.shape == (40, len(easy), 2)
    assert np.isfinite(result.predictions[:, test]).all() and np.isfinite(result.predictions[4::5]).all()


def test_the_same_seed_repeats_to_the_last_bit_whatever_ran_before(twin):
    schedule = Schedule(epochs=3)
    both = fit(build_for(twin), twin, [4, 5], schedule, stack=1)
    torch.randn(17)  # the global stream moves on
    (alone,) = fit(build_for(twin), twin, [5], schedule)
    again = fit(build_for(twin), twin, [4, 5], schedule, stack=2, jobs=2)
    stacked = fit(build_for(twin), twin, [4, 5], schedule, stack=2)
    assert all(
        np.array_equal(a.predictions, b.predictions, equal_nan=True) for a, b in zip(stacked, again, strict=True)
    )
    assert np.array_equal(both[1].predictions, alone.predictions, equal_nan=True)
    assert np.array_equal(both[1].validation_srcc, alone.validation_srcc)
    assert not np.array_equal(both[0].predictions, alone.predictions, equal_nan=True)


def test_without_a_holdout_the_training_is_the_same_and_no_epoch_is_chosen(twin):
    (chosen,) = fit(build_for(twin), twin, [4], Schedule(epochs=3))
    (plain,) = fit(build_for(twin), twin, [4], Schedule(epochs=3, holdout=0))
    assert np.array_equal(chosen.predictions, plain.predictions, equal_nan=True)
    assert plain.validation_srcc.shape == (3,) and np.isnan(plain.validation_srcc).all()


def test_a_gpus_draws_differ_from_epoch_to_epoch_and_repeat(monkeypatch):
    """Without a GPU: what its generator would be seeded with."""
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed", seeded.append)
    for _ in range(2):
        stream = torch.Generator().manual_seed(5).get_state()
        for _ in range(3):
            with _drawing_from(stream, "cuda"):
                stream = torch.get_rng_state()
    assert len(set(seeded[:3])) == 3 and seeded[:3] == seeded[3:]


def test_training_leaves_the_callers_random_stream_and_threads_alone(twin):
    torch.manual_seed(1)
    wanted, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(1)
    fit(build_for(twin), twin, [0], Schedule(epochs=1))
    assert torch.equal(torch.rand(3), wanted) and torch.get_num_threads() == threads


def test_no_number_depends_on_how_many_threads_the_process_has(twin):
    model, seen = build_for(twin)(torch.Generator().manual_seed(0)), []
    model.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        embed(model, twin)
        predict_all(model, twin)
        assert set(seen) == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_test_scores_and_features_never_reach_the_training(seeds, twin):
    features, scores = twin.features.clone(), twin.scores.clone()
    features[~twin.is_train] *= -3
    scores[~twin.is_train] = torch.nan
    changed = dataclasses.replace(twin, features=features, scores=scores)
    one, other = (fit(build_for(twin), data, seeds, Schedule(epochs=2), stack=2)[0] for data in (twin, changed))
    train = twin.rows("train")
    assert np.array_equal(one.predictions[-1, train], other.predictions[-1, train])
    assert np.array_equal(one.validation_srcc, other.validation_srcc)


def test_held_out_routines_never_train_the_model_that_chooses_the_epoch(twin):
    train = twin.rows("train").tolist()
    seen = []

    def spy(generator):
        model = build_for(twin)(generator)
        seen.append(set())
        model.register_forward_pre_hook(
            lambda module, inputs: seen[-1].update(inputs[0][:, 0, 0].tolist()) if module.training else None
        )
        return model

    whole = dataclasses.replace(twin, crop=None)
    fit(spy, whole, [0], Schedule(epochs=2))
    seen = [some for some in seen if some]  # one more model is built and never trained, to see whether seeds stack
    firsts = set(twin.features[train, 0, 0].tolist())
    assert seen[1] == firsts  # the reported model sees every training routine, and no other
    assert len(seen[0]) == 48 and seen[0] < firsts  # the other one four fifths of them


def test_crops_start_anywhere_the_last_start_included():
    lengths, kept = torch.tensor([7, 3]), torch.tensor([[0, 1], [1, 0]])
    draws = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    starts = {0: set(), 1: set()}
    for _ in range(200):
        for batch, first in _order(kept, lengths, Schedule(batch_size=1), 5, draws):
            assert batch.shape == first.shape == (2, 1)
            for routine, start in zip(batch.flatten().tolist(), first.flatten().tolist(), strict=True):
                starts[routine].add(start)
    assert starts == {0: {0, 1, 2}, 1: {0}}


@pytest.mark.parametrize(
    "options", [{}, {"without": "TFM"}, {"without": "GPM"}, {"without": "FGS"}, {"without": "L_R"}]
)
def test_seeds_trained_at_once_are_the_seeds_trained_alone(twin, options):
    precise = dataclasses.replace(twin, features=twin.features.double())
    build = build_for(precise, dropout=0.3, **options)
    schedule = Schedule(epochs=20, clip_norm=1.0)  # short enough that some steps meet it
    ways = [
        fit(lambda generator: build(generator).double(), precise, [3, 4, 5], schedule, stack=stack)
        for stack in (1, 2, 3)
    ]
    for alone, *together in zip(*ways, strict=True):
        for stacked in together:
            assert alone.seed == stacked.seed
            assert np.allclose(alone.predictions, stacked.predictions, atol=1e-4, equal_nan=True)
            assert np.allclose(alone.validation_srcc, stacked.validation_srcc, atol=1e-4)
            for name, values in alone.losses.items():
                assert np.allclose(values, stacked.losses[name], atol=1e-4)
            for one, other in zip(alone.model.parameters(), stacked.model.parameters(), strict=True):
                assert torch.allclose(one, other, atol=1e-6)


# Shorter than every routine, than some, than none but within the padded row; no crop; longer than the row.
@pytest.mark.parametrize("crop", [5, 34, 60, None, 500])
def test_shorter_routines_are_masked_where_seeds_train_at_once(twin, crop):
    lengths = (twin.lengths // 2).clamp(min=9)
    short = dataclasses.replace(twin, features=twin.features.double(), lengths=lengths, crop=crop)
    short.features[torch.arange(short.features.shape[1]) >= short.lengths[:, None]] = 0
    double = lambda generator: build_for(short)(generator).double()  # noqa: E731
    alone, stacked = (fit(double, short, [0, 1], Schedule(epochs=4), stack=stack) for stack in (1, 2))
    for one, other in zip(alone, stacked, strict=True):
        assert np.allclose(one.predictions, other.predictions, atol=1e-4, equal_nan=True)


def test_a_method_that_cannot_be_stacked_trains_seed_by_seed(twin):
    config = GDLT.Config(feature_dim=16, hidden_dim=16, score_cap=25.0)
    together = fit(lambda generator: GDLT(config, generator), twin, [0, 1], Schedule(epochs=2), stack=2)
    (alone,) = fit(lambda generator: GDLT(config, generator), twin, [1], Schedule(epochs=2))
    assert np.array_equal(together[1].predictions, alone.predictions, equal_nan=True)


def test_predictions_come_in_the_datas_order_whatever_the_lengths(twin):
    model = build_for(twin)(torch.Generator().manual_seed(0)).eval()
    scores = predict(model, [(torch.arange(len(twin)), twin.features, twin.lengths)], len(twin))
    with torch.no_grad():
        one = model(twin.features[7:8], twin.lengths[7:8])
    assert scores[7, 0] == pytest.approx(float(one["score_soft"]), rel=1e-5)
    assert np.allclose(embed(model, twin)[7], one["embedding"][0], atol=1e-5)


def test_the_schedule_is_the_papers_cosine():
    schedule = Schedule()
    assert schedule.lr_at(0) == 0.01 and schedule.lr_at(199) == pytest.approx(0.0001)
    assert schedule.lr_at(100) == pytest.approx(0.00505, rel=0.02)


def test_steps_lower_the_rate_after_three_quarters_and_seven_eighths():
    rates = [Schedule(decay="steps", lr=1.0).lr_at(epoch) for epoch in (0, 149, 150, 174, 175, 199)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert Schedule(decay="none", lr=0.3).lr_at(199) == 0.3


def test_a_step_is_the_optimisers_formula_weight_decay_and_all():
    start, gradients, decay = torch.tensor([1.0, -2.0]), [torch.tensor([0.5, 0.1]), torch.tensor([-0.3, 0.2])], 0.2
    p = start.clone().requires_grad_()
    optimiser, _ = _optimiser([p], Schedule(lr=0.1, momentum=0.9, weight_decay=decay))
    by_hand, speed = start.clone(), torch.zeros(2)
    for gradient in gradients:
        p.grad = gradient.clone()
        optimiser.step()
        speed = 0.9 * speed + gradient + decay * by_hand
        by_hand = by_hand - 0.1 * speed
    assert torch.allclose(p.detach(), by_hand)
    p = start.clone().requires_grad_()
    optimiser, _ = _optimiser([p], Schedule(optimiser="adam", lr=0.1, weight_decay=decay))
    p.grad = torch.zeros(2)
    optimiser.step()
    assert torch.allclose(p.detach(), start - 0.1 * start.sign(), atol=1e-4), "Adam's first step has the rate's length"


def test_each_epoch_shuffles_anew_and_each_seed_holds_out_others():
    kept, draws = torch.arange(40)[None], [torch.Generator().manual_seed(0)]
    first, second = (
        torch.cat([batch[0] for batch, _ in _order(kept, torch.full((40,), 3), Schedule(), None, draws)]).tolist()
        for _ in range(2)
    )
    assert sorted(first) == sorted(second) == list(range(40)) and first != second
    assert first != sorted(first) and second != sorted(second)
    held = [_held_out(torch.arange(40), 0.2, seed).tolist() for seed in (0, 1)]
    assert [len(rows) for rows in held] == [8, 8] and held[0] != held[1] and held[0] != list(range(8))


@pytest.mark.parametrize("stack", [1, 2])
def test_a_loss_is_the_mean_over_an_epochs_batches(stack):
    data = load("twin/ball", feature_dim=16, n_train=70)  # three batches
    results = fit(build_for(data), data, [0, 1], Schedule(epochs=1, lr=1e-9, holdout=0), stack=stack)
    for result in results:  # L_R is that of the prototypes, whatever the batch; at this rate they stand still
        assert result.losses["L_R"][0] == pytest.approx(
            float(graph_regulariser(result.model.gpm.prototypes.detach())), rel=1e-4
        )


def test_divergence_and_too_few_routines_are_named(twin):
    with pytest.raises(CofinalError, match="training diverged: the loss .* of seed 3 is not finite"):
        fit(build_for(twin), twin, [3], Schedule(epochs=20, lr=1e6))
    few = load("twin/ball", feature_dim=8, n_train=4)
    with pytest.raises(CofinalError, match="4 training routines are too few"):
        fit(build_for(few), few, [0], Schedule(epochs=1))


def test_a_gradient_is_shortened_to_the_limit_and_not_below_it(twin):
    free, limited, loose = (
        fit(build_for(twin), twin, [0], Schedule(epochs=3, clip_norm=limit))[0] for limit in (None, 1e-3, 1e6)
    )
    assert np.array_equal(free.predictions, loose.predictions, equal_nan=True)
    assert limited.losses["total"][-1] > free.losses["total"][-1]  # hardly a step was taken
    assert np.ptp(limited.losses["L_S"]) < np.ptp(free.losses["L_S"])


@pytest.mark.parametrize("stack", [1, 2])
@pytest.mark.parametrize("precision, most", [("bf16", 0.2), ("tf32", 0.02)])
def test_fewer_digits_change_rounding_and_little_else(twin, stack, precision, most):
    full, rounded = (
        fit(build_for(twin), twin, [0, 1], Schedule(epochs=3, precision=precision), stack=stack)
        for precision in ("full", precision)
    )
    for a, b in zip(full, rounded, strict=True):
        apart = np.abs(a.predictions[-1] - b.predictions[-1])[:, 0]
        spread = np.ptp(a.predictions[-1, :, 0])
        assert 0 < apart.max() < most * spread
        assert next(b.model.parameters()).dtype == torch.float32
    with pytest.raises(CofinalError, match="precision 'half'; expected full, tf32 or bf16"):
        Schedule(precision="half")


def test_on_a_device_a_step_asks_the_host_for_nothing(twin, meta):
    learner = Stacked(build_for(twin), twin, Schedule(clip_norm=1.0), meta, [0, 1])
    batch, starts = torch.arange(8).view(2, 4), torch.zeros(2, 4, dtype=torch.long)
    loss = learner._step(batch.to(meta), starts.to(meta))
    assert loss["total"].device.type == meta and loss["total"].shape == (2,)
    assert all(p.grad.shape == p.shape and len(p) == 2 for p in learner.params.values())
