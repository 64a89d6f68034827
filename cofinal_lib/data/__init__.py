"""Where routines come from: `load` gives the FeatureSet of any target, `official_scores` the judges' scores alone."""

import hashlib
import os
from inspect import signature
from pathlib import Path

import pandas as pd

from cofinal_lib.data import registry
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.data.readers import OFFICIAL, read_labels, read_official, read_uiprmd
from cofinal_lib.data.twin import TWIN_TARGETS, simulate
from cofinal_lib.errors import CofinalError

TARGETS = (*OFFICIAL, "uiprmd/deep-squat", *TWIN_TARGETS)


def load(target: str, folder: str | os.PathLike | None = None, seed: int = 0, **knobs) -> FeatureSet:
    """Load the routines of one target.

    Args:
        target: one of TARGETS.
        folder: a reader's own copy, in the official layout (`swintx_avg_fps25_clip32/<video>.npy`, `train.txt`,
            `test.txt`) or UI-PRMD's four CSV files. Without it: COFINAL_MIRROR, else the pinned public files.
        seed, knobs: of the twin, see `twin.simulate`; ignored nowhere, refused for real data.

    Raises:
        CofinalError: unknown target, missing or faulty files, no network.
    """
    if target not in TARGETS:
        raise CofinalError(f"unknown target {target!r}; expected one of {', '.join(TARGETS)}")
    dataset = target.split("/")[0]
    if dataset == "twin":
        if folder is not None:
            raise CofinalError(f"{target} is simulated; it is not read from a folder")
        unknown = set(knobs) - set(signature(simulate).parameters)
        if unknown:
            names = ", ".join(signature(simulate).parameters)
            raise CofinalError(f"{target} has no knob {', '.join(sorted(unknown))}; expected one of {names}")
        return simulate(target, seed=seed, **knobs)
    if knobs:
        raise CofinalError(f"{target} is real data; {', '.join(knobs)} belong to the twins")
    if folder is None and dataset == "rg":
        folder = _rg_folder(target)
    folder = Path(folder) if folder is not None else registry.fetch_dataset(dataset)
    return read_uiprmd(folder) if dataset == "uiprmd" else read_official(folder, target)


def _rg_folder(target: str) -> Path:
    """The mirror or the cache may hold a reader's copy of RG's features; the network does not."""
    folder = (registry.mirror() or registry.cache()) / "rg"
    if (folder / registry.CLIP_FOLDER).is_dir():
        return folder
    raise CofinalError(
        f"{target}: the published links to RG's features are dead; bring a folder of your own that holds "
        f"{registry.CLIP_FOLDER}/<video>.npy, train.txt and test.txt, as {folder} or by --folder, "
        f"or take twin/{target.split('/')[1]}"
    )


def official_scores(dataset: str) -> pd.DataFrame:
    """Judges' scores of every routine of "rg" or "fisv", in points, from the public score files; see `read_labels`."""
    return read_labels(registry.fetch(f"{dataset}/train.txt"), registry.fetch(f"{dataset}/test.txt"))


def scores_at_hand(dataset: str) -> pd.DataFrame:
    """Scores of "rg" or "fisv" in long form: columns target ("ball"...), split, video, score in points.

    Where the official files cannot be had, the twins' scores take their place; `frame.attrs["source"]` says "official"
    or "twin", and `frame.attrs["why"]` why.
    """
    targets = [t.split("/")[1] for t in OFFICIAL if t.startswith(f"{dataset}/")]
    try:
        labels, source, why = official_scores(dataset), "official", ""
    except CofinalError as error:
        source, why = "twin", str(error)
    frames = []
    for target in targets:
        if source == "official":
            prefix, column, _ = OFFICIAL[f"{dataset}/{target}"]
            rows = labels[labels["video"].str.startswith(prefix)]
            frame = rows[["video", "split"]].assign(target=target, score=rows[column])
        else:
            twin = simulate(f"twin/{target}", feature_dim=8)
            split = ["train" if is_train else "test" for is_train in twin.is_train]
            frame = pd.DataFrame({"video": twin.ids, "split": split, "target": target, "score": twin.scores})
        frames.append(frame)
    long = pd.concat(frames, ignore_index=True)
    long.attrs |= {"source": source, "why": why}
    return long


def at_hand(target: str) -> bool:
    """Whether `load(target)` works here without a large download: twins, small files, what mirror or cache hold."""
    dataset = target.split("/")[0]
    if dataset == "twin":
        return True
    try:
        if dataset == "uiprmd":
            registry.fetch_dataset(dataset)
            return True
        folder = (registry.mirror() or registry.cache()) / dataset
        return (folder / registry.CLIP_FOLDER).is_dir() and (folder / "train.txt").is_file()
    except CofinalError:
        return False


def state(target: str) -> str:
    """A digest of names, sizes and times of a target's files, which are not read; "" for a twin."""
    dataset = target.split("/")[0]
    if dataset == "twin":
        return ""
    folder = (registry.mirror() or registry.cache()) / dataset
    files = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    listing = "\n".join(f"{path.relative_to(folder)} {s.st_size} {s.st_mtime_ns}" for path, s in files)
    return hashlib.sha256(listing.encode()).hexdigest()
