"""The ledger: rows that are whole, verdicts that follow their rules, and each harsh one derived a second time."""

import csv
import inspect
import json
import math
import random
import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.linear_model import LinearRegression

from cofinal_lib import claims
from cofinal_lib.claims import files, runs, verdicts
from cofinal_lib.claims import method as of_method
from cofinal_lib.claims import printed as on_print
from cofinal_lib.claims.verdicts import CONTRADICTED, DIFFERS, HOLDS, NOISE, UNKNOWN, VERDICTS
from cofinal_lib.errors import CofinalError
from cofinal_lib.figures import ledger as draw
from cofinal_lib.metrics import difference_interval, spearman_interval
from cofinal_lib.paper import facts, printed
from cofinal_lib.records import REFERENCE

BOOK = Path(__file__).parents[1]
ROWS = claims.claims()


@pytest.fixture
def only_reference(monkeypatch):
    """Runs of ours alone: a reader's own results/paper are out of sight."""
    monkeypatch.setattr(runs, "ROOT", REFERENCE)


# --------------------------------------------------------------------------------------- the rows


def test_there_are_many_rows_with_ids_of_their_own():
    ids = [row["id"] for row in ROWS]
    assert len(ids) >= 65 and len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", i) for i in ids)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_row_is_whole_and_its_check_takes_its_arguments(row):
    assert set(claims.WRITTEN) <= set(row) <= {*claims.WRITTEN, "args"}, "a verdict is found, never written"
    assert all(isinstance(row[name], str) and row[name] for name in claims.WRITTEN)
    module, function = row["check"].split(".")
    check = getattr(import_module(f"cofinal_lib.claims.{module}"), function)
    inspect.signature(check).bind(row["printed"], **row.get("args", {}))
    assert (BOOK / "book" / f"{row['chapter']}.ipynb").is_file()


def test_numbers_in_the_rows_are_those_of_the_tables():
    table1 = printed("table1").set_index(["method", "backbone"])
    table2, table3 = printed("table2").set_index("method"), printed("table3").set_index("without")
    seen = 0
    for row in ROWS:
        args, expected = row.get("args", {}), None
        if row["check"] == "printed.average":
            expected = table1.loc[tuple(args["row"]), "rg_average" if args["group"] == "RG" else "fisv_average"]
        elif row["check"] == "printed.drop":
            expected = table3.loc[args["without"], f"{args['target']}_drop"]
        elif row["check"] == "method.counted":
            expected = table2.loc[args["method"], args["column"]]
        elif row["check"] == "runs.times":
            expected = table2.loc[args["method"], "inference_ms"]
        elif row["check"] == "runs.cell" and "methods" not in args:
            expected = table1.loc[("CoFInAl", "VST"), args["target"].split("/")[1]]
        if expected is not None:
            seen += 1
            assert float(row["printed"]) == expected, row["id"]
    assert seen == 21 + 16 + 8 + 4 + 5


def test_a_released_fact_has_one_value_or_one_for_each_target():
    read = facts("released")
    assert read["fact"].is_unique and read["where"].str.len().min() > 0
    assert set(read["value"].str.split("|").str.len()) == {1, 6}


# --------------------------------------------------------------------------------------- the rules


@pytest.mark.parametrize(
    ("printed", "ours", "low", "high", "verdict"),
    [
        (0.621, 0.6213, 0.6208, 0.6219, HOLDS),
        (36, 36.60, 36.499, 36.70, DIFFERS),  # only cells at the edge of their rounding
        (0.623, 0.6213, 0.6208, 0.6219, CONTRADICTED),
        (4, 2.24, 2.12, 2.36, CONTRADICTED),
    ],
)
def test_a_number_against_others(printed, ours, low, high, verdict):
    half = 0.5 if printed > 1 else 0.0005
    assert verdicts.follows(printed, ours, low, high, half) == verdict


@given(st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_what_is_computed_and_rounded_holds_and_what_lies_far_off_is_contradicted(a, b):
    ratio = a / b
    shown = round(ratio, 2)
    reach = (ratio - 0.01, ratio + 0.01)
    assert verdicts.follows(shown, ratio, *reach, 0.005) == HOLDS
    assert verdicts.follows(shown + 0.03, ratio, *reach, 0.005) == CONTRADICTED


def test_a_result_beside_our_interval():
    assert verdicts.reproduced(0.771, 0.7712, 0.68, 0.84) == HOLDS
    assert verdicts.reproduced(0.820, 0.771, 0.68, 0.84) == NOISE
    assert verdicts.reproduced(0.843, 0.426, 0.27, 0.56) == DIFFERS
    assert verdicts.reproduced(0.600, 0.771, 0.68, 0.84) == DIFFERS, "below as well as above"


@given(st.floats(-1, 1), st.floats(0.001, 1))
def test_a_lead_holds_only_beyond_noise(difference, noise):
    printed, ours = verdicts.printed_lead(difference, noise), verdicts.our_lead(difference, noise)
    assert (printed == HOLDS) == (ours == HOLDS) == (difference > noise)
    assert (printed == CONTRADICTED) == (difference <= 0)
    assert (ours == DIFFERS) == (difference < -noise)
    assert verdicts.our_lead(difference, np.nan) == verdicts.reproduced(difference, noise, np.nan, 1) == UNKNOWN
    assert verdicts.together([HOLDS, UNKNOWN]) == UNKNOWN, "what is undefined on one target is not within noise"


# --------------------------------------------------------------------------------------- each harsh verdict, again


def _raw(table):
    with open(BOOK / "cofinal_lib" / "paper" / f"{table}.csv") as file:
        return list(csv.DictReader(file))


def _cells(method, backbone, names):
    (row,) = [r for r in _raw("table1") if (r["method"], r["backbone"]) == (method, backbone)]
    return [float(row[n]) for n in names]


def _naive_fisher(values):
    z = [0.5 * math.log((1 + r) / (1 - r)) for r in values]
    mean = sum(z) / len(z)
    return (math.exp(2 * mean) - 1) / (math.exp(2 * mean) + 1)


def again_average():
    cells = _cells("ACTION-NET", "I3D + ResNet", ["ball", "clubs", "hoop", "ribbon"])
    highest = _naive_fisher([c + 0.0005 for c in cells])
    return round(highest, 3) < 0.623  # not even the largest cells that round so


def again_hoop():
    (whole,) = [float(r["hoop"]) for r in _raw("table3") if not r["without"]]
    (arm,) = [float(r["hoop"]) for r in _raw("table3") if r["without"] == "L_R"]
    most = (whole + 0.0005 - (arm - 0.0005)) / (whole + 0.0005)
    return 100 * most < 3.5


def again_subgrade():
    S_C, S_F, s = 25 / 5, 25 / 5 / 10, 15.4
    return (s - s // S_C) // S_F >= 10  # sub-grades are 0 to 9


def again_eq8():
    G = np.ones((4, 512))
    return (G.T @ G).shape != (4, 4) and (np.abs(np.subtract.outer(range(4), range(4))).sum(1) != 1).any()


def again_eq11():
    try:
        np.zeros((4, 256)) - np.zeros((4, 512))
    except ValueError:
        return True
    return False


def again_reason():
    (row,) = [r for r in ROWS if r["id"] == "fig4-reason"]
    return "7" in row["printed"] and "4" in row["printed"]


def _log(mirror):
    lines = (mirror / "cofinal" / "train_log-cofinal-Ball.txt").read_text().splitlines()
    split = [line.split("\t") for line in lines if line.startswith("Epoch:")]
    return [{part.split(": ")[0]: float(part.split(": ")[1]) for part in parts} for parts in split]


def again_log(mirror):
    log = _log(mirror)
    return len(log) == 250 and sum(e["Train Coef"] > e["Test Coef"] for e in log) == 82


def again_chosen(mirror):
    test = [e["Test Coef"] for e in _log(mirror)]
    return [round(value, 3) for value in test].count(0.809) == 1 and round(max(test), 3) == 0.809 != round(test[-1], 3)


def again_artefact(mirror):
    """A perfect predictor, logged batch by batch with one random number a batch, in plain Python."""
    lines = (mirror / "rg" / "train.txt").read_text().splitlines()
    ball = [float(line.split()[3]) / 25 for line in lines if line.startswith("Ball_")]
    rng, found = random.Random(0), []
    for _ in range(300):
        order = rng.sample(ball, len(ball))
        logged = []
        for start, end in pairwise([*range(0, len(order), 32), len(order)]):
            added = rng.randrange(100 * (end - start)) / 10_000
            logged += [score + added for score in order[start:end]]
        found.append(stats.spearmanr(logged, order).statistic)
    test = np.mean([e["Test Coef"] for e in _log(mirror)][-50:])
    return 0.79 < np.mean(found) < 0.84 and np.mean(np.array(found) < test) > 0.15


AGAIN = {
    "subgrade-formula": again_subgrade,
    "eq8": again_eq8,
    "eq11": again_eq11,
    "average-rg-action-net-i3d": again_average,
    "drop-lr-hoop": again_hoop,
    "fig4-reason": again_reason,
    "fig6-test-above": again_log,
    "cell-cofinal-ball-trained": again_chosen,
    "fig6-no-overfitting": again_artefact,
}


@pytest.mark.parametrize("claim", AGAIN)
def test_a_harsh_verdict_is_derived_again(claim, request):
    check = AGAIN[claim]
    arguments = [request.getfixturevalue("mirror")] if inspect.signature(check).parameters else []
    assert check(*arguments)
    assert claims.ledger(claim)["verdict"].item() in ("contradicted", "artefact")


def test_every_harsh_verdict_kept_is_derived_again():
    kept = claims.kept()
    assert set(kept.loc[kept["verdict"].isin(["contradicted", "artefact"]), "id"]) == set(AGAIN)


# --------------------------------------------------------------------------------------- evaluated


def test_the_kept_ledger_is_what_the_checks_find(mirror, only_reference):
    kept, now = claims.kept(), claims.ledger()
    assert draw.changed(kept, now).empty, "python data_scripts/claims.py keeps the ledger anew"
    assert list(kept["id"]) == [row["id"] for row in ROWS]
    counted = [i for i, check in zip(kept["id"], kept["check"], strict=True) if not check.startswith("runs.")]
    before, after = (f.set_index("id").loc[counted, "ours"].astype(float) for f in (kept, now))
    pd.testing.assert_series_equal(before, after, rtol=1e-3, atol=1e-4)
    assert (now["why"].str.len() > 0).all() and (now["missing"] != "").eq(now["verdict"] == UNKNOWN).all()
    assert (now.loc[now["verdict"] != UNKNOWN, "source"] != "").all()


def test_without_files_and_runs_rows_say_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    needy = [row for row in ROWS if row["check"].startswith(("files.", "runs."))]
    assert len(needy) > 40
    for row in needy:
        found = claims.evaluate(row)
        assert found.verdict == UNKNOWN and found.missing and found.why, row["id"]


def _kept_runs(root, target, method, srcc, low, high, selection="last", ranks=""):
    row = {"target": target, "source": "official", "method": method, "options": "", "without": "", "seeds": 3}
    row |= {"epochs": 200, "split": "test", "selection": selection, "decoding": "soft", "srcc": srcc, "ridge": 0.6}
    row |= {"srcc_low": low, "srcc_high": high, "routines_low": low, "routines_high": high, "per_seed": f"{srcc}"}
    row |= {"device": "x", "torch": "2", "commit": "a" * 40, "run_id": f"{target}-{method}", "ranks": ranks}
    path = root / "paper" / "table1.csv"
    path.parent.mkdir(exist_ok=True)
    pd.DataFrame([row]).to_csv(path, mode="a", header=not path.exists(), index=False)


def test_cells_follow_a_readers_own_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    assert runs.cell(0.809, "rg/clubs").missing == "rg features"
    _kept_runs(tmp_path, "rg/clubs", "cofinal", 0.5, 0.4, 0.6)
    found = runs.cell(0.806, "rg/clubs")
    assert (found.verdict, found.ours) == (DIFFERS, 0.5) and "rg/clubs" in found.source
    _kept_runs(tmp_path, "rg/clubs", "cofinal-repaired", 0.8, 0.7, 0.9)  # ours, and no reading of the paper
    found = runs.cell(0.806, "rg/clubs")
    assert (found.verdict, found.ours) == (DIFFERS, 0.5) and "of the text, 0.800." in found.why
    searched = pd.DataFrame({"source": "official", "arm": ["a", "a", "b"]})
    searched.to_csv(tmp_path / "paper" / "readings.csv", index=False)
    assert "0.800 (3 trainings of 2 readings inside the training routines; earlier" in runs.cell(0.806, "rg/clubs").why
    _kept_runs(tmp_path, "rg/clubs", "cofinal", 0.75, 0.65, 0.85, selection="best_on_test")  # as the authors choose
    found = runs.cell(0.806, "rg/clubs")
    assert (found.verdict, found.ours) == (NOISE, 0.5)
    ends = [
        f"{srcc:.3f} [{low:.3f}, {high:.3f}]" for srcc in (0.5, 0.75) for low, high in [spearman_interval(srcc, 50)]
    ]
    assert all(words in found.why for words in ends), "the intervals that one training has"
    _kept_runs(tmp_path, "rg/clubs", "cofinal-released", 0.79, 0.7, 0.88)  # the one that comes nearer counts
    assert runs.cell(0.806, "rg/clubs").verdict == NOISE
    assert runs.beats("", "rg/clubs").verdict == UNKNOWN
    _kept_runs(tmp_path, "rg/clubs", "gdlt", 0.81, 0.72, 0.9)
    assert runs.beats("", "rg/clubs").verdict == UNKNOWN, "without ranks there is no interval"


def test_a_run_that_ranks_nothing_is_judged_by_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    for method in ("cofinal", "gdlt"):
        _kept_runs(tmp_path, "fisv/pcs", method, np.nan, np.nan, np.nan)
    for row in ({"check": "runs.cell", "printed": "0.843"}, {"check": "runs.beats", "printed": "first"}):
        found = claims.evaluate(row | {"args": {"target": "fisv/pcs"}})
        assert found.verdict == UNKNOWN and "undefined" in found.missing and np.isnan(found.ours)
    assert "undefined at the last epoch" in runs.cell(0.843, "fisv/pcs").why
    _kept_runs(tmp_path, "fisv/pcs", "cofinal-released", 0.84, 0.7, 0.9)
    assert runs.cell(0.843, "fisv/pcs").ours == 0.84, "what is undefined is the farthest from any printed cell"


def test_two_methods_are_compared_on_the_same_routines_whatever_their_seeds(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    order = np.arange(40)
    near, far, farther = order.reshape(-1, 2)[:, ::-1].ravel(), *np.random.default_rng(0).permuted([order] * 2, axis=1)
    said = ["|".join(" ".join(map(str, row)) for row in rows) for rows in ((order, near), (order, far, farther))]
    _kept_runs(tmp_path, "fisv/pcs", "cofinal", 0.9, 0.8, 0.95, ranks=said[0])
    _kept_runs(tmp_path, "fisv/pcs", "gdlt", 0.1, 0.0, 0.2, ranks=said[1])
    found = runs.beats("", "fisv/pcs")
    low, high = difference_interval(near[None], np.stack([far, farther]), order)
    assert (found.verdict, found.low, found.high) == (HOLDS, low, high) and found.ours == pytest.approx(0.8)


def _kept_gaps(root, gaps):
    """Table 1 with training SRCC 0.9: {target: {method: its gap}}, one seed each."""
    rows = [
        {"target": target, "source": "official", "method": method, "without": "", "split": split, "seeds": 1}
        | {"per_seed": 0.9 - (split == "test") * gap, "selection": "last", "decoding": "soft", "epochs": 200}
        | {"torch": "2", "device": "x", "commit": "a" * 40}
        for target, ends in gaps.items()
        for method, gap in ends.items()
        for split in ("train", "test")
    ]
    (root / "paper").mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(root / "paper" / "table1.csv", index=False)


def _kept_arms(root, gaps):
    """Table 3 with training SRCC 0.9: {target: (gaps of the whole, of the arm without FGS)}, a gap a seed."""
    rows = []
    for target, pair in gaps.items():
        for without, values in zip(("", "FGS"), pair, strict=True):
            for split in ("train", "test"):
                srcc = [0.9 - (split == "test") * gap for gap in values]
                row = {"target": target, "source": "official", "method": "cofinal", "without": without, "split": split}
                row |= {"seeds": len(srcc), "epochs": 200, "selection": "last", "decoding": "soft", "torch": "2"}
                rows.append(row | {"per_seed": " ".join(map(str, srcc)), "device": "x", "commit": "a" * 40})
    (root / "paper").mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(root / "paper" / "table3.csv", index=False)


def test_overfitting_less_holds_only_where_it_does_so_on_every_target(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    clear, luck = ([0.40, 0.41, 0.42], [0.60, 0.61, 0.63]), ([0.40, 0.41, 0.42], [0.30, 0.61, 0.90])
    worse = (clear[1], clear[0])
    for gaps, verdict in (
        ({"fisv/pcs": clear}, HOLDS),
        ({"fisv/tes": clear, "fisv/pcs": clear}, HOLDS),
        ({"fisv/tes": luck, "fisv/pcs": clear}, NOISE),
        ({"fisv/tes": clear, "fisv/pcs": luck}, NOISE),
        ({"fisv/tes": worse, "fisv/pcs": worse}, DIFFERS),
        ({"fisv/tes": ([0.4], [0.6])}, UNKNOWN),  # one seed has no interval
        ({"fisv/tes": clear, "fisv/pcs": (clear[0], [0.6, np.nan, 0.6])}, UNKNOWN),  # a seed ranks nothing
    ):
        _kept_arms(tmp_path, gaps)
        found = runs.narrows_gap("", "FGS")
        assert found.verdict == verdict, gaps
        assert found.verdict == UNKNOWN or all(target in found.why for target in gaps)
    _kept_arms(tmp_path, {"fisv/tes": ([0.5, 0.5, 0.9, 0.9], [0.4, 0.41])})  # the words are over shared seeds too
    found = runs.narrows_gap("", "FGS")
    words = [float(number) for number in re.findall(r"(?:is|and|by) (-?[\d.]+) (?:as|with|\[)", found.why)]
    assert words[1] - words[0] == pytest.approx(words[2], abs=2e-3) and words[2] == pytest.approx(found.ours, abs=1e-3)


def test_a_readers_table_without_official_rows_hides_none_of_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    ours = pd.read_csv(REFERENCE / "paper" / "table1.csv")
    for folder, frame in (("paper", ours.assign(source="movement")), ("reference/paper", ours)):
        (tmp_path / folder).mkdir(parents=True)
        frame.to_csv(tmp_path / folder / "table1.csv", index=False)
    assert set(runs._official("table1")["source"]) == {"official"}


def test_a_part_is_worth_something_only_beyond_luck_over_seeds_and_routines_on_every_target(monkeypatch):
    columns = ["target", "without", "loss", "low", "high", "seeds", "routines_low", "routines_high"]
    clear = [0.2, 0.1, 0.3, 3, 0.05, 0.35]
    seeds, routines = [0.2, -0.1, 0.5, 3, 0.05, 0.35], [0.2, 0.1, 0.3, 3, -0.05, 0.45]
    harms, no_ranks = [-0.2, -0.3, -0.1, 3, -0.35, -0.05], [0.2, 0.1, 0.3, 3, np.nan, np.nan]
    monkeypatch.setattr(runs, "_official", lambda name: pd.DataFrame({"without": ["", "FGS", "GPM"]}))
    monkeypatch.setattr(runs, "_source", lambda rows: "these")
    whole = pd.DataFrame({"target": ["fisv/0", "fisv/1"], "without": "", "srcc": [0.4, 0.5]})
    monkeypatch.setattr(runs.tables, "last_epoch", lambda frame: whole)
    for losses, verdict in (
        ([clear], HOLDS),
        ([clear, no_ranks], HOLDS),
        ([clear, seeds], NOISE),
        ([clear, routines], NOISE),
        ([harms, harms], DIFFERS),
        ([clear, harms], NOISE),
        ([[0.2, np.nan, np.nan, 1, 0.05, 0.35]], UNKNOWN),
        ([clear, [np.nan] * 3 + [3, np.nan, np.nan]], UNKNOWN),
    ):
        rows = [(f"fisv/{i}", "FGS", *loss) for i, loss in enumerate(losses)] + [("fisv/0", "GPM", *harms)]
        every = pd.DataFrame(rows, columns=columns)
        of = lambda frame, every=every: every[every["without"].isin(frame["without"])]  # noqa: E731
        monkeypatch.setattr(runs.tables, "losses_of_arms", of)
        found = runs.part("", "FGS")
        assert found.verdict == verdict, losses
        assert verdict == UNKNOWN or found.ours == pytest.approx(np.mean([loss[0] for loss in losses]))


def _kept_curves(root, curves):
    """Figure 6: {(target, method): {epoch: (training, test SRCC)}}."""
    rows = []
    for (target, method), curve in curves.items():
        head = {"target": target, "source": "official", "method": method, "measure": "srcc"}
        head |= {"seeds": 3, "epochs": 200, "device": "x", "torch": "2", "commit": "a" * 40}
        for epoch, values in curve.items():
            both = zip(("train", "test"), values, strict=True)
            rows += [head | {"epoch": epoch, "split": split, "mean": value} for split, value in both]
    (root / "paper").mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(root / "paper" / "figure6.csv", index=False)


BALL, TES, PCS = ("rg/ball", "gdlt"), ("fisv/tes", "gdlt"), ("fisv/pcs", "gdlt")


def _crossing_at(epoch):
    return {e: (0.5 + 0.01 * (e - epoch + 1), 0.5) for e in range(5, 101, 5)}


def test_curves_cross_where_training_is_first_above_test(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    for epoch, verdict in ((25, HOLDS), (30, HOLDS), (60, DIFFERS), (200, DIFFERS)):
        _kept_curves(tmp_path, {BALL: _crossing_at(epoch), PCS: _crossing_at(5)})
        found = runs.crossing(25)
        assert found.verdict == verdict and (found.ours == epoch or np.isnan(found.ours) and epoch == 200)
        assert f"above {'never' if epoch == 200 else f'at epoch {epoch} first'}." in found.why
    _kept_curves(tmp_path, {TES: _crossing_at(30), PCS: _crossing_at(60)})
    found = runs.crossing(25)
    assert found.verdict == UNKNOWN and "fisv/tes it is above at epoch 30 first, by 0.710 at the end" in found.why
    assert "fisv/pcs it is above at epoch 60 first, by 0.410 at the end" in found.why
    _kept_curves(tmp_path, {("fisv/pcs", "cofinal"): _crossing_at(60)})
    assert runs.NO_GDLT in runs.crossing(25).why


def test_a_gap_widens_where_its_end_is_above_its_middle(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    for gaps, verdict in (((0.1, 0.2, 0.3), HOLDS), ((0.1, 0.3, 0.2), DIFFERS), ((0.1, 0.2, 0.2), DIFFERS)):
        _kept_curves(tmp_path, {BALL: {50 * i: (0.5 + gap, 0.5) for i, gap in enumerate(gaps, 1)}})
        found = runs.widening("")
        assert found.verdict == verdict and found.ours == pytest.approx(gaps[-1])
        assert f"{gaps[1]:.3f} after 100 epochs" in found.why
    _kept_curves(tmp_path, {TES: _crossing_at(30), PCS: _crossing_at(25)})
    found = runs.widening("")
    assert found.verdict == UNKNOWN and "0.260 after 55 epochs and 0.710 after 100" in found.why
    assert "0.310 after 55 epochs and 0.760 after 100" in found.why


def test_of_our_gaps_the_smallest_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    for gdlt, verdict in ((0.45, HOLDS), (0.25, NOISE), (0.15, NOISE), (0.05, DIFFERS)):
        ends = {"gdlt": gdlt, "cofinal": 0.5, "cofinal-released": 0.2}
        _kept_gaps(tmp_path, {"rg/ball": ends})
        found = runs.overfits_less("")
        assert found.verdict == verdict and found.ours == pytest.approx(gdlt - 0.2)
        _kept_gaps(tmp_path, {"rg/ball": ends, "fisv/tes": {"gdlt": 0.1, "cofinal": 0.12}})
        assert runs.overfits_less("").verdict == NOISE, "every target counts"
    _kept_gaps(tmp_path, {"rg/ball": {"gdlt": 0.1}})
    assert runs.overfits_less("").verdict == UNKNOWN


def test_a_claim_on_all_columns_is_judged_at_once():
    RG, FISV = ["ball", "clubs", "hoop", "ribbon"], ["tes", "pcs"]
    assert on_print._all_at_once([True] * 6, RG + FISV)[0] == HOLDS
    assert on_print._all_at_once([True] * 4, RG)[0] == NOISE, "one in sixteen"
    assert on_print._all_at_once([True] * 5, RG[:3] + FISV)[0] == NOISE, "Fis-V's scores are of the same routines"
    assert on_print._all_at_once([True] * 5 + [False], RG + FISV)[0] == CONTRADICTED


def test_arms_are_compared_by_how_alike_their_errors_are(monkeypatch):
    noise = {}
    for alike in (0.0, 0.5, 0.9):
        monkeypatch.setattr(on_print, "ERRORS_ALIKE", alike)
        found = on_print.arm("", "FGS")
        noise[alike] = found.ours - found.low
    assert noise[0.0] > noise[0.5] > noise[0.9] > 0


def test_how_alike_methods_are_taken_to_be_can_be_set(monkeypatch):
    """As chapter 19's first exercise asks."""
    beyond = {}
    for alike in (0.5, 0.9, 0.999):
        monkeypatch.setattr(on_print, "ALIKE", alike)
        found = on_print.i3d_over_c3d(""), on_print.best_of_block("", "I3D")
        beyond[alike] = [int(re.search(r"(\d+) of (?:them|the leads)", f.why).group(1)) for f in found]
    assert beyond[0.5] < beyond[0.9] < beyond[0.999]


def test_features_collapse_where_their_spread_falls_below_a_tenth(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    (tmp_path / "paper").mkdir()
    for after, verdict in ((0.9, DIFFERS), (0.11, DIFFERS), (0.09, HOLDS)):
        kept = [("within over between", "untrained", 1.0), ("within over between", "trained", after)]
        kept.append(("grade accuracy", "trained", 0.5))
        rows = [(*row, seed) for row in kept for seed in (0, 1)]
        frame = pd.DataFrame(rows, columns=["measure", "stage", "value", "seed"])
        frame = frame.assign(target="fisv/pcs", source="official", method="cofinal", epochs=2, torch="2")
        frame.to_csv(tmp_path / "paper" / "parts.csv", index=False)
        found = runs.collapse("")
        assert found.verdict == verdict and found.ours == pytest.approx(after)


def test_a_trained_mask_that_stays_even_does_not_select(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    (tmp_path / "paper").mkdir()
    for value, verdict in ((0.25, DIFFERS), (0.4, NOISE), (0.9, HOLDS)):
        head = {
            "target": "fisv/pcs",
            "source": "official",
            "method": "cofinal",
            "epochs": 2,
            "measure": "largest weight",
        }
        rows = [
            head | {"seed": s, "stage": t, "value": value, "torch": "2"}
            for s in (0, 1)
            for t in ("untrained", "trained")
        ]
        pd.DataFrame(rows).to_csv(tmp_path / "paper" / "parts.csv", index=False)
        assert runs.mask("", 4).verdict == verdict


def test_of_the_maps_of_one_method_the_most_orderly_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    (tmp_path / "paper").mkdir()
    for share, verdict in ((0.2, DIFFERS), (0.45, NOISE), (0.6, HOLDS)):
        shares = {"backbone": 0.2, "gdlt": 0.4, "cofinal": 0.25, "cofinal-released": share}
        rows = [{"kind": k, "measure": "plane, other routines", "value": v, "seed": 0} for k, v in shares.items()]
        rows.append({"kind": "backbone", "measure": "always the commonest grade", "value": 0.17, "seed": 0})
        frame = pd.DataFrame(rows).assign(source="official", target="fisv/pcs")
        frame.to_csv(tmp_path / "paper" / "figure5-readout.csv", index=False)
        found = runs.readout("", ["cofinal", "cofinal-released"], "gdlt")
        assert found.verdict == verdict and found.ours == pytest.approx(max(0.25, share) - 0.4)
        assert runs.readout("", ["backbone"]).verdict == HOLDS and runs.readout("", ["gdlt"]).verdict == DIFFERS
        assert runs.readout("", ["cofinal-repaired"], "gdlt").verdict == UNKNOWN


def test_the_nearer_line_is_the_one_whose_slope_is_nearer_to_one(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    (tmp_path / "paper").mkdir()
    scores = np.linspace(10, 38, 50)
    for own, other, theirs, verdict in ((0.8, 0.1, 0.5, HOLDS), (0.1, 0.8, 0.5, HOLDS), (0.1, 0.5, 1.2, DIFFERS)):
        rows = [
            {"id": i, "score": s, "predicted": slope * s + 3, "kind": kind, "seed": seed, "target": "fisv/pcs"}
            for kind, slope in (("cofinal", own), ("cofinal-released", other), ("gdlt", theirs))
            for seed in (0, 1)
            for i, s in enumerate(scores)
        ]
        pd.DataFrame(rows).assign(source="official").to_csv(tmp_path / "paper" / "figure5.csv", index=False)
        found = runs.nearer_line("")
        nearest = 1 - max(own, other)
        assert found.verdict == verdict and found.ours == pytest.approx(abs(theirs - 1) - nearest), "the nearest counts"
        assert found.low == pytest.approx(found.high), "without errors every resample has the same slope"
        if verdict == HOLDS:
            one = pd.DataFrame(rows).query("seed == 0").assign(source="official")
            one.to_csv(tmp_path / "paper" / "figure5.csv", index=False)
            assert runs.nearer_line("").verdict == NOISE, "one seed knows nothing of the luck of seeds"


def test_a_map_is_linear_where_the_score_rises_along_it(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    (tmp_path / "paper").mkdir()
    scores, random = np.linspace(10, 38, 60), np.random.default_rng(0)
    circle = np.c_[np.cos(scores), np.sin(scores)]
    straight = np.c_[scores, -2 * scores] + random.normal(0, 1, (60, 2))
    for own, theirs, verdict in ((straight, circle, HOLDS), (circle, straight, DIFFERS), (straight, straight, NOISE)):
        rows = [
            {"id": i, "score": s, "x": x, "y": y, "kind": kind, "seed": seed, "target": "fisv/pcs"}
            for kind, plane in (("cofinal", own), ("gdlt", theirs))
            for seed in (0, 1)
            for i, (s, (x, y)) in enumerate(zip(scores, plane, strict=True))
        ]
        pd.DataFrame(rows).assign(source="official").to_csv(tmp_path / "paper" / "figure5.csv", index=False)
        found = runs.linear("")
        R = [np.sqrt(LinearRegression().fit(p, scores).score(p, scores)) for p in (own, theirs)]
        assert found.verdict == verdict and found.ours == pytest.approx(R[0] - R[1])


def test_the_released_regulariser_is_gdlts():
    found = of_method.own_regulariser("")
    assert (found.verdict, found.ours) == (DIFFERS, 0)


def test_balance_is_asked_of_the_classes_that_have_a_frame(monkeypatch):
    scores = pd.DataFrame({"score": np.linspace(0, 1, 401), "split": "train"})
    monkeypatch.setattr(files, "_of", lambda target: scores)
    assert files.balanced("", grades=4, subgrades=20).verdict == NOISE
    low = 0.25 * np.random.default_rng(0).random(400) ** 3
    first = pd.DataFrame({"score": [*low, *np.linspace(0.25, 1, 61)], "split": "train"})
    monkeypatch.setattr(files, "_of", lambda target: first)
    assert files.balanced("", grades=4, subgrades=20).verdict == DIFFERS


def test_an_epoch_counts_as_above_only_where_training_is_logged_higher(monkeypatch):
    log = pd.DataFrame({"epoch": range(3), "train": [0.9, 0.8, 0.8], "test": [0.8, 0.8, 0.8005]})
    for rows, n, verdict in ((log, 1, CONTRADICTED), (log[1:], 0, HOLDS)):
        monkeypatch.setattr(files, "_log", lambda rows=rows: rows)
        found = files.test_above_train("")
        assert (found.verdict, found.ours) == (verdict, n), "not where both are alike"


def test_the_logged_training_srcc_is_an_artefact_only_by_both_of_its_signs(monkeypatch):
    scores = pd.DataFrame({"score": np.arange(10.0), "split": "train"})
    monkeypatch.setattr(files, "_of", lambda target: scores)
    for below, jump, verdict in ((6, 0.1, "artefact"), (5, 0.1, HOLDS), (6, 0.04, HOLDS)):
        turns = np.arange(60) % 2
        log = pd.DataFrame({"epoch": range(60), "train": 0.8 + jump * turns, "test": 0.8 + 0.01 * turns})
        monkeypatch.setattr(files, "_log", lambda log=log: log)
        logged = pd.DataFrame({"logged": [0.7] * below + [0.9] * (100 - below)})
        monkeypatch.setattr(files, "simulate", lambda scores, draws, logged=logged: logged)
        assert files.logged_training("").verdict == verdict, (below, jump)


def test_a_fine_head_tells_routines_apart_where_it_costs_less_than_one_answer_to_all(monkeypatch):
    scores = pd.DataFrame({"score": np.arange(10, 20, 0.25), "split": ["train", "test"] * 20})
    monkeypatch.setattr(files, "_of", lambda target: scores)  # quarters of a point: every sub-level is 0
    for loss, verdict in ((0.01, DIFFERS), (-0.01, HOLDS)):  # the one answer is right for all, and costs nothing
        monkeypatch.setattr(files, "_log", lambda loss=loss: pd.DataFrame({"loss": [9.0] * 10 + [loss] * 50}))
        found = files.fine_head("")
        assert (found.verdict, found.ours) == (verdict, pytest.approx(loss))


def test_over_a_per_cent_is_no_equality():
    over = {"row": ["ACTION-NET", "VST + ResNet"], "over": ["ACTION-NET", "I3D + ResNet"], "column": "rg_average"}
    assert on_print.gain(16.85, **over).verdict == DIFFERS
    assert on_print.gain(16.85, at_least=True, **over).verdict == HOLDS
    assert on_print.gain(18.0, at_least=True, **over).verdict == CONTRADICTED


# --------------------------------------------------------------------------------------- shown


def test_the_command_shows_all_and_one_and_evaluates_one(cofinal):
    every = cofinal("claims")
    assert every.returncode == 0 and all(row["id"] in every.stdout for row in ROWS)
    assert claims.summary(claims.kept()) in every.stdout
    (one,) = json.loads(cofinal("claims", "--run", "--json", "drop-lr-hoop").stdout)
    assert one["verdict"] == CONTRADICTED and one["command"] == "cofinal claims --run drop-lr-hoop"
    rows = json.loads(cofinal("claims", "--json").stdout)
    assert [r["id"] for r in rows] == [r["id"] for r in ROWS] and {r["verdict"] for r in rows} <= set(VERDICTS)


def test_an_unknown_id_is_one_line_with_its_nearest_and_exit_code_2(cofinal):
    for run in ([], ["--run"]):
        result = cofinal("claims", *run, "drop-lr-hop")
        assert result.returncode == 2 and "drop-lr-hoop" in result.stderr and result.stderr.count("\n") == 1
    with pytest.raises(CofinalError, match="lists all"):
        claims.kept("zzzzzzzz")


def test_the_page_holds_every_claim_without_scripts_or_a_network():
    kept = claims.kept()
    page = draw.table(kept).data
    still = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert all(f'id="claim-{i}"' in still and f"cofinal claims --run {i}<" in still for i in kept["id"])
    assert still.count("<tr data-verdict") == len(kept)
    assert still.count('aria-sort="none"') == still.count("<th ") == still.count("<button") == len(draw.HEADINGS)
    assert "src=" not in page and 'href="http' not in page and "url(" not in page
    assert all(f'href="{chapter}.html"' in still for chapter in kept["chapter"].unique())


def test_the_counts_add_up_and_every_kind_has_a_name():
    kept = claims.kept()
    assert claims.counts(kept).sum() == len(kept) and list(claims.counts(kept).index) == list(VERDICTS)
    assert set(kept["check"].str.split(".").str[0]) == set(draw.KINDS)
    assert f"Of {len(kept)} claims, {claims.counts(kept)['holds']} hold," in claims.summary(kept)
