"""Keep the data of a profile's tables and figures as reference: results/reference/<profile>/*.csv.

    python data_scripts/reference.py PROFILE [FOLDER]

FOLDER holds the runs, by default results/PROFILE. Of runs that differ in seeds or library alone, the one with the most
seeds counts, then the latest. An artefact without any run is left out.
"""

import sys
from pathlib import Path

from cofinal_lib import experiments, results
from cofinal_lib.records import RunRecord
from cofinal_lib.runs import RunSpec


def main(profile: str, folder: Path) -> None:
    """Collect every artefact's data from the runs in `folder`."""
    found, out = {}, results.RESULTS / "reference" / profile
    for path in sorted(folder.glob("*/record.json"), key=lambda p: p.stat().st_mtime):
        record = RunRecord.read(path.parent)
        spec = RunSpec.from_dict(record.record["spec"])
        name = (experiments.label(spec), spec.epochs)
        if name not in found or len(spec.seeds) >= len(found[name].record["spec"]["seeds"]):
            found[name] = record
    used = {}
    for artefact in experiments.ARTEFACTS:
        specs = experiments.runs(artefact, profile)
        records = [found[experiments.label(s), s.epochs] for s in specs if (experiments.label(s), s.epochs) in found]
        used |= {r.record["run_id"]: r.record for r in records}
        if records or not specs:
            for name, frame in results.collect(artefact, records).items():
                results.whole_csv(out / f"{name}.csv", frame)
                print(out / f"{name}.csv", len(frame))
    rates = results.costs(used.values(), profile, root=Path())
    results.whole_csv(out / "costs.csv", rates.groupby(["method", "target"], as_index=False, sort=False).median())


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) == 3 else results.RESULTS / sys.argv[1]))
