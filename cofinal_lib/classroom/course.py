"""A course with nbgrader: release assignments, collect and grade submissions, write feedback and a CSV.

nbgrader does the work; this adds what it leaves open: submissions that are broken, and notebooks that misbehave.
"""

import csv
import hashlib
import re
import signal
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from os import environ, pathsep
from pathlib import Path
from subprocess import DEVNULL
from textwrap import fill
from time import monotonic

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_output
from nbgrader.api import MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_locked
from traitlets import Integer, Unicode
from traitlets.config import PyFileConfigLoader

from cofinal_lib.classroom.guard import guarded
from cofinal_lib.classroom.harmless import outputs
from cofinal_lib.classroom.submissions import Refused, collect, grade_id, parse, read, restore
from cofinal_lib.data import registry
from cofinal_lib.errors import CofinalError
from cofinal_lib.results import whole
from cofinal_lib.runs import library_digest

MESSAGE = 2000  # characters that are kept of an error's message, and of each frame above it
INSTALL = """\
# Run this cell first. On Colab it installs the book's library; elsewhere the library is there already.
try:
    import cofinal_lib.classroom
except ModuleNotFoundError:
    %pip install --quiet "cofinal-book @ git+{repository}"
"""


@dataclass
class Line:
    """One submission in the report.

    status: "graded"; "refused"; or "failed", which is not the student's doing: grade it again. The points of those two
    are what an earlier submission earned, or none.
    """

    student: str
    assignment: str
    status: str
    score: float
    max_score: float
    to_mark: float
    note: str


class InstallCell(NbGraderPreprocessor):
    """Puts the cell that installs the library first, read-only."""

    repository = Unicode("", help="the repository's public address").tag(config=True)

    def preprocess(self, nb, resources):
        """Add the cell to a source notebook."""
        marks = {"schema_version": 3, "grade": False, "locked": True, "solution": False, "task": False}
        cell = new_code_cell(INSTALL.format(repository=self.repository).strip(), id="install")
        cell.metadata["nbgrader"] = marks | {"grade_id": "install"}
        nb.cells.insert(0, nbformat.from_dict(cell))
        return nb, resources


class ConfinedKernel(AsyncKernelManager):
    """Starts cofinal_lib.classroom.kernel, whatever kernel the notebook names."""

    def format_kernel_cmd(self, extra_arguments=None):
        """The command line."""
        kernel = [sys.executable, "-m", "cofinal_lib.classroom.kernel", "-f", self.connection_file]
        return [*kernel, "--log-level=ERROR", *extra_arguments]


class ConfinedExecute(Execute):
    """nbgrader's Execute in a folder of its own, with limits; what happens is an error in a cell, never an exception.

    A cell that takes too long is interrupted, and the next one runs. Where the notebook's time is up, or its kernel
    died, the cells that are left count as failed, and those that passed keep their points.
    """

    notebook_seconds = Integer(300, help="seconds for a whole notebook").tag(config=True)
    most_output = Integer(4 << 20, help="characters of output that are kept of a notebook").tag(config=True)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, kernel_manager_class=ConfinedKernel, **kwargs)

    def preprocess(self, nb, resources, km=None):
        """Execute the notebook in place."""
        self.started, self.ended, self.taken, self.deadline = False, "", 0, monotonic()
        self.timeout_func = lambda cell: max(1, min(self.timeout, int(self.deadline - monotonic())))
        with tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as folder:
            self.folder = folder
            try:
                super().preprocess(nb, resources, km)
            except RuntimeError as error:  # as jupyter's clients say it
                if not self.started:  # no fault of the student's
                    said = (Path(folder) / "stderr").read_text(errors="replace").split("\n")
                    raise RuntimeError(f"{error}; {' '.join(said[-2:])}") from None
                self.ended = self.ended or f"the kernel failed ({error})"
        for cell in (cell for cell in nb.cells if cell.cell_type == "code"):
            cell.outputs = outputs(cell.outputs)
            for output in cell.outputs:
                if output.output_type == "error":
                    output.evalue = output.evalue[:MESSAGE]
                    output.traceback = [frame[:MESSAGE] for frame in output.traceback[-20:]]
            for output in cell.outputs if is_grade(cell) else []:
                if output.output_type == "stream":
                    output.name = "stdout"  # nbgrader takes any line on stderr for a mistake; a warning is none
                elif output.output_type == "execute_result":
                    output.output_type = "display_data"  # nbgrader takes a number for points
                    output.pop("execution_count", None)
                elif output.output_type == "error":
                    output.traceback = _own_frames(output, cell.execution_count)
            if self.ended and cell.source.strip() and cell.execution_count is None and not cell.outputs:
                _fail(cell, self.ended)
        return nb, resources

    @contextmanager
    def setup_kernel(self, **kwargs):
        """A kernel in the notebook's own folder, with none of the teacher's environment."""
        kept = {name: environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "COFINAL_MIRROR") if name in environ}
        own = dict.fromkeys(("HOME", "TMPDIR", "COFINAL_MIRROR", "MPLCONFIGDIR", "IPYTHONDIR"), self.folder)
        fixed = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}
        course = {"COFINAL_COURSE": str(Path.cwd())}  # nbgrader works in the course's folder
        kwargs |= {"cwd": self.folder, "env": own | kept | fixed | course, "stdout": DEVNULL}
        with open(Path(self.folder) / "stderr", "w") as stderr, super().setup_kernel(stderr=stderr, **kwargs):
            self.started, self.deadline = True, monotonic() + self.notebook_seconds
            yield

    def preprocess_cell(self, cell, resources, index):
        """Execute one cell, unless the notebook has ended."""
        if cell.cell_type != "code" or not cell.source.strip():
            return cell, resources
        cell.execution_count = None
        if not self.ended:
            source, cell.source = cell.source, self._guarded(cell)
            self._try(lambda: super(ConfinedExecute, self).preprocess_cell(cell, resources, index))
            cell.source = source
        if self.ended:
            _fail(cell, self.ended)
        elif monotonic() > self.deadline:
            self.ended = f"the notebook took more than {self.notebook_seconds} seconds"
        elif any(output.get("ename") == "CellTimeoutError" for output in cell.outputs):
            cell.outputs[-1].evalue = f"this cell took more than {self.timeout} seconds and was interrupted"
            cell.outputs[-1].traceback = [f"CellTimeoutError: {cell.outputs[-1].evalue}"]
        return cell, resources

    def output(self, outs, msg, display_id, cell_index):
        """Keep an output, unless there are too many; errors are always kept, for they cost points."""
        self.taken += len(str(msg["content"]))
        if self.taken > self.most_output and msg["msg_type"] != "error":
            return None
        return super().output(outs, msg, display_id, cell_index)

    def on_cell_executed(self, **kwargs):
        """After nbgrader's own look: a test that passed has to have run to its end, whole."""
        super().on_cell_executed(**kwargs)
        reply = kwargs["execute_reply"]["content"]
        if is_grade(kwargs["cell"]) and reply["status"] == "ok" and not reply.get("untouched"):
            _fail(kwargs["cell"], "this test did not run to its end, or the notebook changed what it compares with")

    def _guarded(self, cell):
        """A test as the kernel runs it: behind the imports, with the functions that the exercises ask for."""
        if not is_grade(cell):
            return cell.source
        given = [c for c in self.nb.cells if c.cell_type == "code" and is_locked(c) and not is_grade(c)]
        imports = next((c.source for c in given if c.source.startswith("import ")), "")
        return guarded(cell.source, imports, list(self.nb.metadata.get("asked", [])))

    def _try(self, execute):
        try:
            execute()
        except DeadKernelError:
            self.ended = "the kernel died here or in the cell above (out of memory or time, or the notebook ended it)"
        except CellTimeoutError:
            self.ended = "the kernel no longer answers"


def release(course: Path, say=print) -> list[str]:
    """Generate the student version of every assignment; returns their names. say: gets a warning, if there is one."""
    api, names = _nbgrader(course), sorted(path.name for path in (course / "source").iterdir() if path.is_dir())
    repository = api.config.InstallCell.repository
    if "/OWNER/" in repository:
        say(f"On Colab these install the library from {repository}: put your repository's address into _config.yml")
    for name in names:
        result = _call(api.generate_assignment, name)
        if not result["success"]:
            raise CofinalError(f"{name} cannot be released: {_reason(result)}")
    return names


def grade(course: Path, say=print) -> list[Line]:
    """Collect what lies in downloaded/, grade what is new or changed, write feedback and grades.csv.

    say: gets a line for each submission, as it is graded. Nothing that a student or a teacher did before is lost: not
    a submission whose newer copy is refused, and no mark given by hand.
    """
    if mirror := registry.mirror():  # a relative path would name another folder where submissions run
        environ["COFINAL_MIRROR"] = str(mirror.resolve())
    api, lines = _nbgrader(course), []
    api.coursedir.submitted_directory = "checked"
    for name in sorted(path.name for path in (course / "release").iterdir() if path.is_dir()):
        released, submissions = nbformat.read(course / "release" / name / f"{name}.ipynb", 4), {}
        refused = collect(
            course / "downloaded" / name,
            name,
            course / "submitted",
            check=lambda content, released=released: restore(parse(content), released),
        )
        for folder in sorted((course / "submitted").glob(f"*/{name}")):
            student = folder.parent.name
            try:  # all are read before any of them runs
                notebook, notes = restore(read(folder / f"{name}.ipynb"), released)
            except Refused as error:
                refused.setdefault(student, str(error))
                continue
            if student in refused:
                notes.append(f"the one handed in before, for the last was refused: {refused.pop(student)}")
            submissions[student] = notebook, notes
        for student, reason in refused.items():
            lines.append(_ungraded(api, student, name, "refused", reason))
            say(_shown(lines[-1]))
        for student, (notebook, notes) in submissions.items():
            lines.append(_grade_one(api, course, student, name, notebook, notes))
            say(_shown(lines[-1]))
    lines.sort(key=lambda line: (line.assignment, line.student))
    whole(course / "grades.csv", partial(_write, lines))
    return lines


def _write(lines: list[Line], path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(Line.__dataclass_fields__))
        table.writeheader()
        table.writerows({k: _cell(v) for k, v in asdict(line).items()} for line in lines)


def _grade_one(api, course: Path, student: str, name: str, notebook, notes: list[str]) -> Line:
    checked, graded = (course / folder / student / name / f"{name}.ipynb" for folder in ("checked", "autograded"))
    stamp, now = checked.parents[1] / f"{name}.stamp", _stamp(course, name, notebook)
    if not (graded.is_file() and stamp.is_file() and stamp.read_text() == now):
        stamp.unlink(missing_ok=True)
        marked = _marked(api, student, name, nbformat.read(graded, 4), notebook) if graded.is_file() else []
        checked.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, checked)
        result = _call(api.autograde, name, student)
        if not result["success"]:
            return _ungraded(api, student, name, "failed", _reason(result))
        with api.gradebook as gradebook:
            for cell in marked:
                gradebook.find_grade(cell, name, name, student).needs_manual_grade = False
            gradebook.db.commit()
        feedback = _call(api.generate_feedback, name, student)
        if feedback["success"]:
            stamp.write_text(now)
        else:
            notes.append(f"no feedback page: {_reason(feedback)}")
    notes = notes + _events(nbformat.read(graded, 4))
    with api.gradebook as gradebook:
        submission = gradebook.find_submission(name, student)
        waiting = [g for n in submission.notebooks for g in n.grades if g.needs_manual_grade]
        to_mark = sum(g.max_score for g in waiting)
        return Line(student, name, "graded", submission.score, submission.max_score, to_mark, _plain("; ".join(notes)))


def _stamp(course: Path, name: str, notebook) -> str:
    """All that a submission's grade depends on, in short."""
    files = [course / "source" / name / f"{name}.ipynb", course / "nbgrader_config.py"]
    sha = hashlib.sha256(nbformat.writes(notebook).encode() + library_digest().encode())
    for path in (*files, *sorted(Path(__file__).parent.glob("*.py"))):
        sha.update(path.read_bytes())
    return sha.hexdigest()


def _marked(api, student: str, name: str, before, notebook) -> list[str]:
    """The words that were marked by hand, and are as they were; nbgrader would ask for them again."""
    earlier, same = {grade_id(cell): cell.source for cell in before.cells}, []
    with api.gradebook as gradebook, suppress(MissingEntry):
        for cell in (cell for cell in notebook.cells if cell.cell_type == "markdown" and is_grade(cell)):
            grade = gradebook.find_grade(grade_id(cell), name, name, student)
            done = grade.manual_score is not None and not grade.needs_manual_grade
            same += [grade_id(cell)] if done and earlier.get(grade_id(cell)) == cell.source else []
    return same


def _call(function, *arguments) -> dict:
    """One of nbgrader's calls. It would take Ctrl-C for a submission's failure; here it stops the grading."""
    stopped = []

    def stop(*_):
        stopped.append(True)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        result = function(*arguments)
    finally:
        signal.signal(signal.SIGINT, before)
    if stopped:
        raise KeyboardInterrupt
    return result


def _nbgrader(course: Path) -> NbGraderAPI:
    here = str(Path(sys.executable).parent)
    if here not in environ["PATH"].split(pathsep):
        environ["PATH"] = here + pathsep + environ["PATH"]  # nbgrader calls alembic by its name
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.CourseDirectory.root = str(course.resolve())
    api = NbGraderAPI(config=config)
    api.log.handlers, api.log.propagate = [], False  # nbgrader keeps its log for the results
    return api


def _ungraded(api, student: str, name: str, status: str, note: str) -> Line:
    """A line on what could not be graded; the gradebook keeps what an earlier submission earned."""
    score = 0.0
    with api.gradebook as gradebook:
        with suppress(MissingEntry):
            score = gradebook.find_submission(name, student).score
        most = gradebook.find_assignment(name).max_score
    note += "; the points are an earlier submission's" if score else ""
    return Line(_plain(student), name, status, score, most, 0.0, _plain(note))


def _events(notebook) -> list[str]:
    """What went wrong beyond wrong answers: the names of such errors, and where they are told first."""
    telling = ("CellTimeoutError", "NotRun", "OutputLimit", "NotAllowed", "MemoryError")
    errors = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "error"]
    first = {o.ename: o.evalue for o in reversed(errors) if o.ename in telling}
    return [f"{name}: {value}" if value else name for name, value in first.items()]


def _own_frames(error, test: int | None) -> list[str]:
    """A traceback for the student: their own frames and the message; not the test's source, which may be hidden."""
    kept = []
    for frame in error.traceback[:-1]:
        cell = re.match(r"Cell In\[(\d+)\], line", re.sub(r"\x1b\[[0-9;]*m", "", frame))
        kept += [frame] if cell and int(cell.group(1)) != test else []
    return [*kept, fill(f"{error.ename}: {error.evalue}", 100)]


def _fail(cell, reason: str) -> None:
    """Give a cell that did not run an error, for nbgrader gives full points where it sees none."""
    cell.outputs.append(new_output("error", ename="NotRun", evalue=reason, traceback=[f"NotRun: {reason}"]))


def _reason(result: dict) -> str:
    """The error itself, from the log that nbgrader kept: the last line that names one."""
    lines = [line.strip() for line in (result.get("log") or "").splitlines() + (result.get("error") or "").splitlines()]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (named or lines or ["no reason given"])[0 if named else -1]


def _plain(text: str) -> str:
    """What a student wrote, in one line that neither a terminal nor CSV takes for more than text."""
    text = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return text if len(text) <= 400 else f"{text[:400]}..."


def _cell(value):
    """A value that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def _shown(line: Line) -> str:
    points = f"{line.score:g} of {line.max_score:g}" + (f", {line.to_mark:g} to mark" if line.to_mark else "")
    note = f" ({line.note})" if line.note else ""
    return f"{line.assignment} {line.student}: {points if line.status == 'graded' else line.status}{note}"
