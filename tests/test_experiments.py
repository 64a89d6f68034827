"""Which runs each artefact needs, and how they are shared out among jobs."""

import pytest

from cofinal_lib import experiments
from cofinal_lib.errors import CofinalError
from cofinal_lib.rivals import METHODS


@pytest.fixture(autouse=True)
def everything_at_hand(monkeypatch):
    monkeypatch.setattr(experiments, "at_hand", lambda target: True)


@pytest.mark.parametrize("profile", experiments.PROFILES)
def test_every_run_belongs_to_one_job_and_every_artefact_finds_its_runs(profile):
    plan = experiments.plan(profile)
    jobs = experiments.jobs(profile, plan)
    labels = [experiments.label(s) for specs in jobs.values() for s in specs]
    assert len(labels) == len(set(labels))
    for artefact in experiments.ARTEFACTS:
        wanted = {experiments.label(s) for s in plan[artefact]}
        held = {experiments.label(s) for job in experiments.needed(plan[artefact], jobs) for s in jobs[job]}
        assert wanted <= held and (wanted or artefact == "table2")
    size = experiments.profile(profile)["runs_per_job"]
    assert all(len({s.target for s in specs}) == 1 and len(specs) <= size for specs in jobs.values())


def test_what_is_solved_needs_one_seed():
    for method, n in (("cofinal", 10), ("gdlt", 10), ("ridge", 1), ("kernel-ridge", 1), ("c3d-svr", 1)):
        assert experiments.spec("paper", "fisv/pcs", method).seeds == tuple(range(n)), method


def test_the_paper_profile_holds_the_whole_grid():
    p = experiments.profile("paper")
    official = [t for t in p["table1"] if t.startswith(("rg", "fisv"))]
    assert len(official) == 6 and p["epochs"] == 200 and p["seeds"] == 10
    assert {(s.target, s.method) for s in experiments.table1("paper")} >= {(t, m) for t in official for m in METHODS}
    arms = {(s.target, s.options.get("without", "")) for s in experiments.table3("paper")}
    assert arms >= {(t, arm) for t in official for arm in ("", "L_R", "TFM", "GPM", "FGS")}
    for target in official:
        grades = {s.options.get("n_grades", 4) for s in experiments.figure4a("paper") if s.target == target}
        subgrades = {s.options.get("n_subgrades", 20) for s in experiments.figure4b("paper") if s.target == target}
        assert grades == set(range(2, 11)) and subgrades == set(range(5, 101, 5))


def test_a_sweep_keeps_to_sub_grades_that_have_room():
    squats = [s for s in experiments.figure4b("paper") if s.target.startswith("uiprmd")]
    assert max(s.options.get("n_subgrades", 5) for s in squats) == 30  # D_S = 32 holds at most 33 directions


def test_targets_without_data_are_left_out(monkeypatch):
    monkeypatch.setattr(experiments, "at_hand", lambda target: target.startswith("twin"))
    plan = experiments.plan("quick")
    assert {s.target.split("/")[0] for s in plan["table1"]} == {"twin"}
    assert not any(job.startswith("table1-uiprmd") for job in experiments.jobs("quick", plan))
    assert experiments.absent("quick", plan) == ["uiprmd/deep-squat"]


def test_other_backbones_are_run_where_a_reader_has_them_and_not_missed_elsewhere(monkeypatch):
    monkeypatch.setattr(experiments, "at_hand", lambda target: "@" not in target)
    without = experiments.plan("paper")
    monkeypatch.setattr(experiments, "at_hand", lambda target: "@" not in target or target == "fisv/pcs@i3d")
    plan = experiments.plan("paper")
    more = [s for s in plan["table1"] if s not in without["table1"]]
    assert [(s.target, s.method) for s in more] == [("fisv/pcs@i3d", method) for method in METHODS]
    assert {artefact: specs for artefact, specs in plan.items() if specs != without[artefact]}.keys() == {"table1"}
    assert not experiments.absent("paper", without)


def test_an_artefact_without_any_data_is_not_planned(monkeypatch):
    monkeypatch.setattr(experiments, "at_hand", lambda target: target == "rg/ball")
    plan = experiments.plan("paper")
    assert "figure5" not in plan and plan["table2"] == [] and len(plan["table3"]) == 5


def test_each_targets_data_are_looked_for_once(monkeypatch):
    asked = []
    monkeypatch.setattr(experiments, "at_hand", lambda target: asked.append(target) or True)
    experiments.plan("quick")
    assert len(asked) == len(set(asked))


def test_another_device_takes_the_profiles_place():
    assert {s.device for specs in experiments.plan("paper", "cpu").values() for s in specs} == {"cpu"}


def test_an_unknown_profile_is_named():
    with pytest.raises(CofinalError, match="unknown profile 'fast'; expected one of"):
        experiments.profile("fast")
