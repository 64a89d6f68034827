"""One experiment: RunSpec -> RunRecord, a folder that appears whole or not at all and is never computed twice."""

import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from cofinal_lib.baselines import ridge_on_mean_clip
from cofinal_lib.cofinal import CoFInAl, CoFInAlConfig
from cofinal_lib.data import load
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import mean_interval, relative_l2, spearman
from cofinal_lib.train import DECODINGS, Schedule, SeedResult, embed, fit

SELECTIONS = {
    "last": "the last epoch",
    "validation": "best SRCC on held-out training routines, of a model trained without them",
    "best_on_test": "best SRCC on the test routines: what the released code reports; optimistic",
}
# What the paper's Sec. 4.1 sets by data set. UI-PRMD is not in the paper: its sizes fit clips of 40 numbers; its
# grades, sub-grades and sharpness were chosen inside the training movements, see results/reference/README.md.
DEFAULTS = {
    "rg": {"dropout": 0.3},
    "fisv": {"dropout": 0.7},
    "uiprmd": {
        "dropout": 0.3,
        "procedure_dim": 64,
        "score_dim": 32,
        "n_grades": 10,
        "n_subgrades": 5,
        "sharpness": 3.0,
    },
}


@dataclass(frozen=True)
class RunSpec:
    """Everything a person chooses about a run.

    Attributes:
        target: one of `data.TARGETS`.
        method: "cofinal", the method as printed.
        seeds: one training each.
        epochs: passes over the training routines.
        options: fields of CoFInAlConfig that differ from the paper's, such as {"n_grades": 7}.
        twin: knobs of `data.twin.simulate`, for a twin target.
        device: "cpu" or "cuda".
    """

    target: str
    method: str = "cofinal"
    seeds: tuple[int, ...] = tuple(range(10))
    epochs: int = 200
    options: dict = field(default_factory=dict)
    twin: dict = field(default_factory=dict)
    device: str = "cpu"

    def __post_init__(self):
        if self.method != "cofinal":
            raise CofinalError(f"unknown method {self.method!r}; expected cofinal")
        if not self.seeds or self.epochs < 1:
            raise CofinalError(f"a run needs a seed and an epoch; got {len(self.seeds)} and {self.epochs}")
        unknown = set(self.options) - {f.name for f in fields(CoFInAlConfig)}
        if unknown:
            names = ", ".join(f.name for f in fields(CoFInAlConfig))
            raise CofinalError(f"unknown option {', '.join(sorted(unknown))}; CoFInAlConfig has {names}")
        if self.device not in ("cpu", "cuda") or (self.device == "cuda" and not torch.cuda.is_available()):
            raise CofinalError(f"device {self.device!r} is not here; expected cpu or, with a GPU, cuda")

    def config(self, data: FeatureSet) -> CoFInAlConfig:
        """The model's sizes: the paper's, this data set's, this spec's; grades span the training scores."""
        dataset, name = self.target.split("/")
        if dataset == "twin":
            dataset = "fisv" if name in ("tes", "pcs") else "rg"
        train = data.scores[data.rows("train")]
        chosen = {"feature_dim": data.feature_dim, "low": float(train.min()), "high": float(train.max())}
        return CoFInAlConfig(**(chosen | DEFAULTS[dataset] | self.options))


@dataclass(frozen=True)
class RunRecord:
    """A finished run on disk: `record.json` (spec, provenance, metrics) and `arrays.npz`.

    arrays (S seeds, E epochs, N routines): predictions (S, E, N, 2) soft and hard, in points; scores, is_train,
    lengths (N,); ids (N,); validation_srcc (S, E); loss/<name> (S, E); embedding (S, N, D_S) after the last epoch.
    """

    folder: Path
    record: dict

    @classmethod
    def read(cls, folder: Path) -> "RunRecord":
        """Read a run's folder; a faulty one is named."""
        path = Path(folder) / "record.json"
        try:
            record = json.loads(path.read_text())
        except FileNotFoundError:
            raise CofinalError(f"{path} is missing: {folder} holds no finished run") from None
        except ValueError as error:
            raise CofinalError(f"{path} is corrupt ({error}); delete {folder} and run again") from None
        lacking = {"run_id", "spec", "provenance", "metrics"} - set(record)
        if lacking:
            raise CofinalError(f"{path} lacks {', '.join(sorted(lacking))}; delete {folder} and run again")
        return cls(Path(folder), record)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays of the run, read from disk."""
        path = self.folder / "arrays.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                return dict(stored)
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise CofinalError(f"{path} is missing or corrupt ({error}); delete {self.folder} and run again") from None

    def metric(self, split="test", measure="srcc", selection="last", decoding="soft") -> dict:
        """{mean, low, high, per_seed}: the interval is Student's, 95 %, over seeds."""
        return self.record["metrics"][split][measure][selection][decoding]


def run(spec: RunSpec, out: Path, folder: Path | None = None, command: str = "", progress: bool = False) -> RunRecord:
    """Run an experiment, or read it where `out` holds it already.

    Args:
        out: the run's folder appears below it, named by its run id.
        folder: a reader's own features, see `data.load`.
        command: what the reader typed, for the record.

    The run id hashes whatever could change the numbers: spec, data, library, versions, device.
    """
    out = Path(out)
    data = load(spec.target, folder=folder, **spec.twin)
    circumstances = {
        "spec": asdict(spec),
        "data_digest": data.digest,
        "library_digest": library_digest(),
        "versions": {name: version(name) for name in ("torch", "numpy", "scipy", "scikit-learn")},
        "device": _device_name(spec.device),
    }
    key = hashlib.sha256(json.dumps(circumstances, sort_keys=True).encode()).hexdigest()[:16]
    run_id = f"{spec.target.replace('/', '-')}-{spec.method}-{key}"
    if (out / run_id).exists():
        return RunRecord.read(out / run_id)
    _writable(out)

    started, commit = time.perf_counter(), _commit()
    config, schedule = spec.config(data), Schedule(epochs=spec.epochs)
    results = fit(
        partial(CoFInAl, config),
        data,
        spec.seeds,
        schedule,
        device=spec.device,
        jobs=os.cpu_count(),
        progress=progress,
    )
    record, arrays = _summarise(data, config, results)
    for result in results:
        arrays.setdefault("embedding", []).append(embed(result.model, data))
    arrays["embedding"] = np.stack(arrays["embedding"])  # (S, N, D_S)
    provenance = circumstances | {
        "source": data.source,
        "commit": commit,
        "python": platform.python_version(),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_memory_mib": _peak_memory(spec.device),
        "command": command,
    }
    del provenance["spec"]
    record = {
        "run_id": run_id,
        "spec": asdict(spec),
        "config": asdict(config),
        "provenance": provenance,
    } | record
    return _publish(out, run_id, record, arrays)


def _summarise(data: FeatureSet, config: CoFInAlConfig, results: list[SeedResult]) -> tuple[dict, dict]:
    """Metrics of every split, measure, selection and decoding; and the arrays they come from."""
    scores = data.scores.numpy()
    rows = {split: data.rows(split).numpy() for split in ("train", "test")}
    epochs = {selection: [] for selection in SELECTIONS}
    for result in results:
        test_srcc = [spearman(p[rows["test"], 0], scores[rows["test"]]) for p in result.predictions]
        epochs["last"].append(len(test_srcc) - 1)
        epochs["validation"].append(_best(result.validation_srcc))
        epochs["best_on_test"].append(_best(np.array(test_srcc)))

    def measured(split, measure, selection, column):
        per_seed = []
        for result, epoch in zip(results, epochs[selection], strict=True):
            predicted = result.predictions[epoch, rows[split], column]
            if measure == "srcc":
                per_seed.append(spearman(predicted, scores[rows[split]]))
            else:
                per_seed.append(relative_l2(predicted, scores[rows[split]], config.low, config.high))
        return _interval(per_seed, correlations=measure == "srcc")

    metrics = {
        split: {
            measure: {
                selection: {d: measured(split, measure, selection, column) for column, d in enumerate(DECODINGS)}
                for selection in SELECTIONS
            }
            for measure in ("srcc", "relative_l2")
        }
        for split in rows
    }
    predicted, alpha = ridge_on_mean_clip(data)
    ridge = {split: {"srcc": spearman(predicted[rows[split]], scores[rows[split]])} for split in rows}
    record = {
        "metrics": metrics,
        "selections": SELECTIONS,
        "epochs": epochs,
        "baselines": {"ridge_on_mean_clip": {"alpha": alpha, **ridge}},
    }
    arrays = {
        "ids": np.array(data.ids),
        "scores": scores,
        "is_train": data.is_train.numpy(),
        "lengths": data.lengths.numpy(),
        "predictions": np.stack([r.predictions for r in results]),  # (S, E, N, 2)
        "validation_srcc": np.stack([r.validation_srcc for r in results]),  # (S, E)
        "ridge": predicted,
    }
    for name in results[0].losses:
        arrays[f"loss/{name}"] = np.stack([r.losses[name] for r in results])  # (S, E)
    return record, arrays


def _best(curve: np.ndarray) -> int:
    """First epoch of the highest value; epochs without a ranking (NaN) don't count."""
    return int(np.argmax(np.nan_to_num(curve, nan=-2.0)))


def _interval(per_seed: list[float], correlations: bool) -> dict:
    """JSON has no NaN: what is not defined is null."""
    mean, low, high = (None if np.isnan(v) else v for v in mean_interval(per_seed, correlations=correlations))
    return {
        "mean": mean,
        "low": low,
        "high": high,
        "per_seed": [None if np.isnan(v) else v for v in per_seed],
    }


def _publish(out: Path, run_id: str, record: dict, arrays: dict) -> RunRecord:
    """Write aside, then rename: a reader never sees half a run."""
    aside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=out))
    try:
        (aside / "record.json").write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
        np.savez_compressed(aside / "arrays.npz", **arrays)
        aside.chmod(0o755)
        try:
            aside.rename(out / run_id)
        except OSError:
            if not (out / run_id / "record.json").exists():  # else the same run, finished meanwhile elsewhere
                raise
    except OSError as error:
        raise CofinalError(f"cannot write {out / run_id}: {error.strerror}; nothing was kept of this run") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return RunRecord.read(out / run_id)


def _writable(out: Path) -> None:
    """Say so before the training, not after it, where `out` cannot be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise CofinalError(f"cannot write into {out}: {error.strerror}; choose another folder") from error


def library_digest() -> str:
    """SHA-256 of the library's sources: a changed library is another run. What only shows results is left out."""
    sha = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")) + sorted(root.rglob("*.csv")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(("figures", "paper/", "cli.py", "doctor.py", "collapse.py")):
            sha.update(name.encode() + path.read_bytes())
    return sha.hexdigest()


def _commit() -> str | None:
    """The checkout's commit, "+changes" where files differ from it; None for an installed library."""
    root = Path(__file__).parent
    try:
        ask = ["git", "-C", str(root)]
        tracked = subprocess.run([*ask, "ls-files", "--error-unmatch", __file__], capture_output=True)
        commit = subprocess.run([*ask, "rev-parse", "HEAD"], capture_output=True, text=True)
        changed = subprocess.run([*ask, "status", "--porcelain", "."], capture_output=True, text=True)
    except OSError:
        return None
    if tracked.returncode or commit.returncode:
        return None
    return commit.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else platform.machine()


def _peak_memory(device: str) -> int:
    """MiB: of the GPU's allocator, or of the largest of this run's processes."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() >> 20
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) >> 10
