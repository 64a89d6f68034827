"""Colab, Binder, a laptop: one address, the same first cell everywhere, and a wheel that works without the repository.

tests/anywhere/alone.py does for every chapter, on Colab's versions, what one chapter does here on those at hand.
"""

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
import yaml

import cofinal_lib
from cofinal_lib import runs
from cofinal_lib.records import REFERENCE

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.ipynb"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def script(path):
    """A script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


alone = script(ROOT / "tests" / "anywhere" / "alone.py")
first_cell = script(ROOT / "data_scripts" / "first_cell.py")


# ------------------------------------------------------------------------------- one address, one version, one list


def test_what_names_the_address_or_the_release_is_written_from_the_one_place_that_settles_it():
    differ = [path.name for path, text in first_cell.texts(first_cell.repository()).items() if text != path.read_text()]
    assert not differ, f"python data_scripts/first_cell.py writes {', '.join(differ)}"


def test_with_another_address_nothing_names_the_old_one():
    owner, name = CONFIG["repository"]["url"].split("/")[-2:]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    everywhere = [ROOT / path for path in listed if path] or [*ROOT.glob("*.*"), *CHAPTERS]
    moved = first_cell.texts("https://github.com/someone/elsewhere")
    for path in everywhere:
        if path.name != "_config.yml" and path.suffix not in (".png", ".npz", ".npy") and path.is_file():
            text = moved.get(path) or path.read_text()
            assert f"{owner}/{name}" not in text and f"{owner}.github.io" not in text, f"{path.name} names {owner}"


def test_the_first_cell_is_short_and_hidden_on_pages():
    cell = first_cell.first_cell(first_cell.repository())
    assert len(cell["source"]) <= 15 and cell["metadata"]["tags"] == ["remove-cell"]


def test_buttons_point_at_the_chapters_of_the_repository():
    repository, buttons = CONFIG["repository"], CONFIG["launch_buttons"]
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", repository["url"])
    assert all((ROOT / repository["path_to_book"] / path.name).samefile(path) for path in CHAPTERS)
    assert buttons["colab_url"] and buttons["binderhub_url"] and not buttons["thebe"]
    assert CONFIG["html"]["use_download_button"]


def test_conda_and_binder_only_point_at_the_one_list_of_dependencies():
    project = PYPROJECT["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    binder = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text())
    python, pip, rest = conda["dependencies"]
    (installed,) = rest["pip"]
    asked = [installed, re.search(r"pip install .*-e '([^']*)'", (ROOT / ".binder" / "postBuild").read_text())[1]]
    for line in asked:
        extras = re.fullmatch(r"(?:-e )?\.\[([\w,]+)\]", line)[1].split(",")
        assert set(extras) <= set(project["optional-dependencies"])
    assert pip == "pip" and binder["dependencies"][:2] == [python, pip] and conda["name"] == binder["name"]
    lowest, above = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()
    assert int(lowest) <= int(re.fullmatch(r"python=3\.(\d+)", python)[1]) < int(above)
    (torch,) = (line for line in project["dependencies"] if line.startswith("torch>="))
    assert binder["dependencies"][2:] == [torch.replace("torch", "pytorch-cpu")]


def test_the_lock_holds_what_pyproject_asks_for():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    extras = PYPROJECT["project"]["optional-dependencies"]
    asked = PYPROJECT["project"]["dependencies"] + PYPROJECT["build-system"]["requires"]
    for wanted in map(Requirement, [*asked, *extras["chapters"], *extras["book"], *extras["dev"]]):
        if wanted.name != PYPROJECT["project"]["name"]:
            version = locked.get(canonicalize_name(wanted.name))
            assert version and wanted.specifier.contains(version), f"{wanted}: requirements.lock has {version}"


def test_every_dependency_names_its_lowest_version():
    """tests.yml tries the lowest: without a bound that is the first release ever made."""
    from packaging.requirements import Requirement

    project = PYPROJECT["project"]
    for wanted in map(Requirement, chain(project["dependencies"], *project["optional-dependencies"].values())):
        assert wanted.name == project["name"] or ">=" in {s.operator for s in wanted.specifier}, str(wanted)


def imported(path):
    """The top-level names of what a module imports when it is imported, not later."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def test_what_the_library_and_the_chapters_import_is_what_the_wheel_brings():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    brought = PYPROJECT["project"]["dependencies"] + PYPROJECT["project"]["optional-dependencies"]["chapters"]
    brought = {canonicalize_name(Requirement(line).name) for line in brought} | {"ipython"}  # a kernel is IPython
    belongs, named = packages_distributions(), {}
    for path in (ROOT / "cofinal_lib").rglob("*.py"):
        if "classroom" not in path.parts:  # an extra of its own
            named |= dict.fromkeys(imported(path), path.name)
    for path in CHAPTERS:
        cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        code = "".join(line for cell in cells for line in (*cell["source"], "\n"))
        named |= dict.fromkeys(re.findall(r"^(?:from|import) (\w+)", code, re.MULTILINE), path.name)
    for name, where in named.items():
        if name not in sys.stdlib_module_names and name != "cofinal_lib":
            known = {canonicalize_name(distribution) for distribution in belongs.get(name, [name])}
            assert known & brought, f"{where} imports {name}, which pyproject.toml's dependencies do not bring"


# ------------------------------------------------------------------------------- the wheel, without its repository


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("needs hatchling, which requirements.lock brings")
    return alone.wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    """The packages that are here, without the library."""
    folder = tmp_path_factory.mktemp("runtime")
    for path in Path(shutil.__file__).parent, *map(Path, sys.path):
        if path.name == "site-packages":
            for entry in path.iterdir():
                ours = re.match(r"(__editable__|_editable|_?cofinal)", entry.name)
                if not ours and entry.suffix != ".pth" and not (folder / entry.name).exists():
                    (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(scope="module")
def installed(wheel, below, tmp_path_factory):
    """The Python of an environment where the wheel is installed, and an empty folder."""
    home = tmp_path_factory.mktemp("installed")
    python = alone.fresh(home / "environment", sys.executable, below)
    pip = [python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel]
    alone.run(*pip, env=alone.surroundings(home), cwd=home)
    (home / "empty").mkdir()
    return python, home / "empty"


def cofinal(installed, *arguments):
    python, folder = installed
    command = [python.parent / "cofinal", *arguments]
    env = alone.surroundings(folder.parent, OMP_NUM_THREADS="1")
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("needs hatchling, which requirements.lock brings")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs a checkout, to know which files are the project's")
    made = []
    for turn, mask in enumerate((0o022, 0o077)):
        tree, out = tmp_path / f"tree{turn}", tmp_path / f"dist{turn}"
        before = os.umask(mask)
        for name in filter(None, listed.stdout.split("\0")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
            os.utime(tree / name, (10**9 + turn * 10**8,) * 2)
        os.umask(before)
        env = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
        alone.run(sys.executable, "-m", "hatchling", "build", "-d", out, cwd=tree, env=env)
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert len(made[0]) == 2 and made[0] == made[1]


def test_doctor_works_from_the_wheel_alone(installed):
    said = cofinal(installed, "doctor")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "FAIL" not in said.stdout and str(installed[0].parents[1]) in said.stdout


def test_training_works_from_the_wheel_alone(installed):
    tiny = ["--twin", "feature_dim=16", "--twin", "n_train=40", "--seeds", "1", "--epochs", "2"]
    said = cofinal(installed, "train", "--dataset", "twin/ball", *tiny, "--out", "results/mine")
    assert said.returncode == 0, said.stderr
    (folder,) = (installed[1] / "results" / "mine").iterdir()
    record = json.loads((folder / "record.json").read_text())
    assert record["provenance"]["library_digest"] == runs.library_digest(), "the same library is the same run anywhere"
    assert (folder / "run.ipynb").is_file(), "its report is made, too"


def test_a_reproduction_is_planned_from_the_wheel_alone(installed):
    said = cofinal(installed, "reproduce", "--profile", "tiny", "--dry-run")
    assert said.returncode == 0 and "runs to make" in said.stdout, said.stderr


def test_claims_are_told_from_the_wheel_alone(installed):
    if "claims" not in cofinal(installed, "--help").stdout:
        pytest.skip("this library has no ledger of claims")
    said = cofinal(installed, "claims")
    assert said.returncode == 0 and said.stdout, said.stderr


def test_our_results_come_with_the_wheel(installed):
    python, folder = installed
    code = (
        "from cofinal_lib.records import HOME, REFERENCE, RESULTS; print(REFERENCE, RESULTS.resolve(), HOME, sep='\\n')"
    )
    said = alone.run(python, "-c", code, cwd=folder, env=alone.surroundings(folder.parent))
    theirs, own, home = map(Path, said.split())
    assert own == folder / "results" and (home / "Snakefile").is_file()
    files = {path.relative_to(REFERENCE) for path in REFERENCE.rglob("*.*")}
    assert {path.relative_to(theirs) for path in theirs.rglob("*.*")} == files and theirs != REFERENCE


# ------------------------------------------------------------------------------- without a network


def test_a_kit_holds_what_it_names_and_nothing_unchecked(mirror, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "data_scripts")
    kit, archive = script(ROOT / "data_scripts" / "kit.py"), script(ROOT / "data_scripts" / "release.py").archive
    made, wheel = tmp_path / "release", "cofinal_book.whl"
    made.mkdir()
    (made / wheel).write_bytes(b"ours")
    archive(made / "x-notebooks.zip", ROOT / "book", CHAPTERS)
    (tmp_path / "index.html").write_text("a page")
    archive(made / "x-html.zip", tmp_path, [tmp_path / "index.html"])
    asked = []
    monkeypatch.setattr(kit.subprocess, "run", lambda command, check: asked.append(command) or command[6].mkdir())
    kit.main(made, tmp_path / "kit", ["uiprmd"])
    assert str(asked[0][-1]).endswith("requirements.lock") and (tmp_path / "kit.zip").is_file()
    sums = [line.split("  ") for line in (tmp_path / "kit" / "SHA256SUMS").read_text().splitlines()]
    files = {str(path.relative_to(tmp_path / "kit")) for path in (tmp_path / "kit").rglob("*") if path.is_file()}
    assert {name for _, name in sums} == files - {"SHA256SUMS"}
    assert all(kit.sha256(tmp_path / "kit" / name) == digest for digest, name in sums)
    told = (tmp_path / "kit" / "README.txt").read_text()
    for name in ("pages/index.html", f"wheels/{wheel}", "data", "chapters", "requirements.lock", "SHA256SUMS"):
        assert name in told and (tmp_path / "kit" / name).exists()


# ------------------------------------------------------------------------------- a chapter alone


def test_a_chapter_alone_installs_the_library_and_runs_to_the_end(wheel, below, tmp_path):
    python = alone.fresh(tmp_path / "environment", sys.executable, below)
    more = {"COFINAL_WHEEL": wheel.as_uri(), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "profile": "quick"}
    chapter = ROOT / "book" / "12-overfitting.ipynb"  # it reads our results, which only the wheel brings
    executed = json.loads(alone.chapter(chapter, python, tmp_path, **more).read_text())
    first = next(cell for cell in executed["cells"] if cell["id"] == "first-cell")
    assert "device: CPU" in str(first["outputs"]) and alone.brought(python) == ["cofinal_book"]


def test_a_clash_is_one_sentence(below, tmp_path):
    python = alone.fresh(tmp_path / "environment", sys.executable, below)
    cell = "".join(first_cell.first_cell(first_cell.repository())["source"])
    nowhere = alone.surroundings(tmp_path, COFINAL_WHEEL=(tmp_path / "no.whl").as_uri(), PIP_NO_INDEX="1")
    refused = cell.replace("sys.version_info < (3, 14)", "sys.version_info < (3, 0)")
    for wrong, named in ((cell, "no.whl"), (refused, "ready: Python 3."), (cell.replace('"pip"', '"no"'), "No mod")):
        said = subprocess.run([python, "-c", wrong], env=nowhere, cwd=tmp_path, capture_output=True, text=True)
        assert said.returncode == 1 and len(said.stderr.strip().splitlines()) == 1 and named in said.stderr
        assert said.stderr.startswith("cofinal_lib needs Python>=3.11")
    here = os.environ | {"PYTHONPATH": str(ROOT)}
    later = cell.replace(f'"{cofinal_lib.__version__}"', '"99.0"')
    said = subprocess.run([sys.executable, "-c", later], env=here, cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 1 and said.stderr.startswith("This chapter is of release 99.0")
    assert len(said.stderr.strip().splitlines()) == 1
