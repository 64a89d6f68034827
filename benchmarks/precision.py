"""What fewer digits in training do to a ranking: the same seeds trained in full, in bf16 and in tf32, paired.

    python benchmarks/precision.py [--device cuda] [--seeds 10] [--out FILE.csv]

bf16 (7 bits of mantissa) and tf32 (10 bits) round what each matrix product of training multiplies; a CPU without
such arithmetic rounds the same and takes longer. Test SRCC after the last epoch, soft; no epoch is chosen. For GDLT
Fis-V's clips are averaged by sixteens: 200 epochs then take minutes on a CPU.

Rows: a target, method, precision and seed with its srcc, and the seconds of all seeds, divided by their number. Written
anew after each precision.
"""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from joblib import cpu_count

from cofinal_lib import results
from cofinal_lib.command import run as run_command
from cofinal_lib.data import load
from cofinal_lib.experiments import spec
from cofinal_lib.metrics import spearman
from cofinal_lib.rivals import METHODS
from cofinal_lib.runs import check_device, device_name
from cofinal_lib.train import fit

ARMS = [  # profile, target, method, clips averaged into one
    ("quick", "uiprmd/deep-squat", "cofinal", 1),
    ("paper", "fisv/pcs", "cofinal", 1),
    ("paper", "fisv/pcs", "gdlt", 16),
]


def main(device: str = "cpu", seeds: Annotated[int, typer.Option(min=1)] = 10, out: Path | None = None) -> None:
    """Train every arm in every precision, print a line for each and write the rows."""
    check_device(device)
    rows = []
    for profile, target, method, pool in ARMS:
        data = load(target).pooled(pool)
        test = data.rows("test").numpy()
        for precision in ("full", "bf16", "tf32"):
            run = replace(spec(profile, target, method), device=device, precision=precision)
            schedule, build = replace(run.schedule, holdout=0), partial(METHODS[method], run.config(data))
            start = time.perf_counter()
            trained = fit(build, data, range(seeds), schedule, device=device, jobs=cpu_count())
            seconds = (time.perf_counter() - start) / seeds
            for result in trained:
                srcc = spearman(result.predictions[-1, test, 0], data.scores.numpy()[test])
                head = {"target": target, "source": data.source, "method": method, "pool": pool, "epochs": run.epochs}
                rows.append(head | {"precision": precision, "seed": result.seed, "srcc": srcc, "seconds": seconds})
            mean = pd.DataFrame(rows[-seeds:])["srcc"].mean()
            print(f"{target} {method} {precision}: {mean:.4f}, {seconds:.1f} s a seed", flush=True)
            if out:
                results.whole_csv(out, pd.DataFrame(rows).assign(device=device_name(device)))


if __name__ == "__main__":
    run_command(main)
