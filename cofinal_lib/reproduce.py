"""`cofinal reproduce`: every table and figure from runs, by Snakemake; and what the rules of the Snakefile do."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Collection
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cofinal_lib import experiments, results
from cofinal_lib.data import load, registry, state
from cofinal_lib.errors import CofinalError
from cofinal_lib.experiments import ARTEFACTS, label
from cofinal_lib.records import HOME, RunRecord
from cofinal_lib.report import WarmKernel, execute, failure, unavailable
from cofinal_lib.runs import RunSpec, library_digest, run, versions

SNAKEFILE = HOME / "Snakefile"

# --------------------------------------------------------------------------------------- what the rules do


def circumstances(specs: list[RunSpec]) -> str:
    """A digest of what a job's numbers depend on beside its specs: library, versions, data files."""
    states = [state(target) for target in sorted({s.target for s in specs})]
    return hashlib.sha256(json.dumps([library_digest(), versions(), states]).encode()).hexdigest()[:16]


def drawing_digest() -> str:
    """A digest of what turns records into tables and figures; Table 2 has none, and counts the models themselves."""
    root = Path(__file__).parent
    paths = [root / f"{name}.py" for name in ("efficiency", "main_results", "records", "results", "tables")]
    paths += [*(root / "figures").glob("*.py"), *(root / "paper").glob("*.csv")]
    shown = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()
    return hashlib.sha256(json.dumps([library_digest(), versions(), shown]).encode()).hexdigest()[:16]


def work(job: str, profile: str, out: Path, device: str | None = None) -> None:
    """Make a job's runs, each with its executed notebook, and write jobs/<job>.json: run ids, and what failed.

    A run that fails is noted, with a notebook that shows where, and the others go on.
    """
    made, failed = {}, {}
    specs = experiments.jobs(profile, experiments.plan(profile, device)).get(job)
    if specs is None:
        raise CofinalError(f"profile {profile} has no job {job!r} here; cofinal reproduce --dry-run lists them")
    command = f"cofinal reproduce --profile {profile}" + (f" --device {device}" if device else "")
    with WarmKernel() as kernel:
        report = partial(execute, kernel=kernel)
        for spec in specs:
            name, started = label(spec), time.perf_counter()
            path = Path("failed") / f"{name.replace('/', '-').replace(' ', '-')}.ipynb"
            try:
                record = run(spec, out, command=command, jobs=1, report=report)
            except Exception as error:
                told = partial(failure, asdict(spec), out, traceback.format_exception(error))
                with suppress(CofinalError):  # on a full disk the others still go on: what is made already counts
                    results.whole(out / path, told)
                failed[name] = {"error": " ".join(str(error).split()) or type(error).__name__, "notebook": str(path)}
                print(f"  {name}: failed, {failed[name]['error']}", flush=True)
                continue
            made[name] = record.record["run_id"]
            (out / path).unlink(missing_ok=True)  # of an earlier try
            srcc = record.metric(decoding="soft")["mean"]
            print(
                f"  {name}: test SRCC {'undefined' if srcc is None else f'{srcc:.3f}'}, "
                f"{time.perf_counter() - started:.0f} s",
                flush=True,
            )
    text = json.dumps({"runs": made, "failed": failed}, indent=1) + "\n"
    results.whole(out / "jobs" / f"{job}.json", lambda path: path.write_text(text))


def render(artefact: str, profile: str, out: Path, device: str | None = None) -> None:
    """Write an artefact's data as <artefact>.csv, and what is drawn from it, from the records of finished jobs."""
    made, plan = {}, experiments.plan(profile, device)
    if artefact not in plan:
        raise CofinalError(f"profile {profile} has no {artefact!r} here; it has {', '.join(plan)}")
    for job in experiments.jobs(profile, plan):
        if (path := out / "jobs" / f"{job}.json").exists():
            made |= _job(path)["runs"]
    labels = dict.fromkeys(label(s) for s in plan[artefact])
    records = [RunRecord.read(out / made[name]) for name in labels if name in made]
    if labels and not records:
        raise CofinalError(f"{artefact}: none of its {len(labels)} runs was made, so there is nothing to show")
    results.render(artefact, results.collect(artefact, records), out, results.made_by(artefact, profile, device))


def _job(path: Path) -> dict:
    try:
        job = json.loads(path.read_text())
        return {"runs": dict(job["runs"]), "failed": dict(job["failed"])}
    except (ValueError, TypeError, LookupError) as error:
        raise CofinalError(f"{path} is corrupt ({error!r}); delete it and start again") from error


# --------------------------------------------------------------------------------------- the command


def reproduce(
    artefacts: list[str],
    profile: str,
    out: Path,
    cores: int,
    device: str | None = None,
    dry_run: bool = False,
    retry: bool = False,
    cluster: Path | None = None,
) -> list[str]:
    """Make what is missing of some artefacts (all, where none is named), and say what was done, line by line.

    Args:
        out: the profile's folder, such as results/quick; one reproduction at a time holds it.
        cores: jobs at a time on this machine. device: in place of the profile's.
        retry: run again what failed before.
        cluster: a Snakemake profile (a folder with config.yaml) that says where jobs run.

    Raises:
        CofinalError: an unknown artefact, a folder that is in use or faulty, runs that failed.
    """
    unknown = set(artefacts) - set(ARTEFACTS)
    if unknown:
        raise CofinalError(f"unknown {', '.join(sorted(unknown))}; expected some of {', '.join(ARTEFACTS)}, or none")
    plan = experiments.plan(profile, device)
    if absent := experiments.absent(profile, plan):
        fetch = (
            "add them to COFINAL_MIRROR's folder"
            if registry.mirror()
            else "`cofinal data fetch fisv uiprmd` brings what is public; for rg see the README"
        )
        print(f"left out, not at hand: {', '.join(absent)} ({fetch})", file=sys.stderr)
    if hopeless := [artefact for artefact in artefacts if artefact not in plan]:
        raise CofinalError(f"{', '.join(hopeless)}: none of the data it needs in profile {profile} is at hand")
    artefacts = artefacts or list(plan)
    jobs = experiments.jobs(profile, plan)
    jobs = {job: jobs[job] for artefact in artefacts for job in experiments.needed(plan[artefact], jobs)}
    if cluster and not (cluster / "config.yaml").is_file():
        raise CofinalError(f"{cluster} is no Snakemake profile: expected a folder with config.yaml, such as slurm/")
    if out.exists() and not out.is_dir():
        raise CofinalError(f"cannot write into {out}: it is a file; choose another folder")
    if dry_run:
        return _plan(jobs, out, profile, 1 if cluster else cores)
    if why_not := lacking():
        raise CofinalError(why_not)
    gpu = cluster or torch.cuda.is_available()
    if not gpu and any(spec.device == "cuda" for specs in jobs.values() for spec in specs):
        raise CofinalError(
            f"profile {profile} trains on cuda, and torch finds no GPU here; --device cpu trains without"
        )
    with _alone(out) as lock:
        _tidy_up(out, retried=jobs if retry else ())
        # This machine's cores and GPUs limit what runs here; a cluster's limits stand in its profile.
        here = ["--cores", str(cores), "--resources", f"gpu={max(torch.cuda.device_count(), 1)}"]
        elsewhere = ["--profile", str(cluster.resolve())] if cluster else []
        # Snakemake takes a table that was drawn for finished, whatever became of its runs, unless they are asked for.
        missing = [f"jobs/{job}.json" for job in jobs if not (out / "jobs" / f"{job}.json").exists()]
        command = [
            sys.executable, "-m", "snakemake", *artefacts, *missing,
            "--snakefile", str(SNAKEFILE), "--directory", str(out), *(elsewhere if cluster else here),
            "--keep-going", "--rerun-incomplete", "--nolock",
            *(["--prioritize", "table1"] if "table1" in artefacts else []),  # long jobs first: the last runs alone
            "--config", f"profile={profile}", *([f"device={device}"] if device else []),
        ]  # fmt: skip
        # Snakemake works in `out`, where a relative path would name another folder.
        places = {"COFINAL_MIRROR": registry.mirror(), "COFINAL_CACHE": os.environ.get("COFINAL_CACHE")}
        env = os.environ | {name: str(Path(place).resolve()) for name, place in places.items() if place}
        # What jobs say is for the reader; what Snakemake says is kept for the day it is needed.
        with open(out / "snakemake.log", "w") as log:
            code = subprocess.run(command, pass_fds=[lock], stderr=log, env=env).returncode
    return _summary(jobs, artefacts, out, code)


def lacking() -> str | None:
    """Say in a sentence why nothing can be reproduced here; None where it can."""
    if find_spec("snakemake") is None:
        return "no reproduction without snakemake; pip install 'cofinal-book[book]' brings what is missing"
    if not SNAKEFILE.is_file():
        return f"no reproduction without {SNAKEFILE}, which the repository and a release's wheel bring; install one"
    return unavailable()


@contextmanager
def _alone(out: Path):
    """Hold the folder until this process and Snakemake are gone, however they go."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = os.open(out / ".lock", os.O_CREAT | os.O_RDWR)
    except OSError as error:
        raise CofinalError(f"cannot write into {out}: {error.strerror}; choose another folder") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise CofinalError(f"{out} is in use by another reproduction; wait for it, or choose another --out") from None
    try:
        yield lock
    finally:
        os.close(lock)


def _tidy_up(out: Path, retried: Collection[str] = ()) -> None:
    """Forget jobs that lack a run or its report, and failures of jobs to retry; remove what a killed run left."""
    for path in sorted((out / "jobs").glob("*.json")):
        job = _job(path)
        gone = any(not (out / run_id / "run.ipynb").exists() for run_id in job["runs"].values())
        if gone or (path.stem in retried and job["failed"]):
            for why in job["failed"].values():
                (out / why["notebook"]).unlink(missing_ok=True)
            path.unlink()
        else:
            for run_id in job["runs"].values():
                RunRecord.read(out / run_id)  # names what is corrupt
    for folder in out.glob(".unfinished-*"):
        if time.time() - folder.stat().st_mtime > 86400:  # a younger one may be another machine's
            shutil.rmtree(folder, ignore_errors=True)


def _summary(jobs: dict, artefacts: list[str], out: Path, code: int) -> list[str]:
    """What there is now, line by line; a CofinalError where something is missing."""
    paths = {job: out / "jobs" / f"{job}.json" for job in jobs}
    finished = {job: _job(path) for job, path in paths.items() if path.exists()}
    failed = {name: why for job in finished.values() for name, why in job["failed"].items()}
    broken = [job for job in jobs if job not in finished]
    lines = [f"{name} failed: {why['error']}; see {out / why['notebook']}" for name, why in failed.items()]
    lines += [f"job {job} did not finish; see above, or {out / 'snakemake.log'}" for job in broken]
    if lines:
        print("\n".join(lines), file=sys.stderr)
        again = "with --retry, to run what failed again" if failed else "to go on"
        raise CofinalError(f"runs failed: {len(failed)}, jobs not finished: {len(broken)}; start again {again}")
    if code:
        missing = [artefact for artefact in artefacts if not (out / f"{artefact}.csv").exists()]
        raise CofinalError(f"{', '.join(missing) or 'not all'} could not be made; see {out / 'snakemake.log'}")
    runs = sum(len(job["runs"]) for job in finished.values())
    return [f"{runs} runs of {len(finished)} jobs lie in {out}"] + [
        f"{artefact}: {', '.join(sorted(p.name for p in out.glob(f'{artefact}.*')))}" for artefact in artefacts
    ]


def _plan(jobs: dict[str, list[RunSpec]], out: Path, profile: str, cores: int) -> list[str]:
    """How many runs are missing, job by job, and how long they take by what earlier ones took.

    Jobs that train on a GPU run as many at a time as there are GPUs.
    """
    records = [RunRecord.read(path.parent).record for path in sorted(out.glob("*/record.json"))]
    now, made = {"library_digest": library_digest(), "versions": versions()}, {}
    for r in records:
        if all(r["provenance"][k] == v for k, v in now.items()):
            made.setdefault(json.dumps(r["spec"], sort_keys=True), set()).add(r["provenance"]["data_digest"])
    digest = cache(lambda target, **twin: load(target, **twin).digest)

    def done(s: RunSpec) -> bool:
        digests = made.get(json.dumps(asdict(s), sort_keys=True))
        return digests is not None and digest(s.target, **s.twin) in digests

    costs = results.costs(records, profile)
    reckoned, lines = [], []
    for job, specs in jobs.items():
        seconds = [_reckoned(s, costs) for s in specs if not done(s)]
        known = "" if np.isnan(seconds).all() and seconds else f", {_duration(np.nansum(seconds))}"
        lines.append(f"{job}: {len(seconds)} of {len(specs)} runs to make{known}")
        reckoned += seconds
    on_gpu = any(s.device == "cuda" for specs in jobs.values() for s in specs)
    side_by_side, unit = (max(torch.cuda.device_count(), 1), "GPU") if on_gpu else (cores, "core")
    duration, unlike = _duration(np.nansum(reckoned) / side_by_side), int(np.isnan(reckoned).sum())
    last = f"{len(reckoned)} of {sum(map(len, jobs.values()))} runs to make"
    if unlike < len(reckoned) or not reckoned:
        last += f": about {duration} on {side_by_side} {unit}{'s' * (side_by_side > 1)} by the cost of earlier runs"
        last += " on a CPU core" if on_gpu and "cuda" not in set(costs["device"]) else ""
    return [*lines, last + (f", and {unlike} like no earlier one" if unlike else "")]


def _reckoned(s: RunSpec, costs: pd.DataFrame) -> float:
    """Seconds of a run from earlier ones of its method, on its device and target or else on any; NaN where none is."""
    same = costs[costs["method"] == s.method]
    same = same[same["device"] == s.device] if s.device in set(same["device"]) else same
    here = same[same["target"] == s.target]
    return float((here if len(here) else same)["rate"].median() * len(s.seeds) * s.epochs)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
