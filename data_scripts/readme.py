"""Write what README and the book's first page show of our results: README's table, between its <!-- results -->
markers; what we found, between the <!-- findings --> markers of both; and their picture.

    python data_scripts/readme.py

All come from results/reference/ alone; tests/test_readme.py says when they are older than that.
"""

import hashlib
import re
from pathlib import Path

import pandas as pd

from cofinal_lib import claims, experiments, main_results, results, tables
from cofinal_lib.command import run
from cofinal_lib.data import OFFICIAL
from cofinal_lib.figures import METHOD_NAMES, use_style
from cofinal_lib.figures.ablations import judged_arms
from cofinal_lib.figures.rivals import grid_figure
from cofinal_lib.records import REFERENCE
from cofinal_lib.rivals import SOLVED

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "book" / "_static" / "table1.png"
# The pages that say what we found, and where their links to chapters begin.
PAGES = {ROOT / "README.md": "book/", ROOT / "book" / "intro.md": ""}
CHAPTERS = {
    "table1": "08-main-results", "table2": "06-efficiency", "table3": "09-ablations", "figure4a": "10-grades",
    "figure4b": "10-grades", "figure5": "11-features", "figure6": "12-overfitting",
}  # fmt: skip


def between(name: str) -> re.Pattern:
    """What stands between a page's markers of that name."""
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)


def findings() -> str:
    """In Markdown: what the trainings on Fis-V say, a line each; links are as in the chapters' folder."""
    table1, leads = kept("table1").query("source == 'official'"), main_results.printed_leads()
    columns = leads[leads["target"] != "average"]
    networks = main_results.beside_printed(table1)
    on_test = main_results.selection_leads(table1).query("selection == 'best_on_test'")["lead"]
    arms = judged_arms(kept("table3").query("source == 'official'"))
    others = arms[~arms["without"].isin(["TFM", "FGS"])]

    def change(arm: str) -> str:
        return " and ".join(
            f"{-r.loss:+.2f} [{-r.routines_high:.2f}, {-r.routines_low:.2f}] on {r.target[5:].upper()}"
            for r in arms[arms["without"] == arm].itertuples()
        )

    def chapter(name: str) -> str:
        return f"[chapter {int(name[:2])}]({name}.ipynb)"

    lines = [
        f"**As printed**, CoFInAl reaches {_reach(table1, 'cofinal')}; the paper prints "
        f"{tables.printed_cell('fisv/tes', 'cofinal'):.3f} and {tables.printed_cell('fisv/pcs', 'cofinal'):.3f} "
        f"({chapter('08-main-results')}).",
        f"**As released**, another network than the text's ({chapter('13-side-by-side')}), it reaches "
        f"{_reach(table1, 'cofinal-released')}.",
        f"**Ridge regression on the mean clip**, computed in a second, reaches {_reach(table1, 'ridge')}; "
        f"{networks['below_ridge']} of our {networks['networks']} results of networks lie below it "
        f"({chapter('17-baseline')}).",
        f"**Repaired** as cross-validation inside the training routines chose, without attention to clips and with "
        f"less dropout, CoFInAl reaches {_reach(table1, 'cofinal-repaired')} ({chapter('18-repair')}).",
        f"**The printed leads**: CoFInAl stands first in {(columns['lead'] > 0).sum()} of Table 1's {len(columns)} "
        f"columns (against any one rival, luck alone would give that with a chance of "
        f"{100 * main_results.ahead_everywhere(columns['target']):.1f} %); taken singly, "
        f"{_are(columns['lead'] > columns['needed_alike'])} "
        f"wider than what luck puts between two equally good methods ({chapter('16-how-sure')}).",
        f"**The epoch**: chosen on the test routines, as the released programs do, it brings {on_test.median():.3f} in "
        f"the median over our networks; the printed leads have a median of {columns['lead'].median():.3f} "
        f"({chapter('08-main-results')}).",
        f"**The parts**: leaving out the temporal fusion changes the printed method's SRCC by {change('TFM')}, the "
        f"fine-grained scoring by {change('FGS')}; of the {len(others)} changes by Table 3's other arms "
        f"{_are(others['beyond_seeds'] | others['beyond_routines'])} beyond luck ({chapter('09-ablations')}).",
        f"**The ledger** ({chapter('19-ledger')}): {claims.summary(claims.kept())}",
    ]
    return "\n".join(f"- {line}" for line in lines) + "\n"


def linked(text: str, folder: str) -> str:
    """Of Markdown whose links are as in a folder, what a page elsewhere says: its links lead there."""
    return text.replace("](", f"]({folder}")


def _reach(table1: pd.DataFrame, method: str) -> str:
    """A method's test SRCC on both scores, with intervals and seeds, in words."""
    cells = tables.last_epoch(table1).query("method == @method")
    said = " and ".join(f"{_cell(r)} on {r.target[5:].upper()}" for r in cells.itertuples())
    return said + ("" if method in SOLVED else f" ({tables.in_seeds(tables.extent(cells, 'seeds'))})")


def _are(which: pd.Series) -> str:
    n = which.sum()
    return f"{n or 'none'} {'are' if n > 1 else 'is'}"


def _cell(r) -> str:
    return f"{r.srcc:.3f} [{r.routines_low:.3f}, {r.routines_high:.3f}]"


def block() -> str:
    """In Markdown: how much of each artefact was run on official features; Table 1's cells, ours and printed."""
    wanted = experiments.profile("paper")["seeds"]
    grid = tables.last_epoch(kept("table1"))
    lines = ["", "| in the paper | chapter | runs on Fis-V | seeds | runs on RG |", "|---|---|---|---|---|"]
    for artefact, chapter in CHAPTERS.items():
        name = re.sub(r"(table|figure)(\d)", lambda m: f"{m[1].title()} {m[2]}", artefact)
        cells = " | ".join([_made(artefact, "fisv"), _seeds(artefact), _made(artefact, "rg")])
        lines.append(f"| {name} | [{int(chapter[:2])}](book/{chapter}.ipynb) | {cells} |")
    lines += ["", f"Of the runs that our full profile takes, with {wanted} seeds each; regressions draw nothing."]
    seeds = grid.set_index(["target", "method"])["seeds"]
    cells = main_results.compare(grid)
    cells = cells[cells["target"] != "average"]  # of two groups: the others' names are unique
    ours = cells[cells["source"] == "official"]
    paper = cells[cells["source"] == "paper"].set_index(["target", "method"])["srcc"]
    lines += ["", "| Table 1, test SRCC | method | ours, last epoch | seeds | printed |", "|---|---|---|---|---|"]
    for r in ours.itertuples():
        target = f"{'fisv' if r.group == 'Fis-V' else 'rg'}/{r.target}"
        said = f"{paper[r.target, r.method]:.3f}" if (r.target, r.method) in paper else "–"
        said += " (C3D features)" if r.method == "c3d-svr" else ""
        name = (METHOD_NAMES | {"ridge": "ridge on the mean clip"})[r.method]
        lines.append(f"| {target} | {name} | {_cell(r)} | {seeds.get((target, r.method), '–')} | {said} |")
    return "\n".join([*lines, "", ""])


def kept(name: str) -> pd.DataFrame:
    """An artefact's data at the paper's sizes, ours: not a reader's own."""
    return results.read(name, "paper", root=REFERENCE)


def _seeds(artefact: str) -> str:
    """How many seeds the networks of an artefact's official rows have."""
    frame = kept(artefact)
    if artefact == "table2":
        return "–"
    name = "method" if "method" in frame else "kind"  # a row a seed
    networks = frame[(frame["source"] == "official") & ~frame[name].isin([*SOLVED, "backbone"])]
    if name == "kind":
        networks = networks.groupby(name)["seed"].nunique().to_frame("seeds")
    return tables.extent(networks, "seeds")


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


def main() -> None:
    """Write the pages and their picture."""
    found, table = findings(), block()
    for page, folder in PAGES.items():
        text = between("findings").sub(lambda _, folder=folder: linked(found, folder), page.read_text())
        page.write_text(between("results").sub(lambda _: table, text))
    picture(PICTURE)


if __name__ == "__main__":
    run(main)
