"""Write what README shows of our results: its table, between the <!-- results --> markers, and its picture.

    python data_scripts/readme.py

Both come from results/reference/paper/ alone; tests/test_readme.py says when they are older than those.
"""

import hashlib
import re
from pathlib import Path

import pandas as pd

from cofinal_lib import experiments, main_results, results, tables
from cofinal_lib.data import OFFICIAL
from cofinal_lib.figures import use_style
from cofinal_lib.figures.rivals import METHOD_NAMES, grid_figure
from cofinal_lib.records import REFERENCE

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / ".github" / "table1.png"
BETWEEN = re.compile(r"(?<=<!-- results -->\n).*?(?=<!-- /results -->)", re.DOTALL)
CHAPTERS = {
    "table1": "08-main-results", "table2": "06-efficiency", "table3": "09-ablations", "figure4a": "10-grades",
    "figure4b": "10-grades", "figure5": "11-features", "figure6": "12-overfitting",
}  # fmt: skip


def block() -> str:
    """In Markdown: how much of each artefact was run on official features; Table 1's cells, ours and printed."""
    wanted = experiments.profile("paper")["seeds"]
    grid = tables.last_epoch(kept("table1"))
    lines = ["", "| in the paper | chapter | runs on Fis-V | runs on RG |", "|---|---|---|---|"]
    for artefact, chapter in CHAPTERS.items():
        name = re.sub(r"(table|figure)(\d)", lambda m: f"{m[1].title()} {m[2]}", artefact)
        cells = " | ".join(_made(artefact, dataset) for dataset in ("fisv", "rg"))
        lines.append(f"| {name} | [{int(chapter[:2])}](book/{chapter}.ipynb) | {cells} |")
    here = tables.extent(grid, "seeds")
    lines += ["", f"Of the runs that our full profile takes; it has {wanted} seeds a run, Table 1 here {here}."]
    seeds = grid.set_index(["target", "method"])["seeds"]
    cells = main_results.compare(grid)
    cells = cells[cells["target"] != "average"]  # of two groups: the others' names are unique
    ours = cells[cells["source"] == "official"]
    paper = cells[cells["source"] == "paper"].set_index(["target", "method"])["srcc"]
    lines += ["", "| Table 1, test SRCC | method | ours, last epoch | seeds | printed |", "|---|---|---|---|---|"]
    for r in ours.itertuples():
        target = f"{'fisv' if r.group == 'Fis-V' else 'rg'}/{r.target}"
        cell = f"{r.srcc:.3f} [{r.routines_low:.3f}, {r.routines_high:.3f}]"
        said = f"{paper[r.target, r.method]:.3f}" if (r.target, r.method) in paper else "–"
        said += " (C3D features)" if r.method == "c3d-svr" else ""
        name = (METHOD_NAMES | {"ridge": "ridge on the mean clip"})[r.method]
        lines.append(f"| {target} | {name} | {cell} | {seeds.get((target, r.method), '–')} | {said} |")
    return "\n".join([*lines, "", ""])


def kept(name: str) -> pd.DataFrame:
    """An artefact's data at the paper's sizes, ours: not a reader's own."""
    return results.read(name, "paper", root=REFERENCE)


def _made(artefact: str, dataset: str) -> str:
    """How many of the runs that the profile "paper" asks for on a data set's features are kept; of Table 2, counts."""
    frame = kept(artefact)
    if artefact == "table2":
        costs = frame.dropna(subset="printed_gmacs")
        near = (abs(costs["gmacs"] / costs["printed_gmacs"] - 1) < 0.01).sum()
        counted = f"none needed: multiply-accumulates of {near} of {len(costs)} rows found again, within 1 %"
        return counted if dataset == "fisv" else "–"
    asked = experiments.ARTEFACTS[artefact]("paper")
    wanted = {experiments.label(s) for s in asked if s.target in OFFICIAL and s.target.startswith(dataset)}
    frame = frame[frame["source"] == "official"]
    method = frame["method" if "method" in frame else "kind"]
    options = frame["options"].astype(object).fillna("") if "options" in frame else ""
    made = wanted & set((frame["target"] + " " + method + " " + options).str.strip())
    return f"{len(made)} of {len(wanted)}" if wanted else "–"


def digest() -> str:
    """Of the data that the picture shows."""
    return hashlib.sha256((REFERENCE / "paper" / "table1.csv").read_bytes()).hexdigest()


def picture(path: Path) -> None:
    """Table 1 on official features, ours and printed; the file says which data it shows."""
    use_style()
    line = "Data: Fis-V, official features · filled: ours, last epoch, intervals over routines (thin), seeds (thick)"
    line += " · hollow: printed · dashed: ridge regression on the mean clip · redraw: python data_scripts/readme.py"
    figure = grid_figure(main_results.compare(tables.last_epoch(kept("table1"))), ("official",), line)
    figure.savefig(path, dpi=100, metadata={"Software": None, "Data": digest()})


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(BETWEEN.sub(lambda _: block(), readme.read_text()))
    picture(PICTURE)
