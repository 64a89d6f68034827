"""What fewer digits in training do to a ranking: the same seeds trained in full and in bf16, paired.

    python benchmarks/precision.py [--device cuda] [--seeds 10] [--out FILE.csv]

bf16 (7 bits of mantissa) rounds what each matrix product of training multiplies; a CPU without such arithmetic rounds
the same and takes longer. A GPU trains in tf32 (10 bits), too. Test SRCC after the last epoch, soft; no epoch is
chosen. On Fis-V clips are averaged by sixteens and networks are thin, so that 200 epochs take minutes on a CPU.

Rows: a target, method, precision and seed with its srcc and seconds.
"""

import argparse
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from cofinal_lib import results
from cofinal_lib.data import load
from cofinal_lib.experiments import spec
from cofinal_lib.metrics import spearman
from cofinal_lib.rivals import METHODS
from cofinal_lib.runs import device_name
from cofinal_lib.train import fit

THIN = {"procedure_dim": 64, "score_dim": 64}
ARMS = [  # profile, target, method, its options, clips averaged into one
    ("quick", "uiprmd/deep-squat", "cofinal", {}, 1),
    ("quick", "uiprmd/deep-squat", "gdlt", {}, 1),
    ("quick", "uiprmd/deep-squat", "cofinal-released", {}, 1),
    ("paper", "fisv/pcs", "cofinal", THIN, 16),
]


def main() -> None:
    """Train every arm in every precision, print a line for each and write the rows."""
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parse.add_argument("--seeds", type=int, default=10)
    parse.add_argument("--out", type=Path)
    given = parse.parse_args()
    rows = []
    for profile, target, method, options, pool in ARMS:
        data = load(target).pooled(pool)
        test = data.rows("test").numpy()
        for precision in ("full", "bf16") + (("tf32",) if given.device == "cuda" else ()):
            run = replace(spec(profile, target, method, **options), device=given.device, precision=precision)
            schedule, build = replace(run.schedule, holdout=0), partial(METHODS[method], run.config(data))
            start = time.perf_counter()
            trained = fit(build, data, range(given.seeds), schedule, device=given.device)
            seconds = (time.perf_counter() - start) / given.seeds
            for result in trained:
                srcc = spearman(result.predictions[-1, test, 0], data.scores.numpy()[test])
                head = {"target": target, "source": data.source, "method": method, "pool": pool, "epochs": run.epochs}
                rows.append(head | {"precision": precision, "seed": result.seed, "srcc": srcc, "seconds": seconds})
            mean = pd.DataFrame(rows[-given.seeds :])["srcc"].mean()
            print(f"{target} {method} {precision}: {mean:.4f}, {seconds:.1f} s a seed", flush=True)
    if given.out:
        kept = pd.DataFrame(rows).assign(device=device_name(given.device))
        results.whole_csv(given.out, kept)


if __name__ == "__main__":
    main()
