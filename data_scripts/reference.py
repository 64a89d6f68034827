"""Keep the data of a profile's tables and figures as reference: results/reference/<profile>/*.csv.

    python data_scripts/reference.py PROFILE [FOLDER] [--update]

FOLDER holds the runs, by default results/PROFILE. Of runs that differ in seeds or library alone, the one with the most
seeds counts, then the latest. An artefact without any run is left out.

--update keeps what the files hold beside FOLDER's runs: rows of the same target, method and options give way, all
others stay. So a few runs made later, or elsewhere, are merged without the rest.
"""

import sys
from pathlib import Path

import pandas as pd

from cofinal_lib import experiments, results
from cofinal_lib.records import RunRecord
from cofinal_lib.runs import RunSpec


def main(profile: str, folder: Path, update: bool = False) -> None:
    """Collect every artefact's data from the runs in `folder`; `update` merges them into the files there are."""
    found, out = {}, results.RESULTS / "reference" / profile
    for path in sorted(folder.glob("*/record.json"), key=lambda p: p.stat().st_mtime):
        record = RunRecord.read(path.parent)
        spec = RunSpec.from_dict(record.record["spec"])
        name = (experiments.label(spec), spec.epochs)
        if name not in found or len(spec.seeds) >= len(found[name].record["spec"]["seeds"]):
            found[name] = record
    used = {}
    for artefact, specs in experiments.plan(profile).items():
        records = [found[experiments.label(s), s.epochs] for s in specs if (experiments.label(s), s.epochs) in found]
        used |= {r.record["run_id"]: r.record for r in records}
        if records or not (specs or update):
            for name, frame in results.collect(artefact, records).items():
                _keep(out / f"{name}.csv", frame, update)
    rates = results.costs(used.values(), profile, root=Path())
    _keep(out / "costs.csv", rates.groupby(["method", "target"], as_index=False, sort=False)[["rate"]].median(), update)


def _keep(path: Path, frame: pd.DataFrame, update: bool) -> None:
    if update and path.is_file():
        frame = results.merged(results.read_csv(path), frame)
    results.whole_csv(path, frame)
    print(path, len(frame))


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--update"]
    if len(given) not in (1, 2):
        sys.exit(__doc__)
    main(given[0], Path(given[1] if len(given) == 2 else results.RESULTS / given[0]), "--update" in sys.argv)
