"""RG in its official layout at full size, 1,000 routines of about 71 clips of 1,024: what a reader's folder is like."""

import json
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
used = lambda: resource.getrusage(resource.RUSAGE_SELF)
imported = used()  # torch with its GPU libraries alone takes some hundred MiB
for target in ("rg/ball", "rg/clubs", "rg/hoop", "rg/ribbon"):
    data = load(target)
    assert data.features.shape[2] == 1024 and int(data.is_train.sum()) == 200 and len(data) == 250
loaded = used()
print(loaded.ru_maxrss - imported.ru_maxrss >> 10, sum(loaded[:2]) - sum(imported[:2]))
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


def test_all_four_targets_load_within_two_gibibytes_and_twenty_seconds(mirror):
    env = os.environ | {"COFINAL_MIRROR": str(mirror)}
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    mebibytes, seconds = map(float, done.stdout.split())  # of a processor's work: other processes add nothing
    assert mebibytes < 2048 and seconds < 20


def test_the_paper_profile_needs_nothing_else(cofinal, mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("COFINAL_MIRROR", str(mirror))
    checked = cofinal("data", "check", "rg")
    assert checked.returncode == 0 and checked.stdout.count("OK") == 4
    plan = cofinal("reproduce", "table3", "--profile", "paper", "--dry-run", "--out", tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert all(f"table3-rg-{name.lower()}" in plan.stdout for name in APPARATUSES)
    made = cofinal("work", "table1-rg-ball-1", "--profile", "paper", "--device", "cpu", "--out", tmp_path)
    assert made.returncode == 0 and "rg/ball ridge: test SRCC" in made.stdout, made.stderr
    record = json.loads(next(tmp_path.glob("rg-ball-ridge-*/record.json")).read_text())
    assert record["provenance"]["source"] == "official"
    assert record["provenance"]["command"] == "cofinal reproduce --profile paper --device cpu"
