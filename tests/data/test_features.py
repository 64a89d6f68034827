"""FeatureSet: a part of the routines, and folds of them."""

import torch

from cofinal_lib.data import load


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
