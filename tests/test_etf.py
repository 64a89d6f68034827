import pytest
import torch

from cofinal_lib import CofinalError, simplex_etf


def gram_of_eq_13(K):
    return K / (K - 1) * torch.eye(K) - 1 / (K - 1)


@pytest.mark.parametrize("K", range(2, 257))
def test_eq_13_holds_for_every_size(K):
    for dim in {K - 1, K, K + 3, 256, 300} - set(range(K - 1)):
        E = simplex_etf(dim, K, torch.Generator().manual_seed(K))
        assert E.shape == (dim, K) and E.dtype == torch.float32
        assert (E.T @ E - gram_of_eq_13(K)).abs().max() < 1e-6
        assert E.sum(1).abs().max() < 1e-5  # the vectors balance


def test_eq_12_is_a_rotation_of_the_centred_axes():
    K, dim = 7, 12
    E = simplex_etf(dim, K, torch.Generator().manual_seed(3)).double()
    # Recover U up to the direction the centring kills: U (I - 11'/K) = E sqrt((K-1)/K); its Gram is the projector.
    projected = E * ((K - 1) / K) ** 0.5
    centring = torch.eye(K) - 1 / K
    assert torch.allclose(projected.T @ projected, centring.double(), atol=1e-6)


def test_without_a_generator_the_frame_is_the_centred_axes():
    E = simplex_etf(3, 2)
    assert torch.allclose(E, torch.tensor([[0.5, -0.5], [-0.5, 0.5], [0, 0]]) * 2**0.5)


def test_same_generator_same_frame_other_generator_another():
    a, b = (simplex_etf(16, 5, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.allclose(a, simplex_etf(16, 5, torch.Generator().manual_seed(2)))


@pytest.mark.parametrize(
    ("dim", "K", "words"), [(3, 5, "at least 4 dimensions.*at most 4 classes"), (4, 1, "at least 2 vectors")]
)
def test_an_impossible_frame_says_what_it_needs(dim, K, words):
    with pytest.raises(CofinalError, match=words):
        simplex_etf(dim, K)
