"""RG in its official layout at full size, 1,000 routines of about 71 clips of 1,024: what a reader's folder is like."""

import os
import subprocess
import sys

import numpy as np
import pytest

from cofinal_lib.data.registry import CLIP_FOLDER

APPARATUSES = ("Ball", "Clubs", "Hoop", "Ribbon")
LOAD = """
import resource
from cofinal_lib.data import load
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
imported = peak()  # torch with its GPU libraries alone takes some hundred MiB
for target in ("rg/ball", "rg/clubs", "rg/hoop", "rg/ribbon"):
    data = load(target)
    assert data.features.shape[2] == 1024 and int(data.is_train.sum()) == 200 and len(data) == 250
print(peak() - imported)
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    mirror, draw = tmp_path_factory.mktemp("mirror"), np.random.default_rng(0)
    clips = mirror / "rg" / CLIP_FOLDER
    clips.mkdir(parents=True)
    lines = {"train": ["Name Difficulty Execution Total Penalty Seconds"], "test": []}
    block = draw.standard_normal((90, 1024), dtype=np.float32)
    for name in APPARATUSES:
        for i in range(250):
            length = int(draw.integers(62, 81))
            np.save(clips / f"{name}_{i + 1:03d}.npy", block[:length] + np.float32(i))
            lines["train" if i < 200 else "test"].append(f"{name}_{i + 1:03d} 8 8 {draw.uniform(5, 25):.2f} 0 90")
    for split in lines:
        (mirror / "rg" / f"{split}.txt").write_text("\n".join(lines[split]) + "\n")
    return mirror


def test_all_four_targets_load_within_two_gibibytes(mirror):
    env = os.environ | {"COFINAL_MIRROR": str(mirror)}
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2048


def test_the_paper_profile_needs_nothing_else(cofinal, mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("COFINAL_MIRROR", str(mirror))
    checked = cofinal("data", "check", "rg")
    assert checked.returncode == 0 and checked.stdout.count("OK") == 4
    plan = cofinal("reproduce", "table3", "--profile", "paper", "--dry-run", "--out", tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert all(f"table3-rg-{name.lower()}" in plan.stdout for name in APPARATUSES)
