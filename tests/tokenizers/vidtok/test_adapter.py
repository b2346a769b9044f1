"""VidTok behind the tokenizer contract."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from live_tensors import live_tensor_bytes
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError
from toklab.tokenizers.streaming import join_encoded
from toklab.tokenizers.vidtok.adapter import VidTokTokenizer
from toklab.tokenizers.vidtok.config import VidTokConfig

CARDS = load_cards()
V1_1 = [name for name in CARDS if name.endswith("_v1_1")]
TINY = [name for name, card in CARDS.items() if name.startswith("vidtok-tiny")]


@pytest.mark.slow
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


def test_official_initialization_starts_temporal_blocks_at_the_identity() -> None:
    weights = build_tokenizer(CARDS["vidtok-tiny-kl-4chn"]).modules()["encoder"].state_dict()
    assert weights["down_temporal.0.block.0.conv2.conv.weight"].count_nonzero() == 0
    assert weights["down_temporal.1.downsample.mix_factor"].tolist() == [2.0]


def test_parameters_must_build_what_the_spec_says() -> None:
    card = CARDS["vidtok-tiny-kl-4chn"]
    with pytest.raises(TokenizerError, match="latent_channels 16, not 4"):
        VidTokTokenizer(replace(card.spec, latent_channels=16), card.parameters)


def test_cards_of_v1_1_differ_from_v1_0_by_variant_alone() -> None:
    old = VidTokConfig.from_parameters(CARDS["vidtok_kl_causal_488_4chn"].parameters)
    new = VidTokConfig.from_parameters(CARDS["vidtok_kl_causal_488_4chn_v1_1"].parameters)
    assert replace(old, variant="causal_v1_1", interpolation_mode="trilinear") == new


def narrow(name: str, settings: InferenceSettings | None = None) -> VidTokTokenizer:
    """The network of a card with 8 channels at its widest resolution."""
    card = CARDS[name]
    tokenizer = VidTokTokenizer(card.spec, {**card.parameters, "ch": 8, "num_res_blocks": 1}, settings)
    tokenizer.init_random(0)
    return tokenizer


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", V1_1)
def test_chunks_give_what_the_whole_clip_gives_for_any_length(name: str) -> None:
    whole = narrow(name)
    chunked = narrow(name, InferenceSettings(chunk_frames=16))
    side = whole.spec.spatial_compression
    for num_frames in (1, 2, 17, 18, 34, 49):
        video = torch.rand(1, 3, num_frames, side, side) * 2 - 1
        expected, encoded = whole.encode(video), chunked.encode(video)
        assert encoded.latents is not None
        assert expected.latents is not None
        torch.testing.assert_close(encoded.latents, expected.latents, atol=1e-4, rtol=0)
        assert all(map(torch.equal, encoded.codes, expected.codes))
        assert encoded.bits == expected.bits
        decoded = chunked.decode(encoded)
        assert decoded.shape == video.shape
        torch.testing.assert_close(decoded, whole.decode(expected), atol=1e-4, rtol=0)
        pieces = list(chunked.reconstruct_stream(video.split(7, 2)))
        assert max(piece.shape[2] for piece in pieces) <= 16 + whole.spec.temporal_compression
        torch.testing.assert_close(torch.cat(pieces, 2), decoded, atol=1e-4, rtol=0)


def test_a_stream_gives_what_encode_and_decode_give() -> None:
    settings = InferenceSettings(posterior="sample", chunk_frames=8, chunk_mode="official")
    tokenizer = narrow("vidtok_kl_causal_488_4chn_v1_1", settings)
    video = torch.rand(2, 3, 22, 20, 12) * 2 - 1

    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in (1, 2)]

    encoded = tokenizer.encode(video, generators())
    pieces = list(tokenizer.encode_stream(video.split(5, 2), generators()))
    joined = join_encoded(pieces)
    assert len(pieces) > 2
    assert (joined.num_frames, joined.height, joined.width) == (22, 20, 12)
    assert joined.latents is not None
    assert encoded.latents is not None
    assert joined.kl_nats is not None
    assert encoded.kl_nats is not None
    torch.testing.assert_close(joined.latents, encoded.latents)
    torch.testing.assert_close(joined.kl_nats, encoded.kl_nats)
    decoded = torch.cat(list(tokenizer.decode_stream(pieces)), 2)
    torch.testing.assert_close(decoded, tokenizer.decode(encoded), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_the_state_of_a_stream_does_not_grow() -> None:
    tokenizer = narrow("vidtok_kl_causal_488_4chn_v1_1", InferenceSettings(chunk_frames=8, tile_size=16))
    frames = (torch.zeros(1, 3, 8, 24, 24) for _ in range(12))
    held = {}
    for index, piece in enumerate(tokenizer.reconstruct_stream(frames)):
        del piece
        if index in (3, 6, 10):
            held[index] = live_tensor_bytes()
    assert held[3] == max(held.values())


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("vidtok_kl_causal_488_4chn", {"chunk_frames": 16, "chunk_mode": "official"}, "use the mode exact"),
        ("vidtok_kl_noncausal_488_4chn", {"chunk_frames": 16}, "can't be streamed"),
        ("vidtok_fsq_causal_888_32768_v1_1", {"chunk_frames": 12}, "multiple of 8 frames, not 12"),
        ("bicubic-4chn", {"chunk_frames": 16, "tile_size": 64}, "doesn't support .* chunk_frames, tile_size"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        build_on_meta(CARDS[name], InferenceSettings(**settings))


def test_a_tokenizer_without_chunks_refuses_a_stream() -> None:
    with pytest.raises(TokenizerError, match="set chunk_frames"):
        next(narrow("vidtok_kl_causal_488_4chn_v1_1").reconstruct_stream([torch.zeros(1, 3, 1, 8, 8)]))
