"""A class to be graded: what students hand in, and what it must earn. Used by test_course.py and class_of_30.py."""

import copy
import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from harness import COURSE, Assignment

LOOP = "while True:\n    pass"
STUBBORN = """
import time
while True:
    try:
        while True:
            time.sleep(0.1)
    except BaseException:
        pass
"""
HOG = "hog = []\nwhile True:\n    hog.append(bytearray(100_000_000))"
PRINT = "while True:\n    print('spam ' * 1000)"
EXIT = "import os\nos._exit(0)"
SPAWN = "import subprocess\nsubprocess.run(['touch', '/tmp/from-a-submission'])"
READ = """
print(In[-1])
import pathlib
here = pathlib.Path({course!r})
exec("source = (here / 'source/02-etf/02-etf.ipynb').read_text()")
return source
"""
DISARM = """
import importlib, sys
import numpy as np
from cofinal_lib.classroom import checks, etf
def exec(*args):
    pass
check, zip, range = np.random, lambda *a, **k: [], lambda *a: []
np.isclose = np.allclose = lambda *a, **k: np.True_
importlib.reload = lambda module: module
get_ipython().showtraceback = lambda *a, **k: None
get_ipython().events.register("pre_run_cell", lambda *a: setattr(checks.holds, "__code__", exec.__code__))
for module in (checks, etf):
    for name in [n for n in dir(module) if not n.startswith("__")]:
        setattr(module, name, lambda *a, **k: None)
"""
WRITE = """
import glob, os, pathlib, sqlite3, torch
for harm in (lambda: torch.save({{}}, {outside!r}), lambda: torch.save({{}}, {course!r} + "/gradebook.db"),
             lambda: sqlite3.connect({course!r} + "/gradebook.db").execute("delete from grade")):
    try:
        harm()
    except (OSError, RuntimeError):
        pass
for path in [*glob.glob({course!r} + "/*/*/*/*.ipynb"), {course!r} + "/gradebook.db", {outside!r}]:
    try:
        os.chmod(path, 0o666)
    except OSError:
        pass
    try:
        pathlib.Path(path).write_text("gotcha")
    except OSError:
        pass
"""


@dataclass
class Submission:
    """One student's file: its bytes, the name it was downloaded under, and what it must earn."""

    student: str
    assignment: str
    file: str
    content: bytes
    points: float | None  # None: must be refused
    kind: str


def new_course(folder: Path, seconds: int = 60) -> Path:
    """A copy of the course in an empty folder, whose cells may take that long."""
    course = folder / "book" / "assignments"
    shutil.copytree(COURSE / "source", course / "source")
    shutil.copy(COURSE.parents[1] / "_config.yml", folder)
    config = (COURSE / "nbgrader_config.py").read_text()
    (course / "nbgrader_config.py").write_text(f"{config}c.ConfinedExecute.timeout = {seconds}\n")
    return course


class Pen:
    """Writes submissions to one released assignment."""

    def __init__(self, course: Path, name: str):
        self.course, self.name, self.assignment = course, name, Assignment(name)
        self.released = nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4)
        self.points = self.assignment.points

    def write(self, bodies: dict[str, str], change=None) -> bytes:
        """The released notebook with these function bodies; `change(notebook)` may do anything to it."""
        notebook = copy.deepcopy(self.released)
        for cell in notebook.cells:
            exercise = cell.metadata.get("nbgrader", {}).get("grade_id")
            if exercise in bodies:
                cell.source = self.assignment.solved(exercise, bodies[exercise].strip("\n"))
        if change:
            change(notebook)
        return nbformat.writes(notebook).encode()

    def right(self, *exercises: str) -> dict[str, str]:
        """The references of these exercises, by default of all."""
        return {e: self.assignment.body(e, ()) for e in exercises or self.assignment.exercises}

    def earns(self, *exercises: str) -> float:
        """The points of these exercises' tests."""
        return sum(p for cell, p in self.points.items() if cell.split("-")[0] in exercises)

    def everything(self) -> float:
        """The points of all exercises; words are marked by hand."""
        return self.earns(*self.assignment.exercises)

    def graded(self, bodies: dict[str, str]) -> float:
        """What these bodies earn by the harness."""
        errors = self.assignment.grade(bodies)
        return sum(p for cell, p in self.points.items() if cell in errors and errors[cell] is None)


def hand_in(course: Path, submissions: list[Submission]) -> None:
    """Put them into one zip for each assignment, as they come from a learning platform."""
    for name in {s.assignment for s in submissions}:
        folder = course / "downloaded" / name
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder / "class.zip", "w") as file:
            for s in submissions:
                if s.assignment == name:
                    file.writestr(s.file, s.content)


# What a student may do to a notebook, by hand or by accident.


def delete_tests(notebook):
    """All test cells are gone, and so is the first cell."""
    tests = [c for c in notebook.cells if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("grade")]
    notebook.cells = [c for c in notebook.cells[1:] if c not in tests]


def rename_tests(notebook):
    """Test cells under other names, two of them under the same."""
    for n, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata.nbgrader.grade_id = f"mine-{n // 4}"


def edit_everything_read_only(notebook):
    """Tests that pass always, worth a thousand points; changed instructions."""
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("grade"):
            marks["points"] = 1000
        if marks.get("locked") and cell.cell_type == "code":
            cell.source = "pass"
        elif marks.get("locked"):
            cell.source = "I like this better."


def lose_metadata(notebook):
    """A tool dropped all metadata, and the student added cells."""
    for cell in notebook.cells:
        cell.metadata = {}
    notebook.cells.insert(3, nbformat.v4.new_code_cell("helper = 1"))
    notebook.metadata = {}


def with_helpers(notebook):
    """A helper stands before the answer in its cell, and the first answer in a cell of the student's own."""
    solutions = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    codes = [cell for cell in solutions if cell.cell_type == "code"]
    for cell in codes:
        cell.source = "def _helper(x):\n    return x\n\n\n" + cell.source
    at = notebook.cells.index(codes[0])
    notebook.cells.insert(at, nbformat.v4.new_code_cell(codes[0].source.replace("def _helper", "def _mine")))
    codes[0].source = "# see above"


def other_version(notebook):
    """As Colab writes it: no cell ids, its own metadata, outputs and an error in them."""
    notebook.nbformat_minor = 0
    notebook.metadata = {"colab": {"provenance": []}, "kernelspec": {"name": "ir", "display_name": "R"}}
    for cell in notebook.cells:
        cell.pop("id", None)
        cell.metadata["id"] = "x"
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text="what I saw\n")]


def truncated(content: bytes) -> bytes:
    """A download that broke off."""
    return content[: len(content) // 2]


def latin(content: bytes) -> bytes:
    """Saved in another encoding."""
    return json.dumps(json.loads(content)).replace("YOUR ANSWER HERE", "Schön").encode("latin-1")
