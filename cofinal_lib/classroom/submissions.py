"""What students hand in, before nbgrader sees it: refused with a reason, or brought back into shape."""

import json
import re
import unicodedata
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise, takewhile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from cofinal_lib.results import whole

LARGEST = 20 << 20  # bytes of a notebook
CELLS = 1000


class Refused(Exception):
    """A submission that cannot be graded: says why in one line."""


def collect(downloads: Path, name: str, submitted: Path, check: Callable[[bytes], object]) -> dict[str, str]:
    """Put the notebooks of an assignment, from zips and loose files, into <submitted>/<student>/<name>/<name>.ipynb.

    Of several copies that a student downloaded the last one counts. `check` raises Refused for one that cannot be
    graded; what lies in `submitted` then stays as it is. Returns what was refused, and why, by student or, where it is
    nobody's, by file.
    """
    refused, last, people = {}, {}, {}
    for path, size, content in _files(downloads, refused):
        owner = owner_of(path)
        if owner is None:
            archive = path.suffix.lower() in (".zip", ".gz", ".7z", ".rar")
            if (archive or name in path.name or ".ipynb" in path.name) and not path.name.startswith("."):
                refused[str(path)] = "the notebook itself is needed, and a name that says whose it is"
            continue
        student, person, notebook, copy = owner
        people.setdefault(student, set()).update([person] * bool(person))
        if notebook != name:
            refused[student] = f"{path.name} is not a notebook of {name}"
        elif copy >= last.get(student, (-1,))[0]:
            last[student] = (copy, size, content)
    for student, (_, size, content) in last.items():
        refused.pop(student, None)
        if len(people[student]) > 1:
            whose = ", ".join(f"{student}_{person}" for person in sorted(people[student]))
            refused[student] = f"several people hand in under this name ({whose}): give them names of their own"
            continue
        if size > LARGEST:
            refused[student] = f"the file has {size >> 20} MiB; a notebook has at most {LARGEST >> 20}"
            continue
        try:
            notebook = content()
        except Exception as error:  # zipfile raises whatever it stumbles over
            refused[student] = f"the archive cannot be read here ({error})"
            continue
        try:
            check(notebook)
        except Refused as error:
            refused[student] = str(error)
            continue
        whole(submitted / student / name / f"{name}.ipynb", lambda path, content=notebook: path.write_bytes(content))
    return refused


def _files(downloads: Path, refused: dict):
    """Path, size and a function that reads, of each file in a folder and in its zips; links are followed nowhere."""
    for path in sorted(downloads.rglob("*")):
        if path.is_symlink():
            refused[str(path.relative_to(downloads))] = "a link to another file is not followed"
        elif path.is_file() and path.suffix.lower() == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    entries = archive.infolist()
            except Exception as error:  # as above
                refused[path.name] = f"the archive cannot be read ({error})"
                continue
            for entry in entries:
                inside = Path(entry.filename)
                if not entry.is_dir() and "__MACOSX" not in inside.parts:
                    yield inside, entry.file_size, partial(_entry, path, entry)
        elif path.is_file():
            yield path.relative_to(downloads), path.stat().st_size, path.read_bytes


def _entry(path: Path, entry: zipfile.ZipInfo) -> bytes:
    with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
        return file.read(LARGEST)


def owner_of(path: Path) -> tuple[str, str, str, int] | None:
    """Student, which of that name, notebook and number of the copy; None where it is nobody's notebook.

    "Ada Lovelace_77_assignsubmission_file/01-grades (1).ipynb" is Ada Lovelace's (77), and so is whatever else a folder
    numbered like this holds. Elsewhere the file's name counts before its folder's: "ada_77_Copy of 01-grades.ipynb".
    """
    found = re.fullmatch(r"(?P<before>.*?[_ ])??(?P<notebook>\d\d-[a-z]+)(?P<behind>.*)", path.stem, re.S)
    if path.suffix.lower() != ".ipynb" or path.name.startswith(".") or not found:
        return None
    folder, before = path.parent.name.split("_"), (found["before"] or "").split("_")[:-1]
    numbered = len(folder) > 2 and folder[1].isdigit()
    student, *more = [part for part in (before if before and not numbered else folder) if part != "LATE"] or [""]
    student = re.sub(r"[^\w.@ -]", "-", unicodedata.normalize("NFC", student)).strip()[:80]
    copies = re.findall(r"\d{1,9}", found["behind"])
    return (student, "".join(more[:1]), found["notebook"], int([0, *copies][-1])) if student.strip(".") else None


def read(path: Path) -> NotebookNode:
    """A submitted file, as nbformat 4.

    Raises:
        Refused: no file, too large, or as in `parse`.
    """
    if path.is_symlink() or not path.is_file():
        raise Refused("there is no such file")
    if path.stat().st_size > LARGEST:
        raise Refused(f"the file has {path.stat().st_size >> 20} MiB; a notebook has at most {LARGEST >> 20}")
    return parse(path.read_bytes())


def parse(content: bytes) -> NotebookNode:
    """A submitted notebook, as nbformat 4.

    Raises:
        Refused: no UTF-8, no JSON, no notebook, too many cells.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"the file is not UTF-8 text (byte {error.start})") from None
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"the file is not JSON, or was cut off ({str(error) or 'nested too deeply'})") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("nbformat"), int):
        raise Refused("the file is JSON, but not a notebook")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.reads(text, as_version=4)
    except Exception as error:  # nbformat raises whatever it stumbles over
        raise Refused(f"the file is a broken notebook ({type(error).__name__})") from None
    if len(notebook.cells) > CELLS:
        raise Refused(f"the notebook has {len(notebook.cells)} cells; one has at most {CELLS}")
    return notebook


def restore(submitted: NotebookNode, released: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The released notebook with the student's answers, and the student's own cells where they were.

    Returns:
        the notebook, and notes on what was restored.

    Raises:
        Refused: none of the assignment's cells is there.

    Cells are known by nbgrader's grade_id. Where that is gone (copied cells, tools that drop metadata), a code cell
    that defines an exercise's function is its answer, and a text behind a question is the question's. Words in cells
    of their own, next to a text answer that was left blank, are that answer.
    """
    ours = {grade_id(cell): cell for cell in released.cells if grade_id(cell)}
    code = {i: c.source for i, c in ours.items() if c.cell_type == "code" and _is(c, "solution")}
    asked = {name: i for i, source in code.items() for name in defines(source)}
    texts = {cell.source.strip(): i for i, cell in ours.items() if not _is(cell, "solution")}
    answers, own, behind, changed, sure = {}, {}, None, [], False
    known = {grade_id(c) for c in submitted.cells if isinstance(c.get("source"), str)} & set(ours)
    for cell in submitted.cells:
        source = cell.get("source")
        if not isinstance(source, str) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            continue
        source = source.encode("utf-8", "replace").decode().replace("\r\n", "\n")  # JSON can spell half a character
        i = grade_id(cell) if grade_id(cell) in ours else texts.get(source.strip())
        if i is None and cell.cell_type == "code":
            i = next((asked[name] for name in defines(source) if name in asked), None)
            i = i if i not in known else None
        sure = sure or (i is not None and (_is(ours[i], "solution") or _is(ours[i], "grade")))
        if i is None and cell.cell_type == "markdown":
            i = _next_answer(behind, released, known)
        if i is None:
            own.setdefault(behind, []).append((cell.cell_type, source))
            continue
        if i in answers:  # the second copy of a cell: the first counts
            continue
        answers[i], behind = source, i
        if not _is(ours[i], "solution") and source.strip() != ours[i].source.strip():
            changed.append(i)
    if not sure:
        raise Refused("the notebook holds no cell of this assignment; is it another one?")
    moved = _into_blanks(answers, own, ours)
    cells = [_cell(*given) for given in own.get(None, [])]
    for i, cell in ours.items():
        cells.append(NotebookNode(cell))
        if _is(cell, "solution") and i in answers:
            cells[-1] = NotebookNode(cell | {"source": answers[i]})
        cells += [_cell(*given) for given in own.get(i, [])]
    notes = [f"restored, was edited: {', '.join(changed)}"] if changed else []
    missing = [i for i in ours if i not in answers]
    notes += [f"restored, was missing: {', '.join(missing)}"] if missing else []
    notes += [f"taken from a cell beside it: {', '.join(moved)}"] if moved else []
    theirs = [answers[i] for i in answers if _is(ours[i], "solution")] + [s for c in own.values() for _, s in c]
    used = {u for s in theirs for u in re.findall(r"(?:from|import)\s+(cofinal_lib(?!\.classroom)[\w.]*)", s)}
    notes += [f"takes from the library: {', '.join(sorted(used))}"] if used else []
    # Tests look for the functions that were asked for, whatever else stands in an answer's cell.
    metadata = NotebookNode(released.metadata | {"asked": list(asked)})
    notebook = NotebookNode(released | {"cells": cells, "metadata": metadata})
    for n, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{n}"
    return notebook, notes


def _into_blanks(answers: dict, own: dict, ours: dict) -> list[str]:
    """Move the student's own texts right above or below a blank text answer into it; the answers that this fills."""
    filled = []
    for before, i in pairwise(ours):
        blank = answers.get(i, "").strip() in ("", ours[i].source.strip())
        if _is_text_answer(ours[i]) and blank:
            above = list(takewhile(_words, reversed(own.get(before, []))))[::-1]
            below = list(takewhile(_words, own.get(i, [])))
            if above or below:
                own[before], own[i] = own.get(before, [])[: -len(above) or None], own.get(i, [])[len(below) :]
                answers[i] = "\n\n".join(source for _, source in above + below)
                filled.append(i)
    return filled


def _words(given: tuple[str, str]) -> bool:
    return given[0] == "markdown" and bool(given[1].strip())


def grade_id(cell) -> str | None:
    """nbgrader's name of a cell."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return name if isinstance(name, str) else None


def _is(cell, kind: str) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get(kind))


def _is_text_answer(cell) -> bool:
    return cell.cell_type == "markdown" and _is(cell, "solution")


def defines(source: str) -> list[str]:
    """The functions that a cell defines at its top level."""
    return re.findall(r"^def (\w+)\(", source, re.M)


def _next_answer(behind: str | None, released: NotebookNode, known: set) -> str | None:
    """The text answer right behind this cell, unless the student's notebook has it under its name."""
    ids = [grade_id(cell) for cell in released.cells]
    following = released.cells[ids.index(behind) + 1 :][:1] if behind in ids else []
    return next((grade_id(c) for c in following if _is_text_answer(c) and grade_id(c) not in known), None)


def _cell(cell_type: str, source: str) -> NotebookNode:
    """A cell of the student's own."""
    if cell_type == "code":
        return nbformat.v4.new_code_cell(source)
    return nbformat.v4.new_markdown_cell(source)
