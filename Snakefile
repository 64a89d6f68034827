# What must be run for which table or figure. `cofinal reproduce` starts it; by hand:
#
#     snakemake --directory results/quick --config profile=quick --cores 2 table1
#
# What each needs stands in cofinal_lib/experiments.py, how large it is in cofinal_lib/profiles/. A job makes some runs
# in one process, each run with its own folder and executed notebook, and is done again when its specs, the library,
# the versions or the data change. A run that is there already costs nothing, so a killed job loses one run at most.
import os
import shlex
import sys

from cofinal_lib import experiments, reproduce

# Jobs run without the files of the folder they were started from: names here are relative to results/<profile>/.
PROFILE = config.get("profile", "quick")
DEVICE = config.get("device")
PLAN = experiments.plan(PROFILE, DEVICE)  # artefact -> runs on the data at hand
JOBS = experiments.jobs(PROFILE, PLAN)
ON_GPU = (DEVICE or experiments.profile(PROFILE)["device"]) == "cuda"
COFINAL = f"OMP_NUM_THREADS=1 {shlex.quote(sys.executable)} -m cofinal_lib.cli"
WHERE = f"--profile {PROFILE} --out ." + (f" --device {DEVICE}" if DEVICE else "") + " 2>&1"

wildcard_constraints:
    job="|".join(JOBS) or "none",

rule all:
    input:
        [f"{artefact}.csv" for artefact in PLAN],

rule runs:
    output:
        "jobs/{job}.json",
    params:
        specs=lambda wildcards: [str(spec) for spec in JOBS[wildcards.job]],
        circumstances=lambda wildcards: reproduce.circumstances(JOBS[wildcards.job]),
    threads: 1
    resources:
        **({"gpu": 1} if ON_GPU else {}),
    shell:
        COFINAL + " work {wildcards.job} " + WHERE

for artefact, specs in PLAN.items():
    drawn = ("html", "tex") if artefact.startswith("table") else ("png", "svg")

    rule:
        name:
            artefact
        input:
            [f"jobs/{job}.json" for job in experiments.needed(specs, JOBS)],
        output:
            [f"{artefact}.{suffix}" for suffix in ("csv", *drawn)],
        params:
            circumstances=reproduce.drawing_digest(),
        threads: 1
        shell:
            COFINAL + " render {rule} " + WHERE
