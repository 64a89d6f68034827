"""Neural collapse, measured (Papyan et al., 2020): features (N, d), labels (N,); each measure is 0 at collapse."""

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize, one_hot

from cofinal_lib.errors import CofinalError
from cofinal_lib.etf import simplex_etf
from cofinal_lib.fine_scoring import dot_regression_loss
from cofinal_lib.train import one_thread

HEADS = ("learned", "etf", "etf_dot")


def class_means(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean feature of each class (K, d), and the same less their average; refuses an empty class below the last."""
    counts = torch.bincount(labels)
    if (counts == 0).any():
        raise CofinalError(f"class_means: class {int(counts.argmin())} has no sample, so it has no mean")
    means = one_hot(labels).T.double() @ features.double() / counts[:, None]  # (K, d)
    return means, means - means.mean(0)


def within_class_collapse(features: Tensor, labels: Tensor) -> float:
    """NC1 of Papyan et al. (2020), tr(Sigma_W Sigma_B^+) / K: spread within over spread between classes."""
    means, centred = class_means(features, labels)
    residuals = features.double() - means[labels]  # (N, d)
    # With M the centred means (K, d): Sigma_B = M'M / K, so Sigma_B^+ = K M^+ (M^+)', and the two K cancel.
    return float((residuals @ torch.linalg.pinv(centred, rtol=1e-9)).square().sum() / len(residuals))


def angle_gap(features: Tensor, labels: Tensor) -> float:
    """NC2 of Papyan et al. (2020), angles: mean of |cos + 1/(K-1)| over pairs of centred means."""
    directions = normalize(class_means(features, labels)[1], dim=-1)
    K = len(directions)
    cosines = (directions @ directions.T)[~torch.eye(K, dtype=torch.bool)]  # (K (K-1),)
    return float((cosines + 1 / (K - 1)).abs().mean())


def norm_variation(features: Tensor, labels: Tensor) -> float:
    """NC2 of Papyan et al. (2020), lengths: deviation over mean of the centred means' norms."""
    norms = class_means(features, labels)[1].norm(dim=-1)
    return float(norms.std(correction=0) / norms.mean())


def train(train_set, test_set, n_classes: int, seed: int, head="learned", epochs=600, every=20):
    """Train a small MLP, its features 32 wide, on all samples at once, long past zero training error.

    Args:
        train_set, test_set: (inputs (N, D), labels (N,)). seed: of the weights and of the ETF's rotation.
        head: "learned" (linear, cross-entropy), "etf" (the same, its weights fixed to an ETF's columns) or
            "etf_dot" (fixed ETF with the loss of Eq. 15; the nearest column decides, as in Eq. 14).
        every: epochs between measurements; the first and the last epoch are always measured.

    Returns:
        a frame, one row a measurement: epoch (from 1), train_error, test_error (shares of 1), and the three
        measures of the training features: nc1, angles, norms.

    Raises:
        CofinalError: no such head.
    """
    if head not in HEADS:
        raise CofinalError(f"collapse.train: head is {head!r}; it can be one of {HEADS}")
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _train(head, train_set, test_set, n_classes, seed, epochs, every)


def _train(head, train_set, test_set, n_classes, seed, epochs, every) -> pd.DataFrame:
    (X, y), rows = train_set, []
    widths = ((X.shape[1], 64), (64, 64), (64, 32))
    net = nn.Sequential(*(m for i, o in widths for m in (nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU())))[:-1]
    classifier = nn.Linear(32, n_classes, bias=False)
    if head != "learned":
        etf = simplex_etf(32, n_classes, torch.Generator().manual_seed(seed)).T  # (K, 32)
        classifier.weight = nn.Parameter(etf, requires_grad=False)  # no gradient: SGD leaves it alone
    optimiser = torch.optim.SGD([*net.parameters(), *classifier.parameters()], 0.1, 0.9, weight_decay=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for epoch in range(1, epochs + 1):
        h = net(X)  # (N, 32)
        logits = classifier(normalize(h, dim=-1) if head == "etf_dot" else h)  # (N, K)
        loss = dot_regression_loss(logits, y) if head == "etf_dot" else cross_entropy(logits, y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if epoch % every == 0 or epoch in (1, epochs):
            net.eval()
            with torch.no_grad():
                h, pairs = net(X), (train_set, test_set)
                errors = [(classifier(net(x)).argmax(-1) != t).double().mean().item() for x, t in pairs]
            rows.append([epoch, *errors, within_class_collapse(h, y), angle_gap(h, y), norm_variation(h, y)])
            net.train()
    return pd.DataFrame(rows, columns=["epoch", "train_error", "test_error", "nc1", "angles", "norms"])
