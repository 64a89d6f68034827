"""Every chapter keeps the template; notebooks are read, not executed. That they hold no outputs, `make lint` checks."""

import ast
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONTENTS = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
CHAPTERS = [part["file"] for part in CONTENTS["chapters"] if part["file"][0].isdigit()]
PREDICT = "```{admonition} Predict"
# What lines begin with, in this order, each once; only predictions come as often as they like.
TEMPLATE = [
    "# ",
    "**What you will learn**",
    "**Prerequisites**",
    "**Time**",
    "## 1. ",
    PREDICT,
    "## Summary",
    "## Exercises",
    "## What's next",
]
# Functions whose figure a chapter shows.
FIGURES = {
    node.name
    for path in (ROOT / "cofinal_lib" / "figures").glob("*.py")
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) in ("Figure", "Figure | None")
}


def cells(chapter, kind):
    """(id, source, metadata) of each cell of a kind."""
    found = json.loads((ROOT / "book" / f"{chapter}.ipynb").read_text())["cells"]
    return [(cell["id"], "".join(cell["source"]), cell["metadata"]) for cell in found if cell["cell_type"] == kind]


def prose(chapter):
    """(cell, line) of each line of the text."""
    return [(cell, line) for cell, source, _ in cells(chapter, "markdown") for line in source.splitlines()]


def called(source):
    """The names of the functions that a cell calls, without their modules."""
    functions = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {getattr(function, "attr", getattr(function, "id", None)) for function in functions}


def test_the_contents_list_every_chapter():
    assert sorted(path.stem for path in (ROOT / "book").glob("[0-9]*.ipynb")) == CHAPTERS


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_headings_and_boxes_come_in_the_templates_order(chapter):
    lines = prose(chapter)
    places = {mark: [at for at, (_, line) in enumerate(lines) if line.startswith(mark)] for mark in TEMPLATE}
    for mark, found in places.items():
        where = ", ".join(lines[at][0] for at in found)
        assert found, f"{chapter}: no cell has a line that begins with {mark!r}"
        assert mark == PREDICT or len(found) == 1, f"{chapter}, cells {where}: {mark!r} stands {len(found)} times"
    for before, after in pairwise(TEMPLATE):
        cell, _ = lines[places[after][0]]
        assert places[before][0] < places[after][0], f"{chapter}, cell {cell}: {after!r} comes before {before!r}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_sections_are_numbered_one_by_one(chapter):
    numbered = [(cell, line) for cell, line in prose(chapter) if re.match(r"## \d", line)]
    for number, (cell, line) in enumerate(numbered, start=1):
        assert line.startswith(f"## {number}. "), f"{chapter}, cell {cell}: section {number} is {line!r}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_has_a_hint(chapter):
    lines = prose(chapter)
    first, last = (next(at for at, (_, line) in enumerate(lines) if line.startswith(mark)) for mark in TEMPLATE[-2:])
    part = "\n".join(line for _, line in lines[first:last])
    exercises = re.split(r"^(?=\d+\. )", part, flags=re.MULTILINE)[1:]
    where = f"{chapter}, cell {lines[first][0]}"
    assert exercises, f"{where}: no exercises"
    for number, exercise in enumerate(exercises, start=1):
        hints = re.findall(r"^ *```\{dropdown\} Hint$", exercise, re.MULTILINE)
        assert exercise.startswith(f"{number}. "), f"{where}: exercise {number} is {exercise[:20]!r}"
        assert len(hints) == 1, f"{where}: exercise {number} has {len(hints)} hints"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_cells_are_short(chapter):
    for cell, source, _ in cells(chapter, "code"):
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
        imports = {line for node in nodes for line in range(node.lineno, node.end_lineno + 1)}
        n = len(source.splitlines()) - len(imports)
        assert n <= 15, f"{chapter}, cell {cell}: {n} lines beside imports, 15 are the most"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_says_in_words_what_it_shows(chapter):
    for cell, source, metadata in cells(chapter, "code"):
        drawn = called(source) & FIGURES
        alt = metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip()
        assert alt or not drawn, f"{chapter}, cell {cell}: {', '.join(drawn)} draws, and there is no alt text"
        assert drawn or not alt, f"{chapter}, cell {cell}: alt text, and no function of cofinal_lib.figures draws"
