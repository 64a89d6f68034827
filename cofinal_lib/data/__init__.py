"""Where routines come from: `load` gives the FeatureSet of any target, `official_scores` the judges' scores alone."""

import hashlib
import os
from pathlib import Path

import pandas as pd

from cofinal_lib.data import registry
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.data.readers import BACKBONES, OFFICIAL, read_labels, read_official, read_uiprmd
from cofinal_lib.data.twin import TWIN_TARGETS, check_knobs, simulate
from cofinal_lib.errors import CofinalError

TARGETS = (*OFFICIAL, "uiprmd/deep-squat", *TWIN_TARGETS)
OTHER_BACKBONES = tuple(f"{target}@{backbone}" for target in OFFICIAL for backbone in BACKBONES)  # a reader's own


def load(target: str, /, folder: str | os.PathLike | None = None, **knobs) -> FeatureSet:
    """Load the routines of one target.

    Args:
        target: one of TARGETS. An official one takes "@i3d" or "@c3d": a reader's features of that backbone.
        folder: a reader's own copy, in the official layout (`swintx_avg_fps25_clip32/<video>.npy`, or `i3d/`, `c3d/`;
            `train.txt`, `test.txt`) or UI-PRMD's four CSV files. Without it: COFINAL_MIRROR, else the pinned public
            files.
        knobs: of the twin, its seed among them, see `twin.simulate`; refused for real data.

    Raises:
        CofinalError: unknown target, missing or faulty files, no network.
    """
    if target not in (*TARGETS, *OTHER_BACKBONES):
        raise CofinalError(
            f"unknown target {target!r}; expected one of {', '.join(TARGETS)}; "
            f"rg and fisv also with @{' or @'.join(BACKBONES)}"
        )
    dataset = target.split("/")[0]
    if dataset == "twin":
        if folder is not None:
            raise CofinalError(f"{target} is simulated; it is not read from a folder")
        check_knobs(knobs)
        return simulate(target, **knobs)
    if knobs:
        raise CofinalError(f"{target} is real data; {', '.join(knobs)} belong to the twins")
    if folder is None and (dataset == "rg" or target in OTHER_BACKBONES):
        folder = _readers_own(target)
    folder = Path(folder) if folder is not None else registry.fetch_dataset(dataset)
    return read_uiprmd(folder) if dataset == "uiprmd" else read_official(folder, target)


def _readers_own(target: str) -> Path:
    """The mirror or the cache may hold a reader's copy of features that the network does not."""
    folder, clips = _place(target)
    if clips.is_dir():
        return folder
    why, instead = "the published links to RG's features are dead", f"twin/{target.split('/')[1]}"
    if target in OTHER_BACKBONES:
        why, instead = "no public copy of these features is known", target.split("@")[0]
    raise CofinalError(
        f"{target}: {why}; bring a folder of your own that holds {clips.name}/<video>.npy, train.txt and test.txt, "
        f"as {folder} or by --folder, or take {instead}"
    )


def _place(target: str, folder: Path | None = None) -> tuple[Path, Path]:
    """Where an official target's data set lies or would lie, and its clips."""
    folder = Path(folder) if folder else (registry.mirror() or registry.cache()) / target.split("/")[0]
    return folder, folder / (target.partition("@")[2] or registry.CLIP_FOLDER)


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


def at_hand(target: str, folder: Path | None = None) -> bool:
    """Whether `load(target)` works here without a large download: twins, small files, what mirror or cache hold.

    `folder` takes the place of mirror and cache, for official targets.
    """
    dataset = target.split("/")[0]
    if dataset == "twin":
        return True
    registry.mirror()  # one that is no folder is an error, and not "nothing here"
    try:
        if dataset == "uiprmd":
            registry.fetch_dataset(dataset)
            return True
        folder, clips = _place(target, folder)
        return clips.is_dir() and (folder / "train.txt").is_file()
    except CofinalError:
        return False


def state(target: str) -> str:
    """A digest of names, sizes and times of a target's files, which are not read; "" for a twin."""
    dataset = target.split("/")[0]
    if dataset == "twin":
        return ""
    folder = (registry.mirror() or registry.cache()) / dataset
    files = [(path, path.stat()) for path in sorted(folder.rglob("*")) if path.exists()]  # a link may lead nowhere
    listing = "\n".join(f"{path.relative_to(folder)} {s.st_size} {s.st_mtime_ns}" for path, s in files)
    return hashlib.sha256(listing.encode()).hexdigest()
