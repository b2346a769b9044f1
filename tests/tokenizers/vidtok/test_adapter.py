"""VidTok behind the tokenizer contract."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError
from toklab.tokenizers.vidtok.adapter import VidTokTokenizer
from toklab.tokenizers.vidtok.config import VidTokConfig

CARDS = load_cards()
TINY = [name for name, card in CARDS.items() if name.startswith("vidtok-tiny")]


@pytest.mark.parametrize("name", TINY)
def test_any_clip_comes_back_at_its_own_size(name: str) -> None:
    tokenizer = build_tokenizer(CARDS[name])
    for shape in ((1, 3, 17, 16, 16), (2, 3, 6, 20, 11), (1, 3, 1, 8, 8)):
        video = torch.rand(shape) * 2 - 1
        encoded = tokenizer.encode(video)
        assert tokenizer.decode(encoded).shape == video.shape
        assert encoded.latents is not None
        positions = encoded.latents[0, 0].numel()
        if tokenizer.spec.codebook_size is not None:
            assert encoded.codebook_sizes == (tokenizer.spec.codebook_size,)
            assert encoded.codes[0].dtype == torch.int64
            assert encoded.codes[0].shape == (shape[0], *encoded.latents.shape[2:])
            assert encoded.bits[0] == positions * math.log2(tokenizer.spec.codebook_size)
        else:
            assert encoded.kl_nats is not None
            assert encoded.kl_nats.shape == shape[:1]
            assert encoded.bits[0] == 16 * positions * (tokenizer.spec.latent_channels or 0)


def test_codes_alone_decode_to_the_same_clip() -> None:
    tokenizer = build_tokenizer(CARDS["vidtok-tiny-fsq-32768"])
    encoded = tokenizer.encode(torch.rand(1, 3, 5, 16, 16))
    torch.testing.assert_close(tokenizer.decode(replace(encoded, latents=None)), tokenizer.decode(encoded))


def test_samples_follow_the_generator_of_each_clip() -> None:
    tokenizer = build_tokenizer(CARDS["vidtok-tiny-kl-4chn"], InferenceSettings(posterior="sample"))
    video = torch.rand(2, 3, 5, 16, 16)

    def latents(clips: torch.Tensor, seeds: list[int]) -> torch.Tensor:
        encoded = tokenizer.encode(clips, [torch.Generator().manual_seed(seed) for seed in seeds])
        assert encoded.latents is not None
        return encoded.latents

    both = latents(video, [1, 2])
    torch.testing.assert_close(both[1:], latents(video[1:], [2]))
    assert not torch.allclose(both[1:], latents(video[1:], [3]))


def test_random_weights_repeat_and_leave_the_generator_alone() -> None:
    card = CARDS["vidtok-tiny-kl-4chn"]
    video = torch.rand(1, 3, 5, 16, 16)
    before = torch.get_rng_state()
    first = build_tokenizer(card)
    assert torch.equal(before, torch.get_rng_state())
    latents = first.encode(video).latents
    again = build_tokenizer(card).encode(video).latents
    assert latents is not None
    assert again is not None
    assert torch.equal(latents, again)
    assert "random (seed 0" in first.spec.weights


def test_official_initialization_starts_temporal_blocks_at_the_identity() -> None:
    weights = build_tokenizer(CARDS["vidtok-tiny-kl-4chn"]).modules()["encoder"].state_dict()
    assert weights["down_temporal.0.block.0.conv2.conv.weight"].count_nonzero() == 0
    assert weights["down_temporal.1.downsample.mix_factor"].tolist() == [2.0]


def test_precision_reaches_weights_and_comes_back_as_float32() -> None:
    tokenizer = build_tokenizer(CARDS["vidtok-tiny-kl-4chn"], InferenceSettings(precision="bfloat16"))
    assert {p.dtype for p in tokenizer.modules()["encoder"].parameters()} == {torch.bfloat16}
    assert tokenizer.decode(tokenizer.encode(torch.rand(1, 3, 5, 16, 16))).dtype == torch.float32


def test_a_tokenizer_without_weights_says_so() -> None:
    card = CARDS["vidtok-tiny-kl-4chn"]
    tokenizer = VidTokTokenizer(card.spec, card.parameters)
    with pytest.raises(TokenizerError, match="no weights yet"):
        tokenizer.encode(torch.zeros(1, 3, 1, 8, 8))


def test_parameters_must_build_what_the_spec_says() -> None:
    card = CARDS["vidtok-tiny-kl-4chn"]
    with pytest.raises(TokenizerError, match="latent_channels 16, not 4"):
        VidTokTokenizer(replace(card.spec, latent_channels=16), card.parameters)


def test_cards_of_v1_1_differ_from_v1_0_by_variant_alone() -> None:
    old = VidTokConfig.from_parameters(CARDS["vidtok_kl_causal_488_4chn"].parameters)
    new = VidTokConfig.from_parameters(CARDS["vidtok_kl_causal_488_4chn_v1_1"].parameters)
    assert replace(old, variant="causal_v1_1", interpolation_mode="trilinear") == new
