"""Keep the data of a profile's tables and figures as reference: results/reference/<profile>/*.csv.

    python data_scripts/reference.py PROFILE [FOLDER] [--update]

FOLDER holds the runs, by default results/PROFILE. Of runs that differ in seeds or library alone, the one with the most
seeds counts, then the latest. An artefact without any run is left out; where no run is of the profile, nothing is
written.

--update keeps what the files hold beside FOLDER's runs: rows of the same target, method and options give way, all
others stay. So a few runs made later, or elsewhere, are merged without the rest.
"""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from cofinal_lib import experiments, results
from cofinal_lib.command import run
from cofinal_lib.errors import CofinalError
from cofinal_lib.records import RunRecord
from cofinal_lib.runs import RunSpec


def main(
    profile: str,
    folder: Annotated[Path | None, typer.Argument()] = None,
    update: Annotated[bool, typer.Option("--update")] = False,
) -> None:
    """Collect every artefact's data from the runs in `folder`; `update` merges them into the files there are."""
    planned, found, out = experiments.plan(profile), {}, results.RESULTS / "reference" / profile
    folder = folder or results.RESULTS / profile
    for path in sorted(folder.glob("*/record.json"), key=lambda p: p.stat().st_mtime):
        record = RunRecord.read(path.parent)
        name = _key(RunSpec.from_dict(record.record["spec"]))
        if name not in found or len(record.record["spec"]["seeds"]) >= len(found[name].record["spec"]["seeds"]):
            found[name] = record
    wanted = {a: [found[_key(s)] for s in specs if _key(s) in found] for a, specs in planned.items()}
    used = {r.record["run_id"]: r.record for records in wanted.values() for r in records}
    if not used:
        raise CofinalError(
            f"{folder} holds no finished run of profile {profile}; expected {folder}/<run id>/record.json, as "
            f"cofinal reproduce --profile {profile} makes them"
        )
    for artefact, records in wanted.items():
        if records or not (planned[artefact] or update):
            for name, frame in results.collect(artefact, records).items():
                _keep(out / f"{name}.csv", frame, update)
    rates = results.costs(used.values(), profile, root=Path())
    _keep(out / "costs.csv", rates.groupby(["method", "target"], as_index=False, sort=False)[["rate"]].median(), update)


def _key(spec: RunSpec) -> tuple:
    """What tells runs apart but for seeds and library."""
    return experiments.label(spec), spec.epochs, tuple(sorted(spec.twin.items()))


def _keep(path: Path, frame: pd.DataFrame, update: bool) -> None:
    if update and path.is_file():
        frame = results.merged(results.read_csv(path), frame)
    results.whole_csv(path, frame)
    print(path, len(frame))


if __name__ == "__main__":
    run(main)
