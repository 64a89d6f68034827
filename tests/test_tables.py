"""Tables 1 and 3 and chapter 5's: sources never mixed, cells with their intervals, luck, options, a toy."""

import ast
import importlib
import json
import re
from functools import partial
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from cofinal_lib import main_results, results, tables
from cofinal_lib.cofinal import CoFInAlConfig
from cofinal_lib.data import at_hand, load, scores_at_hand
from cofinal_lib.figures import METHOD_COLOURS, METHOD_NAMES, networks
from cofinal_lib.figures import rivals as draw
from cofinal_lib.metrics import (
    bootstrap_interval,
    fisher_mean,
    mean_interval,
    spearman,
    spearman_interval,
    spearman_rows,
)
from cofinal_lib.paper import printed
from cofinal_lib.rivals import BASELINES, METHODS
from cofinal_lib.rivals.cofinal_released import ReleasedCoFInAlConfig
from cofinal_lib.runs import RunSpec
from cofinal_lib.train import Schedule, fit

ROOT = Path(__file__).parents[1]
matplotlib.use("agg")
TARGETS = ["uiprmd/deep-squat", *(f"twin/{t}" for t in ("ball", "clubs", "hoop", "ribbon", "tes", "pcs"))]
OFFICIAL = ["fisv/tes", "fisv/pcs"]
SOURCES = {"uiprmd": "movement", "twin": "twin", "fisv": "official", "rg": "official"}


def runs(targets, methods=tuple(METHODS), last=(0.3, 0.4, 0.5), lead=0.1, ridge=0.35, without="", options=np.nan):
    """Results as `results.read` gives them: of each run the last epoch's SRCC by seed, each selection `lead` above."""
    rows = []
    for target in targets:
        for method in methods:
            for split in ("train", "test"):
                for selection, more in (("last", 0.0), ("validation", -lead), ("best_on_test", lead)):
                    for decoding in ("soft", "hard"):
                        wanted = split == "test" and decoding == "soft"
                        seeds = np.array(last) + more if wanted else np.full(len(last), 0.99)
                        mean, low, high = mean_interval(seeds, correlations=True)
                        row = {"target": target, "source": SOURCES[target.split("/")[0]], "method": method}
                        row |= {"options": options, "without": without, "seeds": len(seeds), "epochs": 7}
                        row |= {"split": split, "selection": selection, "decoding": decoding}
                        row |= {"srcc": mean, "srcc_low": low, "srcc_high": high}
                        row |= {"per_seed": " ".join(map(str, seeds)), "ridge": ridge}
                        row |= {"routines_low": mean - 0.2, "routines_high": mean + 0.1, "commit": "c" * 40}
                        row |= {"device": "cpu", "torch": "2.x", "run_id": f"{target}-{method}-{without}"}
                        rows.append(row)
    frame = pd.DataFrame(rows)
    frame.attrs = {"profile": "quick", "own": False, "command": "cofinal reproduce table1"}
    return frame


NOTHING = runs(["twin/ball"]).iloc[:0]


def test_every_method_has_a_name_a_colour_and_a_printed_row():
    assert list(METHOD_NAMES) == list(METHODS) == list(networks.STAGES)
    assert list(METHODS) == [*BASELINES, *tables.TABLE1_ROWS, "cofinal-repaired"]
    assert set(METHODS) <= set(METHOD_COLOURS)
    assert len({METHOD_COLOURS[m] for m in METHODS}) == len(METHODS)
    rows = printed("table1").set_index(["method", "backbone"]).index
    assert set(tables.TABLE1_ROWS.values()) <= set(rows)


@pytest.mark.parametrize("method", METHODS)
def test_shapes_of_a_forward_pass(method):
    data = load("twin/ball", n_train=12, feature_dim=16, pool=4)
    model = METHODS[method](RunSpec("twin/ball", method).config(data), torch.Generator().manual_seed(0)).eval()
    if hasattr(model, "solve"):
        model.solve(data.features[:12], data.lengths[:12], data.scores[:12].float())
    table = networks.shapes(method, model, data.features[:3], data.lengths[:3]).data
    assert table["shape"][0] == f"3 × {data.features.shape[1]} × 16"
    assert not any(hooks for m in model.modules() for hooks in [m._forward_hooks])
    scores = table[table["where"].str.contains("score")]
    assert len(scores) and (scores["shape"] == "3").all()
    assert list(table["where"][1 : 1 + len(networks.STAGES[method])]) == list(networks.STAGES[method])


def test_every_switch_of_the_losses_exists():
    def option(words):
        call = ast.parse(f"f({words})", mode="eval").body
        return {k.arg: ast.literal_eval(k.value) for k in call.keywords}

    for *_, ours, theirs in networks.LOSSES:
        CoFInAlConfig(**option(ours))
        if theirs != "always":
            ReleasedCoFInAlConfig(**option(theirs))
    for _, released, instead in networks.SWITCHES:
        ((name, value),) = option(released).items()
        assert getattr(ReleasedCoFInAlConfig(), name) == value
        assert option(instead)[name] != value and ReleasedCoFInAlConfig(**option(instead))


def test_only_the_last_epoch_decoded_softly_on_test_routines_is_compared(tmp_path):
    (tmp_path / "reference" / "quick").mkdir(parents=True)
    runs(TARGETS).to_csv(tmp_path / "reference" / "quick" / "table1.csv", index=False)
    grid = tables.last_epoch(results.read("table1", "paper", root=tmp_path))
    assert grid.attrs["profile"] == "quick", "results nobody has computed give way to the quick ones"
    assert len(grid) == len(TARGETS) * len(METHODS) and grid["srcc"].max() < 0.6
    assert len(main_results.compare(grid).query("source == 'twin' and target == 'average'")) == 2 * len(METHODS)


def test_sources_keep_their_columns_and_cells_their_intervals():
    others = [m for m in METHODS if m != "ridge"]  # which stands beside every run, its own or not
    cells = main_results.compare(tables.last_epoch(pd.concat([runs(TARGETS, others), runs(OFFICIAL, others)])))
    twins = main_results.side_by_side(cells, "RG", ("twin",)).data
    assert {c[0] for c in twins} == {main_results.SOURCE_HEADINGS["twin"]} and len(twins.columns) == 5
    ridge = twins.index == "ridge, mean clip"
    assert twins[~ridge].map(lambda cell: "\n" in cell).all(axis=None), "every cell of a method has its interval"
    assert (twins.loc[ridge].to_numpy() == "0.350").all()
    ours, theirs = (main_results.SOURCE_HEADINGS[s] for s in ("official", "paper"))
    table = main_results.side_by_side(cells, "Fis-V", ("official", "paper"), over="routines").data
    assert [c[0] for c in table] == [ours] * 3 + [theirs] * 3
    assert table.loc["GDLT", (theirs, "tes")].startswith("0.685\n") and table.loc["GDLT", (ours, "tes")][:3] == "0.4"
    assert (table.loc["ridge, mean clip", theirs] == "–").all() and "\n" in table.loc["ridge, mean clip", (ours, "tes")]
    paper = cells[(cells["source"] == "paper") & (cells["method"] == "gdlt")].set_index("target")
    assert tuple(paper.loc["tes", ["routines_low", "routines_high"]]) == spearman_interval(0.685, 100)
    assert paper[["low", "high"]].isna().all(axis=None), "the paper has no seeds"
    squats = main_results.side_by_side(cells, "UI-PRMD", ("movement",)).data
    assert list(squats) == [(main_results.SOURCE_HEADINGS["movement"], "deep-squat")]
    assert "no runs" in main_results.side_by_side(cells, "RG", ("official",)).to_html()


def test_averages_by_hand():
    cells = pd.DataFrame({"srcc": np.tanh([0.4, 0.8]), "low": np.tanh([0.1, 0.4]), "high": np.tanh([0.7, 1.2])})
    half = (0.3**2 + 0.4**2) ** 0.5 / 2  # 0.25
    assert np.allclose(main_results.average(cells), np.tanh([0.6, 0.6 - half, 0.6 + half]))
    assert np.allclose(main_results.average(cells, together=True), np.tanh([0.6, 0.25, 0.95]))
    cells.loc[0, ["low", "high"]] = np.nan
    mean, low, high = main_results.average(cells)
    assert mean == pytest.approx(np.tanh(0.6)) and np.isnan(low) and np.isnan(high)


def test_averages_over_routines_vary_as_one_on_fis_v_and_each_by_itself_on_rg():
    last = {"twin/tes": 0.3, "twin/pcs": 0.6, "twin/ball": 0.3, "twin/clubs": 0.4, "twin/hoop": 0.5, "twin/ribbon": 0.6}
    frame = pd.concat([runs([target], ["gdlt"], last=(rho, rho + 0.1)) for target, rho in last.items()])
    cells = main_results.compare(tables.last_epoch(frame)).query("source == 'twin' and method == 'gdlt'")
    for group in ("Fis-V", "RG"):
        columns = ["srcc", "low", "high", "routines_low", "routines_high"]
        part = cells[cells["group"] == group].set_index("target")[columns]
        z, down, up, low, high = np.arctanh(part.drop("average").to_numpy().T)
        half, over_seeds = (high - low) / 2, (((up - down) / 2) ** 2).sum() ** 0.5 / len(z)
        over_routines = half.mean() if group == "Fis-V" else (half**2).sum() ** 0.5 / 4  # the same routines, or not
        ends = [z.mean() + side * width for width in (over_seeds, over_routines) for side in (-1, 1)]
        assert np.allclose(part.loc["average"], np.tanh([z.mean(), *ends])), group


def test_verdict_by_hand():
    rows = [("a", 0.5, 0.4, 0.6), ("b", 0.8, 0.7, 0.9), ("c", 0.5, 0.45, 0.75), ("svr", 0.3, 0.3, 0.3)]
    rows.append(("d", 0.7, 0.55, 0.85))  # above ridge on average, not so all of its interval
    cells = [("twin", m, "RG", "ball", *r) for m, *r in [*rows, ("ridge", 0.65, np.nan, np.nan)]]
    cells.append(("paper", "a", "RG", "ball", 0.9, 0.8, 0.95))
    cells = pd.DataFrame(cells, columns=["source", "method", "group", "target", "srcc", "low", "high"])
    assert main_results.verdict(cells) == {"cells": 4, "above_ridge": 1, "pairs": 6, "pairs_apart": 1}


def test_one_printed_average_does_not_follow_from_its_cells():
    wrong = main_results.recomputed_averages().query("not agrees")
    assert list(wrong["method"]) == ["ACTION-NET"] and list(wrong["backbone"]) == ["I3D + ResNet"]
    assert wrong["recomputed"].iloc[0] == pytest.approx(fisher_mean([0.528, 0.652, 0.708, 0.578]))


def test_numbers_of_test_routines_are_those_of_the_data(mirror):
    for dataset, group in (("rg", "RG"), ("fisv", "Fis-V")):
        counted = scores_at_hand(dataset).query("split == 'test'").groupby("target").size()
        assert list(counted) == [tables.N_TEST[group]] * len(tables.GROUPS[group])
    if not at_hand("uiprmd/deep-squat"):
        pytest.skip("needs UI-PRMD: set COFINAL_MIRROR, or cofinal data fetch uiprmd")
    assert len(load("uiprmd/deep-squat").rows("test")) == tables.N_TEST["UI-PRMD"]


# --------------------------------------------------------------------------------------- luck


def test_luck_shrinks_with_routines_and_likeness_and_follows_theory():
    assert main_results.luck(0.8, 100, between=1.0) < 1e-3, "the same predictions are never apart"
    alone, alike = main_results.luck(0.8, 100), main_results.luck(0.8, 100, between=0.9)
    assert alike < alone < main_results.luck(0.8, 50)
    assert main_results.luck(0.8, 400) / alone == pytest.approx(0.5, rel=0.15), "as one over the root of n"
    assert main_results.luck(0.8, 50, targets=4) / main_results.luck(0.8, 50) == pytest.approx(0.5, rel=0.15)
    # without any skill, two methods differ as two independent correlations do: sqrt(2 / (n - 1))
    assert main_results.luck(0.0, 100, between=0.0) == pytest.approx(1.96 * np.sqrt(2 / 99), rel=0.1)


def test_printed_leads_by_hand():
    leads = main_results.printed_leads().set_index(["group", "target"])
    assert leads.loc[("RG", "ball"), "lead"] == pytest.approx(0.809 - 0.746)
    assert tuple(leads.loc[("RG", "ribbon"), ["rival", "best"]]) == ("ACTION-NET", 0.754)
    assert leads.loc[("Fis-V", "average"), "lead"] == pytest.approx(0.788 - 0.761)
    assert (leads["needed_alike"] < leads["needed"]).all()
    for group, n, targets in (("Fis-V", 100, 1), ("RG", 50, 4)):  # Fis-V's two scores are of the same routines
        row = leads.loc[(group, "average")]
        assert row["needed"] == main_results.luck((row["cofinal"] + row["best"]) / 2, n, targets=targets), group
    assert len(main_results.leads_table(leads.reset_index()).data) == 8


def test_seeds_spread_by_hand():
    frame = pd.concat(
        [runs(["twin/ball"], ["gdlt"], last=(0.1, 0.3)), runs(["twin/ball"], ["c3d-svr"], last=(0.5, 0.5))]
    )
    (row,) = main_results.noise_over_seeds(pd.concat([frame, runs(["fisv/pcs"], ["gdlt"], last=(0.7,))]), (2,)).to_dict(
        "records"
    )
    assert row["source"] == "twin" and row["cells"] == 1 and row["spread"] == pytest.approx(0.02**0.5)
    assert row["2 seeds"] == pytest.approx(12.706 * 0.1, rel=1e-3)  # Student's factor with one degree of freedom


def test_selection_leads_are_paired_by_seed_and_pool_twins():
    frame = runs(["twin/ball", "twin/tes", "fisv/pcs"], ["c3d-svr", "gdlt"], lead=0.05)
    leads = main_results.selection_leads(frame)
    assert set(leads["method"]) == {"gdlt"} and list(leads["data"].unique()) == ["twins", "fisv/pcs"]
    assert np.allclose(leads["lead"], np.where(leads["selection"] == "validation", -0.05, 0.05))
    assert dict(leads.groupby("data")["pairs"].first()) == {"twins": 6, "fisv/pcs": 3}
    mixed = pd.concat([runs(["twin/ball"], ["gdlt"], lead=0.05), runs(["twin/tes"], ["gdlt"], last=(0.6, 0.7, 0.8))])
    mixed = pd.concat([mixed.query("selection == 'last'"), mixed.query("selection != 'last'")[::-1]])
    spans = main_results.selection_leads(mixed).set_index("selection")["spans"]
    assert spans["best_on_test"] == "0.05 0.05 0.05 0.1 0.1 0.1", "a target with itself, whatever the rows' order"
    undefined = runs(["fisv/pcs"], ["gdlt"], last=(0.5, np.nan))
    assert list(main_results.selection_leads(undefined)["pairs"]) == [1, 1], "a seed without a ranking is left out"


# --------------------------------------------------------------------------------------- beside the paper


def test_counts_beside_printed_cells():
    official = pd.concat([
        runs(["fisv/pcs"], ["gdlt"], last=(0.9, 0.9), ridge=0.8),  # above 0.820 and above ridge
        runs(["fisv/pcs"], ["cofinal"], last=(0.76, 0.76), ridge=0.8),  # 0.843: below, not so when chosen on test
        runs(["fisv/pcs"], ["hgcn"], last=(0.1, 0.1), lead=0.01, ridge=0.8),  # 0.221: below either way
        runs(["fisv/pcs"], ["c3d-svr"], last=(0.7,), ridge=0.8),  # nothing printed on these features
        runs(TARGETS),
    ])  # fmt: skip
    assert main_results.beside_printed(official) == {
        "printed": 3, "below": 2, "best_below": 1, "outside": 1, "networks": 3, "below_ridge": 2,
    }  # fmt: skip
    undefined = official.assign(srcc=np.nan, routines_low=np.nan, routines_high=np.nan)  # some seed ranks nothing
    assert main_results.beside_printed(undefined)["outside"] == 0
    (line,) = main_results.line_to_pass(official).to_dict("records")
    assert (line["ridge"], line["svr"], line["svr_printed"]) == (0.8, 0.7, 0.59)
    assert (line["ridge_low"], line["ridge_high"]) == spearman_interval(0.8, 100)
    assert (line["printed"], line["printed_below"], line["printed_near"]) == (5, 1, 4)  # .809 .809 .820 .221 .843
    said = main_results.in_words(official)
    assert said == (
        "On fisv/pcs, ridge regression on the mean clip reaches 0.800, CoFInAl as printed 0.760 (2 seeds) "
        "and the SVR 0.700."
    )
    ran = main_results.what_ran(official[official["method"] == "c3d-svr"])
    assert ran.startswith("fisv/pcs: C3D+SVR (1 seed); uiprmd")


def test_results_table_by_hand():
    frame = pd.concat([runs(["fisv/pcs"], ["c3d-svr"], last=(0.5,)), runs(["twin/pcs", "fisv/pcs"], ["cofinal"])])
    table = tables.results_table(frame)
    official = table.loc[("fisv/pcs (official)", "CoFInAl, as printed")]
    low, high = mean_interval([0.3, 0.4, 0.5], correlations=True)[1:]
    assert list(official) == [
        "0.400", f"{low:.3f} to {high:.3f}", "0.200 to 0.500", "0.500", "0.350", "0.843", "-0.443",
    ]  # fmt: skip
    assert list(table.loc[("fisv/pcs (official)", "C3D+SVR")])[1] == "–", "one seed has no interval"
    assert (table.loc[("fisv/pcs (official)", "C3D+SVR")][["paper", "difference"]] == "–").all(), "other features"
    assert (table.loc["twin/pcs (twin)"][["paper", "difference"]] == "–").all(axis=None), "official data alone"


def test_losses_of_arms_are_paired_by_seed():
    whole = runs(["twin/ball", "rg/ball"], ["cofinal"], last=(0.5, 0.7, 0.9))
    arm = runs(["twin/ball", "rg/ball"], ["cofinal"], last=(0.4, 0.5), without="TFM", options="without=TFM")
    frame = pd.concat([whole, arm])
    losses = tables.losses_of_arms(frame)
    assert list(losses["without"]) == ["TFM", "TFM"] and set(losses["seeds"]) == {2}, "the seeds that both have"
    assert tuple(losses[["loss", "low", "high"]].iloc[0]) == pytest.approx(mean_interval([0.1, 0.2]))
    table = tables.results_table(frame)
    assert "ridge" not in table and table.loc[("rg/ball (official)", "w/o TFM"), "paper"] == "0.590"
    assert table.loc[("twin/ball (twin)", "w/o TFM"), "paper"] == "–"
    assert table.loc[("twin/ball (twin)", "CoFInAl"), "less than the whole"] == "–"
    assert table.loc[("twin/ball (twin)", "w/o TFM"), "less than the whole"].startswith("+0.150 (-0.485 to +0.785)")


def test_arms_whose_whole_failed_stand_without_a_loss():
    arm = runs(["twin/ball"], ["cofinal"], last=(0.4, 0.5), without="TFM", options="without=TFM")
    assert tables.losses_of_arms(arm)[["loss", "seeds"]].iloc[0].fillna(-9).tolist() == [-9, 0]
    assert tables.results_table(arm).loc[("twin/ball (twin)", "w/o TFM"), "less than the whole"] == "–"


def with_ranks(frame, score, *seeds):
    """The frame with kept ranks of its last epoch's test routines."""
    text = "|".join(" ".join(map(str, np.unique(row, return_inverse=True)[1])) for row in (score, *seeds))
    chosen = (frame["split"] == "test") & (frame["selection"] == "last") & (frame["decoding"] == "soft")
    return frame.assign(ranks=np.where(chosen, text, None))


def test_whole_and_arm_are_compared_on_the_same_resampled_routines():
    draw = np.random.default_rng(0)
    score = draw.normal(size=60)
    one, other = (score + draw.normal(size=(2, 60)) for _ in range(2))
    whole = with_ranks(runs(["twin/ball"], ["cofinal"], last=(0.7, 0.8)), score, *one)
    arm = with_ranks(
        runs(["twin/ball"], ["cofinal"], (0.7, 0.8, 0.9), without="TFM", options="x"), score, *other, other[0]
    )
    (loss,) = tables.losses_of_arms(pd.concat([whole, arm])).to_dict("records")
    draws = np.random.default_rng(0).integers(0, 60, (1000, 60))
    srcc = [[np.mean([spearman_rows(p[d], score[d]) for p in two]) for d in draws] for two in (one, other)]
    found = np.subtract(*srcc)
    assert (loss["routines_low"], loss["routines_high"]) == pytest.approx(np.quantile(found, [0.025, 0.975]))
    table = tables.results_table(pd.concat([whole, arm]))
    said = f"{loss['routines_low']:+.3f} to {loss['routines_high']:+.3f}"
    assert table.loc[("twin/ball (twin)", "w/o TFM"), "this, over routines"] == said


def test_what_cannot_be_paired_is_not():
    score = np.arange(10)
    whole = with_ranks(runs(["twin/ball"], ["cofinal"], last=(0.7,)), score, score)
    arm = runs(["twin/ball"], ["cofinal"], last=(0.7,), without="TFM", options="without=TFM")
    for other in (arm, with_ranks(arm, score[::-1], score), arm.assign(ranks=np.nan)):  # no ranks, other routines
        loss = tables.losses_of_arms(pd.concat([whole, other])).iloc[0]
        assert loss[["routines_low", "routines_high"]].isna().all() and loss["seeds"] == 1
        assert tables.results_table(pd.concat([whole, other])).iloc[1]["this, over routines"] == "–"


@pytest.mark.parametrize("artefact", ["table1", "table3"])
def test_files_say_where_their_numbers_come_from(artefact):
    frame = runs(["fisv/pcs", "twin/ball"], ["cofinal"])
    if artefact == "table3":
        frame = pd.concat([frame, runs(["fisv/pcs"], ["cofinal"], without="GPM", options="without=GPM")])
    files = tables.as_files(artefact, frame, "cofinal reproduce --profile quick")
    page, tex = files["html"], files["tex"]
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n") and "0.400" in page
    for text in (page, tex):
        assert "fisv/pcs (official), twin/ball (twin) · seeds: 3 · epochs: 7 · device cpu" in text
        assert f"commit {'c' * 7} · cofinal reproduce --profile quick" in text
    assert r"\begin{tabular}" in tex and "–" not in tex
    assert ("w/o GPM" in page) == (artefact == "table3")


def test_table_2_stands_beside_the_printed_one_as_a_factor():
    frame = pd.DataFrame({"method": ["ms-lstm", "hgcn"], "parameters_m": [2.5, 1.25], "gmacs": [0.1, 0.08]})
    frame = frame.assign(printed_m=[np.nan, 0.5], printed_gmacs=[np.nan, 1.12])
    files = tables.as_files("table2", frame, "cofinal reproduce table2 --profile quick")
    shown = tables.cost_frame(frame)
    assert list(shown.loc["HGCN"]) == ["1.25", "0.50", "0.40", "0.0800", "1.1200", "14.00"]
    assert list(shown.loc["MS-LSTM"]) == ["2.50", "–", "–", "0.1000", "–", "–"]
    for text in files.values():
        assert "times: table2-times.csv · cofinal reproduce table2 --profile quick" in text and "1.1200" in text


# --------------------------------------------------------------------------------------- whatever is there


def test_nothing_at_all_is_said_and_drawn():
    assert main_results.in_words(NOTHING) == "No run on official features is at hand."
    assert main_results.what_ran(NOTHING) == "none yet"
    assert not any(main_results.beside_printed(NOTHING).values()) and main_results.line_to_pass(NOTHING).empty
    assert main_results.noise_over_seeds(NOTHING).empty and main_results.selection_leads(NOTHING).empty
    assert "no runs" in tables.styled(tables.results_table(NOTHING), "x").to_html()
    assert tables.signature(NOTHING, "c") == "no runs here · c"
    by_seed = pd.DataFrame({"target": "fisv/pcs", "source": "official", "kind": list("aaab"), "epochs": 2})
    assert "seeds: 1 to 3 · epochs: 2" in tables.signature(by_seed.assign(seed=[0, 1, 2, 0]), "c")
    assert "no predictions" in main_results.paired_table(main_results.against_ridge(NOTHING)).to_html()
    for figure in (
        draw.grid_figure(main_results.compare(tables.last_epoch(NOTHING)), ("official",), "line"),
        draw.selection_figure(main_results.selection_leads(NOTHING), "line"),
    ):
        assert figure.axes[0].texts[0].get_text() == "no such runs here yet"
        plt.close(figure)


def test_every_official_target_and_all_twins_have_a_panel():
    rg = [f"rg/{name}" for name in ("ball", "clubs", "hoop", "ribbon")]
    cells = main_results.compare(tables.last_epoch(pd.concat([runs(TARGETS), runs(rg + OFFICIAL)])))
    for sources, panels in ((("movement", "twin"), 3), (("official",), 8)):
        figure = draw.grid_figure(cells, sources, "line")
        assert len([ax for ax in figure.axes if ax.get_title()]) == panels
        plt.close(figure)


# --------------------------------------------------------------------------------------- the toy


def toy(text: str) -> str:
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return block


def test_the_toy_method_is_short_the_same_in_both_places_and_trains(tmp_path, monkeypatch):
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    cells = json.loads((ROOT / "book" / "05-rivals.ipynb").read_text())["cells"]
    chapter = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    code = toy(guide)
    assert code == toy(chapter) and len(code.splitlines()) < 40 and len(guide.splitlines()) < 120
    (tmp_path / "last_state.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("last_state")
    data = load("twin/ball", n_train=20, feature_dim=16, pool=8)
    monkeypatch.setitem(METHODS, "last-state", module.LastState)
    config = RunSpec("twin/ball", "last-state", options={"hidden_dim": 8}).config(data)
    assert config == module.LastStateConfig(feature_dim=16, hidden_dim=8, score_cap=25.0)
    for result in fit(partial(module.LastState, config), data, [0, 1], Schedule(epochs=3)):
        assert np.isfinite(result.predictions[-1]).all()
        assert result.losses["total"][-1] < result.losses["total"][0]
    with torch.no_grad():
        x, n = data.features[:2].clone(), data.lengths[:2]
        before = result.model(x, n)["score"]
        x[0, n[0] :], x[1, n[1] :] = torch.nan, torch.nan
        assert torch.equal(before, result.model(x, n)["score"]), "padding never takes part"


# --------------------------------------------------------------------------------------- other backbones


def test_a_readers_i3d_stands_beside_the_cells_printed_for_i3d():
    targets = ["fisv/tes", "fisv/pcs", "fisv/pcs@i3d", "fisv/pcs@c3d", "rg/ball@i3d"]
    frame = runs(targets)
    table = tables.results_table(frame)["paper"]
    assert table[("fisv/pcs@i3d (official)", "CoFInAl, as printed")] == "0.788"
    assert table[("fisv/pcs@i3d (official)", "MS-LSTM")] == "–", "Table 1 has none on I3D features of Fis-V"
    assert table[("fisv/pcs@c3d (official)", "MS-LSTM")] == "0.780"
    assert table[("fisv/pcs@c3d (official)", "C3D+SVR")] == "0.590", "the same features at last"
    assert table[("fisv/pcs (official)", "C3D+SVR")] == "–"
    assert table[("rg/ball@i3d (official)", "ACTION-NET")] == "0.528"
    cells = main_results.compare(tables.last_epoch(frame))
    ours = cells[(cells["source"] == "official") & (cells["method"] == "gdlt")]
    assert set(ours["target"]) == {"tes", "pcs", "average", "pcs@i3d", "pcs@c3d", "ball@i3d"}
    assert ours.loc[ours["target"] == "average", "srcc"].item() == pytest.approx(0.4), "of VST's two targets alone"
    printed_i3d = cells[(cells["source"] == "paper") & (cells["target"] == "pcs@i3d")].set_index("method")["srcc"]
    assert printed_i3d.to_dict() == {
        "gdlt": 0.395, "hgcn": 0.407, "cofinal-released": 0.788, "cofinal": 0.788,
    }  # fmt: skip
    shown = main_results.side_by_side(cells, "Fis-V", ("official", "paper")).data
    assert "pcs@i3d" in {name for _, name in shown} and tables.group_of("fisv/pcs@i3d") == "Fis-V"
    figure = draw.grid_figure(cells, ("official",), "l")
    assert len(figure.axes) >= 6
    marks = {ax.get_title(): [line.get_marker() for line in ax.lines] for ax in figure.axes}
    assert "s" in marks["official\npcs"] and "s" not in marks["official\npcs@c3d"], "C3D+SVR read these features"
    assert list(main_results.line_to_pass(frame)["target"]) == OFFICIAL


def test_networks_and_ridge_are_compared_on_the_same_resampled_routines():
    score, draw = np.arange(50), np.random.default_rng(1)
    noisy = np.argsort(np.argsort(score + draw.normal(0, 20, 50)))
    frame = pd.concat([
        with_ranks(runs(["fisv/pcs"], ["ridge"], last=(spearman(noisy, score),)), score, noisy),
        with_ranks(runs(["fisv/pcs"], ["gdlt"], last=(1.0, 1.0, 1.0)), score, score, score, score),
        with_ranks(runs(["fisv/pcs"], ["cofinal"], last=(spearman(noisy, score),)), score, noisy),
        with_ranks(runs(["fisv/pcs"], ["kernel-ridge"], last=(0.5,)), score, score),  # no network
        runs(["fisv/pcs", "fisv/tes"], ["hgcn"]),  # no ranks
    ])  # fmt: skip
    better, same = main_results.against_ridge(frame).to_dict("records")
    assert (better["target"], better["method"], better["seeds"], better["srcc"]) == ("fisv/pcs", "gdlt", 3, 1)
    assert better["difference"] == pytest.approx(1 - spearman(noisy, score)) and better["low"] > 0
    assert better["between"] == pytest.approx(spearman(noisy, score))
    assert (same["method"], same["difference"], same["low"], same["high"], same["between"]) == ("cofinal", 0, 0, 0, 1)
    assert len(main_results.paired_table(main_results.against_ridge(frame)).data) == 2


def test_rows_cut_to_shared_seeds_are_what_fewer_seeds_would_have_given():
    random = np.random.default_rng(0)
    scores, predicted = random.permutation(30), np.array([random.permutation(30) for _ in range(5)])
    ranks = ["|".join(" ".join(map(str, row)) for row in [scores, *predicted[:n]]) for n in (5, 3)]
    part = pd.DataFrame(
        {
            "per_seed": ["0.1 0.2 0.6 0.7 0.9", "0.3 0.4 0.5"],
            "seeds": [5, 3],
            "srcc": [0.5, 0.4],
            "srcc_low": [0.0, 0.3],
            "srcc_high": [0.9, 0.5],
            "routines_low": [0.1, 0.2],
            "routines_high": [0.8, 0.6],
            "ranks": ranks,
        }
    )
    cut = tables.on_shared_seeds(part)
    assert list(cut["seeds"]) == [3, 3] and list(part["seeds"]) == [5, 3]
    expected = mean_interval([0.1, 0.2, 0.6], correlations=True)
    assert_allclose(cut.loc[0, ["srcc", "srcc_low", "srcc_high"]].astype(float), expected)
    over = bootstrap_interval(predicted[:3], scores, seed=0)
    assert_allclose(cut.loc[0, ["routines_low", "routines_high"]].astype(float), over)
    pd.testing.assert_series_equal(cut.loc[1], part.loc[1])
    assert np.isnan(tables.on_shared_seeds(part.assign(ranks=np.nan)).loc[0, "routines_low"])
