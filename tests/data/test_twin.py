"""The twins keep their promises: reproducible, shaped like the official targets, driven by true qualities."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import RidgeCV

from cofinal_lib.data import twin
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.data.twin import TWIN_TARGETS, oracle, simulate
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import spearman

EVERY = pytest.mark.parametrize("target", TWIN_TARGETS)


def ridge_srcc(data: FeatureSet) -> float:
    train, test, x, y = data.rows("train"), data.rows("test"), data.mean_clip(), data.scores.numpy()
    model = RidgeCV(np.logspace(-2, 3, 11)).fit(x[train], y[train])
    return spearman(model.predict(x[test]), y[test])


@EVERY
def test_shape_is_the_official_targets(target):
    facts, data = TWIN_TARGETS[target], simulate(target, feature_dim=8)
    n = facts["n_train"] + facts["n_test"]
    assert (len(data.rows("train")), len(data.rows("test"))) == (facts["n_train"], facts["n_test"])
    assert (data.target, data.source, data.crop) == (target, "twin", facts["crop"])
    assert len(set(data.ids)) == n and data.ids[0].startswith(target.removeprefix("twin/") + "_")
    assert data.features.shape[::2] == (n, 8) and data.features.dtype == torch.float32
    assert data.qualities.shape == (n, 5) and data.scores.dtype == torch.float64
    low, high = facts["clips"]
    assert low <= data.lengths.min() and data.lengths.max() <= high == data.features.shape[1]


def test_splits_are_the_official_sizes():
    assert [(f["n_train"], f["n_test"], f["crop"]) for f in TWIN_TARGETS.values()] == 4 * [(200, 50, 68)] + 2 * [
        (400, 100, 124)
    ]


@EVERY
def test_scores_follow_the_official_quantiles(target):
    facts = TWIN_TARGETS[target]
    levels, points = facts["score_quantiles"].T
    scores = simulate(target, seed=1, feature_dim=8).scores.numpy()
    assert points[0] - 0.05 <= scores.min() and scores.max() <= points[-1] + 0.05
    # Kolmogorov-Smirnov distance to the official distribution, against its critical value at one in 1000.
    distance = stats.kstest(scores, lambda x: np.interp(x, points, levels)).statistic
    assert distance < 1.95 / np.sqrt(len(scores))
    assert np.allclose(scores / facts["step"], (scores / facts["step"]).round(), atol=1e-6)


def test_same_arguments_same_bits_other_seed_other_world():
    a, b, c = (simulate("twin/hoop", seed=s, feature_dim=16, n_train=50) for s in (3, 3, 4))
    assert a.digest == b.digest and torch.equal(a.features, b.features) and torch.equal(a.qualities, b.qualities)
    assert a.digest != c.digest and not torch.equal(a.scores, c.scores)


def test_global_random_state_is_neither_read_nor_moved():
    np.random.seed(1)
    torch.manual_seed(1)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    first = simulate("twin/ball", feature_dim=8, n_train=10).digest
    assert np.array_equal(before[0], np.random.get_state()[1]) and torch.equal(before[1], torch.get_rng_state())
    np.random.seed(2)
    torch.manual_seed(2)
    assert simulate("twin/ball", feature_dim=8, n_train=10).digest == first


def test_features_end_where_the_routine_ends():
    data = simulate("twin/tes", feature_dim=8, n_train=30)
    after = torch.arange(data.features.shape[1]) >= data.lengths[:, None]  # (N, C)
    assert (data.features[after] == 0).all() and (data.features[~after] != 0).all()


def test_oracle_is_limited_by_the_judges_alone():
    ceilings = []
    for noise in (1.0, 0.3, 0.0):
        data = simulate("twin/pcs", feature_dim=8, n_train=100, judge_noise=noise)
        ceilings.append(spearman(oracle(data), data.scores))
    assert ceilings[0] < ceilings[1] < ceilings[2]
    assert ceilings[1] > 0.9 and ceilings[2] > 0.9999  # scores are rounded


@EVERY
def test_without_noise_the_oracle_gives_the_scores(target):
    data = simulate(target, feature_dim=8, n_train=50, judge_noise=0)
    assert np.abs(oracle(data) - data.scores.numpy()).max() <= TWIN_TARGETS[target]["step"] / 2 + 1e-9


@EVERY
def test_better_quality_never_costs_points(target):
    data = simulate(target, feature_dim=8, n_train=20)
    for p in range(5):
        better = data.qualities.clone()
        better[:, p] += 0.5
        assert (oracle(replace(data, qualities=better)) >= oracle(data)).all()


def test_ridge_stands_between_chance_and_the_oracle():
    for target in ("twin/ribbon", "twin/pcs"):
        data = simulate(target, feature_dim=32)
        test = data.rows("test")
        ceiling = spearman(oracle(data)[test], data.scores[test])
        assert 0.3 < ridge_srcc(data) < ceiling - 0.05


def test_domain_shift_hurts_ridge_and_touches_only_test_features():
    near, far = (simulate("twin/hoop", feature_dim=32, domain_shift=s) for s in (0, 3))
    assert ridge_srcc(far) < ridge_srcc(near) - 0.1
    changed = (near.features != far.features).flatten(1).any(1)
    assert torch.equal(changed, ~near.is_train), "every test routine, no other"
    assert torch.equal(near.scores, far.scores)


def test_qualities_are_skill_and_slips_as_the_story_tells():
    clean, slips = twin._qualities(np.random.default_rng(0), 20_000, 3)
    assert np.cov(clean.T) == pytest.approx(0.3 * np.eye(3) + 0.7, abs=0.03), "skill 0.7, a deviation of its own 0.3"
    assert (slips > 0).mean() == pytest.approx(0.2, abs=0.01), "one procedure in five"
    assert slips[slips > 0].mean() == pytest.approx(3, abs=0.1) and slips.min() == 0


def test_panels_by_hand():
    difficulty, execution = twin._panels(np.eye(5)).T  # one procedure at 1, the others at 0
    assert difficulty == pytest.approx([1, 1.25, 1.5, 1.75, 2]), "the last counts twice as much as the first"
    assert execution == pytest.approx(np.tanh(1 / 0.8) / 5)


def test_a_slip_is_judged_in_full_and_seen_in_three_clips_at_most(monkeypatch):
    world = twin._world(TWIN_TARGETS["twin/pcs"], 0, 64, 5)

    def routine(seed, size):
        slips = np.array([[0, 0, size, 0, 0]])
        monkeypatch.setattr(twin, "_qualities", lambda rng, n, P: (np.zeros((1, 5)), slips))
        return twin._routine(np.random.default_rng(seed), world, 0.0)

    # from quality 0 to -3, the poor band falls from its upper end -0.8 to -3, the middling one from 0 to -0.8
    looks = np.array([-3 + 0.8, -0.8, 0]) @ world.quality @ world.channels  # (D_C,)
    for seed in range(5):
        (clips, quality, _), (without, _, _) = routine(seed, 3.0), routine(seed, 1e-9)
        (seen,) = np.nonzero(np.abs(clips - without).max(1) > 1e-3)
        assert 1 <= len(seen) <= 3 and np.ptp(seen) == len(seen) - 1
        assert np.allclose((clips - without)[seen], looks, atol=1e-4)
        assert quality.tolist() == [0, 0, -3, 0, 0]


def test_quality_leaves_a_trace_of_the_share_that_is_told(monkeypatch):
    shares, visible = [], twin.VISIBLE
    for seed in range(3):
        monkeypatch.setattr(twin, "VISIBLE", visible)
        data = simulate("twin/pcs", seed, feature_dim=64, n_train=60)
        monkeypatch.setattr(twin, "VISIBLE", 0)
        blind = simulate("twin/pcs", seed, feature_dim=64, n_train=60)
        exists = torch.arange(data.features.shape[1]) < data.lengths[:, None]
        clips, trace = data.features[exists], (data.features - blind.features)[exists]  # (clips, D_C)
        shares.append(float(trace.var(0).mean() / clips.var(0).mean()))
    assert np.mean(shares) == pytest.approx(0.008, abs=0.001)


def test_fewer_training_routines_are_the_first_of_more():
    few, many = (
        simulate("twin/clubs", feature_dim=8, n_train=30),
        simulate("twin/clubs", feature_dim=8, n_train=230),
    )
    assert (len(few), len(many)) == (80, 280)
    assert torch.equal(few.features[:30], many.features[:30]) and few.ids[:30] == many.ids[:30]
    for part in ("features", "scores", "qualities", "lengths"):
        assert torch.equal(getattr(few, part)[~few.is_train], getattr(many, part)[~many.is_train])


def test_tes_and_pcs_are_two_scores_of_the_same_routines():
    tes, pcs = (simulate(f"twin/{t}", feature_dim=8, n_train=200) for t in ("tes", "pcs"))
    assert torch.equal(tes.features, pcs.features) and torch.equal(tes.qualities, pcs.qualities)
    assert 0.7 < np.corrcoef(tes.scores, pcs.scores)[0, 1] < 0.9  # official: 0.84


def test_feature_dim_leaves_qualities_and_scores_alone():
    a, b = (simulate("twin/ball", feature_dim=d, n_train=20) for d in (8, 40))
    assert torch.equal(a.qualities, b.qualities) and torch.equal(a.scores, b.scores)


def test_clips_vary_as_the_official_ones_do():
    data = simulate("twin/pcs", feature_dim=32, n_train=200)
    inside = [f[:n] - f[:n].mean(0) for f, n in zip(data.features, data.lengths, strict=True)]
    within = float(np.mean([r.square().mean() for r in inside]))
    memory = float(np.mean([(r[1:] * r[:-1]).mean() for r in inside])) / within
    assert (within, memory) == pytest.approx((0.0957, 0.620), rel=0.05)  # twin_quantiles.csv
    assert data.mean_clip().var(0).mean() == pytest.approx(0.0275, rel=0.25)  # 12 venues alone vary more


@pytest.mark.parametrize("n_procedures", [1, 7, 20])
def test_any_number_of_procedures(n_procedures):
    data = simulate("twin/ball", feature_dim=8, n_train=20, n_procedures=n_procedures)
    assert data.qualities.shape == (70, n_procedures)
    assert spearman(oracle(data), data.scores) > 0.85


@pytest.mark.parametrize(
    "knob, value",
    [
        ("seed", -1),
        ("seed", 0.5),
        ("feature_dim", 4),
        ("feature_dim", 64.0),
        ("n_train", 0),
        ("n_procedures", 21),
        ("n_procedures", "5"),
        ("domain_shift", -0.1),
        ("judge_noise", float("nan")),
        ("judge_noise", None),
    ],
)
def test_bad_numbers_are_named(knob, value):
    with pytest.raises(CofinalError, match=f"{knob} is .*expected a (whole )?number from") as error:
        simulate("twin/ball", **{knob: value})
    assert "\n" not in str(error.value)


def test_unknown_targets_are_named():
    with pytest.raises(CofinalError, match="unknown twin 'twin/rope'; expected one of twin/ball"):
        simulate("twin/rope")
    data = simulate("twin/ball", feature_dim=8, n_train=10)
    with pytest.raises(CofinalError, match="rg/ball has no oracle"):
        oracle(replace(data, target="rg/ball", source="official", qualities=None))


def test_pooling_averages_consecutive_clips():
    fine, coarse = (simulate("twin/ball", feature_dim=8, n_train=5, pool=pool) for pool in (1, 4))
    for i, n in enumerate(fine.lengths.tolist()):
        groups = [fine.features[i, s : min(s + 4, n)].mean(0) for s in range(0, n, 4)]
        assert coarse.lengths[i] == len(groups)
        assert torch.allclose(coarse.features[i, : len(groups)], torch.stack(groups), atol=1e-6)
        assert not coarse.features[i, len(groups) :].any()
    assert coarse.crop == fine.crop // 4 and torch.equal(coarse.scores, fine.scores)
