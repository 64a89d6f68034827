"""C3D+SVR: it learns what lives in the mean clip, and draws nothing at random."""

import dataclasses

import numpy as np
import pytest
import torch

from cofinal_lib.data import load
from cofinal_lib.metrics import spearman
from cofinal_lib.rivals.c3d_svr import C3DSVR, C3DSVRConfig
from cofinal_lib.runs import RunSpec
from cofinal_lib.train import fit


@pytest.fixture(scope="module")
def easy():
    """A twin whose scores follow, bent, from two numbers of the mean clip."""
    twin = load("twin/ball", feature_dim=16, n_train=80)
    shown = torch.randn(len(twin), 1, 16, generator=torch.Generator().manual_seed(0))
    features = torch.where(twin.features.abs().sum(-1, keepdim=True) > 0, 0.1 * twin.features + shown, 0.0)
    scores = 15 + 3 * torch.tanh(shown[:, 0, 0]) + 2 * shown[:, 0, 1]
    return dataclasses.replace(twin, features=features, scores=scores.double())


def train(data, seeds, epochs=1):
    spec = RunSpec("twin/ball", method="c3d-svr", seeds=tuple(seeds), epochs=epochs)
    config = spec.config(data)
    return fit(lambda generator: C3DSVR(config, generator), data, spec.seeds, spec.schedule)


def test_it_learns_a_signal_in_the_mean_clip_in_one_epoch_whatever_the_seed(easy):
    one, other = train(easy, [0, 5], epochs=7)
    test = easy.rows("test")
    assert one.predictions.shape == (1, len(easy), 2)
    assert spearman(one.predictions[0, test, 0], easy.scores[test]) > 0.8
    assert np.array_equal(one.predictions, other.predictions)
    assert np.array_equal(one.predictions[..., 0], one.predictions[..., 1])
    assert one.losses["total"].shape == (1,) and 0 < one.losses["total"][0] < float(easy.scores.var())


def test_the_unit_of_the_scores_does_not_matter():
    """Tube and C are shares of the training scores' range: sevenfold scores give sevenfold predictions."""
    generator = torch.Generator().manual_seed(0)
    features, lengths = torch.randn(40, 3, 5, generator=generator), torch.full((40,), 3)
    scores = features.mean(1)[:, 0] + 0.2 * torch.randn(40, generator=generator)
    predicted, chosen = [], []
    for unit in (1, 7):
        y = (unit * scores).double()
        model = C3DSVR(C3DSVRConfig(low=float(y.min()), high=float(y.max())))
        error = model.solve(features, lengths, y)["total"]
        predicted.append(model(features, lengths)["score"].double() / unit)
        chosen.append(model.fitted.best_params_["svr__C"] / unit)
        assert error == pytest.approx(float((unit * predicted[-1] - y).square().mean()), rel=1e-5)
    assert torch.allclose(*predicted, atol=1e-2) and chosen[0] == pytest.approx(chosen[1])
    grid = model.fitted.param_grid["svr__C"]
    assert grid[0] < unit * chosen[1] < grid[-1], "between the ends, so that a grid of another unit would not do"
