"""Run an assignment's cells in this process, with other solutions in place of the reference: fast, without nbgrader."""

import contextlib
import io
import re
import textwrap
import warnings
from importlib import import_module
from pathlib import Path

import nbformat

COURSE = Path(__file__).parents[2] / "book" / "assignments"
NAMES = sorted(path.name for path in (COURSE / "source").iterdir())
SOLUTION = re.compile(r"^ *### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION\n?", re.S | re.M)
BLANK = "# YOUR CODE HERE\nraise NotImplementedError()"


class Assignment:
    """A source notebook, and the other solutions of its exercises in tests/assignments/answers."""

    def __init__(self, name: str):
        self.name = name
        self.notebook = nbformat.read(COURSE / "source" / name / f"{name}.ipynb", as_version=4)
        self.cells = {grade_id(cell): cell for cell in self.notebook.cells}
        self.exercises = [i for i, c in self.cells.items() if c.cell_type == "code" and c.metadata.nbgrader.solution]
        self.points = {i: c.metadata.nbgrader.points for i, c in self.cells.items() if c.metadata.nbgrader.grade}
        self.answers = import_module(f"answers.{name.split('-')[1]}").ANSWERS

    def body(self, exercise: str, answer: str | tuple) -> str:
        """A function body: an answer is one, or pairs (old, new) to replace in the reference."""
        if isinstance(answer, str):
            return textwrap.dedent(answer).strip("\n")
        body = textwrap.dedent(SOLUTION.search(self.cells[exercise].source).group(1))
        for old, new in zip(answer[::2], answer[1::2], strict=True):
            assert old in body, f"{self.name}, {exercise}: the reference has no {old!r}"
            body = body.replace(old, new)
        return body

    def solved(self, exercise: str, body: str) -> str:
        """The solution cell's source with that body."""
        return SOLUTION.sub(lambda _: textwrap.indent(body, "    ") + "\n", self.cells[exercise].source)

    def grade(self, bodies: dict[str, str], only: str = "", given: bool = False) -> dict[str, Exception | None]:
        """The error of each test cell, None where it passes, with these bodies in place of the references'.

        only: run this exercise alone. given: run the given cells behind the first too, and report them.
        """
        namespace, errors = {"__name__": "__main__"}, {}
        codes = {i: cell for i, cell in self.cells.items() if cell.cell_type == "code"}
        for n, (i, cell) in enumerate(codes.items()):
            own = not only or i.startswith(f"{only}-") or i == only
            if cell.metadata.nbgrader.grade and own:
                errors[i] = run(cell.source, namespace)
            elif cell.metadata.nbgrader.solution and own:
                run(self.solved(i, bodies[i]) if i in bodies else cell.source, namespace)
            elif n == 0 or (given and cell.metadata.nbgrader.locked):
                errors[i] = run(cell.source, namespace)
        return errors


def grade_id(cell) -> str:
    """What nbgrader calls the cell."""
    return cell.metadata.nbgrader.grade_id


def run(source: str, namespace: dict) -> Exception | None:
    """The error of a cell, or None; what it prints is dropped."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            exec(compile(source, "<cell>", "exec"), namespace)
        except Exception as error:
            return error
