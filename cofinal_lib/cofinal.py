"""CoFInAl as the paper prints it: Eq. 2 to 6. Where the text leaves a choice, an option of CoFInAlConfig names it."""

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss

from cofinal_lib.clip_preparation import PREPARATIONS, ClipPreparation
from cofinal_lib.dropout import Dropout
from cofinal_lib.errors import CofinalError
from cofinal_lib.fine_scoring import FineGrainedScoring, dot_regression_loss
from cofinal_lib.grade_parsing import GradeParsing, graph_regulariser
from cofinal_lib.grading import GradeScale
from cofinal_lib.temporal_fusion import EncoderFusion, SegmentAverages, TemporalFusion
from cofinal_lib.train import Schedule
from cofinal_lib.triplet import hard_triplet_loss, own_prototype

ABLATIONS = ("", "L_R", "TFM", "GPM", "FGS")
ENCODERS = ("attention", "residual", "feed_forward", "averages")


@dataclass(frozen=True)
class CoFInAlConfig:
    """Sizes and readings of the method; the defaults are the paper's (Sec. 4.1) where it states one.

    Attributes:
        feature_dim, procedure_dim, score_dim: D_C, D_P, D_S.
        n_procedures, n_grades, n_subgrades: P, G, G' (the paper gives no G and G'; ours).
        low, high: the score range the grades span, in points: the training scores' minimum and maximum.
        dropout: on the procedures, and inside the coarse classifier (the paper does not say where).
        weight_c, weight_f, weight_r: the lambdas of Eq. 2.
        sharpness: the factor on the cosines when sub-grades are decoded softly (ours).
        score_unit: what L_S counts errors in: "grade" (S_C, ours: the unit of L_C), "range" (high - low, nearest the
            released code) or "point".
        regulariser: reading of Eq. 8, see `graph_regulariser`; "triplet" is the released code's loss in its place, on
            the coarse features: a grade's answers to all routines belong together.
        fine_loss: "dot_regression" (Eq. 15), or "l1", the released code's: the mean distance of coordinates.
        preparation: of clips before Eq. 7, see `ClipPreparation`; "" as printed, "project" as released.
        encoder: "attention" (Eq. 7 alone), "residual" or "feed_forward", see `EncoderFusion`; or "averages" of segments
            in the attention's place, as in Table 3's "w/o TFM".
        without: one arm of Table 3: "L_R", "TFM", "GPM" or "FGS"; "" for the whole method.

    Raises:
        CofinalError: no such reading, or fewer than 2 grades or sub-grades.
    """

    feature_dim: int = 1024
    procedure_dim: int = 512
    score_dim: int = 256
    n_procedures: int = 5
    n_grades: int = 4
    n_subgrades: int = 20
    low: float = 0.0
    high: float = 1.0
    dropout: float = 0.3
    weight_c: float = 1.0
    weight_f: float = 1.0
    weight_r: float = 1.0
    sharpness: float = 10.0
    score_unit: str = "grade"
    regulariser: str = "row_shares"
    fine_loss: str = "dot_regression"
    preparation: str = ""
    encoder: str = "attention"
    without: str = ""

    def __post_init__(self):
        if self.without not in ABLATIONS:
            raise CofinalError(f"CoFInAlConfig: without is {self.without!r}; it can be one of {ABLATIONS[1:]}")
        if self.fine_loss not in ("dot_regression", "l1"):
            raise CofinalError(f"CoFInAlConfig: fine_loss is {self.fine_loss!r}; expected dot_regression or l1")
        if self.regulariser not in ("row_shares", "softmax", "triplet"):
            raise CofinalError(
                f"CoFInAlConfig: regulariser is {self.regulariser!r}; expected row_shares, softmax or triplet"
            )
        if self.score_unit not in ("grade", "range", "point"):
            raise CofinalError(f"CoFInAlConfig: score_unit is {self.score_unit!r}; expected grade, range or point")
        if self.preparation not in PREPARATIONS:
            raise CofinalError(f"CoFInAlConfig: preparation is {self.preparation!r}; expected one of {PREPARATIONS}")
        if self.encoder not in ENCODERS:
            raise CofinalError(f"CoFInAlConfig: encoder is {self.encoder!r}; expected one of {ENCODERS}")
        for name in ("n_grades", "n_subgrades"):
            if getattr(self, name) < 2:
                raise CofinalError(f"CoFInAlConfig: {name} is {getattr(self, name)}; at least 2 are needed")

    @property
    def scale(self) -> GradeScale:
        """The grades and sub-grades as a scale of points."""
        return GradeScale(self.low, self.high, self.n_grades, self.n_subgrades)


class CoFInAl(nn.Module):
    """The method of Sec. 3: fuse clips (Eq. 3), parse grades (Eq. 4), read sub-grades (Eq. 5), couple them (Eq. 6).

    Args:
        config: sizes and readings.
        generator: draws the ETF; the other parameters come from torch's global generator, as in every nn.Module.
    """

    Config = CoFInAlConfig
    # The paper's schedule, and a limit that one step in two hundred meets: without it one training in some dozens
    # diverges, for the slope of the soft score's squared error (Eq. 1) grows with the square of G (inferred).
    schedule = Schedule(clip_norm=10.0)
    # Sec. 4.1. UI-PRMD is not in the paper: its sizes fit clips of 40 numbers; its grades, sub-grades and sharpness
    # were chosen inside the training movements, see results/reference/README.md.
    BY_DATASET: ClassVar = {
        "fisv": {"dropout": 0.7},
        "uiprmd": {"procedure_dim": 64, "score_dim": 32, "n_grades": 10, "n_subgrades": 5, "sharpness": 3.0},
    }

    def __init__(self, config: CoFInAlConfig, generator: torch.Generator | None = None):
        super().__init__()
        c = self.config = config
        clip_dim = c.procedure_dim if c.preparation == "project" else c.feature_dim
        if c.preparation:
            self.prepare = ClipPreparation(c.preparation, c.feature_dim, clip_dim)
        sizes = clip_dim, c.procedure_dim, c.n_procedures
        if c.without == "TFM" or c.encoder == "averages":
            self.tfm = SegmentAverages(*sizes)
        elif c.encoder == "attention":
            self.tfm = TemporalFusion(*sizes)
        else:
            self.tfm = EncoderFusion(*sizes, feed_forward=c.encoder == "feed_forward")
        self.dropout = Dropout(c.dropout)
        if c.without == "GPM":  # the pooled procedures go straight to both heads
            self.project = nn.Linear(c.procedure_dim, c.score_dim)
            coarse_dim = c.score_dim
        else:
            self.gpm = GradeParsing(c.procedure_dim, c.score_dim, c.n_grades)
            coarse_dim = c.n_grades * c.score_dim
        self.mlp = nn.Sequential(
            nn.Linear(coarse_dim, c.score_dim),
            nn.ReLU(),
            Dropout(c.dropout),
            nn.Linear(c.score_dim, c.n_grades),
        )
        if c.without == "FGS":  # a learned linear classifier in the fixed ETF's place
            self.subgrade_classifier = nn.Linear(c.score_dim, c.n_subgrades)
        else:
            self.fgs = FineGrainedScoring(c.score_dim, c.n_subgrades, generator)

    def forward(self, features: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Score routines: features (B, C, D_C), padded with anything, and lengths (B,).

        Returns:
            a dict: score_soft, score_hard (B,) in points; grade_logits (B, G); subgrade_logits (B, K); cosines
            (B, K) of Eq. 14; embedding (B, D_S), the fine feature; procedures (B, P, D_P); fusion_attention
            (B, P, C'); and, from the GPM, coarse, fine (B, G, D_S), mask (B, G, 1), parsing_attention (B, G, P).
            What an ablated module would have given is absent.
        """
        c, out = self.config, {}
        if c.preparation:
            features, lengths = self.prepare(features, lengths)  # clips (B, C', D), mask (B, C')
        procedures, out["fusion_attention"] = self.tfm(features, lengths)  # Eq. 3
        procedures = self.dropout(procedures)
        if c.without == "GPM":
            pooled = self.project(procedures.mean(1))  # (B, D_S)
            coarse, fine = pooled[:, None], pooled[:, None]  # (B, 1, D_S)
        else:
            coarse, fine, out["mask"], out["parsing_attention"] = self.gpm(procedures)  # Eq. 4
            out["coarse"], out["fine"] = coarse, fine
        grade_logits = self.mlp(coarse.flatten(1))  # (B, G)
        if c.without == "FGS":
            out["embedding"] = fine.mean(1)  # (B, D_S)
            subgrade_logits = self.subgrade_classifier(out["embedding"])  # (B, K)
        else:
            out["embedding"], out["cosines"] = self.fgs(fine)  # Eq. 5
            subgrade_logits = c.sharpness * out["cosines"]
        soft, hard = decode(grade_logits, subgrade_logits, c.scale)  # Eq. 6
        out |= {
            "procedures": procedures,
            "grade_logits": grade_logits,
            "subgrade_logits": subgrade_logits,
            "score_soft": soft,
            "score_hard": hard,
        }
        return {name: value for name, value in out.items() if value is not None}

    @property
    def stacks(self) -> bool:
        """Whether forward and loss are one batched expression, so that `fit` may train many seeds at once."""
        return not self.config.preparation

    def targets(self, scores: Tensor) -> dict[str, Tensor]:
        """The grade and sub-grade (B,) of scores (B,) in points; those outside [low, high] count as the nearest end."""
        grade, subgrade = self.config.scale.decompose(scores.cpu(), clip=True)
        return {
            name: torch.as_tensor(i, device=scores.device) for name, i in (("grade", grade), ("subgrade", subgrade))
        }

    def loss(self, out: dict[str, Tensor], scores: Tensor, targets: dict | None = None) -> dict[str, Tensor]:
        """The objective of Eq. 2 on a batch's outputs.

        Args:
            out: what `forward` returned.
            scores: (B,), in points.
            targets: `targets(scores)`, where it is known already.

        Returns:
            the scalars L_S (Eq. 1), L_C (cross-entropy), L_F (Eq. 15), L_R (Eq. 8) and their weighted sum "total".

        L_S takes the soft prediction: the arg max of Eq. 6 has no gradient.
        """
        c = self.config
        targets = self.targets(scores) if targets is None else targets
        grade, subgrade = targets["grade"], targets["subgrade"]
        unit = {"grade": c.scale.grade_length, "range": c.high - c.low, "point": 1.0}[c.score_unit]
        error = (out["score_soft"] - scores) / unit
        log_p = out["grade_logits"].log_softmax(-1)  # (B, G); torch's own cross-entropy takes longer under vmap
        L = {"L_S": error.square().mean() / 2, "L_C": -log_p.gather(1, grade[:, None]).mean()}
        if c.without == "FGS":
            L["L_F"] = cross_entropy(out["subgrade_logits"], subgrade)
        elif c.fine_loss == "l1":
            L["L_F"] = l1_loss(out["embedding"], self.fgs.etf[:, subgrade].T)  # (B, D_S) each
        else:
            L["L_F"] = dot_regression_loss(out["cosines"], subgrade)
        if c.without in ("GPM", "L_R"):
            L["L_R"] = torch.zeros((), device=scores.device)
        elif c.regulariser == "triplet":
            answers = out["coarse"].flatten(0, 1)  # (B G, D_S)
            L["L_R"] = hard_triplet_loss(answers, own_prototype(out["coarse"]), margin=1.0)
        else:
            L["L_R"] = graph_regulariser(self.gpm.prototypes, c.regulariser)
        L["total"] = L["L_S"] + c.weight_c * L["L_C"] + c.weight_f * L["L_F"] + c.weight_r * L["L_R"]
        return L


class RepairedCoFInAl(CoFInAl):
    """The book's reading for real features: segments averaged in place of Eq. 7's attention, and less dropout on Fis-V.

    Chosen by cross-validation inside the training routines of Fis-V (chapter 18, `data_scripts/choose_reading.py`).
    """

    BY_DATASET: ClassVar = {
        dataset: CoFInAl.BY_DATASET.get(dataset, {}) | {"encoder": "averages", "dropout": 0.3}
        for dataset in ("rg", "fisv", "uiprmd")
    }


def decode(grade_logits: Tensor, subgrade_logits: Tensor, scale: GradeScale) -> tuple[Tensor, Tensor]:
    """Couple grade and sub-grade into a score, twice (Eq. 6).

    Args:
        grade_logits: (B, G). subgrade_logits: (B, K). scale: G grades of K sub-grades.

    Returns:
        soft (B,): from the expected grade and expected sub-grade, the score that training can improve;
        hard (B,): from the likeliest of each, as Eq. 6 and 14 print it. Both in points.
    """
    expected_grade = grade_logits.softmax(-1) @ _indices(grade_logits)  # (B,)
    expected_subgrade = subgrade_logits.softmax(-1) @ _indices(subgrade_logits)
    soft = scale.compose(expected_grade, expected_subgrade)
    hard = scale.compose(grade_logits.argmax(-1), subgrade_logits.argmax(-1))
    return soft, hard.to(soft.dtype)


def _indices(logits: Tensor) -> Tensor:
    return torch.arange(logits.shape[-1], dtype=logits.dtype, device=logits.device)


def count_parameters(model: nn.Module) -> int:
    """Numbers that training changes (buffers, such as the ETF, not counted)."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def count_macs(model: nn.Module, n_clips: int, feature_dim: int) -> int:
    """Multiply-accumulates of one forward pass on one routine of `n_clips` clips: half of torch's flop count.

    Table 2's "FLOPs" are multiply-accumulates (see the audit of the released models).
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # Torch's counter sees into no fused layer: gradients, plain attention and double precision keep it from fusing.
    model = copy.deepcopy(model).double().eval()
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, n_clips, feature_dim, dtype=torch.float64), torch.tensor([n_clips]))
    return counter.get_total_flops() // 2
