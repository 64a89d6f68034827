"""What counting and timing promise: hand-counted networks, Table 2's two rows that match, interleaved orders."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cofinal_lib import CoFInAl, CoFInAlConfig, efficiency
from cofinal_lib.data import load
from cofinal_lib.errors import CofinalError
from cofinal_lib.rivals import METHODS


class Layer(nn.Linear):
    def forward(self, features, lengths):
        return super().forward(features)


class Recurrent(nn.LSTM):
    def forward(self, features, lengths):
        return super().forward(features)[0]


def test_costs_by_hand():
    assert efficiency.cost(Layer(3, 2), n_clips=4, feature_dim=3) == (3 * 2 + 2, 4 * 3 * 2)
    # four gates, each from input and state; two offsets a gate
    weights = 4 * 5 * (3 + 5)
    assert efficiency.cost(Recurrent(3, 5, batch_first=True), 4, 3) == (weights + 2 * 4 * 5, 4 * weights)


def test_an_svr_costs_its_support_vectors():
    data = load("twin/ball", n_train=12, feature_dim=8, pool=8)
    model = efficiency.build("c3d-svr", data)
    n = len(model.fitted.best_estimator_[-1].support_vectors_)
    assert efficiency.cost(model, n_clips=9, feature_dim=8) == (n * 9 + 1, (9 + n) * 8)
    with pytest.raises(CofinalError, match="needs routines"):
        efficiency.build("c3d-svr")


def test_building_leaves_the_global_generator_alone_and_repeats_itself():
    state = torch.get_rng_state()
    a, b = (efficiency.build("gdlt", feature_dim=8, hidden_dim=8) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state()) and not a.training
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_gdlt_and_the_released_cofinal_match_table_2_and_the_others_do_not():
    names = {k: v for k, v in efficiency.TABLE2_ROWS.items() if k in ("gdlt", "cofinal-released")}
    compared = efficiency.against_printed(efficiency.costs({n: efficiency.build(n) for n in names}), names)
    assert (compared["off"] < 1.02).all()
    tried = efficiency.costs(efficiency.candidates())
    near = efficiency.against_printed(tried, {name: name.split(",")[0] for name in tried.index})
    assert near["off"].min() > 5
    assert efficiency.nearest(near, "ACTION-NET").name == "ACTION-NET, 26 clips + 80 images"
    head = near.loc["ACTION-NET, 26 clips + 80 images", "parameters_m"]
    assert head + efficiency.RESNET50_HEADLESS / 1e6 < 28.08 < head + efficiency.RESNET50 / 1e6


def test_off_is_the_worse_of_two_factors_either_way():
    counted = pd.DataFrame({"parameters_m": [6.4], "gmacs": [0.0388]}, index=["x"])
    assert efficiency.against_printed(counted, {"x": "GDLT"})["off"].item() == pytest.approx(3, rel=0.01)


def test_multiplying_eq_7_out_costs_what_a_naive_network_costs():
    config = METHODS["cofinal"].Config()
    ours = efficiency.cost(efficiency.build("cofinal"))[1] / 1e9
    tfm_ours = (3 * 5 * 1024 * 512 + 3 * 5 * 68 * 1024) / 1e9
    naive = (3 * 68 * 1024 * 512 + 2 * 5 * 68 * 512) / 1e9
    assert efficiency.as_multiplied_out(config, 68, ours) == pytest.approx(ours - tfm_ours + naive)


class Clock(nn.Module):
    """Notes when it is called; with `one_by_one`, that this was called instead."""

    def __init__(self, log, name, alone=False):
        super().__init__()
        self.log, self.name = log, name
        if alone:
            self.one_by_one = lambda features, lengths: log.append((name, "alone", torch.get_num_threads()))

    def forward(self, features, lengths):
        self.log.append((self.name, tuple(features.shape), torch.get_num_threads()))


def test_measure_interleaves_warms_up_and_keeps_every_repeat():
    log, threads = [], torch.get_num_threads()
    models = {n: Clock(log, n, alone=n == "b") for n in "abcd"}
    times = efficiency.measure(models, n_clips=3, feature_dim=2, batch=5, repeats=20, seed=1)
    assert list(times) == ["method", "batch", "repeat", "place", "ms"] and len(times) == 4 * 20
    assert (times["ms"] >= 0).all() and (times["batch"] == 5).all()
    assert len(log) == 4 * 22 and torch.get_num_threads() == threads and {entry[2] for entry in log} == {1}
    assert {entry[1] for entry in log if entry[0] == "a"} == {(5, 3, 2)}
    assert {entry[1] for entry in log if entry[0] == "b"} == {"alone"}
    orders = times.sort_values("place").groupby("repeat")["method"].agg("".join)
    called = ["".join(entry[0] for entry in log[i : i + 4]) for i in range(8, len(log), 4)]
    assert list(orders) == called and len(set(orders)) > 5 and all(sorted(o) == list("abcd") for o in orders)
    with pytest.raises(CofinalError, match="at least 1"):
        efficiency.measure(models, repeats=0)


def test_summary_by_hand():
    ms = {"gdlt": [1.0, 2.0, 3.0, 2.0, 2.0], "slow": [2.0, 4.0, 6.0, 4.0, 40.0]}
    rows = [(m, 1, i, 0, v) for m, values in ms.items() for i, v in enumerate(values)]
    out = efficiency.summary(pd.DataFrame(rows, columns=["method", "batch", "repeat", "place", "ms"])).loc[1]
    assert list(out.index) == ["gdlt", "slow"]
    assert (out.loc["gdlt", ["ms", "ratio", "ratio_low", "ratio_high"]] == [2, 1, 1, 1]).all()
    # one repeat, slow by accident, moves no median; the ratio is formed within each repeat
    assert (out.loc["slow", ["ms", "ms_low", "ms_high", "ratio", "ratio_low"]] == [4, 4, 6, 2, 2]).all()


def test_a_machine_that_slows_down_moves_no_ratio():
    ms = {"gdlt": [1.0, 10.0, 3.0], "slow": [2.0, 20.0, 6.0]}
    rows = [(m, 1, i, 0, v) for m, values in ms.items() for i, v in enumerate(values)]
    out = efficiency.summary(pd.DataFrame(rows, columns=["method", "batch", "repeat", "place", "ms"])).loc[1]
    assert np.allclose(out.loc["slow", ["ratio", "ratio_low", "ratio_high"]].astype(float), 2)


def test_printed_ratios_are_table_2s():
    names = [*efficiency.TABLE2_ROWS, "cofinal"]
    index = pd.MultiIndex.from_product([[1], names], names=["batch", "method"])
    summarised = pd.DataFrame(1.0, index, ["ms", "ms_low", "ms_high", "ratio", "ratio_low", "ratio_high"])
    beside = efficiency.ratios_beside_printed(summarised)
    assert np.isclose(beside.loc["cofinal-released", "printed_ratio"], 3.8834 / 3.2249)
    assert beside.loc["gdlt", "printed_ratio"] == 1 and len(beside) == 4


def test_shares_of_a_step_are_shares():
    data = load("twin/ball", feature_dim=16, n_train=40)
    config = CoFInAlConfig(feature_dim=16, procedure_dim=16, score_dim=16, n_subgrades=10, low=0.0, high=25.0)
    shares = efficiency.step_shares(partial(CoFInAl, config), data)
    assert shares.sum() == pytest.approx(1) and (shares > 0).all()


def test_times_of_seeds_come_two_ways_and_are_all_kept():
    data = load("twin/ball", feature_dim=16, n_train=40)
    config = CoFInAlConfig(feature_dim=16, procedure_dim=16, score_dim=16, n_subgrades=10, low=0.0, high=25.0)
    times = efficiency.time_seeds(partial(CoFInAl, config), data, counts=(1, 2), repeats=2, epochs=1)
    assert len(times) == 8 and (times["seconds"] > 0).all()
    assert set(times["way"]) == {"all at once", "one by one"} and set(times["seeds"]) == {1, 2}
