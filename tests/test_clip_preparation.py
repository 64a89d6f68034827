"""What may stand before and around Eq. 7."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cofinal_lib.clip_preparation import ClipPreparation
from cofinal_lib.cofinal import CoFInAl, CoFInAlConfig
from cofinal_lib.errors import CofinalError
from cofinal_lib.temporal_fusion import EncoderFusion, TemporalFusion

KINDS = ("standardise", "layer_norm", "project")


def batch(seed, lengths, dim=6):
    generator = torch.Generator().manual_seed(seed)
    return 3 + 2 * torch.randn(len(lengths), max(lengths), dim, generator=generator), torch.tensor(lengths)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=2, max_size=5), st.sampled_from(KINDS))
def test_padding_has_no_share_in_the_statistics(seed, lengths, kind):
    features, lengths = batch(seed, lengths)
    padded = torch.cat([features, torch.full((len(features), 4, 6), torch.nan)], dim=1)
    for row, n in zip(padded, lengths, strict=True):
        row[n:] = torch.nan
    torch.manual_seed(seed)
    prepare = ClipPreparation(kind, 6, 5)
    clips, mask = prepare(padded, lengths)
    assert clips.shape == (*mask.shape, 5 if kind == "project" else 6)
    assert (clips[~mask] == 0).all() and clips.isfinite().all()
    alone = torch.cat([row[:n] for row, n in zip(features, lengths, strict=True)])[None]  # every clip once, no padding
    torch.manual_seed(seed)
    expected, _ = ClipPreparation(kind, 6, 5)(alone, torch.tensor([alone.shape[1]]))
    assert torch.allclose(clips[mask], expected[0], atol=1e-5)


def test_standardised_clips_have_mean_0_and_deviation_1_in_training_and_the_same_map_for_everyone_afterwards():
    features, lengths = batch(0, [40, 30])
    prepare = ClipPreparation("standardise", 6, 6)
    clips, mask = prepare(features, lengths)
    assert torch.allclose(clips[mask].mean(0), torch.zeros(6), atol=1e-5)
    assert torch.allclose(clips[mask].std(0, unbiased=False), torch.ones(6), atol=1e-3)
    prepare.eval()
    both, _ = prepare(features, lengths)
    first, _ = prepare(features[:1], lengths[:1])
    assert torch.equal(both[:1, :40], first)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_the_encoder_layer_is_eq_7_with_what_is_added_to_it(seed, feed_forward):
    features, lengths = batch(seed, [7, 4, 9])
    torch.manual_seed(seed)
    layer = EncoderFusion(6, 8, 3, feed_forward=feed_forward)
    plain = TemporalFusion(6, 8, 3)
    plain.load_state_dict({k: v for k, v in layer.state_dict().items() if k.split(".")[0] in ("query", "key", "value")})
    fused, attention = plain(features, lengths)
    pooled = torch.stack(
        [
            torch.stack([clips[p * n // 3 : -(-(p + 1) * n // 3)].mean(0) for p in range(3)])
            for clips, n in zip(features, lengths.tolist(), strict=True)
        ]
    )
    expected = layer.norm(layer.query(pooled) + fused)
    if feed_forward:
        expected = layer.ffn_norm(expected + layer.ffn(expected))
    got, same = layer(features, lengths)
    assert torch.allclose(got, expected, atol=1e-5) and torch.equal(same, attention)


@pytest.mark.parametrize("kind", KINDS)
def test_a_routine_scores_alone_as_it_does_among_others(kind):
    features, lengths = batch(1, [5, 9, 7])
    model = CoFInAl(CoFInAlConfig(6, 8, 8, preparation=kind, encoder="feed_forward", n_subgrades=5)).eval()
    assert not model.stacks
    together = model(features, lengths)["score_soft"]
    alone = torch.cat([model(f[None], n[None])["score_soft"] for f, n in zip(features, lengths, strict=True)])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("wrong", [{"preparation": "whiten"}, {"encoder": "lstm"}])
def test_an_unknown_reading_is_named(wrong):
    with pytest.raises(CofinalError, match=next(iter(wrong.values()))):
        CoFInAlConfig(**wrong)
