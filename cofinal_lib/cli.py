"""The command line, `cofinal`: each command imports what it needs when it runs, torch late."""

import os
import shlex
import sys
from math import isnan
from pathlib import Path
from typing import Annotated

from cofinal_lib.errors import CofinalError

try:
    import typer
except ModuleNotFoundError:
    print("cofinal: typer is missing: run pip install typer, then cofinal doctor", file=sys.stderr)
    sys.exit(2)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train and score methods of action quality assessment, reproduce the paper, show its claims.",
)
data_app = typer.Typer(no_args_is_help=True, help="Fetch, check or simulate data.")
app.add_typer(data_app, name="data")

Folder = Annotated[
    Path | None, typer.Option(help="Your own copy: swintx_avg_fps25_clip32/<video>.npy, train.txt, test.txt.")
]


@app.command()
def train(
    dataset: Annotated[str, typer.Option(help="Target, such as uiprmd/deep-squat, fisv/pcs, rg/ball or twin/ball.")],
    out: Annotated[Path, typer.Option(help="The run's folder appears below this one.")],
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How many seeds: 0, 1, 2...")] = 10,
    method: Annotated[
        str,
        typer.Option(
            help="cofinal, cofinal-repaired, cofinal-released, gdlt, hgcn, action-net, ms-lstm, c3d-svr, ridge or "
            "kernel-ridge."
        ),
    ] = "cofinal",
    epochs: Annotated[int, typer.Option(min=1, max=1_000_000)] = 200,
    folder: Folder = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="An option of the method's Config, NAME=VALUE, such as n_grades=7; may be repeated."),
    ] = None,
    twin: Annotated[
        list[str] | None,
        typer.Option(help="A twin's knob, NAME=VALUE, such as feature_dim=64; may be repeated."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="Of training's matrix products: full, tf32 or bf16.")] = "full",
):
    """Train a method and write its run folder."""
    from cofinal_lib.records import cell
    from cofinal_lib.report import execute, unavailable
    from cofinal_lib.rivals import SOLVED
    from cofinal_lib.runs import RunSpec, run

    seeds = 1 if method in SOLVED else seeds  # nothing of them is drawn at random
    spec = RunSpec(
        target=dataset,
        method=method,
        seeds=tuple(range(seeds)),
        epochs=epochs,
        options=assignments(option),
        twin=assignments(twin),
        device=device,
        precision=precision,
    )
    if why_not := unavailable():
        typer.echo(f"cofinal: {why_not}", err=True)
    command = shlex.join(["cofinal", *sys.argv[1:]])
    record = run(spec, out, folder=folder, command=command, progress=True, report=None if why_not else execute)
    for note in record.record["notes"]:
        typer.echo(note)
    typer.echo(f"{dataset}: test SRCC over {seeds} seed{'s' * (seeds > 1)} (95 % interval over seeds)")
    for selection in record.record["selections"]:
        cells = [cell(record.metric(selection=selection, decoding=d)) for d in ("soft", "hard")]
        typer.echo(f"  {selection:<14} soft {cells[0]:<26} hard {cells[1]}")
    ridge = record.record["baselines"]["ridge_on_mean_clip"]["test"]["srcc"]
    typer.echo(f"  {'ridge, mean clip':<19} {'undefined' if ridge is None else f'{ridge:.3f}'}")
    typer.echo(f"{record.folder}")


@app.command()
def score(
    checkpoint: Annotated[Path, typer.Option(help="A state dict as the authors release it, such as Ball_best.pkl.")],
    dataset: Annotated[str, typer.Option(help="Target, such as rg/ball or fisv/pcs.")],
    method: Annotated[str, typer.Option(help="Whose checkpoint: cofinal-released, gdlt or hgcn.")] = "cofinal-released",
    folder: Folder = None,
    out: Annotated[Path | None, typer.Option(help="A CSV file for each routine's prediction.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="What the checkpoint's shapes do not show, NAME=VALUE, such as activation=3."),
    ] = None,
):
    """Score a data set's routines with a released checkpoint."""
    import numpy as np

    from cofinal_lib.checkpoint import released_model, score
    from cofinal_lib.data import load
    from cofinal_lib.metrics import bootstrap_interval, spearman
    from cofinal_lib.runs import RunSpec

    data = load(dataset, folder=folder)
    spec = RunSpec(dataset, method=method, options=assignments(option))
    frame = score(released_model(method, checkpoint, **(spec.authors_options | spec.options)), data)
    if not np.isfinite(frame["predicted"]).all():
        raise CofinalError(f"{checkpoint} predicts scores that are no finite numbers; is it a finished training's?")
    if out is not None:
        from cofinal_lib.results import whole

        whole(out, lambda aside: frame.to_csv(aside, index=False))
    for split, rows in frame.groupby("split", sort=False):
        low, high = bootstrap_interval(rows["predicted"], rows["score"], seed=0)
        srcc = spearman(rows["predicted"], rows["score"])
        said = "undefined" if isnan(srcc) else f"{srcc:.3f} [{low:.3f}, {high:.3f}] (bootstrap, 95 %)"
        typer.echo(f"{dataset}, {len(rows)} {split} routines: SRCC {said}")


def assignments(given: list[str] | None) -> dict:
    """["n_grades=7", "without=TFM"] -> {"n_grades": 7, "without": "TFM"}."""
    chosen = {}
    for item in given or []:
        name, equals, value = item.partition("=")
        if not (name and equals):
            raise CofinalError(f"{item!r}: expected NAME=VALUE")
        if name in chosen:
            raise CofinalError(f"{name} is given twice, as {chosen[name]} and as {value}; say it once")
        for read in (int, float, str):
            try:
                chosen[name] = read(value)
                break
            except ValueError:
                continue
    return chosen


Profile = Annotated[str, typer.Option(help="quick, colab or paper: how large and how many.")]
Device = Annotated[str | None, typer.Option(help="cpu or cuda, in place of the profile's.")]


@app.command()
def reproduce(
    artefacts: Annotated[
        list[str] | None,
        typer.Argument(help="table1, table2, table3, figure4a, figure4b, figure5, figure6; by default all."),
    ] = None,
    profile: Profile = "quick",
    out: Annotated[Path | None, typer.Option(help="By default results/<profile>.")] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Jobs at a time; by default all cores.")] = None,
    device: Device = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many runs, and how long; make none.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Run again what failed.")] = False,
    cluster: Annotated[
        Path | None, typer.Option(help="A Snakemake profile that says where jobs run, such as slurm/.")
    ] = None,
):
    """Make the paper's tables and figures: every run that is missing, then what is drawn from them."""
    from joblib import cpu_count

    from cofinal_lib import reproduce as steps
    from cofinal_lib.records import RESULTS

    out = out or Path(os.path.relpath(RESULTS / profile))  # where chapters look
    cores = cores or cpu_count()
    for line in steps.reproduce(artefacts or [], profile, out, cores, device, dry_run, retry, cluster):
        typer.echo(line)


@app.command(hidden=True)
def work(job: str, profile: Profile, out: Annotated[Path, typer.Option()] = Path("."), device: Device = None):
    """Make one job's runs; the Snakefile calls this."""
    from cofinal_lib import reproduce as steps

    steps.work(job, profile, out, device)


@app.command(hidden=True)
def render(artefact: str, profile: Profile, out: Annotated[Path, typer.Option()] = Path("."), device: Device = None):
    """Draw one table or figure from finished jobs; the Snakefile calls this."""
    from cofinal_lib import reproduce as steps

    steps.render(artefact, profile, out, device)


@app.command()
def claims(
    claim: Annotated[str | None, typer.Argument(metavar="[ID]", help="One claim, in full; by default all.")] = None,
    run: Annotated[bool, typer.Option("--run", help="Evaluate now, in place of the ledger as it was kept.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Rows for a machine.")] = False,
):
    """Show the ledger: each claim of the paper, its verdict, and what it rests on."""
    from cofinal_lib import claims as book

    frame = book.ledger(claim) if run else book.kept(claim)
    for line in [book.as_json(frame)] if json else book.as_lines(frame):
        typer.echo(line)


@data_app.command()
def fetch(
    datasets: Annotated[list[str] | None, typer.Argument(help="rg (scores only), fisv, uiprmd, cofinal.")] = None,
):
    """Download public files by pinned address and SHA-256; a second time costs nothing."""
    from cofinal_lib.data import registry

    for dataset in datasets or registry.DATASETS:
        typer.echo(f"{dataset}: {registry.fetch_dataset(dataset, progress=True)}")


@data_app.command()
def check(
    targets: Annotated[list[str], typer.Argument(help="Targets, such as fisv/pcs; rg, fisv or uiprmd for all of one.")],
    folder: Folder = None,
):
    """Read targets as a run would, and say what is there or what is wrong."""
    from cofinal_lib.data import OTHER_BACKBONES, TARGETS, at_hand, load

    here = [*TARGETS, *(target for target in OTHER_BACKBONES if at_hand(target, folder))]
    for wanted in targets:
        for target in [t for t in here if t == wanted or t.startswith(f"{wanted}/")] or [wanted]:
            data = load(target, folder=folder)
            n_train = int(data.is_train.sum())
            typer.echo(
                f"{target}: {n_train} training and {len(data) - n_train} test routines, "
                f"{int(data.lengths.min())} to {int(data.lengths.max())} clips of {data.feature_dim}, "
                f"scores {data.scores.min():g} to {data.scores.max():g}; OK"
            )


@data_app.command()
def simulate(
    dataset: Annotated[str, typer.Argument(help="rg (1,000 routines of four apparatuses) or fisv (500).")],
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet; it gets the official layout.")],
    seed: int = 0,
    knob: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the simulator; may be repeated.")] = None,
):
    """Simulate the twins of a data set and write them in its official layout."""
    from cofinal_lib.data import OFFICIAL, load
    from cofinal_lib.data.readers import write_official

    targets = [f"twin/{t.split('/')[1]}" for t in OFFICIAL if t.startswith(f"{dataset}/")]
    if not targets:
        raise CofinalError(f"unknown data set {dataset!r}; expected rg or fisv")
    knobs = assignments(knob)
    if "seed" in knobs:
        raise CofinalError("the seed is no knob here: say --seed")
    write_official([load(target, seed=seed, **knobs) for target in targets], out)
    typer.echo(f"twin of {dataset}: {out}")


@app.command()
def doctor():
    """Say what is there and what is missing: Python, packages, device, data, disk."""
    from cofinal_lib.doctor import findings

    failed = False
    for state, what, detail in findings():
        typer.echo(f"{state:<5} {what:<12} {detail}")
        failed |= state == "FAIL"
    raise typer.Exit(1 if failed else 0)


def main():
    """Run the command line; what a reader can mend is one line on stderr and exit code 2."""
    from cofinal_lib.command import run  # below the word on a missing typer

    run(app, "cofinal")


if __name__ == "__main__":
    main()
