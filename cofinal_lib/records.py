"""A finished run as it lies on disk; reading one needs no torch. `runs` makes them."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cofinal_lib.errors import CofinalError
from cofinal_lib.metrics import spearman_rows

# What is read beside the library: the repository's files, or the copies of them that a wheel brings.
_ROOT = Path(__file__).resolve().parents[1]
_CHECKOUT = (_ROOT / "Snakefile").is_file()
HOME = _ROOT if _CHECKOUT else _ROOT / "cofinal_repository"
REFERENCE = HOME / "results" / "reference"  # ours
RESULTS = (_ROOT if _CHECKOUT else Path()) / "results"  # a reader's own, <profile>/

PARTS = ("run_id", "spec", "config", "provenance", "metrics", "selections", "epochs", "baselines")  # of record.json
SELECTIONS = {
    "last": "the last epoch",
    "validation": "best SRCC on held-out training routines, of a model trained without them",
    "best_on_test": "best SRCC on the test routines: what the released code reports; optimistic",
}


@dataclass(frozen=True)
class RunRecord:
    """A finished run on disk: `record.json` (spec, provenance, metrics), `arrays.npz` and, on request, `run.ipynb`.

    arrays (S seeds, E epochs, N routines): predictions (S, E, N, 2) soft and hard, in points, of training routines only
    after every fifth epoch and the last (else NaN); scores, is_train, lengths (N,); ids (N,); validation_srcc (S, E);
    loss/<name> (S, E); embedding (S, N, D_S) after the last epoch; ridge (N,), in points, of the regression beside it.
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
            raise CofinalError(
                f"{path} is missing: {folder} holds no finished run; delete {folder} and run again"
            ) from None
        except ValueError as error:
            raise CofinalError(f"{path} is corrupt ({error}); delete {folder} and run again") from None
        if not isinstance(record, dict):
            raise CofinalError(f"{path} is corrupt (it holds no object); delete {folder} and run again")
        lacking = set(PARTS) - set(record)
        if lacking:
            raise CofinalError(f"{path} lacks {', '.join(sorted(lacking))}; delete {folder} and run again")
        if not zipfile.is_zipfile(arrays := Path(folder) / "arrays.npz"):
            raise CofinalError(f"{arrays} is missing or corrupt; delete {folder} and run again")
        return cls(Path(folder), record)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays of the run, read from disk.

        Raises:
            CofinalError: the file is missing or corrupt.
        """
        path = self.folder / "arrays.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                return dict(stored)
        except Exception as error:  # on a faulty file NumPy raises what its parsers do
            raise CofinalError(f"{path} is missing or corrupt ({error}); delete {self.folder} and run again") from None

    def metric(self, split="test", measure="srcc", selection="last", decoding="soft") -> dict:
        """{mean, low, high, per_seed}: the interval is Student's, 95 %, over seeds."""
        return self.record["metrics"][split][measure][selection][decoding]


def srcc_curves(arrays: dict) -> dict[str, np.ndarray]:
    """SRCC (soft) after each epoch of each seed, (S, E), on train, validation and test; NaN: not predicted."""

    def srcc(rows):
        return spearman_rows(arrays["predictions"][:, :, rows, 0], arrays["scores"][rows])

    train = arrays["is_train"]
    return {"train": srcc(train), "validation": arrays["validation_srcc"], "test": srcc(~train)}


def cell(metric: dict) -> str:
    """Format a metric of a record, {mean, low, high}: "0.883 [0.875, 0.892]"."""
    if metric["mean"] is None:
        return "undefined"
    interval = "" if metric["low"] is None else f" [{metric['low']:.3f}, {metric['high']:.3f}]"
    return f"{metric['mean']:.3f}{interval}"
