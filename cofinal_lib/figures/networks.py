"""Chapter 5's tables: what goes through each network, and the losses and switches of CoFInAl."""

import pandas as pd
from pandas.io.formats.style import Styler
from torch import Tensor, nn

from cofinal_lib.figures.rivals import inside
from cofinal_lib.tables import NOTHING, styled

# Modules worth a row, in order of use, and what they do.
STAGES = {
    "ridge": {},
    "kernel-ridge": {},
    "c3d-svr": {},
    "ms-lstm": {
        "reduce": "fewer numbers a clip (all routines' clips in one list)",
        "attention": "50 summaries, each a weighted mean of clips",
        "lstm": "read the summaries",
        "scales.scale1": "read windows of 2 clips, may skip",
        "scales.scale2": "read windows of 4 clips, may skip",
        "scales.scale3": "read windows of 8 clips, may skip",
        "merge": "join the four readings",
    },
    "action-net": {
        "d_ct.embedding": "fewer numbers a clip",
        "d_ct.gcn2": "each clip's context, from its neighbours",
        "d_ct.att": "a weight for each clip",
        "d_ct": "weighted sum of clips and contexts",
        "s_ct": "the same for the static stream",
        "fc": "one number from 0 to 1",
    },
    "gdlt": {
        "in_proj": "fewer numbers a clip (all routines' clips in one list)",
        "transformer.encoder": "clips look at each other",
        "transformer.decoder": "each grade prototype gathers its evidence",
        "regressor": "each grade's answer; only the diagonal is used",
    },
    "hgcn": {
        "shot_gen": "each clip takes from its two neighbours",
        "scene_gen.shot_gcn": "clips exchange over a graph",
        "scene_gen.trans_gcn": "how much of each clip goes into each scene",
        "scene_gen": "scenes",
        "mot_agg": "scenes exchange over a graph",
        "fc2_mean": "each scene's part of the score: its mean",
        "fc2_logvar": "and its spread",
    },
    "cofinal-released": {
        "transformer.encoder": "as GDLT: clips look at each other",
        "transformer.decoder": "as GDLT: each prototype gathers its evidence",
        "regressor": "answers for the score",
        "regressor_revert": "answers for its mirror image",
        "regi.0": "self-attention across the batch",
        "regressori.0": "the fine vector",
    },
    "cofinal": {
        "tfm": "five procedures from all clips (Eq. 7)",
        "gpm": "four grades question the procedures (Eq. 9-11)",
        "mlp": "which grade",
        "fgs": "the fine feature (Eq. 14)",
    },
    "cofinal-repaired": {
        "tfm": "means of five segments",
        "gpm": "four grades question the procedures (Eq. 9-11)",
        "mlp": "which grade",
        "fgs": "the fine feature (Eq. 14)",
    },
}


def shapes(method: str, model: nn.Module, features: Tensor, lengths: Tensor) -> Styler:
    """The forward pass as a table: what goes in, what each stage gives (by hooks), the scores and embedding given out.

    Args:
        method: a name of `rivals.METHODS`, whose STAGES are shown. model: of that method.
        features, lengths: (B, C, D_C), (B,), a batch of routines.
    """
    out, values = inside(model, features, lengths, *STAGES[method])
    rows = [("a batch of routines", "features", features)]
    rows += [(words, path, value) for (path, words), value in zip(STAGES[method].items(), values, strict=True)]
    given = {name: value for name, value in out.items() if name.startswith(("score", "embedding"))}
    rows += [("given out", f'out["{name}"]', value) for name, value in given.items()]
    table = pd.DataFrame([(words, name, " × ".join(map(str, value.shape))) for words, name, value in rows])
    return styled(table.set_axis(["what", "where", "shape"], axis=1), f"shapes-{method}").hide()


# (what is asked, where it stands, CoFInAlConfig's option, ReleasedCoFInAlConfig's option; "" none, "always" no choice)
LOSSES = [
    ("score: squared error", "Eq. 1", 'score_unit="grade"', "score_loss=1.0"),
    ("grade: cross-entropy", "Eq. 2, text", "weight_c=1.0", ""),
    ("sub-grade: dot regression", "Eq. 15", 'fine_loss="dot_regression"', 'fine_loss="dot_regression"'),
    ("grades in order: angles, as row shares", "Eq. 8", 'regulariser="row_shares"', 'regulariser="row_shares"'),
    ("grades in order: angles, by softmax", "Eq. 8", 'regulariser="softmax"', 'regulariser="softmax"'),
    ("score and its mirror image: squared errors", "released, loss.py", "", "always"),
    ("sub-grade: mean distance of coordinates", "released, loss.py", 'fine_loss="l1"', 'fine_loss="l1"'),
    (
        "answers of a prototype together: hard triplets",
        "released, triplet_loss.py",
        'regulariser="triplet"',
        'regulariser="triplet"',
    ),
    ("no score loss", "released, loss.py", "", "score_loss=0.0"),
]

# Switches that are no loss, and yet decide what a loss sees: (what, released, the alternative).
SWITCHES = [
    ("arg max over the batch, or over each routine", 'argmax="batch"', 'argmax="routine"'),
    ("attention across the batch, or across prototypes", 'attention_over="batch"', 'attention_over="prototypes"'),
    ("levels cut from float32, or rounded", 'decomposition="truncated"', 'decomposition="rounded"'),
]


def losses() -> Styler:
    """Every loss of CoFInAl, as printed or as released, with the option that chooses it in either network."""
    columns = ["what it asks", "where it stands", "CoFInAlConfig", "ReleasedCoFInAlConfig"]
    return styled(pd.DataFrame(LOSSES, columns=columns).replace("", NOTHING), "losses", wrap=True).hide()


def switches() -> Styler:
    """What else the released code does, and the option of ReleasedCoFInAlConfig that undoes it."""
    return styled(pd.DataFrame(SWITCHES, columns=["what", "as released", "instead"]), "switches", wrap=True).hide()
