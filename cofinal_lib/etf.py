"""The simplex equiangular tight frame: Definition 1, Eq. 12 and 13."""

import math

import torch
from scipy.linalg import helmert
from torch import Tensor

from cofinal_lib.errors import CofinalError


def simplex_etf(dim: int, n_classes: int, generator: torch.Generator | None = None) -> Tensor:
    """Return K unit vectors in R^d, every two of them at the same, widest possible angle (Eq. 12).

    Args:
        dim: d, the dimension the vectors live in; at least K - 1.
        n_classes: K, how many vectors; at least 2.
        generator: draws the rotation U. Without one, U is the first K axes: no rotation.

    Returns:
        E, float32, (d, K): one prototype a column, with E'E = K/(K-1) I - 1/(K-1) 11' (Eq. 13).

    Raises:
        CofinalError: K < 2, or d < K - 1, where no such frame exists.

    Eq. 12 asks for U with U'U = I_K, so for d >= K. The frame itself spans only K - 1 dimensions (its vectors
    sum to zero), so d = K - 1 is offered too: there we rotate an orthonormal basis of that span instead.
    """
    K = n_classes
    if K < 2:
        raise CofinalError(f"simplex_etf: n_classes is {K}; an ETF needs at least 2 vectors")
    if dim < K - 1:
        raise CofinalError(
            f"simplex_etf: {K} equiangular vectors need at least {K - 1} dimensions, dim is {dim}; "
            f"raise dim or ask for at most {dim + 1} classes"
        )
    scale = math.sqrt(K / (K - 1))
    if dim >= K:
        U = _orthonormal_columns(dim, K, generator)
        centring = torch.eye(K, dtype=torch.float64) - 1 / K  # I - (1/K) 11'
        E = scale * U @ centring  # (d, K)
    else:
        U = _orthonormal_columns(dim, dim, generator)
        E = scale * U @ torch.from_numpy(helmert(K))  # (K-1, K-1) @ (K-1, K): rows orthogonal to the all-ones vector
    return E.float()


def _orthonormal_columns(rows: int, columns: int, generator: torch.Generator | None) -> Tensor:
    """U with U'U = I, (rows, columns), drawn uniformly: QR of a Gaussian matrix, signs fixed by R's diagonal."""
    if generator is None:
        return torch.eye(rows, columns, dtype=torch.float64)
    gaussian = torch.randn(rows, columns, dtype=torch.float64, generator=generator)
    Q, R = torch.linalg.qr(gaussian)
    return Q * R.diagonal().sign()
