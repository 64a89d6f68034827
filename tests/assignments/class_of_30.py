"""Grade a class of 30, perfect to hostile, in one go, and compare every score with what it must be; then once more.

`python tests/assignments/class_of_30.py [folder]`: some minutes on two cores. Exit code 1 where a score is off.
"""

import os
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import students as s
from harness import BLANK, NAMES

from cofinal_lib.classroom.course import grade, release


def the_class(course: Path, outside: Path) -> list[s.Submission]:
    """Thirty submissions."""
    pens = {name: s.Pen(course, name) for name in NAMES}
    etf, out = pens["02-etf"], []

    def add(kind, name, content, points):
        student = f"student{len(out) + 1:02d}"
        file = (f"{student}/{name}.ipynb", f"{student}_4711_Copy of {name}.ipynb", f"{student}/{name} (2).ipynb")
        out.append(s.Submission(student, name, file[len(out) % 3], content, points, kind))

    for name, pen in pens.items():
        add("perfect", name, pen.write(pen.right()), pen.everything())
    for name in ("01-grades", "04-parsing"):
        pen = pens[name]
        answers = {e: pen.assignment.body(e, list(a["right"].values())[0]) for e, a in pen.assignment.answers.items()}
        add("another way", name, pen.write(answers, s.other_version), pen.everything())
    add("blank", "03-fusion", pens["03-fusion"].write({}), 0)
    for name, exercise in (("02-etf", "compact_etf"), ("03-fusion", "clip_mask"), ("05-scoring", "soft_score")):
        add("partly right", name, pens[name].write(pens[name].right(exercise)), pens[name].earns(exercise))
    for name in ("01-grades", "06-reviewer"):
        pen = pens[name]
        wrong = {e: pen.assignment.body(e, a["wrong"]["hard-coded example"]) for e, a in pen.assignment.answers.items()}
        add("wrong", name, pen.write(wrong), pen.graded(wrong))

    right, second = etf.right(), "simplex_etf"
    without = etf.everything() - etf.earns(second)
    add("endless loop", "02-etf", etf.write(right | {second: s.LOOP}), without)
    add("endless loop that cannot be interrupted", "02-etf", etf.write(right | {second: s.STUBBORN}), 4)
    add("memory hog", "02-etf", etf.write(right | {second: s.HOG}), without)
    add("endless output", "02-etf", etf.write(right | {second: s.PRINT}), without)
    add("ends its kernel", "02-etf", etf.write(right | {second: s.EXIT}), 4)
    add("starts programs", "02-etf", etf.write(right | {second: s.SPAWN}), without)
    add("reads the solutions", "02-etf", etf.write(right | {second: s.READ.format(course=str(course))}), without)
    add("tests deleted", "02-etf", etf.write(right | {second: BLANK}, s.delete_tests), without)
    add("tests renamed", "02-etf", etf.write(right | {second: BLANK}, s.rename_tests), without)
    add("read-only cells edited", "02-etf", etf.write(right | {second: BLANK}, s.edit_everything_read_only), without)
    add("metadata lost", "02-etf", etf.write(right | {second: BLANK}, s.lose_metadata), without)

    def own_cell(source):
        return lambda notebook: notebook.cells.insert(3, s.nbformat.v4.new_code_cell(source))

    add("disarms the tests", "02-etf", etf.write({}, own_cell(s.DISARM)), 0)
    written = s.WRITE.format(course=str(course), outside=str(outside))
    add("writes elsewhere", "02-etf", etf.write(right, own_cell(written)), etf.everything())
    add("no UTF-8", "02-etf", s.latin(etf.write({})), None)
    add("cut off", "02-etf", s.truncated(etf.write(right)), None)
    add("another assignment's notebook", "02-etf", pens["03-fusion"].write(pens["03-fusion"].right()), None)
    assert len(out) == 30
    return out


def main(folder: Path) -> int:
    """Grade twice; returns how many scores are off."""
    warnings.simplefilter("ignore")
    course, outside = s.new_course(folder, seconds=30), folder / "outside.txt"
    release(course)
    submissions = the_class(course, outside)
    s.hand_in(course, submissions)
    off, tables = 0, []
    for round_ in (1, 2):
        shutil.rmtree(course / "checked", ignore_errors=True)  # what did not change would not run again
        started = time.monotonic()
        lines = {line.student: line for line in grade(course, say=lambda line: print(f"  {line}", flush=True))}
        print(f"round {round_}: {len(lines)} submissions in {time.monotonic() - started:.0f} s")
        tables.append((course / "grades.csv").read_text())
        for one in submissions:
            line = lines.get(one.student)
            found = None if line is None or line.status == "refused" else line.score
            if line is None or found != one.points:
                off += 1
                print(f"OFF: {one.student} ({one.kind}, {one.assignment}): {found}, must be {one.points}; {line}")
    scores = [[line.split(",")[:6] for line in table.splitlines()] for table in tables]
    if scores[0] != scores[1]:
        off += 1
        print("OFF: the second grading gives other scores")
    if outside.exists():
        off += 1
        print(f"OFF: {outside} was written")
    print(f"{len(submissions)} submissions, {off} off")
    return off


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if len(sys.argv) > 1:
        sys.exit(bool(main(Path(sys.argv[1]))))
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(bool(main(Path(folder))))
