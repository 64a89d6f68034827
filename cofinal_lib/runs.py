"""One experiment: RunSpec -> RunRecord, a folder that appears whole or not at all and is never computed twice."""

import hashlib
import json
import math
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from joblib import cpu_count

from cofinal_lib.baselines import ridge_on_mean_clip
from cofinal_lib.data import load
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.data.twin import check_knobs
from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import mean_interval, relative_l2, spearman
from cofinal_lib.records import SELECTIONS, RunRecord
from cofinal_lib.rivals import METHODS
from cofinal_lib.train import DECODINGS, Schedule, SeedResult, embed, fit

# The scores that count as 1 where a method wants them normalised: caps no official score passes.
SCORE_CAPS = {"rg": 25.0, "fisv/tes": 45.0, "fisv/pcs": 40.0, "uiprmd": 1.0}


@dataclass(frozen=True)
class RunSpec:
    """Everything a person chooses about a run.

    Attributes:
        target: what `data.load` reads.
        method: one of `rivals.METHODS`; "cofinal" is the method as printed.
        seeds: one training each.
        epochs: passes over the training routines.
        options: fields of the method's Config that differ from its authors', such as {"n_grades": 7}.
        twin: knobs of `data.twin.simulate`, for a twin target.
        device: "cpu" or "cuda".
        precision: of training's matrix products, "full", "tf32" or "bf16", see `Schedule`.

    Raises:
        CofinalError: an unknown method, option, knob, device or precision, an option's wrong value, no seed, no epoch.
    """

    target: str
    method: str = "cofinal"
    seeds: tuple[int, ...] = tuple(range(10))
    epochs: int = 200
    options: dict = field(default_factory=dict)
    twin: dict = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "full"

    def __post_init__(self):
        if self.method not in METHODS:
            raise CofinalError(f"unknown method {self.method!r}; expected one of {', '.join(METHODS)}")
        if not self.seeds or self.epochs < 1:
            raise CofinalError(f"a run needs a seed and an epoch; got {len(self.seeds)} and {self.epochs}")
        Config = METHODS[self.method].Config
        kinds = {f.name: type(f.default) for f in fields(Config)}
        unknown = set(self.options) - set(kinds)
        if unknown:
            raise CofinalError(f"unknown option {', '.join(sorted(unknown))}; {Config.__name__} has {', '.join(kinds)}")
        for name, value in self.options.items():
            _check(f"{Config.__name__}: {name}", value, kinds[name])
        check_knobs(self.twin)
        if self.device not in ("cpu", "cuda"):
            raise CofinalError(f"unknown device {self.device!r}; expected cpu or cuda")
        Schedule(precision=self.precision)  # refuses an unknown one

    @classmethod
    def from_dict(cls, given: dict) -> "RunSpec":
        """The spec that `record.json` or a notebook's parameters hold; an unknown name is an error."""
        unknown = set(given) - {f.name for f in fields(cls)}
        if unknown or "target" not in given:
            names = ", ".join(f.name for f in fields(cls))
            what = f"unknown {', '.join(sorted(unknown))}" if unknown else "no target"
            raise CofinalError(f"a run's spec: {what}; it has {names}")
        seeds, epochs = given.get("seeds", cls.seeds), given.get("epochs", cls.epochs)
        if not isinstance(seeds, list | tuple) or not all(type(n) is int for n in [*seeds, epochs]):
            raise CofinalError(
                f"a run's spec: seeds {seeds!r} and epochs {epochs!r}; expected whole numbers, such as [0, 1, 2] and 20"
            )
        return cls(**given | {"seeds": tuple(seeds)})

    def config(self, data: FeatureSet):
        """The method's sizes and options: what the data dictate, its authors' by data set, this spec's.

        Raises:
            CofinalError: the option feature_dim differs from the data's, or as the method's Config says.
        """
        method = METHODS[self.method]
        train = data.scores[data.rows("train")]
        dictated = {
            "feature_dim": data.feature_dim,
            "n_clips": data.crop or int(data.lengths.max()),
            "low": float(train.min()),
            "high": float(train.max()),
            "score_cap": self.score_cap,
        }
        names = {f.name for f in fields(method.Config)}
        chosen = {name: value for name, value in dictated.items() if name in names}
        if (width := self.options.get("feature_dim", data.feature_dim)) != data.feature_dim:
            raise CofinalError(f"option feature_dim is {width}, but clips of {self.target} are {data.feature_dim} wide")
        return method.Config(**(chosen | self.authors_options | self.options))

    @property
    def authors_options(self) -> dict:
        """What the method's authors set for this data set and target."""
        by_dataset = getattr(METHODS[self.method], "BY_DATASET", {})
        return by_dataset.get(self._dataset, {}) | by_dataset.get(self._official, {})

    @property
    def schedule(self) -> Schedule:
        """How the method's authors train it, for this spec's epochs."""
        return replace(
            getattr(METHODS[self.method], "schedule", Schedule()), epochs=self.epochs, precision=self.precision
        )

    @property
    def score_cap(self) -> float:
        """The score that counts as 1 where a method wants scores normalised, in points."""
        return SCORE_CAPS.get(self._official, SCORE_CAPS.get(self._dataset))

    @property
    def _official(self) -> str:
        """The target, or the official one that a twin is the twin of."""
        official = self.target.split("@")[0]  # whatever backbone's features
        dataset, name = official.split("/")
        return official if dataset != "twin" else f"{'fisv' if name in ('tes', 'pcs') else 'rg'}/{name}"

    @property
    def _dataset(self) -> str:
        return self._official.split("/")[0]


def _check(name: str, value, kind: type) -> None:
    """Refuse an option's value that is not of its default's kind, before it fails somewhere inside a model."""
    if kind is str:
        fits, expected = isinstance(value, str), "a word"
    elif kind is int:
        least = 0 if name.endswith(("activation", "align")) else 1  # these name a variant, the others are sizes
        fits, expected = type(value) is int and value >= least, f"a whole number, {least} or more"
    elif name.endswith("score_cap"):
        fits, expected = type(value) in (int, float) and 0 < value < math.inf, "a number of points above 0"
    elif name.endswith("dropout"):
        fits, expected = type(value) in (int, float) and 0 <= value < 1, "a share from 0 to below 1"
    else:
        fits, expected = type(value) in (int, float) and math.isfinite(value), "a finite number"
    if not fits:
        raise CofinalError(f"{name} is {value!r}; expected {expected}")


def _buildable(spec: RunSpec, build) -> None:
    """Refuse options that do not go together, such as heads that do not divide a width: torch says which."""
    try:
        with torch.random.fork_rng(devices=[]):
            build(torch.Generator())
    except CofinalError:
        raise
    except (ValueError, AssertionError, RuntimeError) as error:
        chosen = ", ".join(f"{name}={value}" for name, value in spec.options.items())
        raise CofinalError(f"{spec.method} cannot be built with {chosen or 'these sizes'}: {error}") from error


def run(
    spec: RunSpec,
    out: Path,
    folder: Path | None = None,
    command: str = "",
    progress: bool = False,
    report: Callable[..., None] | None = None,
    jobs: int | None = None,
) -> RunRecord:
    """Run an experiment, or read it where `out` holds it already.

    Args:
        out: the run's folder appears below it, named by its run id.
        folder: a reader's own features, see `data.load`.
        command: what the reader typed, for the record.
        progress: show a bar on stderr.
        jobs: trainings at a time, by default one a core; no number depends on it.
        report: puts an executed notebook beside the record: `report.execute`, or one like it.

    Raises:
        CofinalError: as in `load`, `fit` and `RunRecord.read`; no GPU, options that do not go together, a split whose
            scores are all equal, or an `out` that cannot be written.

    The run id hashes whatever could change the numbers: spec, data, library, versions, device.
    """
    out = Path(out)
    check_device(spec.device)
    data = load(spec.target, folder=folder, **spec.twin)
    for split in ("train", "test"):
        if len(data.scores[data.rows(split)].unique()) < 2:
            raise CofinalError(
                f"{spec.target} has {len(data.rows(split))} {split} routines here, with fewer than two different "
                "scores: nothing to rank"
            )
    circumstances = {
        "spec": asdict(spec),
        "data_digest": data.digest,
        "library_digest": library_digest(),
        "versions": versions(),
        "device": device_name(spec.device),
    }
    key = hashlib.sha256(json.dumps(circumstances, sort_keys=True).encode()).hexdigest()[:16]
    run_id = f"{spec.target.replace('/', '-')}-{spec.method}-{key}"
    if (out / run_id).exists():
        if report and not (out / run_id / "run.ipynb").exists():
            report(out / run_id)
        return RunRecord.read(out / run_id)
    _writable(out)

    started, commit = time.perf_counter(), checkout()
    method, config = METHODS[spec.method], spec.config(data)
    build = partial(method, config)
    _buildable(spec, build)
    jobs = jobs or cpu_count()  # those that a container or a cluster's job may use
    if spec.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    results = fit(build, data, spec.seeds, spec.schedule, device=spec.device, jobs=jobs, progress=progress)
    record, arrays = _summarise(data, results)
    for result in results:
        arrays.setdefault("embedding", []).append(embed(result.model, data, spec.device))
    arrays["embedding"] = np.stack(arrays["embedding"])  # (S, N, D_S)
    provenance = circumstances | {
        "source": data.source,
        "commit": commit,
        "python": platform.python_version(),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_memory_mib": _peak_memory(spec.device, jobs),
        "command": command,
    }
    del provenance["spec"]
    record = {
        "run_id": run_id,
        "spec": asdict(spec),
        "config": asdict(config),
        "schedule": asdict(spec.schedule),
        "notes": method.notes(data) if hasattr(method, "notes") else [],
        "provenance": provenance,
    } | record
    return _publish(out, run_id, record, arrays, report)


def _summarise(data: FeatureSet, results: list[SeedResult]) -> tuple[dict, dict]:
    """Metrics of every split, measure, selection and decoding; and the arrays they come from."""
    scores = data.scores.numpy()
    rows = {split: data.rows(split).numpy() for split in ("train", "test")}
    low, high = scores[rows["train"]].min(), scores[rows["train"]].max()
    epochs = {selection: [] for selection in SELECTIONS}
    for result in results:
        test_srcc = [spearman(p[rows["test"], 0], scores[rows["test"]]) for p in result.predictions]
        epochs["last"].append(len(test_srcc) - 1)
        epochs["validation"].append(_best(result.validation_srcc))
        epochs["best_on_test"].append(_best(np.array(test_srcc)))

    def measured(split, measure, selection, column):
        per_seed = []
        for result, epoch in zip(results, epochs[selection], strict=True):
            if split == "train":  # predicted after every fifth epoch: the nearest one stands for the epoch chosen
                complete = np.flatnonzero(np.isfinite(result.predictions[:, rows["train"], 0]).all(1))
                epoch = complete[np.abs(complete - epoch).argmin()] if len(complete) else epoch
            predicted = result.predictions[epoch, rows[split], column]
            if measure == "srcc":
                per_seed.append(spearman(predicted, scores[rows[split]]))
            else:
                per_seed.append(relative_l2(predicted, scores[rows[split]], low, high))
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
    found = {split: spearman(predicted[rows[split]], scores[rows[split]]) for split in rows}
    ridge = {split: {"srcc": None if np.isnan(srcc) else srcc} for split, srcc in found.items()}  # JSON has no NaN
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


def _publish(out: Path, run_id: str, record: dict, arrays: dict, report: Callable[..., None] | None) -> RunRecord:
    """Write aside, then rename: a reader never sees half a run."""
    aside, home, complaint = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=out)), out / run_id, None
    folder = aside / run_id
    try:
        folder.mkdir()
        (folder / "record.json").write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
        np.savez_compressed(folder / "arrays.npz", **arrays)
        if report:
            try:
                report(folder, home=home)
            except CofinalError as error:
                complaint = error
        try:
            folder.rename(home)
        except OSError:
            if not (home / "record.json").exists():  # else the same run, finished meanwhile elsewhere
                raise
    except OSError as error:
        raise CofinalError(f"cannot write {home}: {error.strerror}; nothing was kept of this run") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if complaint:
        raise CofinalError(f"{complaint}; the run itself is kept")
    return RunRecord.read(home)


def _writable(out: Path) -> None:
    """Say so before the training, not after it, where `out` cannot be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise CofinalError(f"cannot write into {out}: {error.strerror}; choose another folder") from error


def versions() -> dict[str, str]:
    """Of the packages that numbers depend on."""
    return {name: version(name) for name in ("torch", "numpy", "scipy", "scikit-learn")}


# Parts of the library that change no run: they choose runs, or show them.
SHOWING = (
    "artefact.py", "checkpoint.py", "claims/", "classroom", "cli.py", "collapse.py", "command.py", "crossval.py",
    "doctor.py", "efficiency.py", "errata.py", "experiments.py", "figures", "honest_record.py", "main_results.py",
    "paired.py", "paper/", "records.py", "report.py", "reproduce.py", "results.py", "side_by_side.py", "splits.py",
    "tables.py",
)  # fmt: skip


@cache
def library_digest() -> str:
    """SHA-256 of the library's sources: a changed library is another run. What only shows results is left out."""
    sha = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")) + sorted(root.rglob("*.csv")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(SHOWING):
            sha.update(name.encode() + path.read_bytes())
    return sha.hexdigest()


def checkout() -> str | None:
    """The checkout's commit, "+changes" where files differ from it; None for an installed library."""
    root = Path(__file__).parent
    try:
        ask = ["git", "--no-optional-locks", "-C", str(root)]  # whoever kills us must not leave a locked index
        tracked = subprocess.run([*ask, "ls-files", "--error-unmatch", __file__], capture_output=True)
        commit = subprocess.run([*ask, "rev-parse", "HEAD"], capture_output=True, text=True)
        changed = subprocess.run([*ask, "status", "--porcelain", "."], capture_output=True, text=True)
    except OSError:
        return None
    if tracked.returncode or commit.returncode:
        return None
    return commit.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def check_device(device: str) -> None:
    """Raise CofinalError for a device that this machine lacks."""
    if device not in ("cpu", "cuda")[: 1 + torch.cuda.is_available()]:
        raise CofinalError(f"device {device!r} is not here; expected cpu, or cuda where torch finds a GPU")


def device_name(device: str) -> str:
    """The GPU's name, or the processor's kind and the widest instructions that torch uses on it."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def is_processor(name: str) -> bool:
    """Whether a name that `device_name` gave is a processor's."""
    return name.split()[0] in ("x86_64", "AMD64", "aarch64", "arm64")


def made_here(device: str = "cpu") -> dict[str, str | None]:
    """The columns of a kept row that say what computed it: device, torch, commit."""
    return {"device": device_name(device), "torch": versions()["torch"], "commit": checkout()}


def _peak_memory(device: str, jobs: int) -> int | None:
    """MiB: of the GPU's allocator, or of this process until now; None where others trained, whose peak is not known."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() >> 20
    if jobs > 1:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)  # macOS counts bytes, others KiB
