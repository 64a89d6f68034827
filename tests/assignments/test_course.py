import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import nbformat
import pytest
import students as s
from harness import NAMES, Assignment, run
from nbformat.v4 import new_code_cell, new_markdown_cell

from cofinal_lib.classroom.submissions import Refused, collect, owner_of, read, restore
from cofinal_lib.classroom.wall import version
from cofinal_lib.errors import CofinalError

pytest.importorskip("nbgrader.apps", reason="nbgrader is not installed: pip install '.[classroom]'")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with all assignments released."""
    from cofinal_lib.classroom.course import release

    course = s.new_course(tmp_path_factory.mktemp("course"), seconds=10)
    assert release(course) == NAMES
    return course


@pytest.fixture
def released(course):
    def of(name):
        return nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4)

    return of


@pytest.mark.parametrize("name", NAMES)
def test_a_student_sees_no_solution_no_hidden_test_and_no_marking_guide(name, released):
    source, assignment = "\n".join(cell.source for cell in released(name).cells), Assignment(name)
    for secret in ("BEGIN SOLUTION", "HIDDEN TESTS", "Marking guide"):
        assert secret not in source
    assert source.count("raise NotImplementedError()") == len(assignment.exercises)
    for exercise in assignment.exercises:
        assert assignment.body(exercise, ()) not in source


@pytest.mark.parametrize("name", NAMES)
def test_the_student_version_works_without_nbgrader_and_its_first_cell_installs_the_library(
    name, released, monkeypatch
):
    from IPython.core.inputtransformer2 import TransformerManager

    monkeypatch.setitem(sys.modules, "nbgrader", None)
    cells = [cell for cell in released(name).cells if cell.cell_type == "code"]
    assert "%pip install" in cells[0].source and "cofinal-book @ git+https://" in cells[0].source
    assert cells[0] is released(name).cells[0] or released(name).cells[0].source == cells[0].source
    assignment, namespace, wrong = Assignment(name), {"__name__": "__main__"}, []
    for cell in cells:
        marks = cell.metadata.nbgrader
        if marks.grade_id in assignment.exercises:
            cell.source = assignment.solved(marks.grade_id, assignment.body(marks.grade_id, ()))
        if marks.grade_id == "install" or marks.grade or marks.solution or cell is cells[1]:
            error = run(TransformerManager().transform_cell(cell.source), namespace)
            wrong += [(marks.grade_id, error)] if error else []
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_points_add_up_as_stated(name):
    assignment = Assignment(name)
    title = assignment.notebook.cells[0].source
    stated = {row.split("|")[1].strip(): row.split("|")[2].strip(" *") for row in title.splitlines() if "|" in row}
    stated = {what: int(points) for what, points in stated.items() if points.isdigit()}
    assert sum(assignment.points.values()) == stated.pop("**total**") == sum(stated.values())
    for what, points in stated.items():
        function = what.split("`")[1] if "`" in what else "words"
        assert sum(p for cell, p in assignment.points.items() if cell.split("-")[0] == function) == points
    for words in ("**Learning goals**", "**Time**: ", " minutes"):
        assert words in title
    guides = [assignment.cells[cell].source for cell in assignment.points if cell.startswith("words")]
    questions = "\n".join(cell.source for cell in assignment.notebook.cells if not cell.metadata.nbgrader.grade)
    assert 1 <= len(guides) <= 2
    for cell in (c for c in assignment.points if c.startswith("words")):
        assert f"**Marking guide ({assignment.points[cell]} points)" in assignment.cells[cell].source
        assert f"({assignment.points[cell]} points)" in questions


@pytest.mark.filterwarnings("ignore:Object of type")  # SQLAlchemy's, within nbgrader
def test_a_small_class_is_graded_in_one_go_and_the_same_again(course):
    from cofinal_lib.classroom.course import grade

    pen = s.Pen(course, "02-etf")
    right, elsewhere = pen.right(), course.parents[1] / "outside.txt"
    without = pen.everything() - pen.earns("simplex_etf")

    def hostile(notebook):
        source = s.WRITE.format(course=str(course), outside=str(elsewhere))
        notebook.cells.insert(3, nbformat.v4.new_code_cell(source))
        s.delete_tests(notebook)

    submissions = [
        s.Submission("ada", "02-etf", "ada/02-etf.ipynb", pen.write(right, s.other_version), pen.everything(), ""),
        s.Submission("ben", "02-etf", "ben_1_02-etf.ipynb", pen.write({}), 0, ""),
        s.Submission("cy", "02-etf", "cy/02-etf (1).ipynb", pen.write(right | {"simplex_etf": s.LOOP}), without, ""),
        s.Submission("cy", "02-etf", "cy/02-etf.ipynb", pen.write({}), without, "an older copy"),
        s.Submission("dan", "02-etf", "dan/02-etf.ipynb", pen.write(right, hostile), pen.everything(), ""),
        s.Submission("eve", "02-etf", "eve/02-etf.ipynb", s.truncated(pen.write(right)), None, ""),
        s.Submission("fay", "02-etf", "fay/02-etf.ipynb", pen.write(right, s.with_helpers), pen.everything(), ""),
    ]
    s.hand_in(course, submissions)
    lines = {line.student: line for line in grade(course, say=lambda line: None)}
    assert set(lines) == {one.student for one in submissions}
    for one in submissions:
        line = lines[one.student]
        assert (line.status, line.score) == (("refused", 0) if one.points is None else ("graded", one.points)), line
    assert "took more than 10 seconds" in lines["cy"].note and "restored, was missing" in lines["dan"].note
    assert "cut off" in lines["eve"].note and not elsewhere.exists()
    table = list(csv.DictReader((course / "grades.csv").open()))
    assert [(row["student"], float(row["score"])) for row in table] == [(s, lines[s].score) for s in sorted(lines)]
    page = (course / "feedback" / "ben" / "02-etf" / "02-etf.html").read_text()
    assert "Score: 0.0 / 20.0" in page and "NotImplementedError" in page
    assert "HIDDEN TESTS" not in page and "three columns that are all" not in page  # nor in a traceback
    shutil.rmtree(course / "checked" / "fay")  # hers is run once more
    again = {line.student: line for line in grade(course, say=lambda line: None)}
    assert again == lines


@pytest.mark.filterwarnings("ignore:Object of type")
def test_nothing_is_lost_when_a_student_hands_in_again(tmp_path):
    """Marks given by hand, and the file that was fine, where a newer one is broken or answers one question anew."""
    from nbgrader.api import Gradebook

    from cofinal_lib.classroom.course import grade, release

    course = s.new_course(tmp_path, seconds=20)
    release(course, say=lambda line: None)
    pen = s.Pen(course, "01-grades")
    words = [i for i in pen.points if i.startswith("words")]
    marks = {i: float(pen.points[i]) for i in words}

    def say(*answers):
        def change(notebook):
            for cell in notebook.cells:
                if cell.metadata.get("nbgrader", {}).get("grade_id") in words:
                    cell.source = answers[words.index(cell.metadata.nbgrader.grade_id)]

        return change

    def hand_in(content):
        s.hand_in(course, [s.Submission("ada", "01-grades", "ada/01-grades.ipynb", content, None, "")])
        (line,) = grade(course, say=lambda line: None)
        return line.status, line.score, line.to_mark, line.note

    def autograded():
        return (course / "autograded" / "ada" / "01-grades" / "01-grades.ipynb").stat().st_mtime_ns

    right, code = pen.write(pen.right(), say("Because.", "Hence.")), pen.everything()
    assert hand_in(right) == ("graded", code, sum(marks.values()), "")
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        for i, points in marks.items():
            found = gradebook.find_grade(i, "01-grades", "01-grades", "ada")
            found.manual_score, found.needs_manual_grade = points, False
        gradebook.db.commit()
    before = autograded()
    assert hand_in(right) == ("graded", 20, 0, "") and autograded() == before  # nothing ran
    for broken in (s.truncated(right), b"0" * (21 << 20), s.nbformat.writes(Assignment("02-etf").notebook).encode()):
        status, score, to_mark, note = hand_in(broken)
        assert (status, score, to_mark) == ("graded", 20, 0) and "the last was refused: " in note
        assert (course / "submitted" / "ada" / "01-grades" / "01-grades.ipynb").read_bytes() == right
    less = code - pen.earns("spearman")
    fewer = pen.right(*(e for e in pen.assignment.exercises if e != "spearman"))
    anew = pen.write(fewer, say("Because.", "Hence, or not."))
    assert hand_in(anew) == ("graded", less + sum(marks.values()), marks[words[1]], "")
    (course / "submitted" / "ada" / "01-grades" / "01-grades.ipynb").write_bytes(b"{")  # a hand's slip
    shutil.rmtree(course / "downloaded")
    (line,) = grade(course, say=lambda line: None)
    assert (line.status, line.score) == ("refused", less + sum(marks.values()))
    assert "cut off" in line.note and line.note.endswith("the points are an earlier submission's")


def test_ctrl_c_stops_the_grading_and_the_next_one_goes_on(tmp_path):
    from cofinal_lib.classroom.course import grade, release

    course = s.new_course(tmp_path, seconds=100)
    release(course, say=lambda line: None)
    pen = s.Pen(course, "02-etf")
    loop = s.Submission("ada", "02-etf", "ada/02-etf.ipynb", pen.write(pen.right() | {"simplex_etf": s.LOOP}), 0, "")
    s.hand_in(course, [loop])
    command = [sys.executable, "-m", "cofinal_lib.classroom", "grade", str(course)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (course / "autograded" / "ada" / "02-etf" / "02-etf.ipynb").exists() and running.poll() is None:
        time.sleep(0.1)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    said, why = running.communicate(timeout=60)
    assert (running.returncode, said, why.count("\n")) == (130, "", 1) and why.startswith("classroom: stopped")
    assert not (course / "grades.csv").exists()
    s.hand_in(course, [s.Submission("ada", "02-etf", "ada/02-etf.ipynb", pen.write(pen.right()), 0, "")])
    assert [line.score for line in grade(course, say=lambda line: None)] == [pen.everything()]


def test_a_submission_is_brought_back_into_shape(released):
    original = released("02-etf")
    for change in (s.delete_tests, s.rename_tests, s.edit_everything_read_only, s.lose_metadata, s.other_version):
        changed = released("02-etf")
        solution = next(c for c in changed.cells if c.source.startswith("def compact_etf"))
        solution.source = "def compact_etf(K):\n    return 'mine'"
        words = next(c for c in changed.cells if c.source == "YOUR ANSWER HERE")
        words.source = "Because."
        change(changed)
        found, _ = restore(changed, original)
        marked = [c for c in found.cells if c.metadata.get("nbgrader")]
        assert [c.metadata for c in marked] == [c.metadata for c in original.cells], change
        sources = [c.source for c in marked]
        assert "def compact_etf(K):\n    return 'mine'" in sources and "Because." in sources, change
        others = [c.source for c in original.cells if c.metadata.nbgrader.locked]
        assert [c.source for c in marked if c.metadata.nbgrader.locked] == others, change


@pytest.mark.parametrize(
    ("above", "answer", "below", "found"),
    [
        ([], "YOUR ANSWER HERE", ["Below."], "Below."),
        (["Above."], "YOUR ANSWER HERE", [], "Above."),
        (["Above,", "and on."], "", ["Below."], "Above,\n\nand on.\n\nBelow."),
        ([], "Mine.", ["A remark."], "Mine."),
        (["  "], "YOUR ANSWER HERE", ["\n"], "YOUR ANSWER HERE"),
        (["Above.", None], "YOUR ANSWER HERE", [None, "Below."], "YOUR ANSWER HERE"),  # code stands between
    ],
)
def test_words_beside_a_blank_answer_are_the_answer(released, above, answer, below, found):
    changed = released("05-scoring")
    here = next(n for n, cell in enumerate(changed.cells) if cell.source == "YOUR ANSWER HERE")
    changed.cells[here].source = answer
    new = [
        [new_code_cell("x = 1") if text is None else new_markdown_cell(text) for text in side]
        for side in (above, below)
    ]
    changed.cells[here : here + 1] = [*new[0], changed.cells[here], *new[1]]
    notebook, notes = restore(changed, released("05-scoring"))
    answers = [
        c.source for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id", "").startswith("words")
    ]
    moved = found not in (answer, "YOUR ANSWER HERE")
    assert answers == [found, "YOUR ANSWER HERE"]
    assert notes == (["taken from a cell beside it: words-report"] if moved else [])
    own = [cell.source for cell in notebook.cells if not cell.metadata.get("nbgrader")]
    assert own == ([] if moved else ["x = 1" if text is None else text for text in above + below])


def test_own_cells_stay_where_they_were_and_copies_do_not_count(released):
    original, changed = released("02-etf"), released("02-etf")
    changed.cells.insert(4, nbformat.v4.new_code_cell("helper = 1"))
    changed.cells.append(changed.cells[5].copy())
    found, notes = restore(changed, original)
    assert [c.source for c in found.cells].index("helper = 1") == 4
    assert len(found.cells) == len(original.cells) + 1 and notes == []
    changed.cells[4].source = "from cofinal_lib.classroom import checks\nfrom cofinal_lib.etf import simplex_etf"
    assert restore(changed, original)[1] == ["takes from the library: cofinal_lib.etf"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"cells": [', "not JSON, or was cut off"),
        (b"[1, 2]", "not a notebook"),
        (b'{"nbformat": 4}', "broken notebook"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 7}', "broken notebook"),
        (b"[" * 100_000, "not JSON"),
        (b" " * (21 << 20), "has 21 MiB"),
        (
            nbformat.writes(
                nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell() for _ in range(1001)])
            ).encode(),
            "1001 cells",
        ),
    ],
)
def test_broken_files_are_refused_in_a_line(tmp_path, released, content, words):
    path = tmp_path / "02-etf.ipynb"
    path.write_bytes(content)
    with pytest.raises(Refused, match=words) as refusal:
        restore(read(path), released("02-etf"))
    assert "\n" not in str(refusal.value)


def test_nonsense_in_a_notebook_does_no_harm(tmp_path, released):
    notebook = json.loads(nbformat.writes(released("02-etf")))
    notebook["cells"] += [
        {"cell_type": "code", "source": 7, "metadata": {}, "outputs": [], "execution_count": None},
        {"cell_type": "poem", "source": "roses", "metadata": {"nbgrader": 3}},
        {"cell_type": "markdown", "source": "x", "metadata": {"nbgrader": {"grade_id": ["list"]}}},
    ]
    path = tmp_path / "02-etf.ipynb"
    path.write_text(json.dumps(notebook))
    try:
        found, _ = restore(read(path), released("02-etf"))
    except Refused as error:
        assert "broken notebook" in str(error)
    else:
        assert len(found.cells) >= len(released("02-etf").cells)


def test_another_assignments_notebook_is_refused(released):
    other = released("03-fusion")
    with pytest.raises(Refused, match="no cell of this assignment"):
        restore(other, released("02-etf"))


def test_downloads_are_collected_whatever_else_is_in_them(tmp_path):
    downloads, submitted = tmp_path / "downloaded", tmp_path / "submitted"
    (downloads / "late").mkdir(parents=True)
    with zipfile.ZipFile(downloads / "class.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("ada/01-grades.ipynb", "first")
        file.writestr("ada/01-grades (2).ipynb", "third")
        file.writestr("ada/01-grades (1).ipynb", "second")
        file.writestr("../../ben_../01-grades.ipynb", "outside?")
        file.writestr("cy/02-etf.ipynb", "another")
        file.writestr("dan/homework.zip", "an archive")
        file.writestr("eve/01-grades.ipynb", "small")
        file.writestr("eve/01-grades (1).ipynb", b"0" * (21 << 20))
        file.writestr("fay/photo.jpg", "a photo")
        file.writestr("__MACOSX/ada/._01-grades.ipynb", "")
        file.writestr("01-grades.ipynb", "whose?")
        file.writestr("hal/01-grades.ipynb.txt", "saved as text")
        file.writestr("Ida_77_file/01-grades.ipynb", "one Ida")
        file.writestr("Ida_78_file/01-grades.ipynb", "another")
        file.writestr("Jo_79_file/ada_01-grades (9).ipynb", "in another's name")
        file.writestr("k" * 300 + "/01-grades.ipynb", "a long name")
    with zipfile.ZipFile(downloads / "CLASS.ZIP", "w") as file:
        file.writestr("oli/01-grades.ipynb", "in capitals")
    with zipfile.ZipFile(downloads / "damaged.zip", "w") as file:
        file.writestr("liz/01-grades.ipynb", "spoilt")
        file.writestr("max/01-grades.ipynb", "whole")
    damaged = (downloads / "damaged.zip").read_bytes()
    (downloads / "damaged.zip").write_bytes(damaged.replace(b"spoilt", b"SPOILT"))
    (downloads / "nell_01-grades.ipynb").symlink_to(downloads / "class.zip")
    (downloads / "late" / "gil_01-grades.ipynb").write_text("loose")
    (downloads / "broken.zip").write_bytes(b"PK no zip")
    refused = collect(downloads, "01-grades", submitted, check=lambda content: None)
    found = {str(path.relative_to(submitted)): path.read_text() for path in submitted.rglob("*.ipynb")}
    homes = {"ada": "third", "ben": "outside?", "gil": "loose", "Jo": "in another's name", "max": "whole"}
    homes |= {"k" * 80: "a long name", "oli": "in capitals"}
    assert found == {f"{student}/01-grades/01-grades.ipynb": text for student, text in homes.items()}
    files = {"dan/homework.zip", "01-grades.ipynb", "broken.zip", "hal/01-grades.ipynb.txt", "nell_01-grades.ipynb"}
    assert set(refused) == {"cy", "eve", "Ida", "liz"} | files
    assert "not a notebook of 01-grades" in refused["cy"] and "21 MiB" in refused["eve"]
    assert "several people hand in under this name (Ida_77, Ida_78)" in refused["Ida"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["downloaded", "submitted"]


def test_archives_that_are_locked_or_say_less_than_they_hold_are_refused_in_a_line(tmp_path):
    """A password, and a bomb: 64 MiB of zeros, given out as 9 bytes, in each of the two places that state it."""
    downloads, submitted = tmp_path / "downloaded", tmp_path / "submitted"
    downloads.mkdir()
    real = (64 << 20).to_bytes(4, "little")
    for student, content in (("pat", b"secret"), ("quin", bytes(64 << 20))):
        path = downloads / f"{student}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(f"{student}/01-grades.ipynb", content)
        raw = bytearray(path.read_bytes().replace(real, (9).to_bytes(4, "little")))
        if student == "pat":
            raw[6] |= 1  # encrypted, says the entry,
            raw[raw.index(b"PK\x01\x02") + 8] |= 1  # and the directory
        path.write_bytes(raw)
    tracemalloc.start()
    refused = collect(downloads, "01-grades", submitted, check=lambda content: None)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(refused) == {"pat", "quin"} and not submitted.exists()
    assert all(why.startswith("the archive cannot be read here (") and "\n" not in why for why in refused.values())
    assert "password" in refused["pat"] and largest < 64 << 20  # bytes


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("ada/01-grades.ipynb", ("ada", "", "01-grades", 0)),
        ("ada/Copy of 01-grades.ipynb", ("ada", "", "01-grades", 0)),
        ("ada/01-grades (2).ipynb", ("ada", "", "01-grades", 2)),
        ("Ada Lovelace_77_assignsubmission_file/01-grades.ipynb", ("Ada Lovelace", "77", "01-grades", 0)),
        ("class/lovelaceada_77_4711_01-grades-1.ipynb", ("lovelaceada", "77", "01-grades", 1)),
        ("lovelaceada_LATE_77_4711_01-grades.ipynb", ("lovelaceada", "77", "01-grades", 0)),
        ("Ada_78_file/ben_01-grades (1) (2).ipynb", ("Ada", "78", "01-grades", 2)),
        ("Jose\u0301/Copy of Copy of 01-grades.ipynb", ("Jos\u00e9", "", "01-grades", 0)),
        ("ada/../../*/01-grades.ipynb", ("-", "", "01-grades", 0)),
        ("ada/homework.ipynb", None),
        ("ada/._01-grades.ipynb", None),
        ("ada/01-grades.py", None),
    ],
)
def test_whose_a_download_is(path, owner):
    assert owner_of(Path(path)) == owner


CONFINED = """
import ctypes, os, socket, sqlite3, subprocess, sys
from pathlib import Path
from cofinal_lib.classroom.kernel import confine, limit
home, secret = Path(sys.argv[1]), Path(sys.argv[2])
confine(home, secret)
limit()
(home / "mine.txt").write_text("fine")
(home / "mine.txt").rename(home / "yours.txt")
open(os.devnull, "w").close()
for line in sys.argv[3:]:
    try:
        exec(line)
        print("nothing:", line)
    except Exception as error:
        print(type(error).__name__)
"""


def test_a_confined_process_stays_in_its_folder(tmp_path):
    home, secret = tmp_path / "home", tmp_path / "course"
    home.mkdir(), secret.mkdir()
    (secret / "a.txt").write_text("secret")
    lines = [
        "open(secret / 'a.txt')",
        "open(secret / 'b.txt', 'w')",
        "open(home.parent / 'c.txt', 'a')",
        "os.open(home.parent / 'd.txt', os.O_CREAT | os.O_WRONLY)",
        "open(home / '..' / 'e.txt', 'x')",
        "os.symlink(secret, home / 'link'); open(home / 'link' / 'a.txt')",
        "os.remove(secret / 'a.txt')",
        "os.rename(secret / 'a.txt', home / 'a.txt')",
        "os.system('true')",
        "subprocess.run(['true'])",
        "os.fork()",
        "os.kill(os.getppid(), 9)",
        "socket.create_connection(('127.0.0.1', 9))",
        "sqlite3.connect(secret / 'gradebook.db')",
        "ctypes.CDLL(None).system(b'true')",
    ]
    hog = "[bytearray(1 << 30) for _ in range(8)]"
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, home, secret, *lines, hog], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["NotAllowed"] * len(lines) + ["MemoryError"]
    assert (secret / "a.txt").read_text() == "secret" and (home / "yours.txt").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["course", "home"]


WALLED = """
import ctypes, os, socket, sqlite3, sys
from pathlib import Path
from cofinal_lib.classroom.wall import wall
home, outside, libc = Path(sys.argv[1]), Path(sys.argv[2]), ctypes.CDLL(None)
assert wall([sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64"], [home, os.devnull])
(home / "mine.txt").write_text("fine")
open(os.devnull, "w").close()
for line in sys.argv[3:]:
    try:
        print(eval(line))
    except (OSError, sqlite3.OperationalError):
        print(-1)
"""


@pytest.mark.skipif(version() < 6, reason="this Linux has no Landlock, or an old one")
def test_a_wall_stops_what_python_does_not_see(tmp_path):
    home, outside = tmp_path / "home", tmp_path / "course"
    home.mkdir(), outside.mkdir()
    (outside / "a.txt").write_text("secret")
    lines = [
        "open(outside / 'a.txt')",
        "libc.open(os.fsencode(outside / 'a.txt'), 0)",
        "libc.creat(os.fsencode(outside / 'b.txt'), 0o666)",
        "libc.unlink(os.fsencode(outside / 'a.txt'))",
        "libc.symlink(b'/', os.fsencode(outside / 'c'))",
        "sqlite3.connect(outside / 'gradebook.db').execute('create table t (x)')",
        "libc.execl(b'/bin/true', b'true', None)",
        "libc.kill(os.getppid(), 0)",
        "socket.create_connection(('127.0.0.1', 9))",
    ]
    done = subprocess.run([sys.executable, "-c", WALLED, home, outside, *lines], capture_output=True, text=True)
    assert done.stdout.split() == ["-1"] * len(lines), done
    assert (outside / "a.txt").read_text() == "secret" and len(list(outside.iterdir())) == 1


def test_data_named_from_here_are_found_from_where_submissions_run(tmp_path, monkeypatch):
    from cofinal_lib.classroom.course import grade

    course = s.new_course(tmp_path)
    (course / "release").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COFINAL_MIRROR", "data")
    assert grade(course) == [] and os.environ["COFINAL_MIRROR"] == str(tmp_path / "data")
    monkeypatch.setenv("COFINAL_MIRROR", "nowhere")
    with pytest.raises(CofinalError, match="nowhere, which is no folder"):
        grade(course)


def test_the_command_says_what_is_missing(tmp_path):
    ask = [sys.executable, "-m", "cofinal_lib.classroom"]
    for arguments, words in (([], "usage"), (["grade", tmp_path], "is no course")):
        done = subprocess.run([*ask, *arguments], capture_output=True, text=True)
        assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1
