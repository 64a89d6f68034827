"""Readers of the two real layouts: GDLT's folder of clip features (RG, Fis-V), and UI-PRMD's CSV files."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cofinal_lib.data.features import FeatureSet, pad
from cofinal_lib.data.registry import CLIP_FOLDER
from cofinal_lib.errors import CofinalError

# target -> (prefix of its videos' names, column of its score, clips a training routine is cut to)
OFFICIAL = {
    "rg/ball": ("Ball_", "total", 68),
    "rg/clubs": ("Clubs_", "total", 68),
    "rg/hoop": ("Hoop_", "total", 68),
    "rg/ribbon": ("Ribbon_", "total", 68),
    "fisv/tes": ("", "tes", 124),
    "fisv/pcs": ("", "pcs", 124),
}
COLUMNS = {
    "rg": ["video", "difficulty", "execution", "total", "penalty", "seconds"],
    "fisv": ["video", "tes", "pcs", "deductions"],
}
WIDTHS = (1024, 2048, 4096)  # VST and Inception I3D, I3D on ResNet-50, C3D
# Other backbones' features, in folders of these names beside VST's, with their widths: "fisv/pcs@i3d" reads i3d/.
BACKBONES = {"i3d": (1024, 2048), "c3d": (4096,)}


def read_labels(train: Path, test: Path) -> pd.DataFrame:
    """Read a pair of label files, RG's or Fis-V's, told apart by their number of columns.

    Returns:
        a frame of video, split ("train" or "test") and the columns of COLUMNS the files have; scores in points.

    Raises:
        CofinalError: names file and line of a wrong column count, a score that is no finite number, or a video that
            stands twice.

    A first line without any number is a header. (The released loader always skips line 1; Fis-V's files have no
    header, so it loses a routine of each split.)
    """
    rows, seen = [], {}
    columns = None
    for split, path in (("train", Path(train)), ("test", Path(test))):
        lines = _lines(path, f"the {split} routines, one a line: name and scores")
        for number, line in enumerate(lines, start=1):
            fields, where = line.split(), f"{path}, line {number}"
            if not fields or (number == 1 and not any(_is_number(f) for f in fields)):
                continue
            if columns is None:
                columns = COLUMNS["rg" if "_" in fields[0] else "fisv"]
                columns = columns[: max(len(fields), columns.index("total") + 1 if "_" in fields[0] else 3)]
            if len(fields) != len(columns):
                raise CofinalError(
                    f"{where}: expected {len(columns)} columns ({' '.join(columns)}), found {len(fields)}"
                )
            for name, field in zip(columns[1:], fields[1:], strict=True):
                if not _is_number(field):
                    raise CofinalError(f"{where}: {name} of video {fields[0]} is {field!r}, expected a finite number")
            if fields[0] in seen:
                raise CofinalError(f"{where}: video {fields[0]} stands twice, first in {seen[fields[0]]}")
            seen[fields[0]] = where
            rows.append([fields[0], split, *map(float, fields[1:])])
        if split not in {row[1] for row in rows}:
            raise CofinalError(f"{path} holds no routines: expected the {split} routines, one a line: name and scores")
    return pd.DataFrame(rows, columns=["video", "split", *columns[1:]])


def _lines(path: Path, expected: str) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()  # Windows writes a mark of its own in front
    except FileNotFoundError:
        raise CofinalError(f"{path} is missing: expected {expected}") from None
    except UnicodeDecodeError:
        raise CofinalError(f"{path} is not text: expected {expected}") from None


def _is_number(field: str) -> bool:
    try:
        return bool(np.isfinite(float(field)))
    except ValueError:
        return False


def read_clips(path: Path, widths: tuple[int, ...] = WIDTHS) -> np.ndarray:
    """Read one routine's clip features, (C, D_C) float32; nothing in the file is executed.

    Args:
        widths: what D_C may be.

    Raises:
        CofinalError: unreadable or cut off, not two-dimensional, no clips, another width, NaN or infinity.
    """
    try:
        clips = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise CofinalError(f"{path} is missing") from None
    except Exception as error:  # on a faulty file NumPy raises what its parsers do
        raise CofinalError(f"{path} is not a whole .npy file of numbers ({error}); copy or download it again") from None
    expected = f"(clips, {' or '.join(map(str, widths))}) numbers"
    if not isinstance(clips, np.ndarray) or clips.ndim != 2 or clips.dtype.kind not in "fiu":
        raise CofinalError(f"{path}: expected {expected}, found {getattr(clips, 'dtype', '')} {np.shape(clips)}")
    if len(clips) == 0:
        raise CofinalError(f"{path}: the routine has no clips; expected {expected}")
    if clips.shape[1] not in widths:
        raise CofinalError(f"{path}: clips are {clips.shape[1]} wide; expected {expected}")
    with np.errstate(over="ignore"):
        clips, given = clips.astype(np.float32, copy=False), clips
    if not np.isfinite(clips).all():
        clip, dim = np.argwhere(~np.isfinite(clips))[0]
        raise CofinalError(f"{path}: clip {clip}, dimension {dim} is {given[clip, dim]}; expected finite numbers")
    return clips


def read_official(folder: Path, target: str) -> FeatureSet:
    """Read one target from a folder in GDLT's layout: CLIP_FOLDER/<video>.npy, train.txt, test.txt.

    Args:
        target: a key of OFFICIAL; with "@" and one of BACKBONES, such as "fisv/pcs@i3d", i3d/<video>.npy are read.
            Training routines are then cut to as many clips as VST's: the paper names no other number.

    Raises:
        CofinalError: names the file, the line or the video at fault.
    """
    folder, (name, _, backbone) = Path(folder), target.partition("@")
    prefix, column, crop = OFFICIAL[name]
    labels = read_labels(folder / "train.txt", folder / "test.txt")
    if column not in labels:
        raise CofinalError(f"{folder}/train.txt has no {column} scores, which {target} needs; is it the right folder?")
    clip_folder, widths = folder / (backbone or CLIP_FOLDER), BACKBONES.get(backbone, WIDTHS)
    if not clip_folder.is_dir():
        expected = f"one <video>.npy of (clips, {widths[0]}) for each routine"
        raise CofinalError(f"{clip_folder} is missing: expected {expected}")
    extra = sorted({p.stem for p in clip_folder.glob("*.npy")} - set(labels["video"]))
    if extra:
        raise CofinalError(
            f"{clip_folder} holds {_some(extra)} that neither train.txt nor test.txt names; "
            "is a list cut short? Else move them elsewhere"
        )
    labels = labels[labels["video"].str.startswith(prefix)]
    if labels.empty:
        raise CofinalError(f"{folder}/train.txt and test.txt name no video {prefix}...; {target} needs them")
    paths = [clip_folder / f"{video}.npy" for video in labels["video"]]
    missing = [p.stem for p in paths if not p.is_file()]
    if missing:
        raise CofinalError(f"{clip_folder} lacks {_some(missing)} of {len(paths)} named in train.txt and test.txt")
    routines = [read_clips(paths[0], widths)]
    routines += [read_clips(path, routines[0].shape[1:]) for path in paths[1:]]
    features, lengths = pad(routines)
    return FeatureSet(
        target=target,
        source="official",
        ids=tuple(labels["video"]),
        features=features,
        lengths=lengths,
        scores=torch.tensor(labels[column].to_numpy(dtype=np.float64)),
        is_train=torch.tensor((labels["split"] == "train").to_numpy()),
        crop=crop,
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(f"{name}.npy" for name in names[:3])
    return f"{len(names)} feature file{'s' * (len(names) > 1)} ({shown}{', ...' if len(names) > 3 else ''})"


def write_official(sets: list[FeatureSet], out: Path) -> None:
    """Write twins as a folder in the official layout, whole or not at all; `read_official` reads it.

    Args:
        sets: RG's twins, any of them; or those of TES and PCS, which are two scores of the same routines.
        out: a folder that does not exist yet.

    Raises:
        CofinalError: the folder exists already, or cannot be written.

    A twin has no difficulty and execution of its own to write: those columns are 0.
    """
    out = Path(out)
    if out.exists():
        raise CofinalError(f"{out} exists already; name a folder that does not")
    pair = [data.target for data in sets] == ["twin/tes", "twin/pcs"]
    lines = {"train": [], "test": []}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=out.parent) as aside:
            clip_folder = Path(aside) / "whole" / CLIP_FOLDER
            clip_folder.mkdir(parents=True)
            for data in sets[:1] if pair else sets:
                for i, name in enumerate(data.ids):
                    video = name.split("_")[1].lstrip("0") if pair else name.capitalize()
                    np.save(clip_folder / f"{video}.npy", data.features[i, : data.lengths[i]].numpy())
                    points = [sets[0].scores[i], sets[1].scores[i]] if pair else [0, 0, data.scores[i], 0]
                    line = " ".join([video, *(f"{p:.2f}" for p in points), "0"])
                    lines["train" if data.is_train[i] else "test"].append(line)
            header = [] if pair else [" ".join(n.title() for n in COLUMNS["rg"])]
            for split in lines:
                (clip_folder.parent / f"{split}.txt").write_text("\n".join(header + lines[split]) + "\n")
            clip_folder.parent.rename(out)
    except OSError as error:
        raise CofinalError(f"cannot write {out}: {error.strerror}; nothing was kept") from error


def read_uiprmd(folder: Path) -> FeatureSet:
    """Read the deep squats of UI-PRMD as Liao, Vakanski and Xian (2020) published them: 180 movements, four CSV files.

    A movement is 240 frames of 4 autoencoded joint angles; a clip is 10 frames: (24, 40), standardised with the
    training movements' mean and deviation, one pair per dimension. Scores in [0, 1] come from a Gaussian mixture's
    likelihood, not from judges. Test: rows with i mod 10 in {2, 5, 8}, i counted within each file.

    Raises:
        CofinalError: names the file and row, or the number of a clip that cannot be standardised.
    """
    folder = Path(folder)
    movements, scores = [], []
    for kind in ("Correct", "Incorrect"):
        movements.append(_read_csv(folder / f"Autoencoder_Output_{kind}.csv", 960).reshape(-1, 24, 40))
        scores.append(_read_csv(folder / f"Labels_{kind}.csv", 1)[:, 0])
        if len(scores[-1]) != len(movements[-1]):
            raise CofinalError(
                f"{folder}/Labels_{kind}.csv has {len(scores[-1])} scores "
                f"for {len(movements[-1])} movements; expected one a row"
            )
    i = np.concatenate([np.arange(len(s)) for s in scores])
    is_train = ~np.isin(i % 10, (2, 5, 8))
    clips = np.concatenate(movements)  # (N, 24, 40)
    constant = (clips[is_train] == clips[0, 0]).all((0, 1))  # (40,), row 0 is one to train on
    if constant.any():
        number = int(constant.argmax()) + 1
        raise CofinalError(
            f"{folder}: number {number} of a clip's 40 never varies over the training movements; "
            "expected numbers that can be standardised"
        )
    clips = (clips - clips[is_train].mean((0, 1))) / clips[is_train].std((0, 1))
    features, lengths = pad(list(clips))
    return FeatureSet(
        target="uiprmd/deep-squat",
        source="movement",
        ids=tuple(
            f"{kind}-{n:02d}" for kind, s in zip(("correct", "incorrect"), scores, strict=True) for n in range(len(s))
        ),
        features=features,
        lengths=lengths,
        scores=torch.tensor(np.concatenate(scores)),
        is_train=torch.tensor(is_train),
    )


def _read_csv(path: Path, columns: int) -> np.ndarray:
    """Read numbers, (rows, columns) float64; an error names the row."""
    rows = []
    for number, line in enumerate(_lines(path, f"{columns} numbers a row"), start=1):
        fields = line.split(",")
        if len(fields) != columns:
            raise CofinalError(f"{path}, row {number}: expected {columns} numbers, found {len(fields)}")
        if not all(map(_is_number, fields)):
            bad = next(f for f in fields if not _is_number(f))
            raise CofinalError(f"{path}, row {number}: {bad!r} is not a finite number")
        rows.append([float(f) for f in fields])
    if not rows:
        raise CofinalError(f"{path} is empty; expected rows of {columns} numbers")
    return np.array(rows)
