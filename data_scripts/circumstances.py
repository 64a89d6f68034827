"""What chapters depend on beside code: profile, device, and which data files are at hand, as JSON.

    python data_scripts/circumstances.py PROFILE

The Makefile keeps the output and executes the chapters again when it differs.
"""

import hashlib
import json
import sys

import torch

from cofinal_lib.data import registry


def main(profile: str) -> None:
    """Print the circumstances; a data file counts by its size and time of change."""
    folder = registry.mirror() or registry.cache()
    listing = hashlib.sha256()
    for name in registry.FILES:
        if (folder / name).is_file():
            state = (folder / name).stat()
            listing.update(f"{name} {state.st_size} {state.st_mtime_ns}\n".encode())
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    print(json.dumps({"profile": profile, "device": device, "folder": str(folder), "files": listing.hexdigest()}))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
