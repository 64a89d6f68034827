"""What three methods reach on the twins: test SRCC, averaged over seeds through Fisher's z.

    python data_scripts/twin_ceiling.py [SEEDS] [FEATURE_DIM] [EPOCHS]

Defaults: 3 seeds, 128, 60. A seed draws a twin of its own and one training of CoFInAl on it.
CoFInAl is the method as printed, its grades spanning the training scores.
The soft score after the last epoch counts.
"""

from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
import typer

from cofinal_lib import CoFInAl, CoFInAlConfig
from cofinal_lib.baselines import ridge_on_mean_clip
from cofinal_lib.command import run
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.data.twin import TWIN_TARGETS, oracle, simulate
from cofinal_lib.metrics import fisher_mean, spearman
from cofinal_lib.train import fit


def cofinal(data: FeatureSet, seed: int, epochs: int) -> np.ndarray:
    """Points, (N,): CoFInAl as printed."""
    scores = data.scores[data.is_train]
    config = CoFInAlConfig(feature_dim=data.feature_dim, low=float(scores.min()), high=float(scores.max()))
    schedule = replace(CoFInAl.schedule, epochs=epochs, holdout=0)
    (result,) = fit(lambda generator: CoFInAl(config, generator), data, [seed], schedule)
    return result.predictions[-1, :, 0]


def main(
    seeds: Annotated[int, typer.Argument(min=1)] = 3,
    feature_dim: Annotated[int, typer.Argument(min=1)] = 128,
    epochs: Annotated[int, typer.Argument(min=1)] = 60,
) -> None:
    """Print one line a target."""
    torch.set_num_threads(1)  # the same numbers however many cores there are
    print(f"{seeds} seeds, feature_dim {feature_dim}, {epochs} epochs\ntarget        oracle   ridge  CoFInAl")
    for target in TWIN_TARGETS:
        reached = []
        for seed in range(seeds):
            data = simulate(target, seed=seed, feature_dim=feature_dim)
            test = data.rows("test").numpy()
            predictions = oracle(data), ridge_on_mean_clip(data)[0], cofinal(data, seed, epochs)
            reached.append([spearman(p[test], data.scores[test]) for p in predictions])
        print(f"{target:12}" + "".join(f"{fisher_mean(r):8.3f}" for r in zip(*reached, strict=True)), flush=True)


if __name__ == "__main__":
    run(main)
