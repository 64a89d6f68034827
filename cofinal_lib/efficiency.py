"""What a method costs: numbers to learn, multiply-accumulates, time to score and time to train, measured alike."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from cofinal_lib.cofinal import CoFInAlConfig, count_macs, count_parameters
from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError
from cofinal_lib.paper import printed
from cofinal_lib.rivals import METHODS
from cofinal_lib.rivals.action_net import ActionNet
from cofinal_lib.rivals.c3d_svr import C3DSVR
from cofinal_lib.runs import RunSpec
from cofinal_lib.train import Schedule, Single, fit, one_thread

# Table 2's row of each of ours.
TABLE2_ROWS = {"action-net": "ACTION-NET", "gdlt": "GDLT", "hgcn": "HGCN", "cofinal-released": "CoFInAl"}
# ResNet-50 (He et al., 2016), the image backbone of ACTION-NET's static stream: parameters of the whole network (as
# torchvision lists it), and without its classifier of 1,000 classes on 2,048 features.
RESNET50 = 25_557_032
RESNET50_HEADLESS = RESNET50 - 1000 * (2048 + 1)

# --------------------------------------------------------------------------------------- counting


def build(method: str, data: FeatureSet | None = None, seed: int = 0, **options) -> nn.Module:
    """A method with its authors' sizes on RG (`options` on top), untrained, in evaluation mode.

    Args:
        data: routines to fit to, for a method that is fitted in one go, such as C3D+SVR, and is nothing before.

    Raises:
        CofinalError: an unknown method, or one that is fitted in one go and gets no routines.
    """
    options = RunSpec("rg/ball", method).authors_options | options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = METHODS[method](METHODS[method].Config(**options), torch.Generator().manual_seed(seed)).eval()
    if hasattr(model, "solve"):
        if data is None:
            raise CofinalError(f"{method} is fitted in one go: it needs routines before it can be counted or timed")
        train = data.rows("train")
        model.solve(data.features[train], data.lengths[train], data.scores[train].float())
    return _WithImages(model).eval() if getattr(model.config, "static", "clips") == "images" else model


class _WithImages(nn.Module):
    """ACTION-NET as released, whose second stream gets black images: what they show changes neither count nor time."""

    def __init__(self, model: ActionNet):
        super().__init__()
        self.model = model

    def forward(self, features, lengths):
        c = self.model.config
        images = features.new_zeros(len(features), c.n_images, c.static_dim)
        return self.model(features, lengths, images)


def cost(model: nn.Module, n_clips: int = 68, feature_dim: int = 1024) -> tuple[int, int]:
    """Numbers to learn, and multiply-accumulates of one routine of `n_clips` clips of `feature_dim` numbers.

    An SVR learns its support vectors, one weight each and an offset; a score adds up the clips and compares the mean
    with every support vector.
    """
    if isinstance(model, C3DSVR):
        n_vectors = len(model.fitted.best_estimator_[-1].support_vectors_)
        return n_vectors * (feature_dim + 1) + 1, (n_clips + n_vectors) * feature_dim
    return count_parameters(model), count_macs(model, n_clips, feature_dim)


def costs(models: dict[str, nn.Module], n_clips: int = 68, feature_dim: int = 1024) -> pd.DataFrame:
    """`cost` of each: index the names; columns parameters_m (million), gmacs (billion multiply-accumulates)."""
    rows = {name: cost(model, n_clips, feature_dim) for name, model in models.items()}
    return pd.DataFrame({n: (p / 1e6, m / 1e9) for n, (p, m) in rows.items()}, index=["parameters_m", "gmacs"]).T


def as_multiplied_out(c: CoFInAlConfig, n_clips: int, gmacs: float) -> float:
    """Billions of multiply-accumulates of CoFInAl if Eq. 7 projects every clip as printed, from those in our order.

    Projections of all clips to queries, keys and values and attention (3 C D_C D_P + 2 P C D_P) in place of pooling
    first (3 P D_C D_P + 3 P C D_C); the results agree, see Chapter 3.
    """
    C, P, D_C, D_P = n_clips, c.n_procedures, c.feature_dim, c.procedure_dim
    return gmacs + (3 * C * D_C * D_P + 2 * P * C * D_P - 3 * P * D_C * D_P - 3 * P * C * D_C) / 1e9


def candidates() -> dict[str, nn.Module]:
    """Configurations that Table 2 might mean by its rows of ACTION-NET and HGCN: words -> model."""
    actions = {
        "ACTION-NET, 26 clips + 80 images": build("action-net", static="images"),
        "ACTION-NET, 26 clips twice": build("action-net"),
        "ACTION-NET, 68 clips twice": build("action-net", n_clips=68),
    }
    return actions | {f"HGCN, {g} group{'s' * (g > 1)}": build("hgcn", n_groups=g) for g in (1, 2, 4, 8)}


def against_printed(counted: pd.DataFrame, rows: dict[str, str]) -> pd.DataFrame:
    """Counts beside Table 2's: how many times as large the printed numbers are, and how far off both at once.

    Args:
        counted: what `costs` gives. rows: name there -> name in Table 2.

    Returns:
        counted, with printed_m, printed_gmacs, times_m, times_gmacs (printed over counted) and `off`, the larger of
        the two factors, whichever way it goes: 1 is a match.
    """
    table = printed("table2").set_index("method")
    out = counted.loc[list(rows)].copy()
    for column, short in (("parameters_m", "m"), ("gmacs", "gmacs")):
        out[f"printed_{short}"] = [table.loc[row, column] for row in rows.values()]
        out[f"times_{short}"] = out[f"printed_{short}"] / out[column]
    out["off"] = np.exp(np.log(out[["times_m", "times_gmacs"]]).abs().max(axis=1))
    return out


def nearest(compared: pd.DataFrame, method: str) -> pd.Series:
    """The row of `against_printed` whose name begins with `method` and whose two counts are least far off."""
    part = compared[compared.index.str.startswith(method)]
    return part.loc[part["off"].idxmin()]


# --------------------------------------------------------------------------------------- timing


def measure(
    models: dict[str, nn.Module],
    n_clips: int = 68,
    feature_dim: int = 1024,
    batch: int = 1,
    repeats: int = 10,
    device: str = "cpu",
    seed: int = 0,
) -> pd.DataFrame:
    """Time every model on the same random batch, all in one go.

    Each repeat runs all models once, in an order of its own drawn at random: a machine that slows down for a while
    slows all of them. On a CPU there is one thread. Two rounds of warm-up are not counted.

    Args:
        models: name -> model, in evaluation mode; it is moved to the device.
        n_clips, feature_dim, batch: C, D_C, B of the batch.
        device: "cpu" or "cuda"; the clock waits for a GPU to finish.
        seed: of the batch and of the orders.

    Returns:
        a row a model and repeat: method, batch, repeat, place (in its repeat's order), ms (of the whole batch).

    Raises:
        CofinalError: `repeats` is below 1.
    """
    if repeats < 1:
        raise CofinalError(f"measure: repeats is {repeats}; at least 1 is needed")
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, n_clips, feature_dim, generator=generator).to(device)
    lengths = torch.full((batch,), n_clips)  # on the CPU, see `cofinal_lib.padding`
    order, rows = np.random.default_rng(seed), []
    # What the library runs at test: a method whose batch mates matter has a forward pass of its own for it.
    run = {name: getattr(model.to(device), "one_by_one", model) for name, model in models.items()}
    with torch.no_grad(), one_thread():
        for repeat in range(-2, repeats):
            for place, i in enumerate(order.permutation(len(models))):
                name = list(models)[i]
                _wait(device)
                started = time.perf_counter()
                run[name](features, lengths)
                _wait(device)
                ms = 1000 * (time.perf_counter() - started)
                if repeat >= 0:
                    rows.append((i, repeat, name, batch, repeat, place, ms))
    rows = [row[2:] for row in sorted(rows)]
    return pd.DataFrame(rows, columns=["method", "batch", "repeat", "place", "ms"])


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def summary(times: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles over repeats, per batch size and method, in ms; and the ratio to GDLT.

    The ratio is taken within each repeat, whose two times share the machine's mood; then its median and quartiles.
    Columns: ms, ms_low, ms_high, ratio, ratio_low, ratio_high; index: batch, method, in the order given.
    """
    wide = times.pivot(index=["batch", "repeat"], columns="method", values="ms")[list(times["method"].unique())]
    ratios = wide.div(wide["gdlt"], axis=0)
    parts = {}
    for name, table in (("ms", wide), ("ratio", ratios)):
        for column, q in ((name, 0.5), (f"{name}_low", 0.25), (f"{name}_high", 0.75)):
            parts[column] = table.groupby(level="batch").quantile(q).stack()
    order = pd.MultiIndex.from_product([sorted(times["batch"].unique()), wide.columns], names=["batch", "method"])
    return pd.DataFrame(parts).reindex(order)


def ratios_beside_printed(summarised: pd.DataFrame) -> pd.DataFrame:
    """Ratios to GDLT at batch 1, ours (median and quartiles) beside those of Table 2's times.

    Columns: ratio, ratio_low, ratio_high, printed_ms, printed_ratio; index: methods of Table 2.
    """
    ms = printed("table2").set_index("method")["inference_ms"]
    ours = summarised.loc[1].loc[list(TABLE2_ROWS), ["ratio", "ratio_low", "ratio_high"]].copy()
    ours["printed_ms"] = [ms[row] for row in TABLE2_ROWS.values()]
    ours["printed_ratio"] = ours["printed_ms"] / ms[TABLE2_ROWS["gdlt"]]
    return ours


# --------------------------------------------------------------------------------------- training

# Operations that torch's profiler names, by kind; the rest is what it takes to launch them, and everything small.
KINDS = {
    "weights times features (mm, addmm)": ("aten::mm", "aten::addmm"),
    "attention over clips (bmm)": ("aten::bmm",),
    "cutting crops (cat, index)": ("aten::cat", "aten::index"),
    "drawing dropout": ("aten::random_", "aten::lt"),
    "optimiser": ("aten::_fused_sgd_", "aten::_fused_adam_"),
}


def step_shares(build, data: FeatureSet) -> pd.Series:
    """Where the time of a training step goes, on one thread: shares by kind of operation, summing to 1.

    Args:
        build: makes a model, as for `fit`. data: routines; the first five batches are trained on.
    """
    from torch.profiler import ProfilerActivity, profile

    short = replace(data, is_train=data.is_train & (data.is_train.cumsum(0) <= 5 * 32))
    with one_thread():
        learner = Single(build, short, Schedule(), "cpu", [0])
        kept, draws = short.rows("train")[None], [torch.Generator().manual_seed(0)]
        learner.epoch(kept, draws)  # warm-up
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            learner.epoch(kept, draws)
    taken = {event.key: event.self_cpu_time_total for event in seen.key_averages()}
    shares = {kind: sum(taken.get(name, 0) for name in names) for kind, names in KINDS.items()}
    shares["launching, and everything small"] = sum(taken.values()) - sum(shares.values())
    return pd.Series(shares) / sum(taken.values())


def time_seeds(build, data: FeatureSet, counts=(1, 2, 5, 10), repeats: int = 3, epochs: int = 5) -> pd.DataFrame:
    """Seconds to train some numbers of seeds, stacked and one by one, in turns: way, seeds, repeat, seconds.

    Both trainings of each seed are counted, in one process and on one thread.
    """
    rows = []
    for repeat in range(-1, repeats):
        for n in counts:
            for way, stack in (("all at once", n), ("one by one", 1)):
                started = time.perf_counter()
                fit(build, data, range(n), Schedule(epochs=epochs), stack=stack)
                if repeat >= 0:
                    rows.append((way, n, repeat, time.perf_counter() - started))
    return pd.DataFrame(rows, columns=["way", "seeds", "repeat", "seconds"])
