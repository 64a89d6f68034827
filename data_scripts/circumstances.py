"""What chapters depend on beside code: profile, device, and which data and results are at hand, as JSON.

    python data_scripts/circumstances.py PROFILE

The Makefile keeps the output and executes the chapters again when it differs.
"""

import json

import torch

from cofinal_lib import experiments
from cofinal_lib.command import run
from cofinal_lib.data import registry, state
from cofinal_lib.records import RESULTS


def main(profile: str) -> None:
    """Print the circumstances; a data file counts by its size and time of change."""
    experiments.profile(profile)  # is refused before its notebooks are executed
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    files = {dataset: state(dataset) for dataset in registry.DATASETS}
    results = sorted(path.relative_to(RESULTS).as_posix() for path in RESULTS.glob("*/*.csv"))  # a file gone shows here
    print(json.dumps({"profile": profile, "device": device, "files": files, "results": results}))


if __name__ == "__main__":
    run(main)
