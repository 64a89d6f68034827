"""Chapter 14: each reading does what it says, and readings differ where the chapter says they do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cofinal_lib import CoFInAl, CoFInAlConfig, GradeScale, errata
from cofinal_lib.data import load
from cofinal_lib.errors import CofinalError
from cofinal_lib.figures import errata as draw
from cofinal_lib.grade_parsing import graph_regulariser
from cofinal_lib.metrics import spearman
from cofinal_lib.temporal_fusion import segment_means

CONFIG = CoFInAlConfig(feature_dim=10, procedure_dim=12, score_dim=8, n_subgrades=5, low=0, high=25, dropout=0.0)
FEATURES = torch.randn(9, 6, 10, generator=torch.Generator().manual_seed(1))
LENGTHS = torch.full((9,), 6)
SCORES = torch.linspace(1, 24, 9)


def build(name):
    torch.manual_seed(0)
    return errata.READINGS[name].build(CONFIG, torch.Generator().manual_seed(0))


def gradients(loss, model):
    found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return torch.cat(
        [
            torch.zeros_like(p).flatten() if g is None else g.flatten()
            for g, p in zip(found, model.parameters(), strict=True)
        ]
    )


# --------------------------------------------------------------------------------------- readings


def test_every_reading_starts_from_the_same_weights_but_the_projection_of_its_own():
    ours = build("ours").state_dict()
    for name in errata.READINGS:
        state = build(name).state_dict()
        assert set(state) - set(ours) == ({"gpm.shift.weight", "gpm.shift.bias"} if name == "projected" else set())
        assert all(torch.equal(state[key], ours[key]) for key in ours)


def test_a_hard_score_has_no_gradient_and_a_soft_one_has():
    for name, some in (("hard", False), ("ours", True)):
        model = build(name)
        loss = model.loss(model(FEATURES, LENGTHS), SCORES)
        assert loss["L_S"].requires_grad == some
        whole = gradients(loss["total"], model)
        loss = model.loss(model(FEATURES, LENGTHS), SCORES)
        rest = gradients(loss["L_C"] + loss["L_F"] + loss["L_R"], model)
        assert torch.allclose(whole, rest, atol=1e-7) != some


def test_with_the_predicted_column_labels_do_not_reach_l_f():
    for name, reads in (("ours", True), ("predicted", False)):
        model = build(name)
        out = model(FEATURES, LENGTHS)
        a, b = (model.loss(out, s)["L_F"].item() for s in (SCORES, SCORES.flip(0)))
        assert (a != b) == reads
    assert a == pytest.approx(((out["cosines"].max(1).values - 1).square().mean() / 2).item())


@torch.no_grad()
def test_cut_queries_are_ours_where_segments_divide_the_clips_and_ignore_padding():
    clips = torch.randn(2, 23, 10, generator=torch.Generator().manual_seed(2))
    padded = torch.cat([clips, torch.full((2, 4, 10), torch.nan)], 1)
    for lengths, alike in (([20, 20], True), ([23, 20], False)):
        ours, cut = (build(name).eval()(padded, torch.tensor(lengths)) for name in ("ours", "cut"))
        for key in ("procedures", "fusion_attention"):
            assert torch.allclose(cut[key][1], ours[key][1], atol=1e-5), "5 divides 20"
            assert torch.allclose(cut[key][0], ours[key][0], atol=1e-5) == alike, "and not 23"


@torch.no_grad()
def test_parsings_by_hand():
    ours, outs = build("ours"), {name: build(name)(FEATURES, LENGTHS) for name in errata.READINGS}
    H_C, M = outs["ours"]["coarse"], outs["ours"]["mask"]
    Q_G = ours.gpm.query(ours.gpm.prototypes)
    assert_allclose(outs["even"]["fine"], (H_C - Q_G) / 4, atol=1e-6)
    largest = H_C.max(-1, keepdim=True).values.softmax(1)
    assert_allclose(outs["largest"]["mask"], largest, atol=1e-6)
    assert_allclose(outs["largest"]["fine"], largest * (H_C - Q_G), atol=1e-6)
    assert_allclose(outs["unsubtracted"]["fine"], M * H_C, atol=1e-6)
    shift = build("projected").gpm.shift(ours.gpm.prototypes)
    assert shift.shape == Q_G.shape  # its numbers are drawn anew
    for name in ("even", "largest", "unsubtracted", "projected"):
        assert torch.equal(outs[name]["coarse"], H_C)
        assert not torch.allclose(outs[name]["cosines"], outs["ours"]["cosines"], atol=1e-7), name


def test_under_an_even_mask_what_is_subtracted_is_one_vector_for_all():
    with torch.no_grad():
        model = build("even")
        out = model(FEATURES, LENGTHS)
        shift = out["coarse"].mean(1) / 4 - out["fine"].mean(1)
    assert_allclose(shift, shift[:1].expand_as(shift), atol=1e-6)


# --------------------------------------------------------------------------------------- trained


@pytest.fixture(scope="module")
def trained():
    data = load("twin/ball", feature_dim=8, n_train=40, pool=8)
    config = replace(CONFIG, feature_dim=8, low=float(data.scores.min()), high=float(data.scores.max()))
    return (
        data,
        config,
        {name: errata.train(name, data, config, range(2), 3) for name in ("ours", "hard", "even", "projected")},
    )


def test_training_measures_every_seed(trained):
    data, config, found = trained
    for name, (measures, curves) in found.items():
        assert list(measures["seed"]) == [0, 1] and set(measures["reading"]) == {name}
        assert np.isfinite(measures[["soft", "subgrade", "evenness", "step"]]).all(axis=None)
        assert measures["subgrade"].between(0, 1).all() and measures["named"].between(1, 5).all()
        assert len(curves) == 6 and (curves["L_F"] > 0).all()
    assert (found["even"][0]["evenness"] > 1 - 1e-6).all()
    assert not np.allclose(found["hard"][0]["soft"], found["ours"][0]["soft"])
    assert 1 / 5 <= errata.commonest(data, config) <= 1


def test_readings_are_measured_on_test_routines(trained, monkeypatch):
    data, config, _ = trained
    kept, real, test = [], errata.fit, data.rows("test")
    monkeypatch.setattr(errata, "fit", lambda *given: kept.extend(real(*given)) or kept)
    measures, _ = errata.train("ours", data, config, range(2), 3)
    for column, name in enumerate(("soft", "hard")):
        expected = [spearman(result.predictions[-1, test, column], data.scores[test]) for result in kept]
        assert_allclose(measures[name], expected, err_msg=name)


def test_the_commonest_sub_grade_by_hand(trained):
    scores = torch.tensor([0.5, 0.6, 7.0, 8.0, 24.0, 24.0, 24.0, 24.0], dtype=torch.float64)
    data = replace(trained[0].only(torch.arange(8)), scores=scores, is_train=torch.arange(8) < 5)
    assert errata.commonest(data, CONFIG) == pytest.approx(3 / 5)  # of 1.25 points each: 0, 0, 0, 1, 4


def test_trained_on_hard_scores_is_trained_without_a_score_loss(trained):
    data, config, found = trained

    class Without(CoFInAl):
        def loss(self, out, scores, targets=None):
            L = super().loss(out, scores, targets)
            return L | {"total": L["L_C"] + L["L_F"] + L["L_R"]}

    errata.READINGS["without"] = errata.Reading("", "", Without)
    try:
        without, _ = errata.train("without", data, config, range(2), 3)
    finally:
        del errata.READINGS["without"]
    assert_allclose(without["soft"], found["hard"][0]["soft"], atol=1e-5)


def test_an_unknown_reading_is_refused(trained):
    with pytest.raises(CofinalError, match="unknown reading 'sharp'; expected one of ours, hard"):
        errata.train("sharp", *trained[:2], range(2), 3)


def measures_of(**soft):
    rows = [
        {
            "reading": name,
            "seed": seed,
            "soft": value,
            "hard": value / 2,
            "subgrade": 0.3,
            "named": 3,
            "evenness": 1.0,
            "step": 80,
        }
        for name, values in soft.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_readings_are_compared_seed_by_seed():
    measures = measures_of(ours=[0.8, 0.7, 0.6], hard=[0.6, 0.51, 0.4], even=[0.8, 0.71, 0.59])
    found = errata.against_ours(measures).set_index("reading")
    assert list(found.index) == ["hard", "even"]
    assert_allclose(found.loc["hard", "mean"], (-0.2 - 0.19 - 0.2) / 3)
    said = draw.counted(measures)
    assert said["below"] == ["Eq. 2, as printed: L_S on hard scores"] and len(said["open"]) == 1 and not said["above"]
    one = errata.against_ours(measures.query("seed == 0"))
    assert one["low"].isna().all()


# --------------------------------------------------------------------------------------- one equation at a time


def test_evenness_by_hand():
    assert errata.evenness(torch.full((3, 4), 0.25)) == pytest.approx(1)
    assert errata.evenness(torch.tensor([[1.0, 0.0]])) == pytest.approx(0, abs=1e-6)
    assert errata.evenness(torch.tensor([[0.5, 0.5, 0, 0]])) == pytest.approx(0.5, abs=1e-6)


def test_after_layer_normalisation_the_mask_is_exactly_even():
    rows = torch.nn.functional.layer_norm(3 + 5 * torch.randn(20, 7, 64), (64,))
    assert errata.evenness(rows.mean(-1).softmax(1)) == pytest.approx(1, abs=1e-6)


def test_neighbour_angle_by_hand():
    angles = torch.tensor([0.0, 20, 60]).deg2rad()
    assert errata.neighbour_angle(2 * torch.stack([angles.cos(), angles.sin()], 1)) == pytest.approx(30, abs=1e-3)


@given(st.integers(2, 12), st.integers(1, 20), st.integers(0, 10**6))
def test_the_printed_subgrade_is_right_only_where_a_grade_is_one_point_long(n_grades, n_subgrades, draw_seed):
    scale = GradeScale(0, n_grades, n_grades, n_subgrades)  # S_C = 1
    s = np.random.default_rng(draw_seed).uniform(0, n_grades, 20) * (1 - 1e-9)
    assert_allclose(errata.printed_subgrade(s, 1.0, scale.subgrade_length), scale.decompose(s)[1])


def test_the_printed_subgrade_of_15_4_does_not_exist():
    assert errata.printed_subgrade([15.4], 5.0, 0.5).tolist() == [24]
    grade, subgrade = GradeScale(0, 25, 5, 10).decompose(15.4)
    assert (int(grade), int(subgrade)) == (3, 0)


def test_softmax_reaches_zero_up_to_four_grades():
    assert errata.least_softmax(4) < 1e-4
    assert errata.least_softmax(5) > 1e-3


def test_row_shares_like_every_even_arc_and_softmax_one():
    for step, form, content in (
        (0.5, "row_shares", True),
        (0.02, "row_shares", True),
        (1.0, "softmax", True),
        (0.5, "softmax", False),
    ):
        angles = step * torch.arange(4).double()
        arc = torch.stack([angles.cos(), angles.sin()], 1)
        assert (float(graph_regulariser(arc, form)) < 1e-6) == content


@given(st.integers(5, 200), st.integers(1, 5))
def test_cut_segments_are_disjoint_and_leave_the_remainder(n_clips, n_segments):
    weights, shorter = errata.cut_segments(torch.tensor([n_clips, n_segments]), n_segments, n_clips)
    assert torch.equal(shorter[:, :n_segments], torch.eye(n_segments)) and not shorter[:, n_segments:].any()
    assert_allclose(weights.sum(1), 1, rtol=1e-5)
    read = (weights > 0).sum(0)
    assert int(read.max()) == 1 and int((read == 0).sum()) == n_clips % n_segments
    ours = segment_means(torch.eye(n_clips)[None], torch.ones(1, n_clips, dtype=torch.bool), n_segments)[0]
    assert bool((ours > 0).any(0).all())  # every clip is in a query
    if n_clips % n_segments == 0:
        assert_allclose(weights, ours, rtol=1e-5)


# --------------------------------------------------------------------------------------- figures


def test_figures_and_tables_draw_what_they_are_given():
    measures = measures_of(ours=[0.8, 0.7, 0.6], hard=[0.6, 0.51, 0.4], predicted=[0.8, 0.71, 0.59])
    fig = draw.readings_figure(measures, "")
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == [draw.label(n) for n in ("hard", "predicted")]
    dots = next(line for line in fig.axes[0].lines if line.get_marker() == "o")
    assert_allclose(dots.get_xdata()[0], (-0.2 - 0.19 - 0.2) / 3)
    assert draw.lead(measures, "cut") == "not run yet" and draw.lead(measures, "hard").startswith("-0.197")
    html = draw.readings_table(measures).to_html()
    assert "0.700" in html and "30 %" in html
    epochs = [
        {"reading": name, "seed": s, "epoch": e, "L_F": 0.5 / e}
        for name in ("ours", "predicted")
        for s in (0, 1)
        for e in (1, 2)
    ]
    fig = draw.columns_figure(pd.DataFrame(epochs), measures, 0.25, "")
    assert_allclose(fig.axes[0].lines[0].get_ydata(), [0.5, 0.25])
    draw.least_figure({3: 0.0, 4: 0.1}, "").canvas.draw()
    html = draw.errata_table().to_html()
    assert 'href="#errata-predicted"' in html and "&lt;a" not in html
