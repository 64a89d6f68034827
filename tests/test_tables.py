"""Chapter 5's tables: sources never mixed, every cell with its interval, options that exist, a toy that runs."""

import ast
import importlib
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cofinal_lib import tables
from cofinal_lib.cofinal import CoFInAlConfig
from cofinal_lib.data import load
from cofinal_lib.errors import CofinalError
from cofinal_lib.figures.rivals import METHOD_COLOURS, METHOD_NAMES
from cofinal_lib.metrics import fisher_mean, spearman_interval
from cofinal_lib.paper import printed
from cofinal_lib.rivals import METHODS
from cofinal_lib.rivals.cofinal_released import ReleasedCoFInAlConfig
from cofinal_lib.runs import RunSpec
from cofinal_lib.train import Schedule, fit

ROOT = Path(__file__).parents[1]
TARGETS = ["uiprmd/deep-squat", *(f"twin/{t}" for t in ("ball", "clubs", "hoop", "ribbon", "tes", "pcs"))]


@pytest.fixture
def folder(tmp_path):
    """A grid of made-up numbers, in the form of `experiments.tidy`."""
    draw = np.random.default_rng(0)
    rows = []
    for target in TARGETS:
        for method in METHODS:
            for split in ("train", "test"):
                for selection in ("last", "validation", "best_on_test"):
                    for decoding in ("soft", "hard"):
                        wanted = (split, selection, decoding) == ("test", "last", "soft")
                        rho = draw.uniform(0.3, 0.5) if wanted else 0.99
                        row = {"target": target, "source": "twin" if target[0] == "t" else "movement"}
                        row |= {"method": method, "split": split, "selection": selection, "decoding": decoding}
                        row |= {"srcc": rho, "srcc_low": rho - 0.2, "srcc_high": rho + 0.1, "ridge": 0.35}
                        rows.append(row)
    pd.DataFrame(rows).to_csv(tmp_path / "table1-quick.csv", index=False)
    return tmp_path


def test_every_method_has_a_name_a_colour_and_a_printed_row():
    assert list(METHOD_NAMES) == list(METHODS) == list(tables.STAGES) == list(tables.PRINTED_ROWS)
    assert set(METHODS) < set(METHOD_COLOURS)
    assert len({METHOD_COLOURS[m] for m in METHODS}) == len(METHODS)
    rows = printed("table1").set_index(["method", "backbone"]).index
    assert set(tables.PRINTED_ROWS.values()) <= set(rows)


@pytest.mark.parametrize("method", METHODS)
def test_shapes_of_a_forward_pass(method):
    data = load("twin/ball", n_train=12, feature_dim=16, pool=4)
    model = METHODS[method](RunSpec("twin/ball", method).config(data), torch.Generator().manual_seed(0)).eval()
    if hasattr(model, "solve"):
        model.solve(data.features[:12], data.lengths[:12], data.scores[:12].float())
    table = tables.shapes(method, model, data.features[:3], data.lengths[:3]).data
    assert table["shape"][0] == f"3 × {data.features.shape[1]} × 16"
    assert not any(hooks for m in model.modules() for hooks in [m._forward_hooks])
    scores = table[table["where"].str.contains("score")]
    assert len(scores) and (scores["shape"] == "3").all()
    assert list(table["where"][1 : 1 + len(tables.STAGES[method])]) == list(tables.STAGES[method])


def test_every_switch_of_the_losses_exists():
    def option(words):
        call = ast.parse(f"f({words})", mode="eval").body
        return {k.arg: ast.literal_eval(k.value) for k in call.keywords}

    for *_, ours, theirs in tables.LOSSES:
        CoFInAlConfig(**option(ours))
        if theirs != "always":
            ReleasedCoFInAlConfig(**option(theirs))
    for _, released, instead in tables.SWITCHES:
        ((name, value),) = option(released).items()
        assert getattr(ReleasedCoFInAlConfig(), name) == value
        assert option(instead)[name] != value and ReleasedCoFInAlConfig(**option(instead))


def test_only_the_last_epoch_decoded_softly_on_test_routines_is_read(folder):
    grid = tables.read_grid("paper", folder)
    assert grid.attrs["profile"] == "quick", "a grid nobody has computed gives way to the quick one"
    assert len(grid) == len(TARGETS) * len(METHODS) and grid["srcc"].max() < 0.6


def test_a_missing_or_faulty_grid_is_a_sentence(tmp_path):
    with pytest.raises(CofinalError, match=r"table1-quick.csv is missing: python data_scripts/table1.py quick"):
        tables.read_grid(folder=tmp_path)
    (tmp_path / "table1-quick.csv").write_text("target,srcc\ntwin/ball,0.5\n")
    with pytest.raises(CofinalError, match="lacks the columns decoding, method"):
        tables.read_grid(folder=tmp_path)


def test_sources_keep_their_columns_and_cells_their_intervals(folder):
    cells = tables.compare(tables.read_grid(folder=folder))
    table = tables.side_by_side(cells, "RG").data
    ours, theirs = tables.SOURCE_HEADINGS["twin"], tables.SOURCE_HEADINGS["paper"]
    assert [c[0] for c in table] == [ours] * 5 + [theirs] * 5
    assert table.loc["GDLT", (theirs, "ball")].startswith("0.746\n")
    ridge = table.index == "ridge, mean clip"
    assert table[~ridge].map(lambda cell: "\n" in cell).all(axis=None), "every cell of a method has its interval"
    assert (table.loc[ridge, ours].to_numpy() == "0.350").all() and (table.loc[ridge, theirs].to_numpy() == "–").all()
    assert list(tables.side_by_side(cells, "UI-PRMD").data)[0][0] == tables.SOURCE_HEADINGS["movement"]
    paper = cells[(cells["source"] == "paper") & (cells["method"] == "gdlt")].set_index("target")
    assert tuple(paper.loc["tes", ["low", "high"]]) == spearman_interval(0.685, 100)


def test_averages_by_hand():
    cells = pd.DataFrame({"srcc": np.tanh([0.4, 0.8]), "low": np.tanh([0.1, 0.4]), "high": np.tanh([0.7, 1.2])})
    half = (0.3**2 + 0.4**2) ** 0.5 / 2  # 0.25
    assert np.allclose(tables.average(cells), np.tanh([0.6, 0.6 - half, 0.6 + half]))
    cells.loc[0, ["low", "high"]] = np.nan
    mean, low, high = tables.average(cells)
    assert mean == pytest.approx(np.tanh(0.6)) and np.isnan(low) and np.isnan(high)


def test_verdict_by_hand():
    rows = [("a", 0.5, 0.4, 0.6), ("b", 0.8, 0.7, 0.9), ("c", 0.5, 0.45, 0.75), ("svr", 0.3, 0.3, 0.3)]
    cells = [("twin", m, "RG", "ball", *r) for m, *r in [*rows, ("ridge", 0.65, np.nan, np.nan)]]
    cells.append(("paper", "a", "RG", "ball", 0.9, 0.8, 0.95))
    cells = pd.DataFrame(cells, columns=["source", "method", "group", "target", "srcc", "low", "high"])
    assert tables.verdict(cells) == {"cells": 3, "above_ridge": 1, "pairs": 3, "pairs_apart": 1}


def test_one_printed_average_does_not_follow_from_its_cells():
    wrong = tables.recomputed_averages().query("not agrees")
    assert list(wrong["method"]) == ["ACTION-NET"] and list(wrong["backbone"]) == ["I3D + ResNet"]
    assert wrong["recomputed"].iloc[0] == pytest.approx(fisher_mean([0.528, 0.652, 0.708, 0.578]))


def toy(text: str) -> str:
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return block


def test_the_toy_method_is_short_the_same_in_both_places_and_trains(tmp_path, monkeypatch):
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    cells = json.loads((ROOT / "book" / "05-rivals.ipynb").read_text())["cells"]
    chapter = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    code = toy(guide)
    assert code == toy(chapter) and len(code.splitlines()) < 40 and len(guide.splitlines()) < 80
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
