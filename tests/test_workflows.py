"""The workflow files: what no linter sees. check-jsonschema and zizmor see the rest (CONTRIBUTING.md)."""

import re
from pathlib import Path

import pytest
import yaml

WORKFLOWS = sorted((Path(__file__).parents[1] / ".github" / "workflows").glob("*.yml"))


def workflow(path):
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_need_jobs_that_exist(path):
    jobs = workflow(path)["jobs"]
    for name, job in jobs.items():
        needs = job.get("needs", [])
        for other in [needs] if isinstance(needs, str) else needs:
            assert other in jobs and other != name, f"{path.name}: {name} needs {other}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_named_by_version(path):
    used = re.findall(r"uses: *(?!\./)(\S+)(.*)", path.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{action} does not say its version"


def test_a_called_workflow_is_here_and_can_be_called():
    called = [
        name for path in WORKFLOWS for name in re.findall(r"uses: *\./\.github/workflows/(\S+)", path.read_text())
    ]
    assert called == ["tests.yml"]
    assert "workflow_call" in workflow(WORKFLOWS[0].with_name("tests.yml"))[True]


def test_pages_are_deployed_after_the_tests_alone():
    jobs = workflow(WORKFLOWS[0].with_name("book.yml"))["jobs"]
    assert set(jobs["pages"]["needs"]) == {"tests", "build"} and jobs["tests"]["uses"].endswith("/tests.yml")


def test_an_action_has_one_commit_everywhere():
    pins = {}
    for path in WORKFLOWS:
        for action, commit in re.findall(r"uses: *([\w./-]+)@(\w+)", path.read_text()):
            assert pins.setdefault(action, commit) == commit, action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_have_the_permissions_they_name_and_no_others(path):
    read = workflow(path)
    assert read["permissions"] == {}
    from_outside = "pull_request" in read[True]  # YAML reads the key "on" as true
    assert "pull_request_target" not in read[True]
    for name, job in read["jobs"].items():
        assert "secrets" not in str(job), f"{path.name}: {name} reads secrets"
        writes = {scope for scope, level in job["permissions"].items() if level != "read"}
        not_for_outsiders = "github.event_name == 'push'" in job.get("if", "")
        assert not (writes and from_outside) or not_for_outsiders, f"{path.name}: {name} writes {writes}"
        assert "timeout-minutes" in job or "uses" in job  # a called workflow's jobs have their own


def test_whatever_goes_wrong_in_the_weekly_rebuild_is_reported():
    jobs = workflow(next(path for path in WORKFLOWS if path.stem == "weekly"))["jobs"]
    report = jobs.pop("report")
    assert set(report["needs"]) == set(jobs) and "!success()" in report["if"]
    assert all(f"needs.{name}.result" in report["env"]["RESULTS"] for name in jobs)
    assert "gh issue create" in report["steps"][0]["run"]
