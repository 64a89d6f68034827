"""What tables and figures show, as data: collected from records, rendered into files, read by the chapters.

Each artefact's data are CSV files in long form, results/<profile>/<name>.csv. Ours, kept in the repository, lie in
results/reference/<profile>/: the chapters read those where a reader has run nothing yet.
"""

import fcntl
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import RidgeCV
from sklearn.manifold import TSNE
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from cofinal_lib import efficiency
from cofinal_lib.cofinal import ABLATIONS
from cofinal_lib.data import load
from cofinal_lib.errors import CofinalError
from cofinal_lib.experiments import profile as settings
from cofinal_lib.metrics import bootstrap_interval, mean_interval, spearman
from cofinal_lib.records import REFERENCE, RESULTS, SELECTIONS, RunRecord, srcc_curves
from cofinal_lib.rivals import BASELINES, METHODS
from cofinal_lib.runs import device_name, is_processor
from cofinal_lib.train import DECODINGS

# --------------------------------------------------------------------------------------- from records to data


def collect(artefact: str, records: list[RunRecord]) -> dict[str, pd.DataFrame]:
    """An artefact's data: name -> frame."""
    if artefact == "table2":
        return costs_of_scoring()
    if artefact == "figure5":
        return what_features_know(records)
    if artefact == "figure6":
        return {artefact: curves(records)}
    return {artefact: tidy(records)}


def tidy(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Results in long form, one row a run, split, selection and decoding: what was run, SRCC and R-l2, provenance.

    Columns: target, source, method, options; without, n_grades, n_subgrades of CoFInAl's configuration; seeds, epochs;
    split, selection, decoding; srcc, srcc_low, srcc_high, relative_l2 (means over seeds, Student's 95 % interval);
    per_seed, each seed's SRCC; ranks (test routines, last epoch, soft), see `ranked`; routines_low, routines_high, the
    mean's interval over resampled test routines (soft); ridge, the SRCC of ridge regression on the mean clip; device,
    torch, commit, run_id.
    """
    rows = []
    for record in records:
        spec, config, metrics = (record.record[name] for name in ("spec", "config", "metrics"))
        arrays, sizes = record.arrays, config if spec["method"] == "cofinal" else {}
        options = spec["options"] | spec["twin"]
        if spec.get("precision", "full") != "full":
            options |= {"precision": spec["precision"]}
        head = {
            "target": spec["target"],
            "source": record.record["provenance"]["source"],
            "method": spec["method"],
            "options": " ".join(f"{k}={v}" for k, v in options.items()),
            "without": config.get("without", ""),
            "n_grades": sizes.get("n_grades"),
            "n_subgrades": sizes.get("n_subgrades"),
            "seeds": len(spec["seeds"]),
            "epochs": spec["epochs"],
        }
        tail = _made_with(record) | {"run_id": record.record["run_id"]}
        over_routines = _over_routines(record.record["epochs"], arrays)
        for split, selection, decoding in product(metrics, SELECTIONS, DECODINGS):
            srcc, error = (metrics[split][measure][selection][decoding] for measure in ("srcc", "relative_l2"))
            soft = (split, decoding) == ("test", "soft")
            low, high = over_routines[selection] if soft else (None, None)
            row = {
                "split": split,
                "selection": selection,
                "decoding": decoding,
                "srcc": srcc["mean"],
                "srcc_low": srcc["low"],
                "srcc_high": srcc["high"],
                "per_seed": " ".join("nan" if v is None else f"{v:.6g}" for v in srcc["per_seed"]),
                "ranks": ranked(arrays) if soft and selection == "last" else None,
                "routines_low": low,
                "routines_high": high,
                "relative_l2": error["mean"],
                "ridge": record.record["baselines"]["ridge_on_mean_clip"][split]["srcc"],
            }
            rows.append(head | row | tail)
    return pd.DataFrame(rows)


def _made_with(record: RunRecord) -> dict:
    """The columns device, torch and commit of a run."""
    provenance = record.record["provenance"]
    return {
        "device": provenance["device"],
        "torch": provenance["versions"]["torch"],
        "commit": provenance["commit"],
    }


def ranked(arrays: dict) -> str | None:
    """Ranks of a run's test routines by score and, after each "|", by a seed's last predictions (soft): "0 2 1|0 1 2".

    They are what a rank correlation sees of predictions, so two runs can be compared routine by routine, resampled or
    not. Equal values have equal ranks. None where a prediction is not finite.
    """
    test = ~arrays["is_train"]
    rows = np.vstack([arrays["scores"][test], arrays["predictions"][:, -1, test, 0]])
    if not np.isfinite(rows).all():
        return None
    return "|".join(" ".join(map(str, np.unique(row, return_inverse=True)[1])) for row in rows)


def _over_routines(epochs: dict[str, list[int]], arrays: dict) -> dict[str, tuple[float, float]]:
    """Interval of the mean test SRCC (soft decoding) over resampled test routines, by selection of epochs."""
    test, soft = ~arrays["is_train"], arrays["predictions"][..., 0]  # (N,), (S, E, N)
    return {
        selection: bootstrap_interval(soft[range(len(chosen)), chosen][:, test], arrays["scores"][test], seed=0)
        for selection, chosen in epochs.items()
    }


def curves(records: Iterable[RunRecord]) -> pd.DataFrame:
    """Learning curves in long form, one row a run, epoch, measure and split: mean, low, high over seeds (Student's).

    Measures: on train and test "srcc" (soft) and "relative_l2", which compares methods whose losses differ; on train
    "loss", each method's own total. Training routines are predicted every fifth epoch.
    """
    rows = []
    for record in records:
        spec, arrays = record.record["spec"], record.arrays
        head = {
            "target": spec["target"],
            "source": record.record["provenance"]["source"],
            "method": spec["method"],
            "seeds": len(spec["seeds"]),
            "epochs": spec["epochs"],
            **_made_with(record),
        }
        scores, train = arrays["scores"], arrays["is_train"]
        span = np.ptp(scores[train])
        found = {("srcc", split): curve for split, curve in srcc_curves(arrays).items() if split != "validation"}
        for split, chosen in (("train", train), ("test", ~train)):
            error = (arrays["predictions"][:, :, chosen, 0] - scores[chosen]) / span
            found["relative_l2", split] = 100 * (error**2).mean(-1)  # (S, E)
        if "loss/total" in arrays:
            found["loss", "train"] = arrays["loss/total"]
        for (measure, split), values in found.items():
            for epoch in np.flatnonzero(np.isfinite(values).all(0)):
                mean, low, high = mean_interval(values[:, epoch], correlations=measure == "srcc")
                place = {"measure": measure, "split": split, "epoch": int(epoch) + 1}
                rows.append(head | place | {"mean": mean, "low": low, "high": high})
    return pd.DataFrame(rows)


N_GRADES = 6  # of Figure 5
GRADE_FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)  # the same for the map, the features, shuffled grades


def grade_classifier() -> Pipeline:
    """What says of a place, or of features, which grade they belong to; not fitted yet."""
    return make_pipeline(StandardScaler(), SVC())


def what_features_know(records: list[RunRecord]) -> dict[str, pd.DataFrame]:
    """Figure 5's data, of the test routines of one target: the backbone's mean clip and each run's embedding.

    "figure5": t-SNE in the plane, one row a kind of feature, seed and routine: kind, seed, id, x, y, grade (0 to 5,
    equal counts: the paper does not say how it cuts), score, predicted (ridge regression's for the backbone).
    "figure5-readout": kind, seed, measure, value. Measures: "plane, same routines", the share of routines in their
    own grade's region of an SVC fitted to them, what the paper's picture shows; "plane, other routines" and "features,
    other routines", the same cross-validated (5 folds), in the plane and before t-SNE; "ridge, other routines", the
    SRCC of a cross-validated ridge regression on the features; "always the commonest grade", what no feature gives.

    The seed is the run's and t-SNE's.
    """
    points, readout = [], []
    for record in records:
        spec, arrays = record.record["spec"], record.arrays
        test = ~arrays["is_train"]
        scores = arrays["scores"][test]
        grades = np.argsort(np.argsort(scores, kind="stable"), kind="stable") * N_GRADES // len(scores)
        kinds = {}
        if record is records[0]:
            data = load(spec["target"], **spec["twin"])
            kinds["backbone"] = [(data.mean_clip()[test], arrays["ridge"][test])] * len(spec["seeds"])
        kinds[spec["method"]] = [
            (arrays["embedding"][s][test], arrays["predictions"][s, -1, test, 0]) for s in range(len(spec["seeds"]))
        ]
        head = {"target": spec["target"], "source": record.record["provenance"]["source"], "epochs": spec["epochs"]}
        head |= _made_with(record)
        for kind, seeds in kinds.items():
            for seed, (features, predicted) in zip(spec["seeds"], seeds, strict=True):
                plane = TSNE(random_state=seed, perplexity=min(30, len(scores) / 4)).fit_transform(features)
                frame = pd.DataFrame({"id": arrays["ids"][test], "x": plane[:, 0], "y": plane[:, 1], "grade": grades})
                frame = frame.assign(score=scores, predicted=predicted)
                points.append(frame.assign(kind=kind, seed=seed, **head))
                for measure, value in _readout(features, plane, grades, scores).items():
                    readout.append(head | {"kind": kind, "seed": seed, "measure": measure, "value": value})
    return {"figure5": pd.concat(points, ignore_index=True), "figure5-readout": pd.DataFrame(readout)}


def _readout(features, plane, grades, scores) -> dict[str, float]:
    svc, folds = grade_classifier(), GRADE_FOLDS
    # Features are standardised here and those of `baselines.ALPHAS` are not, so penalties have another scale.
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13)))
    return {
        "plane, same routines": float((svc.fit(plane, grades).predict(plane) == grades).mean()),
        "plane, other routines": float((cross_val_predict(svc, plane, grades, cv=folds) == grades).mean()),
        "features, other routines": float((cross_val_predict(svc, features, grades, cv=folds) == grades).mean()),
        "always the commonest grade": float(np.bincount(grades).max() / len(grades)),
        "ridge, other routines": spearman(
            cross_val_predict(ridge, features, scores, cv=folds.split(features, grades)), scores
        ),
    }


def costs_of_scoring() -> dict[str, pd.DataFrame]:
    """Table 2's data: "table2", counted and printed; "table2-times", measured now: on the CPU, then on a GPU if any."""
    data = load("twin/ball")
    released = {"action-net": {"static": "images"}}  # the stream that Table 2 counts
    models = {name: efficiency.build(name, data, **released.get(name, {})) for name in METHODS if name not in BASELINES}
    counted = efficiency.costs(models)
    compared = efficiency.against_printed(counted, efficiency.TABLE2_ROWS)
    table = counted.join(compared[["printed_m", "printed_gmacs"]])
    times = [
        efficiency.summary(efficiency.measure(models, repeats=15, device=device)).assign(device=device_name(device))
        for device in ("cpu", "cuda")[: 1 + torch.cuda.is_available()]
    ]
    times = pd.concat(times).reset_index().assign(torch=torch.__version__)
    return {"table2": table.rename_axis("method").reset_index(), "table2-times": times}


# --------------------------------------------------------------------------------------- from data to files


def render(artefact: str, data: dict[str, pd.DataFrame], out: Path, command: str) -> None:
    """Write <name>.csv of each frame, and from the first a table (.html, .tex) or a figure (.png, .svg)."""
    from cofinal_lib import tables
    from cofinal_lib.figures import results as draw
    from cofinal_lib.figures import use_style

    out.mkdir(parents=True, exist_ok=True)
    frame = data[artefact]
    if artefact.startswith("table"):
        for suffix, text in tables.as_files(artefact, frame, command).items():
            whole(out / f"{artefact}.{suffix}", lambda path, text=text: path.write_text(text))
    else:
        use_style()
        figure = draw.FIGURES[artefact](frame, tables.signature(frame, command))
        whole(out / f"{artefact}.png", lambda path: figure.savefig(path, format="png"))
        with plt.rc_context({"svg.hashsalt": artefact}):  # the same figure is the same file
            whole(out / f"{artefact}.svg", lambda path: figure.savefig(path, format="svg", metadata={"Date": None}))
    for name, part in data.items():  # last: a CSV says that its artefact is whole
        whole_csv(out / f"{name}.csv", part)


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """A file appears whole or not at all: `write` is given the path of a file aside, which then takes its name."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        aside.replace(path)
    except OSError as error:
        why = f"{path.parent} is no folder" if path.parent.is_file() else error.strerror
        raise CofinalError(f"cannot write {path}: {why}") from error
    finally:
        with suppress(OSError):
            aside.unlink()


def whole_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as a CSV file, whole or not at all."""
    whole(path, lambda aside: frame.to_csv(aside, index=False, float_format="%.6g"))


def add_row(path: Path, row: dict) -> None:
    """Add a row to a CSV file, whole or not at all, whatever other processes add to files of its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # freed when it is closed
        kept = [pd.read_csv(path)] if path.exists() else []
        whole_csv(path, pd.concat([*kept, pd.DataFrame([row])], ignore_index=True))
    finally:
        os.close(folder)


def merged(kept: pd.DataFrame, fresh: pd.DataFrame) -> pd.DataFrame:
    """An artefact's data with newer runs in it: kept rows of a fresh row's target, method and options give way.

    Frames without one of these columns are compared by the others (and by Figure 5's `kind`). Rows stand by target, in
    the order in which targets first occur; by method (or kind: the backbone, then methods) and by arm, in that of
    `rivals.METHODS` and of `cofinal.ABLATIONS`; and by the numbers of grades and sub-grades.
    """
    keys = [key for key in ("target", "method", "options", "kind") if key in fresh]
    mark = [frame[keys].astype(object).fillna("").apply(tuple, axis=1) for frame in (kept, fresh)]
    frame = pd.concat([kept[~mark[0].isin(set(mark[1]))].astype(object), fresh.astype(object)], ignore_index=True)
    targets = dict.fromkeys([*kept["target"], *fresh["target"]])
    place = {name: i for i, name in enumerate([*targets, "backbone", *METHODS, *ABLATIONS])}
    by = [frame[key].fillna("").map(place) for key in ("target", "method", "kind", "without") if key in frame]
    by += [frame[key].astype(float) for key in ("n_grades", "n_subgrades") if key in frame]
    return frame.iloc[np.lexsort(by[::-1])].reset_index(drop=True).infer_objects()


# --------------------------------------------------------------------------------------- read by chapters


def made_by(name: str, profile: str, device: str | None = None) -> str:
    """What writes a profile's <name>.csv: `cofinal reproduce` those of tables and figures, scripts the others.

    `device` ("cpu" or "cuda") is named where it is not the profile's own.
    """
    if not name.startswith(("table", "figure")):
        return "a script of data_scripts/"
    command = f"cofinal reproduce {name.split('-')[0]} --profile {profile}"
    return command if device in (None, settings(profile)["device"]) else f"{command} --device {device}"


def _device(frame: pd.DataFrame) -> str | None:
    """What rows were computed on, "cpu" or "cuda", as `--device` has it; None where they don't say."""
    if "device" not in frame or frame.empty:
        return None
    return "cpu" if frame["device"].map(is_processor).all() else "cuda"


def read(name: str, profile: str, *others: str, sources: tuple[str, ...] = (), root: Path = RESULTS) -> pd.DataFrame:
    """An artefact's data: of each profile in turn a reader's own, else ours; at last ours of "quick".

    `frame.attrs` says what was found: "profile", "own" (whether a reader's own) and "command", which makes it.

    Args:
        sources: such as ("official",), whose rows alone are given; a file without any gives way to one that has some.

    Raises:
        CofinalError: there is no such file, or it cannot be read.
    """
    kept, rows = ours(root), None
    places = [(folder / each, each) for each in (profile, *others) for folder in (root, kept)]
    for folder, found in [*places, (kept / "quick", "quick")]:
        path = folder / f"{name}.csv"
        if not path.is_file():
            continue
        try:
            frame = read_csv(path)
        except ValueError as error:
            made = made_by(name, found)
            raise CofinalError(f"{path} is no table ({error}); delete it and run {made} again") from error
        for column in frame.columns.intersection(["options", "without"]):
            frame[column] = frame[column].astype(object).fillna("")
        frame.attrs = {"profile": found, "own": folder.parent == root, "command": made_by(name, found, _device(frame))}
        rows = frame[frame["source"].isin(sources)] if sources else frame
        if len(rows) or not sources:
            return rows
    if rows is None:
        raise CofinalError(f"{root / profile / name}.csv is missing: {made_by(name, profile)} makes it")
    return rows


def read_csv(path: Path) -> pd.DataFrame:
    """A file of `whole_csv`: nothing but "" and "nan" is missing."""
    return pd.read_csv(path, keep_default_na=False, na_values=["", "nan"])


def costs(records: Iterable[dict], profile: str, root: Path = RESULTS) -> pd.DataFrame:
    """What earlier runs of a profile took, of records and of ours (on CPUs): method, target, device, rate.

    Rates are seconds a seed and epoch; devices are "cpu" and "cuda".
    """
    rows = [
        {
            "method": r["spec"]["method"],
            "target": r["spec"]["target"],
            "device": r["spec"]["device"],
            "rate": r["provenance"]["seconds"] / len(r["spec"]["seeds"]) / r["spec"]["epochs"],
        }
        for r in records
    ]
    kept = ours(root) / profile / "costs.csv"
    if kept.is_file():
        rows += pd.read_csv(kept).assign(device="cpu").to_dict("records")
    return pd.DataFrame(rows, columns=["method", "target", "device", "rate"])


def ours(root: Path) -> Path:
    """Where our own results lie: below a reader's, or with the library that came without the repository."""
    return REFERENCE if root == RESULTS else root / "reference"
