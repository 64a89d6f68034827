"""FeatureSet: a part of the routines, and folds of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cofinal_lib.data import load
from cofinal_lib.data.features import FeatureSet, pad


def two_routines(*lengths):
    """All clips alike, so that only the lengths say where a routine ends."""
    features, counts = pad([np.ones((n, 2)) for n in lengths])
    scores, is_train = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor([True, False])
    return FeatureSet("rg/ball", "official", ("a", "b"), features, counts, scores, is_train, crop=124)


@pytest.mark.parametrize(
    "changed",
    [
        {"target": "rg/hoop"},
        {"ids": ("a", "c")},
        {"features": two_routines(3, 2).features * (1 + 1e-6)},
        {"scores": torch.tensor([1.0, 2.01], dtype=torch.float64)},
        {"is_train": torch.tensor([True, True])},
        {"lengths": two_routines(2, 3).lengths, "features": two_routines(2, 3).features},
        {"crop": 68},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_digest_sees_each_field_that_could_change_a_result(changed):
    data = two_routines(3, 2)
    assert data.digest == replace(data).digest != replace(data, **changed).digest


def test_a_pooled_crop_has_room_for_every_clip_of_the_crop():
    assert [two_routines(3, 2).pooled(k).crop for k in (1, 4, 16)] == [124, 31, 8]  # 124 / 16 = 7.75


def test_a_part_of_the_routines_keeps_what_belongs_to_each():
    whole = load("twin/ball", feature_dim=8)
    rows = whole.rows("test").flip(0)
    part = whole.only(rows)
    assert part.ids == tuple(whole.ids[i] for i in rows) and not part.is_train.any()
    for name in ("features", "lengths", "scores", "qualities"):
        assert torch.equal(getattr(part, name), getattr(whole, name)[rows])


def test_folds_hold_out_each_routine_once_and_repeat_by_their_seed():
    data = load("twin/ball", feature_dim=8)
    folds = data.folds(5, seed=3)
    assert torch.equal(torch.stack([~f.is_train for f in folds]).sum(0), torch.ones(len(data), dtype=torch.long))
    assert {int((~f.is_train).sum()) for f in folds} == {50}
    again, other = data.folds(5, seed=3), data.folds(5, seed=4)
    assert all(torch.equal(a.is_train, b.is_train) for a, b in zip(folds, again, strict=True))
    assert not all(torch.equal(a.is_train, b.is_train) for a, b in zip(folds, other, strict=True))
