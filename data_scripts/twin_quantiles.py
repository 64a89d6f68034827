"""Recompute cofinal_lib/data/twin_quantiles.csv, the facts about the official data that the twin imitates.

    python data_scripts/twin_quantiles.py FOLDER > cofinal_lib/data/twin_quantiles.csv

FOLDER holds rg/train.txt, rg/test.txt, fisv/train.txt, fisv/test.txt and fisv/swintx_avg_fps25_clip32/*.npy.
A line of the result is target, fact, level, value; level is the quantile's level, empty for other facts.
Training and test routines are pooled: the official splits are draws from one population.
"""

from pathlib import Path

import numpy as np

from cofinal_lib.command import run
from cofinal_lib.data import registry
from cofinal_lib.data.readers import read_clips, read_labels

LEVELS = (0, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 1)


def score_facts(target: str, split, first, second, score, clips) -> list[tuple]:
    """Facts of one target; `first` and `second` are its panels: difficulty and execution, or TES and PCS."""
    facts = [(target, f"n_{name}", "", (split == name).sum()) for name in ("train", "test")]
    facts += [(target, "panel_correlation", "", np.corrcoef(first, second)[0, 1])]
    facts += [(target, "difficulty_sd", "", np.std(first)), (target, "execution_sd", "", np.std(second))]
    facts += [(target, "score", level, np.quantile(score, level)) for level in LEVELS]
    # A count of clips is a whole number: take the smallest one that reaches the level.
    return facts + [(target, "clips", x, np.quantile(clips, x, method="inverted_cdf")) for x in LEVELS]


def effective_rank(deviations: np.ndarray) -> float:
    """(sum of eigenvalues)^2 / sum of their squares, of the covariance of the rows (n, D_C)."""
    eigenvalues = np.linalg.svd(deviations, compute_uv=False) ** 2
    return float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


def feature_facts(routines: list[np.ndarray]) -> dict[str, float]:
    """Second-order facts of clip features, routines of (C_i, D_C), per channel.

    mean_rms: root mean square over channels of the grand mean.
    between, within: variance of the routines' means, and of clips about their routine's mean.
    common: variance of what all routines share at the same fifth of their time.
    autocorrelation: of neighbouring clips about their routine's mean.
    rank_between, rank_within: effective ranks of the two.
    """
    grand = np.concatenate(routines).mean(0)
    means = np.stack([r.mean(0) for r in routines])  # (N, D_C)
    inside = [r - mean for r, mean in zip(routines, means, strict=True)]
    within = np.mean([np.mean(r**2) for r in inside])
    fifths = np.mean([[s.mean(0) for s in np.array_split(r, 5)] for r in inside], axis=0)  # (5, D_C)
    # Eight clips a routine, without its first and last, which differ from all else.
    some = np.concatenate([r[np.linspace(0, len(r) - 1, 10).astype(int)[1:-1]] for r in inside])
    return {
        "mean_rms": np.sqrt(np.mean(grand**2)),
        "between": np.mean((means - grand) ** 2),
        "within": within,
        "common": np.mean(fifths**2),
        "autocorrelation": np.mean([np.mean(r[1:] * r[:-1]) for r in inside]) / within,
        "rank_between": effective_rank(means - grand),
        "rank_within": effective_rank(some),
    }


def main(folder: Path) -> None:
    """Print the CSV."""
    rg, fisv = (read_labels(folder / name / "train.txt", folder / name / "test.txt") for name in ("rg", "fisv"))
    facts = []
    for apparatus in ("Ball", "Clubs", "Hoop", "Ribbon"):
        rows = rg[rg["video"].str.startswith(apparatus)]
        # 32-frame clips at 25 frames a second, from the durations: the features themselves are not public.
        clips = rows["seconds"] * 25 // 32
        facts += score_facts(
            apparatus.lower(), rows["split"], rows["difficulty"], rows["execution"], rows["total"], clips
        )
    features = folder / "fisv" / registry.CLIP_FOLDER
    routines = [read_clips(features / f"{video}.npy") for video in fisv["video"]]
    clips = [len(r) for r in routines]
    for target in ("tes", "pcs"):
        facts += score_facts(target, fisv["split"], fisv["tes"], fisv["pcs"], fisv[target], clips)
    facts += [("fisv", name, "", value) for name, value in feature_facts(routines).items()]
    print("target,fact,level,value")
    for target, fact, level, value in facts:
        print(f"{target},{fact},{level},{value:.6g}")


if __name__ == "__main__":
    run(main)
