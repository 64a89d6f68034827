"""Checks of the equations, the ETF and the counts of Table 2, by calculation: no data needed."""

from functools import cache
from itertools import permutations

import numpy as np
import torch

from cofinal_lib import efficiency
from cofinal_lib.claims.verdicts import CONTRADICTED, DIFFERS, HOLDS, Finding, agrees
from cofinal_lib.cofinal import CoFInAl, CoFInAlConfig, count_parameters
from cofinal_lib.errata import printed_subgrade
from cofinal_lib.errors import CofinalError
from cofinal_lib.etf import simplex_etf
from cofinal_lib.grade_parsing import graph_regulariser
from cofinal_lib.grading import GradeScale
from cofinal_lib.metrics import spearman
from cofinal_lib.paper import printed as table
from cofinal_lib.rivals.cofinal_released import LEVELS, ReleasedCoFInAl, ReleasedCoFInAlConfig
from cofinal_lib.rivals.gdlt import GDLT, GDLTConfig

CALCULATED = "calculated"
SIZES = CoFInAlConfig()  # the paper's dimensions (Sec. 4.1)


def _routine(n_clips: int) -> tuple[torch.Tensor, torch.Tensor]:
    features = torch.randn(2, n_clips, SIZES.feature_dim, generator=torch.Generator().manual_seed(0))
    return features, torch.tensor([n_clips, n_clips - 3])


# --------------------------------------------------------------------------------------- Sec. 3.1


def outputs(printed: str) -> Finding:
    """O(G x G') classes against O(G + G') outputs, counted on the network's own heads."""
    with torch.no_grad():
        out = efficiency.build("cofinal")(*_routine(68))
    together = out["grade_logits"].shape[1] + out["subgrade_logits"].shape[1]
    levels = SIZES.scale.n_levels
    why = (
        f"Its two heads have {together} outputs for {levels} levels: {SIZES.n_grades} grades of {SIZES.n_subgrades} "
        "sub-grades each. That counts names: a linear layer for all levels would have fewer numbers to learn than one "
        "grade more (chapter 10)."
    )
    ok = together == SIZES.n_grades + SIZES.n_subgrades and levels == SIZES.n_grades * SIZES.n_subgrades
    return Finding(HOLDS if ok else CONTRADICTED, why, together, source=CALCULATED)


def precision(printed: str) -> Finding:
    """Eq. 6 after a decomposition whose levels nest: the error stays within one sub-grade."""
    scale = GradeScale(0, 25, 5, 10)
    scores = np.arange(0, 25.0001, 0.05)
    error = scores - scale.compose(*scale.decompose(scores), at="lower")
    worst = float(np.abs(error).max())
    why = (
        f"Over scores 0 to 25 in steps of 0.05 the largest error is {worst:.3f}, a sub-grade {scale.subgrade_length:g} "
        "long, with S_C times the grade taken off; as printed, without S_C, it need not even exist (subgrade-formula)."
    )
    return Finding(
        HOLDS if worst <= scale.subgrade_length * (1 + 1e-9) else CONTRADICTED, why, worst, source=CALCULATED
    )


def top_score(printed: str, cap: float, grades: int) -> Finding:
    """The grade floor(s / S_C) of the highest score, where G = ceil(S / S_C): one too many where S_C divides S."""
    length = cap / grades
    count, grade = int(np.ceil(cap / length)), int(np.floor(cap / length))
    longer = length + 1
    fits = int(np.floor(cap / longer)) < int(np.ceil(cap / longer))
    why = (
        f"With S = {cap:g} and S_C = {length:g} there are {count} grades, 0 to {count - 1}; s = S gets grade {grade}. "
        f"With S_C = {longer:g}, which does not divide S, it {'fits' if fits else 'does not fit'}; the text says "
        "neither what S is nor which scores reach it."
    )
    return Finding(HOLDS if grade < count else DIFFERS, why, grade, 0, count - 1, CALCULATED)


def subgrade(printed: str, cap: float, grades: int, subgrades: int, score: float) -> Finding:
    """The printed formula of the sub-grade, which lacks a factor S_C, on one score, against the nesting one."""
    scale = GradeScale(0, cap, grades, subgrades)
    as_printed = int(printed_subgrade(score, scale.grade_length, scale.subgrade_length))
    nested = int(scale.decompose(score)[1])
    inside = 0 <= as_printed < subgrades
    why = (
        f"For s = {score:g} with S = {cap:g}, G = {grades}, G' = {subgrades} it gives sub-grade {as_printed} of 0 to "
        f"{subgrades - 1}; with S_C times the grade taken off it is {nested}."
    )
    verdict = HOLDS if inside and as_printed == nested else CONTRADICTED
    return Finding(verdict, why, as_printed, 0, subgrades - 1, CALCULATED)


def score_loss(printed: str) -> Finding:
    """Whether the score loss of Eq. 1, on the score of Eq. 6 and 14, has a gradient."""
    model = efficiency.build("cofinal")
    out = model(*_routine(68))
    hard, soft = out["score_hard"], out["score_soft"]
    why = (
        f"Eq. 14's sub-grade is an arg max, and a grade from the classifier would be one (inferred), so the score of "
        f"Eq. 6 has {'a' if hard.requires_grad else 'no'} gradient; the expected grade and sub-grade "
        f"{'have' if soft.requires_grad else 'do not have'} one. Were the grade no arg max but a number, L_S would "
        "train what finds it."
    )
    return Finding(HOLDS if hard.requires_grad else DIFFERS, why, int(hard.requires_grad), source=CALCULATED)


# --------------------------------------------------------------------------------------- Sec. 3.2, 3.3


def procedures(printed: int) -> Finding:
    """Eq. 7 gives P procedures whatever the number of clips, where clips are pooled adaptively."""
    with torch.no_grad():
        found = {n: efficiency.build("cofinal")(*_routine(n))["procedures"].shape[1] for n in (68, 124, 141)}
    why = (
        f"{', '.join(map(str, found))} clips give {', '.join(map(str, found.values()))} procedures; where P does not "
        "divide the clips, the segments differ by one."
    )
    return Finding(HOLDS if set(found.values()) == {printed} else CONTRADICTED, why, printed, source=CALCULATED)


def regulariser_as_printed(printed: str) -> Finding:
    """Whether Eq. 8 can be computed as it stands: the shapes, the arguments and whether they are distributions."""
    G, D_P = SIZES.n_grades, SIZES.procedure_dim
    prototypes = torch.randn(G, D_P, generator=torch.Generator().manual_seed(0))
    D = (torch.arange(G)[:, None] - torch.arange(G)).abs().double()
    faults = []
    try:
        torch.arccos(prototypes.T @ prototypes, D)
    except TypeError:
        faults.append("arccos takes one argument, not two")
    if (prototypes.T @ prototypes).shape != D.shape:
        faults.append(f"G'G is {D_P} x {D_P} and D is {G} x {G}, for prototypes are the rows of G")
    if not torch.allclose(D.sum(1), torch.ones(G).double()):
        faults.append("the rows of D do not sum to 1, so they are no distributions")
    why = f"As it stands: {'; '.join(faults)}." if faults else "It can be computed as printed."
    return Finding(CONTRADICTED if faults else HOLDS, why, source=CALCULATED)


def regulariser_orders(printed: str) -> Finding:
    """Whether L_R, as we read Eq. 8, brings prototypes into order, and whether it fixes how far apart they are."""
    G = SIZES.n_grades

    def on_arc(step: float, order) -> float:
        """L_R of prototypes at equal steps along an arc, in some order."""
        angle = step * torch.tensor(order)
        return float(graph_regulariser(torch.stack([angle.cos(), angle.sin()], 1)))

    found = {order: on_arc(0.3, order) for order in permutations(range(G))}
    right = tuple(range(G))
    ordered = sorted(found, key=found.get)[:2]
    narrow, wide = on_arc(0.02, right), on_arc(0.5, right)
    ok = set(ordered) == {right, right[::-1]}
    why = (
        f"Of the {len(found)} orders of {G} prototypes along an arc it is smallest for the grades' own; there it is 0 "
        f"to within {max(narrow, wide):.0e} both at 0.02 and at 0.5 rad apart, so it orders them and does not keep "
        "them apart."
    )
    return Finding(HOLDS if ok else DIFFERS, why, found[right], source=CALCULATED + ", Eq. 8 as we read it")


def difference(printed: str) -> Finding:
    """Eq. 11 subtracts the prototypes, D_P wide, from the coarse feature, D_S wide."""
    coarse, prototypes = torch.zeros(SIZES.n_grades, SIZES.score_dim), torch.zeros(SIZES.n_grades, SIZES.procedure_dim)
    try:
        fits = (coarse - prototypes).shape == coarse.shape
    except RuntimeError:
        fits = False
    (a, b), (c, d) = coarse.shape, prototypes.shape
    why = f"With the paper's sizes H_C is {a} x {b} and G is {c} x {d}; we subtract G's embedding of Eq. 9."
    return Finding(HOLDS if fits else CONTRADICTED, why, source=CALCULATED)


# --------------------------------------------------------------------------------------- Sec. 3.4


def etf_vectors(printed: str, dim: int, classes: int) -> Finding:
    """Eq. 12: vectors of one length, in as many dimensions as it asks for."""
    E = simplex_etf(dim, classes, torch.Generator().manual_seed(0))
    spread = float((E.norm(dim=0) - 1).abs().max())
    why = f"{classes} vectors of {dim} numbers: every length is 1 to within {spread:.1e}."
    return Finding(HOLDS if spread < 1e-5 else CONTRADICTED, why, spread, source=CALCULATED)


def etf_angles(printed: str, dim: int, classes: int) -> Finding:
    """Eq. 13: every inner product of two vectors is -1/(K-1)."""
    E = simplex_etf(dim, classes, torch.Generator().manual_seed(0)).double()
    products = (E.T @ E)[~torch.eye(classes, dtype=torch.bool)]
    off = float((products + 1 / (classes - 1)).abs().max())
    why = f"For K = {classes} every product is -1/{classes - 1} to within {off:.1e}."
    return Finding(HOLDS if off < 1e-6 else CONTRADICTED, why, float(products.mean()), source=CALCULATED)


def etf_dimension(printed: str, dim: int) -> Finding:
    """U'U = I_K needs d >= K: with D_S as printed, how many sub-grades there can be."""
    ranks = {
        K: int(torch.linalg.matrix_rank(torch.randn(dim, K, generator=torch.Generator().manual_seed(0))))
        for K in (dim, dim + 1)
    }
    try:
        simplex_etf(dim, dim + 2)
        most = dim + 2
    except CofinalError:
        most = dim
    ok = ranks[dim] == dim and ranks[dim + 1] < dim + 1 and most == dim
    why = f"U'U = I_K needs at least K dimensions, so {dim} leave room for {dim} sub-grades."
    return Finding(HOLDS if ok else CONTRADICTED, why, most, source=CALCULATED)


def etf_shape(printed: str, dim: int, classes: int) -> Finding:
    """The ETF's shape in Sec. 3.4 (G' x D_S) against Definition 1's (d x K)."""
    shape = tuple(simplex_etf(dim, classes).shape)
    why = (
        f"Definition 1's matrix is d x K = {shape[0]} x {shape[1]}, one column a sub-grade; G' x D_S is its transpose."
    )
    return Finding(HOLDS if shape == (classes, dim) else DIFFERS, why, source=CALCULATED)


def etf_fixed(printed: str) -> Finding:
    """Whether training may change the ETF, and what the head around it adds to learn, printed and released."""
    model = efficiency.build("cofinal")
    whole, without = (count_parameters(CoFInAl(CoFInAlConfig(without=arm))) for arm in ("", "FGS"))
    released = ReleasedCoFInAl(ReleasedCoFInAlConfig())
    head = sum(count_parameters(m) for m in (released.regi, released.regressori))
    fixed = not any("etf" in name for name, _ in [*model.named_parameters(), *released.named_parameters()])
    why = (
        f"The ETF is {'no' if fixed else 'a'} parameter, in the text's network and in the released one; the released "
        f"head in front of it has {head / 1e6:.2f} million numbers to learn, the text's none (a learned classifier: "
        f"{without - whole:,})."
    )
    return Finding(HOLDS if fixed else CONTRADICTED, why, source=CALCULATED)


def builds_on(printed: str) -> Finding:
    """Whether the released network is GDLT's and something more: what it learns less its two new heads, and GDLT."""
    model, gdlt = ReleasedCoFInAl(ReleasedCoFInAlConfig()), GDLT(GDLTConfig())
    new = sum(count_parameters(m) for m in (model.regressor_revert, model.regi, model.regressori))
    whole, base = count_parameters(model), count_parameters(gdlt)
    why = (
        f"Without its second vote and its fine head the released network learns {whole - new:,} numbers, GDLT's "
        f"{base:,}; they are {100 * base / whole:.0f} % of all."
    )
    return Finding(HOLDS if whole - new == base else DIFFERS, why, base / whole, source=COUNTED)


def own_regulariser(printed: str) -> Finding:
    """Whether the released regulariser is another than GDLT's: what either makes of the same answers of a decoder."""
    model, gdlt = (efficiency.build(name) for name in ("cofinal-released", "gdlt"))
    scores = torch.tensor([0.3, 0.8])
    with torch.no_grad():
        out = model(*_routine(68))
        own, theirs = (float(m.loss(out, scores)["triplet"]) for m in (model, gdlt))
    same = own == theirs
    why = (
        f"Of the same answers the released network's regulariser is {own:.4f}, and GDLT's {theirs:.4f}: "
        f"{'one and the same triplet loss, and no Eq. 8' if same else 'another'}."
    )
    return Finding(DIFFERS if same else HOLDS, why, own - theirs, source="our rebuilding of both released networks")


def metric(printed: str) -> Finding:
    """Eq. 16: Pearson's correlation of ranks, against the library's and against the formula of squared differences."""
    x, y = np.random.default_rng(0).standard_normal((2, 50))
    p, q = (np.argsort(np.argsort(v)) for v in (x, y))
    naive = 1 - 6 * ((p - q) ** 2).sum() / (50 * (50**2 - 1))
    why = f"On 50 untied numbers the two formulas give {naive:.6f} and {spearman(x, y):.6f}."
    return Finding(HOLDS if agrees(naive, spearman(x, y), 1e-9) else CONTRADICTED, why, source=CALCULATED)


def line(printed: str) -> Finding:
    """Whether a regression line nearer the ideal one means a higher rank correlation: one counterexample decides."""
    scores = np.linspace(10, 38, 100)
    good = scores + np.random.default_rng(0).normal(0, 2, 100)
    shrunk = scores.mean() + 0.3 * (good - good.mean())  # the same ranking, a flat line
    poor = scores + np.random.default_rng(1).normal(0, 12, 100)  # a steep line, a poor ranking
    rho = [spearman(p, scores) for p in (shrunk, poor)]
    off = [abs(np.polyfit(scores, p, 1)[0] - 1) for p in (shrunk, poor)]
    found = off[1] < off[0] and rho[1] < rho[0]
    why = (
        f"Predictions whose line is {off[0]:.2f} off the ideal slope rank with {rho[0]:.2f}, others that are only "
        f"{off[1]:.2f} off with {rho[1]:.2f}: a slope alone does not decide a ranking."
    )
    return Finding(DIFFERS if found else HOLDS, why, source=CALCULATED)


# --------------------------------------------------------------------------------------- Table 2

COUNTED = "counted on one routine (68 clips; ACTION-NET's 26, and 80 images), our rebuilding of the released networks"
TOLERANCE = 0.02  # counters differ by what they count: normalisation, biases
_METHODS = {name: method for method, name in efficiency.TABLE2_ROWS.items()}


@cache
def _counted(name: str):
    method = _METHODS[name]
    model = efficiency.build(method, **({"static": "images"} if method == "action-net" else {}))
    return efficiency.costs({method: model}).loc[method]


@cache
def _others():
    return efficiency.costs(efficiency.candidates())


def counted(printed: float, method: str, column: str) -> Finding:
    """A count of Table 2 against the released network's, on one routine of 68 clips: within TOLERANCE or not."""
    ours = float(_counted(method)[column])
    off = printed / ours
    what = {"gmacs": "billion multiply-accumulates", "parameters_m": "million numbers to learn"}[column]
    near = abs(off - 1) <= TOLERANCE
    why = f"The released network has {ours:.4f} {what}; the printed number is {off:.4g} times that."
    others = _others()[column][_others().index.str.startswith(method)]
    if len(others):
        why += f" Sizes tried in chapter 6 give {others.min():.4f} to {others.max():.4f} ({others.idxmin()}"
        why += f"; {others.idxmax()})."
    return Finding(HOLDS if near else DIFFERS, why, ours, source=COUNTED)


def counted_extra(printed: float, column: str, digits: int) -> Finding:
    """CoFInAl's extra over GDLT, counted on the released networks."""
    ours = float(_counted("CoFInAl")[column] - _counted("GDLT")[column])
    why = f"Counted, the released CoFInAl has {ours:.5g} more than GDLT."
    return Finding(HOLDS if agrees(printed, ours, 0.5 * 10.0**-digits) else DIFFERS, why, ours, source=COUNTED)


def flops_unit(printed: str) -> Finding:
    """Whether Table 2's "FLOPs" are operations or multiply-accumulates, from the two rows that can be counted."""
    rows = table("table2").set_index("method")["gmacs"]
    ratios = {name: rows[name] / _counted(name)["gmacs"] for name in ("GDLT", "CoFInAl")}
    macs = all(abs(r - 1) <= TOLERANCE for r in ratios.values())
    operations = all(abs(r - 2) <= 2 * TOLERANCE for r in ratios.values())
    told = " and ".join(f"{r:.3f} ({name})" for name, r in ratios.items())
    why = f"The printed numbers are {told} times the multiply-accumulates, each of which is two operations."
    return Finding(
        HOLDS if operations else DIFFERS if macs else CONTRADICTED,
        why,
        float(np.mean(list(ratios.values()))),
        source=COUNTED,
    )


def identical_conditions(printed: str) -> Finding:
    """Whether one way of counting gives all four rows of Table 2."""
    rows = table("table2").set_index("method")
    off = {
        name: float(
            np.exp(np.abs(np.log(rows.loc[name, ["parameters_m", "gmacs"]].astype(float) / _counted(name))).max())
        )
        for name in _METHODS
    }
    near = [name for name, factor in off.items() if factor <= 1 + TOLERANCE]
    far = ", ".join(f"{name} (off by a factor of {off[name]:.3g})" for name in off if name not in near)
    backbone = _counted("ACTION-NET")["parameters_m"] + efficiency.RESNET50 / 1e6
    why = (
        f"One way of counting gives {len(near)} of {len(off)} rows ({', '.join(near)}) and not {far}; ACTION-NET "
        f"with an image backbone would have up to {backbone:.1f} million parameters, so its row seems to count one, "
        "as no other does (inferred)."
    )
    return Finding(HOLDS if len(near) == len(off) else DIFFERS, why, len(near), source=COUNTED)


def cheaper_counted(printed: str, than: str) -> Finding:
    """Whether CoFInAl is cheaper than another method in both counts, as we count the released networks."""
    own, other = _counted("CoFInAl"), _counted(than)
    times = other / own
    n = int((times > 1).sum())
    why = (
        f"Counted, {than} has {times['gmacs']:.2f} times CoFInAl's multiply-accumulates and "
        f"{times['parameters_m']:.2f} times its parameters."
    )
    return Finding(HOLDS if n == len(times) else DIFFERS, why, n, source=COUNTED)


def flat_maximum(printed: str) -> Finding:
    """Whether the released score of a training batch depends on each routine's own sub-grade: it adds one constant."""
    model = efficiency.build("cofinal-released")
    features = torch.randn(8, 68, SIZES.feature_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = model(features, torch.full((8,), 68))
    added = out["score_flat_argmax_batch"] - (out["int"] + 1 - out["int_revert"]) / 2
    levels = len({round(float(v) * LEVELS**2) for v in added})
    why = f"Eight routines scored together get {levels} sub-grade: all the same {float(added[0]):.4f} of the range."
    return Finding(
        DIFFERS if levels == 1 else HOLDS, why, levels, source="our rebuilding of the released network, untrained"
    )
