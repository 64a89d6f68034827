"""The six methods of Table 1, CoFInAl as released, and the baselines, each idea in a file of its own.

A method is an nn.Module class; `fit`, `run` and the command line ask nothing more of it than:

    Config          a frozen dataclass of sizes and options. Of its fields, those named feature_dim, n_clips, low, high
                    and score_cap are filled from the data.
    BY_DATASET      optional: {"fisv": {...}, "rg/clubs": {...}}, what its authors set by data set and target.
    schedule        optional: a `train.Schedule`, how its authors train it; the default is the paper's.
    __init__        (config, generator): the generator draws what stays fixed.
    forward         (features (B, C, D_C), lengths (B,)) -> dict with "score" (B,) in points (or "score_soft" and
                    "score_hard") and "embedding" (B, D), what the method knows of a routine before it scores. `fit`
                    and `embed` leave lengths on the CPU, also where features lie on a GPU.
    loss            (out, scores (B,) in points) -> dict of scalars with "total".
    targets         optional: (scores (N,) in points, on the CPU) -> dict of (N, ...), what the loss compares with; the
                    loss then takes a batch's of them as a third argument, and need not leave a GPU to compute them.
    stacks          optional: true where forward and loss are one batched expression, and take the mask (B, C) of the
                    clips that exist in the lengths' place; `fit` may then train many seeds at once. Needs `targets`.
    groups          optional: (lr) -> parameter groups of the optimiser.
    solve           optional, in place of loss: (features, lengths, scores) fits in one go; then there is one epoch, and
                    nothing is drawn at random: one seed says all. `baselines.Regression` has it for scikit-learn's.
    one_by_one      optional: forward for a method whose batch mates matter, each routine as a batch of its own.
    from_released   optional: a state dict of the authors -> the model.
    notes           optional: (data) -> sentences a reader of its numbers must know.
"""

from cofinal_lib.baselines import KernelRidge, Ridge
from cofinal_lib.cofinal import CoFInAl, RepairedCoFInAl
from cofinal_lib.rivals.action_net import ActionNet
from cofinal_lib.rivals.c3d_svr import C3DSVR
from cofinal_lib.rivals.cofinal_released import ReleasedCoFInAl
from cofinal_lib.rivals.gdlt import GDLT
from cofinal_lib.rivals.hgcn import HGCN
from cofinal_lib.rivals.ms_lstm import MSLSTM

BASELINES = {"ridge": Ridge, "kernel-ridge": KernelRidge}
METHODS = BASELINES | {
    "c3d-svr": C3DSVR,
    "ms-lstm": MSLSTM,
    "action-net": ActionNet,
    "gdlt": GDLT,
    "hgcn": HGCN,
    "cofinal-released": ReleasedCoFInAl,
    "cofinal": CoFInAl,
    "cofinal-repaired": RepairedCoFInAl,
}
SOLVED = tuple(name for name, method in METHODS.items() if hasattr(method, "solve"))  # the rest are networks
