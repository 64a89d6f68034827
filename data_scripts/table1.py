"""Run Table 1's grid, every method on every target at hand, and keep the results as a small table.

    python data_scripts/table1.py PROFILE

Runs already in results/<profile>/ cost nothing. The table goes to results/reference/table1-<profile>.csv.
"""

import sys
from pathlib import Path

from tqdm import tqdm

from cofinal_lib.errors import CofinalError
from cofinal_lib.experiments import table1, tidy
from cofinal_lib.runs import run

ROOT = Path(__file__).parents[1]


def main(profile: str) -> None:
    """Run the grid; a method that fails on a target is named and left out."""
    records = []
    for spec in tqdm(table1(profile), unit="run"):
        try:
            records.append(run(spec, ROOT / "results" / profile, command=f"python data_scripts/table1.py {profile}"))
        except CofinalError as error:
            print(f"{spec.method} on {spec.target}: {error}", file=sys.stderr)
    path = ROOT / "results" / "reference" / f"table1-{profile}.csv"
    tidy(records).to_csv(path, index=False, float_format="%.6g")
    print(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
