"""What the released program does where the paper has an equation: the facts, and what can be measured of them.

Released: github.com/ZhouKanglei/CoFInAl_AQA at fe1f4c1. Files and lines of it stand in paper/equations.csv and
paper/settings.csv; what is measured here is measured on our copy, `rivals.cofinal_released`, or on public labels.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from cofinal_lib.cofinal import count_parameters
from cofinal_lib.data import scores_at_hand
from cofinal_lib.data.registry import COFINAL, fetch
from cofinal_lib.errors import CofinalError
from cofinal_lib.figures.rivals import inside
from cofinal_lib.metrics import spearman
from cofinal_lib.rivals.cofinal_released import LEVELS, ReleasedCoFInAl, normalised

COMMIT = COFINAL.rsplit("/", 1)[1]
PAGES = f"https://github.com/ZhouKanglei/CoFInAl_AQA/blob/{COMMIT}"


def permalinks(places: str) -> list[tuple[str, str]]:
    """Places in the released program, such as "main.py:57-58 options.py:23": [(what to print, address)]."""
    links = []
    for place in places.split():
        file, _, lines = place.partition(":")
        anchor = "#" + "-".join(f"L{n}" for n in lines.split("-")) if lines else ""
        links.append((place.rpartition("/")[2], f"{PAGES}/{file}{anchor}"))
    return links


# --------------------------------------------------------------------------------------- modules


def tokens(model: torch.nn.Module, path: str, features: Tensor, lengths: Tensor) -> int:
    """How many vectors a routine is, (B, n, D) -> n, in what the submodule at `path` gives."""
    return inside(model, features, lengths, path)[1][0].shape[1]


def learned(model: ReleasedCoFInAl) -> dict[str, int]:
    """How many numbers each part of the released network learns."""
    parts = {
        "projection": model.in_proj,
        "encoder": model.transformer.encoder,
        "decoder": model.transformer.decoder,
        "prototypes": model.prototype,
        "vote": model.regressor,
        "mirrored vote": model.regressor_revert,
        "fine head: attention": model.regi,
        "fine head: linear layers": model.regressori,
    }
    return {name: count_parameters(part) for name, part in parts.items()}


@torch.no_grad()
def among_mates(
    model: ReleasedCoFInAl, features: Tensor, lengths: Tensor, draws: int = 50, size: int = 32, seed: int = 0
) -> pd.DataFrame:
    """The first routine's outputs in batches with others drawn at random, against the same routine alone.

    Args:
        model: in evaluation mode, so that nothing else ties a batch together.
        features, lengths: (N, C, D_C), (N,), more than `size` routines.

    Returns:
        one row a draw: cosine of its fine vector with the one it has alone; vote, the change of its vote; subgrade,
        the level its own fine vector reads; spread, the mean angle in degrees between the fine vectors of the batch,
        and spread_alone, of the same routines each alone.
    """
    random, rows = np.random.default_rng(seed), []
    alone = model.one_by_one(features, lengths)
    for _ in range(draws):
        others = 1 + random.choice(len(features) - 1, size - 1, replace=False)
        batch = torch.from_numpy(np.concatenate([[0], others]))
        out = model(features[batch], lengths[batch])
        rows.append(
            {
                "cosine": float(out["dec"][0] @ alone["dec"][0]),
                "vote": float((out["int"][0] - alone["int"][0]).abs()),
                "subgrade": int((out["dec"][0] @ model.etf_vec1).argmax()),
                "spread": mean_angle(out["dec"]),
                "spread_alone": mean_angle(alone["dec"][batch]),
            }
        )
    return pd.DataFrame(rows)


def mean_angle(vectors: Tensor) -> float:
    """Mean angle between every two of (N, D) vectors, in degrees."""
    unit = normalize(vectors.double(), dim=1)
    i, j = torch.triu_indices(len(unit), len(unit), 1)
    return float((unit[i] * unit[j]).sum(1).clamp(-1, 1).arccos().rad2deg().mean())


# --------------------------------------------------------------------------------------- labels


def label_lines(split: str) -> tuple[list[str], str]:
    """The lines of Fis-V's "train" or "test" label file, and "official"; or lines made of a twin, and "twin"."""
    try:
        return fetch(f"fisv/{split}.txt").read_text().splitlines(), "official"
    except CofinalError:
        twin = scores_at_hand("fisv").query("split == @split and target == 'tes'")
        return [f"{r.video} {r.score:.2f}" for r in twin.itertuples()], "twin"


def released_rows(lines: list[str]) -> list[str]:
    """The routines that the released loader reads of a label file: the first line counts as a header, always."""
    return [line for line in lines[1:] if line.strip()]


def subgrades(scores: np.ndarray, cap: float = 25.0) -> pd.DataFrame:
    """The level in each of 100 x 100 that a score falls into, as the released program finds it and exactly.

    Args:
        scores: (N,), in points, as written with two decimals.
        cap: the score that counts as 1.

    Returns:
        coarse, fine (0...99), as released: from float32, cut off; exact_coarse, exact_fine.
    """
    level = (normalised(torch.tensor(np.asarray(scores), dtype=torch.float32), cap) * LEVELS**2).long().numpy()
    hundredths = np.round(np.asarray(scores, float) * 100).astype(int)
    exact = np.floor(hundredths * LEVELS**2 / (100 * cap) + 1e-9).astype(int)
    columns = {"coarse": level // LEVELS, "fine": level % LEVELS}
    return pd.DataFrame(columns | {"exact_coarse": exact // LEVELS, "exact_fine": exact % LEVELS})


def ceiling(scores: np.ndarray, cap: float = 25.0) -> float:
    """SRCC of scores with their own 100 coarse levels: a fine head can add at most 1 less this to perfect votes."""
    return spearman(subgrades(scores, cap)["exact_coarse"], scores)


def released_frame() -> Tensor:
    """The fixed directions of the released program, (100, 100), a column each (models/model.py:19-38, main.py:69).

    It seeds NumPy with 0, and the frame is the first thing it draws: a uniform matrix, made orthogonal, then Eq. 12.
    """
    Q, _ = np.linalg.qr(np.random.RandomState(0).random_sample((LEVELS, LEVELS)))
    return torch.from_numpy(np.sqrt(LEVELS / (LEVELS - 1)) * (Q - Q.mean(1, keepdims=True))).float()


def best_constant(targets: Tensor, steps: int = 200) -> Tensor:
    """A unit vector that costs little as the answer to all targets, in L1, the mean distance of coordinates.

    Args:
        targets: (N, D) unit vectors.

    Gradient descent from the median, which would cost least were it not too short. The least cost has many valleys:
    what is found bounds it from above.
    """
    v = normalize(targets.median(0).values, dim=0).clone().requires_grad_()
    optimiser = torch.optim.Adam([v], lr=0.05)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, steps)
    best, least = None, np.inf
    for _ in range(steps):
        unit = normalize(v, dim=0)
        cost = (targets - unit).abs().mean()
        if cost.item() < least:
            best, least = unit.detach(), cost.item()
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        scheduler.step()
    return best
