import numpy as np
import pytest
import torch

from cofinal_lib import CofinalError, simplex_etf
from cofinal_lib.collapse import HEADS, angle_gap, class_means, norm_variation, train, within_class_collapse


def etf_features(K=5, d=8, copies=3):
    """Every sample on its column of an ETF: collapse, complete."""
    E = simplex_etf(d, K, torch.Generator().manual_seed(0))
    return E.T.repeat(copies, 1), torch.arange(K).repeat(copies)


def gaussians(K=4, d=6, n=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(K).repeat_interleave(n)
    centres = 3 * torch.randn(K, d, generator=generator)
    return centres[labels] + torch.randn(K * n, d, generator=generator), labels


def test_an_etf_has_collapsed():
    features, labels = etf_features()
    for measure in (within_class_collapse, angle_gap, norm_variation):
        assert measure(features, labels) == pytest.approx(0, abs=1e-6)


def test_within_class_collapse_is_the_trace_of_papyan():
    features, labels = gaussians()
    x, y = features.double().numpy(), labels.numpy()
    means = np.stack([x[y == k].mean(0) for k in range(4)])
    within = np.mean([np.outer(r, r) for r in x - means[y]], axis=0)
    between = np.mean([np.outer(m, m) for m in means - means.mean(0)], axis=0)
    expected = np.trace(within @ np.linalg.pinv(between, rcond=1e-9)) / 4
    assert within_class_collapse(features, labels) == pytest.approx(expected, rel=1e-8)


def test_two_points_a_class_by_hand():
    # Classes at -1 and +1, samples 0.5 either side: Sigma_W = 0.25, Sigma_B = 1, K = 2.
    features = torch.tensor([[-1.5], [-0.5], [0.5], [1.5]])
    labels = torch.tensor([0, 0, 1, 1])
    assert within_class_collapse(features, labels) == pytest.approx(0.125)
    assert angle_gap(features, labels) == pytest.approx(0)  # cos = -1 = -1/(K-1)
    assert norm_variation(features, labels) == pytest.approx(0)


def test_angles_and_norms_of_a_right_angle_by_hand():
    # Means (2,0), (0,2), (-2,-2): cosines 0, -1/sqrt(2), -1/sqrt(2), each compared with -1/2.
    features = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, -2.0]])
    labels = torch.arange(3)
    gaps = [0.5, np.sqrt(0.5) - 0.5, np.sqrt(0.5) - 0.5]
    assert angle_gap(features, labels) == pytest.approx(np.mean(gaps))
    norms = [2, 2, np.sqrt(8)]
    assert norm_variation(features, labels) == pytest.approx(np.std(norms) / np.mean(norms))


def test_measures_ignore_place_rotation_and_size():
    features, labels = gaussians()
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1)))[0]
    moved = 5 * features @ turn + 7
    for measure in (within_class_collapse, angle_gap, norm_variation):
        assert measure(moved, labels) == pytest.approx(measure(features, labels), rel=1e-4)


def test_classes_weigh_the_same_whatever_their_size():
    features = torch.tensor([[0.0], [0.0], [0.0], [4.0]])
    means, centred = class_means(features, torch.tensor([0, 0, 0, 1]))
    assert means.flatten().tolist() == [0, 4]
    assert centred.flatten().tolist() == [-2, 2]


def test_a_class_without_samples_is_named():
    with pytest.raises(CofinalError, match="class 1 has no sample"):
        class_means(torch.zeros(2, 3), torch.tensor([0, 2]))


def test_an_unknown_head_is_refused():
    with pytest.raises(CofinalError, match="learned"):
        train(gaussians(), gaussians(), 4, seed=0, head="fixed")


@pytest.mark.parametrize("head", HEADS)
def test_training_collapses_and_repeats(head):
    data, test = gaussians(n=10), gaussians(n=10)
    first = train(data, test, 4, seed=3, head=head, epochs=60, every=25)
    assert first["epoch"].tolist() == [1, 25, 50, 60]
    assert first["nc1"].iloc[-1] < first["nc1"].iloc[0] / 3
    assert first["train_error"].iloc[-1] == 0
    assert first.equals(train(data, test, 4, seed=3, head=head, epochs=60, every=25))


def test_weight_decay_takes_features_nearer_to_collapse(monkeypatch):
    data, plain = gaussians(n=10), torch.optim.SGD
    decayed = train(data, data, 4, seed=3, head="etf", epochs=200, every=200).iloc[-1]
    monkeypatch.setattr(torch.optim, "SGD", lambda *given, weight_decay: plain(*given))
    free = train(data, data, 4, seed=3, head="etf", epochs=200, every=200).iloc[-1]
    assert (decayed[["nc1", "angles", "norms"]] < 0.7 * free[["nc1", "angles", "norms"]]).all()


def test_training_leaves_torch_as_it_was():
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    y = torch.arange(12) % 3
    train((torch.randn(12, 4), y), (torch.randn(12, 4), y), 3, seed=0, epochs=2)
    drawn = torch.get_rng_state()
    torch.set_rng_state(before)
    torch.randn(12, 4), torch.randn(12, 4)
    assert torch.equal(drawn, torch.get_rng_state()) and torch.get_num_threads() == threads


def test_the_seed_alone_decides():
    data = gaussians(n=10)
    torch.manual_seed(123)
    first = train(data, data, 4, seed=3, epochs=1)
    torch.manual_seed(5)
    assert first.equals(train(data, data, 4, seed=3, epochs=1))
    assert not first.equals(train(data, data, 4, seed=4, epochs=1))
