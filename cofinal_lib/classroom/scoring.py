"""Visible tests of assignment 5: fine-grained scoring, dot regression, training."""

import numpy as np
import torch

from cofinal_lib import CoFInAl, CoFInAlConfig
from cofinal_lib.classroom.checks import array, call, finite, holds, same, shaped, whole
from cofinal_lib.data import FeatureSet
from cofinal_lib.metrics import spearman


def nearest_subgrade(function) -> None:
    """Features that lie on a prototype."""
    E = torch.eye(3)
    fine = torch.stack([E[:, [1]].T.repeat(2, 1), 5 * E[:, [2]].T.repeat(2, 1)])  # (2, G, D)
    index = shaped(call(function, fine, E), (2,), "the sub-grades", "(B,)")
    same(whole(index, 0, 2, "the sub-grade"), [1, 2], "features on prototypes 1 and 2", "Which column is nearest?")


def dot_regression_loss(function) -> None:
    """Zero on the target prototype, whatever the feature's length; above zero elsewhere."""
    E, subgrade = torch.eye(3), torch.tensor([2, 0])
    loss = array(call(function, 7.0 * E[:, subgrade].T, E, subgrade), "L_F")
    holds(loss.shape == (), "L_F should be one number, the mean over the routines")
    holds(abs(float(loss)) < 1e-5, "L_F should be zero for a feature in its prototype's direction, however long it is")
    away = float(finite(call(function, E[:, [1, 1]].T.clone(), E, subgrade), "L_F"))
    holds(away > 0.1, "L_F should be above zero for features in another prototype's direction")


def soft_score(function) -> None:
    """A sure classifier gives the middle of a level."""
    sure = 100 * torch.eye(5)[[3]], 100 * torch.eye(10)[[0]]
    points = shaped(call(function, *sure, 0.0, 25.0), (1,), "the score", "(B,)")
    same(
        points, [15.25], "a classifier that is sure of grade 3 and sub-grade 0", "The middle of that level, in points."
    )


def train(function) -> None:
    """One loss an epoch, falling; a model that is left ready to predict."""
    data = easy_routines(seed=0, n_train=96)  # batches of equal size, or the last epoch's loss is noise
    model = tiny_model(data)
    before = [p.detach().clone() for p in model.parameters()]
    losses = function(model, data, 8, 0.02, 0)
    losses = finite(shaped(losses, (8,), "the losses", "one for each epoch"), "the losses", "Did the training diverge?")
    holds(not model.training, "the model should be left in evaluation mode: model.eval()")
    changed = any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    holds(changed, "no parameter changed: did the optimiser take a step?")
    holds(losses[-1] < losses[0], "the loss of the last epoch should be below that of the first")


def easy_routines(seed: int, n_train: int = 70, n_test: int = 40) -> FeatureSet:
    """Made-up routines of 4 clips whose first two channels tell the score, for tests alone; test routines come last.

    The last two channels are a routine's number and its length.
    """
    N, draw = n_train + n_test, torch.Generator().manual_seed(seed)
    clips = torch.randn(N, 4, 8, generator=draw)
    points = (12 + 3 * clips[..., 0].mean(1) + 2 * clips[..., 1].mean(1)).double()
    clips[..., 6], clips[..., 7] = torch.arange(N)[:, None] / N, 4
    return FeatureSet(
        target="easy",
        source="twin",
        ids=tuple(str(i) for i in range(N)),
        features=clips,
        lengths=torch.full((N,), 4),
        scores=points,
        is_train=torch.arange(N) < n_train,
    )


class Probe(torch.nn.Module):
    """A model that learns nothing and writes down how it is trained on `easy_routines`.

    batches: the routines' numbers, batch by batch; modes: whether it was in training mode; weights: its two
    parameters before each step; misfits: batches whose lengths or scores were others'. The losses' gradient is always
    minus `pull`, and each loss is the mean number of its batch's routines.
    """

    def __init__(self, data: FeatureSet, pull: tuple[float, float] = (0.6, 0.8)):
        super().__init__()
        self.data, self.pull = data, torch.tensor(pull).double()
        self.weight = torch.nn.Parameter(torch.full((2,), 100.0).double())
        self.batches, self.modes, self.weights, self.misfits = [], set(), [], 0

    def forward(self, features, lengths):
        """Write down which routines these are."""
        self.batches.append((features[:, 0, 6] * len(self.data)).round().long().tolist())
        self.misfits += int(len(lengths) != len(features) or bool((lengths != features[:, 0, 7]).any()))
        return {"score_soft": self.weight.sum().expand(len(features))}

    def loss(self, out, scores):
        """The mean number of these routines, with the same gradient whatever they are."""
        self.modes.add(self.training)
        self.weights.append(self.weight.detach().clone())
        self.misfits += int(not torch.allclose(scores.double(), self.data.scores[self.batches[-1]], atol=1e-3))
        mean = sum(self.batches[-1]) / len(self.batches[-1])
        return {"total": mean - ((self.weight - self.weight.detach()) * self.pull).sum()}


def tiny_model(data: FeatureSet, seed: int = 0) -> CoFInAl:
    """CoFInAl as printed, in small, for the training scores' range."""
    scores = data.scores[data.rows("train")]
    sizes = {"procedure_dim": 32, "score_dim": 24, "n_grades": 4, "n_subgrades": 10, "dropout": 0.0}
    config = CoFInAlConfig(feature_dim=data.feature_dim, low=float(scores.min()), high=float(scores.max()), **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CoFInAl(config, torch.Generator().manual_seed(seed))


def correlation_on_test(model, data: FeatureSet) -> float:
    """Spearman's rank correlation of the soft scores with the judges', over the test routines."""
    rows = data.rows("test")
    with torch.no_grad():
        predicted = model.eval()(data.features[rows], data.lengths[rows])["score_soft"]
    return spearman(np.asarray(predicted), data.scores[rows].numpy())
