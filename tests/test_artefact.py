"""The training SRCC that the released program logs: simulated, watched, and read from the authors' log."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cofinal_lib import artefact, results
from cofinal_lib.data import load, registry, scores_at_hand
from cofinal_lib.data.features import pad
from cofinal_lib.errors import CofinalError
from cofinal_lib.figures import artefact as draw
from cofinal_lib.metrics import spearman_rows
from cofinal_lib.rivals.cofinal_released import ReleasedCoFInAl
from cofinal_lib.runs import RunSpec
from cofinal_lib.train import fit

SCORES = np.linspace(0.2, 0.9, 200) + 0.01 * np.sin(np.arange(200))

# --------------------------------------------------------------------------------------- simulated


@given(st.integers(1, 100), st.integers(1, 40), st.integers(0, 2**16))
def test_shifts_are_one_number_a_batch_and_a_position_in_it(n, batch_size, seed):
    drawn = artefact.shifts(n, 3, np.random.default_rng(seed), batch_size)
    assert drawn.shape == (3, n)
    for start in range(0, n, batch_size):
        batch = drawn[:, start : start + batch_size]
        assert (batch == batch[:, :1]).all()
        position = batch[:, 0] * 1e4
        assert_allclose(position, position.round(), atol=1e-9)
        assert (position < 100 * batch.shape[1] - 0.5).all()
        assert (position >= 0).all()


def test_shifts_of_five_columns_are_multiples_of_twenty():
    position = (artefact.shifts(64, 50, np.random.default_rng(0), columns=5) * 1e4).round().astype(int)
    assert set(np.unique(position % 100)) == {0, 20, 40, 60, 80}


def test_perfect_predictions_are_logged_far_below_one_and_jump():
    found = artefact.simulate(SCORES, draws=300)
    assert_allclose(found["honest"], 1)
    assert 0.6 < found["logged"].mean() < 0.95
    assert found["logged"].std() > 0.02


def test_one_batch_for_all_would_hide_nothing(monkeypatch):
    monkeypatch.setattr(artefact, "shifts", partial(artefact.shifts, batch_size=200))
    found = artefact.simulate(SCORES, noise=0.05, draws=50)
    assert_allclose(found["logged"], found["honest"])


def test_errors_lower_both_and_shrinking_lowers_what_is_logged_alone():
    exact, noisy, shrunk = (
        artefact.simulate(SCORES, draws=200, **k).mean() for k in ({}, {"noise": 0.1}, {"shrink": 0.5})
    )
    assert (noisy < exact).all()
    assert shrunk["honest"] == exact["honest"]
    assert shrunk["logged"] < exact["logged"] - 0.02


def test_the_inversion_finds_what_was_put_in():
    curve = artefact.inversion(SCORES, draws=300)
    truth = artefact.simulate(SCORES, noise=0.06, draws=300)
    facts = {"train": truth["logged"].mean(), "train_error": 0.01, "train_sd_low": 0.0, "train_sd_high": 1.0}
    (row,) = artefact.behind_the_log(facts, {1: curve}).itertuples()
    assert_allclose(row.honest, truth["honest"].mean(), atol=0.01)
    assert row.low < row.honest < row.high
    assert row.fits
    assert_allclose(row.spread, truth["logged"].std(), atol=0.01)
    above, below = (artefact.behind_the_log(facts | {"train": t}, {1: curve}).iloc[0] for t in (0.99, 0.1))
    assert above["honest"] == 1  # not even perfect predictions are logged as high
    assert np.isnan(below["honest"])


def test_behind_the_log_lies_an_interval_of_95_per_cent_by_hand():
    curve = pd.DataFrame({"noise": [0, 1], "honest": [1.0, 0.5], "logged": [1.0, 0.0], "spread": [0.1, 0.3]})
    facts = {"train": 0.6, "train_error": 0.05, "train_sd_low": 0.17, "train_sd_high": 0.19}
    (row,) = artefact.behind_the_log(facts, {1: curve}).to_dict("records")
    # honest is 0.5 + logged / 2, spread 0.3 - logged / 5
    assert_allclose([row["honest"], row["spread"]], [0.8, 0.18])
    assert_allclose([row["low"], row["high"]], [0.8 - 1.96 * 0.025, 0.8 + 1.96 * 0.025])
    assert row["fits"] and not artefact.behind_the_log(facts | {"train_sd_high": 0.175}, {1: curve})["fits"].any()


def test_on_the_judges_scores_of_ball(mirror):
    scores = load_ball()
    found = artefact.simulate(scores / 25, draws=1000)
    assert_allclose(found["logged"].mean(), 0.818, atol=0.01)
    assert_allclose(found["logged"].std(), 0.063, atol=0.006)


def load_ball():
    scores = scores_at_hand("rg")
    return scores[(scores["target"] == "ball") & (scores["split"] == "train")]["score"].to_numpy()


# --------------------------------------------------------------------------------------- watched


@pytest.fixture(scope="module")
def small():
    """Forty routines of a few clips, and the released network at a small size."""
    random = np.random.default_rng(0)
    data = load("twin/pcs", feature_dim=8).only(torch.arange(40))
    features, lengths = pad([random.standard_normal((4, 8)) for _ in range(40)])
    data = replace(data, features=features, lengths=lengths, crop=None, is_train=torch.arange(40) < 30)
    spec = RunSpec("twin/pcs", "cofinal-released", (0,), 6, {"hidden_dim": 8})
    return data, spec.config(data), replace(spec.schedule, batch_size=8)


def test_watching_measures_one_training_in_five_ways(small):
    data, config, schedule = small
    frame, result = artefact.watch(data, config, schedule, seed=0)
    counts = frame.groupby("measure").size()
    assert counts.to_dict() == {"logged": 6, "per_routine": 6, "simulated": 6, "test": 6, "whole": 2}
    scores, logged, own = torch.cat(result.model.seen, dim=1).view(3, 6, 30).numpy()
    assert (np.sort(scores, axis=1) == np.sort(data.scores[:30].float().double())).all()  # every routine, every epoch
    added = ((logged - own) * 1e4).round()  # the batch's position less the routine's own sub-grade
    assert (added[:, :8].max(1) - added[:, :8].min(1) < 100).all()
    of_first = frame[(frame["measure"] == "logged") & (frame["epoch"] == 1)]["srcc"].item()
    assert_allclose(of_first, spearman_rows(logged[0], scores[0]))
    test = frame[frame["measure"] == "test"]["srcc"]
    assert_allclose(test, spearman_rows(result.predictions[:, 30:, 0], data.scores[30:].numpy()))


def test_the_quirk_touches_no_weight_and_watching_neither(small):
    data, config, schedule = small
    schedule = replace(schedule, holdout=0)
    models = [
        fit(partial(method, replace(config, argmax=argmax)), data, [0], schedule)[0].model.state_dict()
        for method, argmax in ((ReleasedCoFInAl, "batch"), (ReleasedCoFInAl, "routine"), (artefact.Watched, "batch"))
    ]
    for name, value in models[0].items():
        assert torch.equal(value, models[1][name])
        assert torch.equal(value, models[2][name])


# --------------------------------------------------------------------------------------- the authors' log


def written(epochs=6, head="Namespace(epoch=6, batch=32)"):
    lines = [
        f"Epoch: {i}\tLoss: {1 / (i + 1):.4f}\tTrain Coef: {0.1 * i:.3f}\tTest Loss: 0.0{i}\tTest Coef: 0.{i}00000\t"
        f"Test rl2: {4 - i}.0"
        for i in range(epochs)
    ]
    return "\n".join([head, *lines, "Best Test Coef: 0.5\tBest Test Eopch: 5"])


def test_a_log_is_read_as_written(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text(written())
    log = artefact.read_log(path)
    assert list(log["epoch"]) == list(range(6))
    assert_allclose(
        log.loc[3, ["loss", "train", "test_loss", "test", "relative_l2"]].astype(float), [0.25, 0.3, 0.03, 0.3, 1]
    )


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda text: text.replace("Epoch: 3", "Epoch: 4"), "6 epochs, in order"),
        (lambda text: "\n".join(text.splitlines()[:-2]), "6 epochs, in order; got 5"),
        (lambda text: text.replace("Train Coef: 0.300", "Train Coef: "), "line 5"),
        (lambda text: text.replace("Test Coef: 0.300000", "Test Coef: much"), "line 5"),
        (lambda text: "nothing of the kind", "got 0"),
    ],
)
def test_a_faulty_log_is_named(tmp_path, damage, complaint):
    path = tmp_path / "log.txt"
    path.write_text(damage(written()))
    with pytest.raises(CofinalError, match=complaint):
        artefact.read_log(path)


def test_no_log_is_said_and_its_facts_are_those_kept(tmp_path, monkeypatch):
    with pytest.raises(CofinalError, match="cannot read"):
        artefact.read_log(tmp_path / "none.txt")
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    log = artefact.log_at_hand()
    assert log.empty
    assert "missing" in log.attrs["why"]
    assert artefact.log_facts(log)["best"] == pytest.approx(0.808721)


def test_facts_of_a_log_by_hand():
    test, train = np.array([0.1, 0.5, 0.6, 0.4]), np.array([0.0, 0.7, 0.3, 0.5])
    log = pd.DataFrame({"epoch": range(4), "loss": 1.0, "train": train, "test": test})
    facts = artefact.log_facts(log, last=3)
    said = [facts[name] for name in ("epochs", "below", "above", "first_above", "last_below", "best_epoch")]
    assert said == [4, 2, 2, 1, 1, 2]
    assert_allclose([facts["best"], facts["end"], facts["train"], facts["test"]], [0.6, 0.4, 0.5, 0.5])
    assert_allclose(facts["train_sd"], 0.2)
    assert facts["train_sd_low"] < 0.2 < facts["train_sd_high"]


def test_the_published_log(mirror):
    try:
        path = registry.fetch(artefact.LOG)
    except CofinalError as error:
        pytest.skip(str(error))
    facts = artefact.log_facts(artefact.read_log(path))
    assert artefact.log_facts(pd.DataFrame()) == pytest.approx(facts, rel=1e-5), "python data_scripts/claims.py"
    assert (facts["epochs"], facts["below"], facts["best_epoch"], facts["first_above"]) == (250, 168, 123, 45)
    assert_allclose([facts["best"], facts["end"], facts["test"]], [0.808721, 0.774768, 0.77871], atol=1e-5)
    assert_allclose([facts["train"], facts["train_sd"], facts["test_sd"]], [0.772, 0.074, 0.006], atol=5e-4)


# --------------------------------------------------------------------------------------- kept results


def test_kept_results_say_that_the_log_is_too_low_and_join_other_methods():
    kept, tested = (results.read(name, "paper") for name in ("artefact", "artefact-test"))
    end = kept[kept["epoch"] > 80].groupby(["seed", "measure"])["srcc"].mean().unstack()
    assert (end["logged"] < end["per_routine"] - 0.05).all()
    assert (end["per_routine"] < end["whole"]).all()
    curves = artefact.as_curves(kept)
    assert set(curves["split"]) == {"train", "test"}
    assert_allclose(curves.query("split == 'test' and epoch == 100")["mean"], kept.query(
        "measure == 'test' and epoch == 100")["srcc"].mean())  # fmt: skip
    joined = artefact.as_results(kept, tested).set_index("split")
    assert joined.loc["test", "routines_low"] < end["test"].mean() < joined.loc["test", "routines_high"]
    own = spearman_rows(tested.query("seed == 0")["epoch_100"], tested.query("seed == 0")["score"])
    assert_allclose(kept.query("seed == 0 and epoch == 100 and measure == 'test'")["srcc"], own, atol=1e-5)


def test_figures_show_what_they_are_given(tmp_path):
    kept = results.read("artefact", "paper")
    fig = draw.watched(kept, "a line")
    assert [ax.get_title() for ax in fig.axes] == [f"seed {s}" for s in kept["seed"].unique()]
    lines = {line.get_label(): line for line in fig.axes[0].lines}
    logged = kept.query("seed == 0 and measure == 'logged'")
    assert_allclose(lines["train, as logged"].get_ydata(), logged["srcc"])
    assert "below test" in draw.watched_table(kept).to_html()
    fig = draw.one_epoch(25 * SCORES, 25, "")
    assert fig.axes[0].get_title().endswith("1.000")
    shifted, true = fig.axes[1].collections[0].get_offsets().data.T[::-1]
    assert (shifted >= true).all()
    assert draw.noise_table(25 * SCORES, (0, 2), 25, draws=20).to_html().count("<tr>") == 4
    fig = draw.distribution(artefact.simulate(SCORES, draws=50), {"mean": 0.0, "missing": np.nan}, "")
    assert ["mean: 0 % of epochs lie below" in t.get_text() for t in fig.axes[0].get_legend().texts].count(True) == 1


def test_figures_say_that_there_is_no_log(tmp_path, monkeypatch):
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    log = artefact.log_at_hand()
    assert "no such runs" in draw.log_figure(log, "").axes[0].texts[0].get_text()
