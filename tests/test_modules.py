"""The modules against second, naive, loop-written versions of the paper's equations, in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cofinal_lib.cofinal import CoFInAl, CoFInAlConfig, count_macs, count_parameters
from cofinal_lib.errors import CofinalError
from cofinal_lib.fine_scoring import FineGrainedScoring, dot_regression_loss
from cofinal_lib.grade_parsing import GradeParsing, graph_regulariser
from cofinal_lib.temporal_fusion import EncoderFusion, SegmentAverages, TemporalFusion


def softmax(xs):
    top = max(xs)
    es = [math.exp(x - top) for x in xs]
    return [e / sum(es) for e in es]


@torch.no_grad()
def linear(layer, x):
    bias = layer.bias if layer.bias is not None else torch.zeros(layer.out_features, dtype=x.dtype)
    return torch.stack(
        [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(layer.weight, bias, strict=True)]
    )


def segment(p, P, L):
    return range(math.floor(p * L / P), math.ceil((p + 1) * L / P))


def naive_fusion(module, clips):
    """Eq. 7 as printed: project every clip, pool the queries, attend."""
    L, P = len(clips), module.n_procedures
    Q, K, V = ([linear(layer, clip) for clip in clips] for layer in (module.query, module.key, module.value))
    rows = []
    for p in range(P):
        inside = segment(p, P, L)
        q = sum(Q[c] for c in inside) / len(inside)
        weights = softmax([float(q @ k) / math.sqrt(len(q)) for k in K])
        rows.append(sum(w * v for w, v in zip(weights, V, strict=True)))
    return torch.stack(rows)


@torch.no_grad()
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 6))
def test_temporal_fusion_is_eq_7(seed, lengths, P):
    torch.manual_seed(seed)
    module = TemporalFusion(3, 4, P).double()
    features = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64)
    fused, attention = module(features, torch.tensor(lengths))
    for b, L in enumerate(lengths):
        assert torch.allclose(fused[b], naive_fusion(module, features[b, :L]), atol=1e-6)
        assert torch.allclose(attention[b].sum(1), torch.ones(P, dtype=torch.float64))
        assert (attention[b, :, L:] == 0).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 6))
def test_segment_averages_average_segments(seed, L, P):
    torch.manual_seed(seed)
    module = SegmentAverages(3, 4, P).double()
    clips = torch.randn(L, 3, dtype=torch.float64)
    wanted = [linear(module.value, clips[list(segment(p, P, L))].mean(0)) for p in range(P)]
    assert torch.allclose(module(clips[None], torch.tensor([L]))[0][0], torch.stack(wanted), atol=1e-6)


@torch.no_grad()
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 5))
def test_grade_parsing_is_eq_9_to_11(seed, G, P):
    torch.manual_seed(seed)
    module = GradeParsing(4, 3, G).double()
    procedures = torch.randn(2, P, 4, dtype=torch.float64)
    H_C, H_F, M, attention = module(procedures)
    for b in range(2):
        K = [linear(module.key, x) for x in procedures[b]]
        V = [linear(module.value, x) for x in procedures[b]]
        Q = [linear(module.query, g) for g in module.prototypes]
        coarse = []
        for g in range(G):
            weights = softmax([float(Q[g] @ k) / math.sqrt(3) for k in K])
            assert torch.allclose(attention[b, g], torch.tensor(weights, dtype=torch.float64), atol=1e-6)
            coarse.append(sum(w * v for w, v in zip(weights, V, strict=True)))
        mask = softmax([float(sum(row) / 3) for row in coarse])
        for g in range(G):
            assert torch.allclose(H_C[b, g], coarse[g], atol=1e-6)
            assert abs(float(M[b, g, 0]) - mask[g]) < 1e-6
            assert torch.allclose(H_F[b, g], mask[g] * (coarse[g] - Q[g]), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 7))
def test_graph_regulariser_is_a_mean_of_row_divergences(seed, G):
    prototypes = torch.randn(G, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))

    def angle(i, j):
        a, b = prototypes[i], prototypes[j]
        return math.acos(float(a @ b) / math.sqrt(float(a @ a) * float(b @ b)))

    shares, soft = 0.0, 0.0
    for i in range(G):
        others = [j for j in range(G) if j != i]
        angles, distances = [angle(i, j) for j in others], [abs(i - j) for j in others]
        T, P = ([x / sum(xs) for x in xs] for xs in (distances, angles))
        shares += sum(t * math.log(t / p) for t, p in zip(T, P, strict=True)) / G
        T, P = softmax([-d for d in distances]), softmax([-a for a in angles])
        soft += sum(t * math.log(t / p) for t, p in zip(T, P, strict=True)) / G
    assert abs(float(graph_regulariser(prototypes)) - shares) < 1e-6
    assert abs(float(graph_regulariser(prototypes, "softmax")) - soft) < 1e-6


def arc(G, step):
    angles = torch.arange(G, dtype=torch.float64) * step
    return torch.stack([angles.cos(), angles.sin()], 1)


def test_graph_regulariser_is_zero_on_an_even_arc_and_finite_at_its_ends():
    assert abs(float(graph_regulariser(arc(5, 0.4)))) < 1e-6
    assert abs(float(graph_regulariser(arc(4, 1.0), "softmax"))) < 1e-6  # one radian a grade: at most 4 fit
    same = torch.ones(3, 2, requires_grad=True)
    graph_regulariser(same).backward()
    opposite = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], requires_grad=True)
    graph_regulariser(opposite).backward()
    assert torch.isfinite(same.grad).all() and torch.isfinite(opposite.grad).all()
    assert graph_regulariser(opposite).item() == pytest.approx(0, abs=1e-5)  # a right angle a grade
    assert float(graph_regulariser(arc(3, 0.01))) == pytest.approx(0, abs=1e-6)  # half a degree
    with pytest.raises(CofinalError, match="row_shares"):
        graph_regulariser(arc(3, 1.0), "rows")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 4))
def test_fine_grained_scoring_is_eq_14_and_15(seed, K, G):
    generator = torch.Generator().manual_seed(seed)
    module = FineGrainedScoring(6, K, generator).double()
    H_F = torch.randn(3, G, 6, dtype=torch.float64, generator=generator)
    target = torch.randint(0, K, (3,), generator=generator)
    unit, cosines = module(H_F)
    loss = 0.0
    for b in range(3):
        h = sum(H_F[b]) / G
        products = [float(h @ module.etf[:, j]) for j in range(K)]
        norm = math.sqrt(float(h @ h))
        assert int(cosines[b].argmax()) == max(range(K), key=products.__getitem__)  # Eq. 14, on h itself
        assert torch.allclose(unit[b], h / norm, atol=1e-6)
        assert torch.allclose(cosines[b], torch.tensor(products, dtype=torch.float64) / norm, atol=1e-6)
        loss += (products[target[b]] / norm - 1) ** 2 / (2 * 3)
    assert abs(float(dot_regression_loss(cosines, target)) - loss) < 1e-6


def small(**options):
    return CoFInAlConfig(
        **(dict(feature_dim=6, procedure_dim=8, score_dim=8, n_procedures=3, n_subgrades=5, low=2, high=20) | options)
    )


ARMS = ["", "L_R", "TFM", "GPM", "FGS"]


@pytest.mark.parametrize("without", ARMS)
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30, -7.0])
def test_padding_changes_nothing_to_the_last_bit(without, garbage):
    torch.manual_seed(0)
    model = CoFInAl(small(without=without), torch.Generator().manual_seed(0)).eval()
    lengths = torch.tensor([4, 9, 1])
    features = torch.randn(3, 9, 6)
    padded = torch.full((3, 31, 6), garbage)
    for row, L in enumerate(lengths):
        padded[row, :L] = features[row, :L]
    batch, alone = model(padded, lengths), model(features, lengths)
    for name in alone:
        assert torch.equal(batch[name], alone[name]), name
    single, single_padded = model(features[1:2], lengths[1:2]), model(padded[1:2], lengths[1:2])
    assert torch.equal(single["score_soft"], single_padded["score_soft"])


@pytest.mark.parametrize("without", ARMS)
def test_every_arm_trains_every_parameter_and_scores_within_the_range(without):
    torch.manual_seed(0)
    model = CoFInAl(small(without=without), torch.Generator().manual_seed(0))
    out = model(torch.randn(7, 9, 6), torch.tensor([9, 8, 7, 6, 5, 4, 3]))
    loss = model.loss(out, torch.linspace(1, 21, 7))  # 1 and 21 lie outside and are graded as the nearest end
    weighted = loss["L_S"] + loss["L_C"] + loss["L_F"] + loss["L_R"]
    assert torch.allclose(loss["total"], weighted) and torch.isfinite(weighted)
    loss["total"].backward()
    for name, parameter in model.named_parameters():
        idle = without == "L_R" and parameter.grad is None
        assert idle or parameter.grad.abs().sum() > 0, name
    for decoding in ("soft", "hard"):
        assert ((out[f"score_{decoding}"] >= 2) & (out[f"score_{decoding}"] <= 20)).all()


def test_a_fine_feature_teaches_the_mask_too():
    torch.manual_seed(0)
    module = GradeParsing(5, 4, 3).double()
    procedures = torch.randn(1, 2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: module(x)[1], procedures), "Eq. 10's M has a gradient in Eq. 11"


def test_an_encoders_feed_forward_part_is_three_times_as_wide():
    plain, wide = (count_parameters(EncoderFusion(6, 8, 3, feed_forward=f)) for f in (False, True))
    assert wide - plain == 8 * 24 + 24 + 24 * 8 + 8 + 2 * 8


@pytest.mark.parametrize("unit", ["grade", "range", "point"])
@torch.no_grad()
def test_the_objective_is_eq_1_and_2_with_every_weight_at_its_own_loss(unit):
    torch.manual_seed(0)
    config = small(score_unit=unit, weight_c=2.0, weight_f=3.0, weight_r=5.0)
    model, scores = CoFInAl(config, torch.Generator().manual_seed(0)).eval(), [2.5, 9.0, 19.0]
    out = model(torch.randn(3, 5, 6), torch.tensor([5, 5, 5]))
    loss = {name: float(value) for name, value in model.loss(out, torch.tensor(scores)).items()}
    length = {"grade": 18 / config.n_grades, "range": 18, "point": 1}[unit]
    L_S = sum(((float(p) - s) / length) ** 2 for p, s in zip(out["score_soft"], scores, strict=True)) / (2 * 3)
    grade, subgrade = (i.tolist() for i in model.targets(torch.tensor(scores)).values())
    L_C = -sum(math.log(softmax(out["grade_logits"][b].tolist())[grade[b]]) for b in range(3)) / 3
    L_F = sum((float(out["cosines"][b, subgrade[b]]) - 1) ** 2 for b in range(3)) / (2 * 3)
    L_R = float(graph_regulariser(model.gpm.prototypes))
    assert [loss[name] for name in ("L_S", "L_C", "L_F", "L_R")] == pytest.approx([L_S, L_C, L_F, L_R], rel=1e-4)
    assert loss["total"] == pytest.approx(L_S + 2 * L_C + 3 * L_F + 5 * L_R, rel=1e-4)


def test_hard_scores_are_the_midpoints_of_the_likeliest_level():
    torch.manual_seed(0)
    model = CoFInAl(small(), torch.Generator().manual_seed(0)).eval()
    out = model(torch.randn(4, 5, 6), torch.tensor([5, 5, 5, 5]))
    grade, subgrade = model.config.scale.decompose(out["score_hard"].detach())
    assert (grade == out["grade_logits"].argmax(1).numpy()).all()
    assert (subgrade == out["cosines"].argmax(1).numpy()).all()


def test_the_etf_is_not_trained():
    model = CoFInAl(small(), torch.Generator().manual_seed(0))
    assert "fgs.etf" in dict(model.named_buffers()) and "fgs.etf" not in dict(model.named_parameters())


def test_counts_at_the_papers_sizes():
    """By hand: three projections and their biases, prototypes, the GPM's projections, the MLP."""
    model = CoFInAl(CoFInAlConfig(), torch.Generator().manual_seed(0))
    D_C, D_P, D_S, P, G, K, C = 1024, 512, 256, 5, 4, 20, 68
    fusion = 3 * D_C * D_P + 2 * D_P
    parsing = G * D_P + 3 * D_P * D_S + 2 * D_S
    mlp = G * D_S * D_S + D_S + D_S * G + G
    assert count_parameters(model) == fusion + parsing + mlp
    macs = (
        P * C * D_C * 3  # segment means, logits, attention on clips
        + 3 * P * D_C * D_P  # Q, the move of K's weight, V
        + 2 * G * D_P * D_S + P * D_P * D_S + G * P * (D_P + D_S)  # Q_G, the move of K_G's weight, V_G, Eq. 9
        + G * D_S * D_S + D_S * G + D_S * K  # the coarse classifier and Eq. 14
    )  # fmt: skip
    # (torch does not count the two dot products of the soft decoding)
    assert count_macs(model, C, D_C) == macs


def test_options_that_make_no_sense_are_refused():
    for options in ({"without": "LR"}, {"n_grades": 1}, {"n_subgrades": 1}, {"score_unit": "metre"}):
        with pytest.raises(CofinalError):
            small(**options)
