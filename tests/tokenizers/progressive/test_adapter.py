"""Progressive tokenizers behind the tokenizer contract."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.bench.catalog.complexity import count_multiply_adds
from toklab.tokenizers.catalog import build_on_meta, build_tokenizer, load_cards
from toklab.tokenizers.interface import FrameRule, InferenceSettings, TokenizerError
from toklab.tokenizers.progressive.adapter import ProgressiveTokenizer
from toklab.tokenizers.progressive.overlap import cross_fade, cut_chunks
from toklab.tokenizers.tiling import tiling_error

CARDS = load_cards()
TINY = sorted(name for name in CARDS if name.startswith(("progressive-tiny", "direct-tiny")))
OVERLAPPING = InferenceSettings(chunk_frames=17, chunk_mode="official", chunk_overlap=4)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("progressive-4x", 370.2),
        ("progressive-8x", 505.0),
        ("progressive-16x", 639.8),
        ("direct-8x", 504.7),
        ("direct-16x", 639.2),
    ],
)
def test_full_size(name: str, millions: float) -> None:
    modules = torch.nn.ModuleList(build_on_meta(CARDS[name]).modules().values())
    assert all(parameter.is_meta for parameter in modules.parameters())
    assert sum(parameter.numel() for parameter in modules.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.slow
def test_operations_of_the_base() -> None:
    """Twice the multiply-adds of 17 frames of 256 × 256 pixels, in 1e12, as measured on an independent build."""
    counts = count_multiply_adds(build_on_meta(CARDS["progressive-4x"]), 17, 256, 256)
    assert [2 * count / 1e12 for count in counts] == pytest.approx([17.9, 24.8], abs=0.05)


@pytest.mark.parametrize("name", TINY)
def test_any_clip_comes_back_at_its_own_size(name: str) -> None:
    tokenizer = build_tokenizer(CARDS[name])
    for shape in ((1, 3, 17, 16, 16), (2, 3, 6, 20, 11), (1, 3, 1, 8, 8)):
        video = torch.rand(shape) * 2 - 1
        encoded = tokenizer.encode(video)
        assert tokenizer.decode(encoded).shape == video.shape
        assert encoded.kl_nats is not None
        assert encoded.kl_nats.shape == shape[:1]


def test_one_file_serves_every_lower_ratio() -> None:
    highest = build_tokenizer(CARDS["progressive-tiny-16x"])
    assert isinstance(highest, ProgressiveTokenizer)
    state = dict(highest.model.state_dict())
    video = torch.rand(1, 3, 17, 8, 8)
    for name, ratio in (("progressive-tiny-4x", 4), ("progressive-tiny-8x", 8)):
        tokenizer = ProgressiveTokenizer(CARDS[name].spec, CARDS[name].parameters)
        tokenizer.load_state(state)
        latents = tokenizer.encode(video).latents
        assert latents is not None
        assert latents.shape[2] == 1 + 16 // ratio


def test_a_file_of_a_lower_ratio_or_another_architecture_is_refused() -> None:
    lower = build_tokenizer(CARDS["progressive-tiny-4x"])
    assert isinstance(lower, ProgressiveTokenizer)
    for name, missing in (("progressive-tiny-8x", "grow.8"), ("direct-tiny-8x", "extend.8")):
        tokenizer = ProgressiveTokenizer(CARDS[name].spec, CARDS[name].parameters)
        with pytest.raises(TokenizerError, match=f"missing .{missing}"):
            tokenizer.load_state(dict(lower.model.state_dict()))
        with pytest.raises(TokenizerError, match="no weights yet"):
            tokenizer.encode(torch.zeros(1, 3, 1, 8, 8))


@given(num_frames=st.integers(1, 60), overlap=st.integers(0, 8), piece=st.integers(1, 20))
@settings(max_examples=60)
def test_chunks_cover_a_clip_and_fade_back_into_it(num_frames: int, overlap: int, piece: int) -> None:
    clip = torch.rand(1, 2, num_frames, 1, 1)
    chunks = list(cut_chunks(clip.split(piece, 2), 17, overlap))
    assert all(chunk.shape[2] == 17 for chunk in chunks)
    joined = torch.cat(list(cross_fade(chunks, overlap)), 2)
    assert joined.shape[2] == 17 + (17 - overlap) * (len(chunks) - 1)
    assert joined.shape[2] == FrameRule(17 - overlap, 17).next_legal(num_frames)
    torch.testing.assert_close(joined[:, :, :num_frames], clip)
    torch.testing.assert_close(joined[:, :, num_frames:], clip[:, :, -1:].expand_as(joined[:, :, num_frames:]))


def test_shared_frames_are_faded_in_fifths() -> None:
    earlier, later = torch.zeros(1, 1, 17, 1, 1), torch.ones(1, 1, 17, 1, 1)
    joined = torch.cat(list(cross_fade([earlier, later], 4)), 2).flatten()
    torch.testing.assert_close(joined, torch.tensor([0.0] * 13 + [0.2, 0.4, 0.6, 0.8] + [1.0] * 13))


@pytest.mark.parametrize("name", ["progressive-tiny-16x", "direct-tiny-8x"])
@pytest.mark.parametrize("overlap", [0, 4])
def test_chunks_are_coded_on_their_own(name: str, overlap: int) -> None:
    settings = InferenceSettings(chunk_frames=17, chunk_mode="official", chunk_overlap=overlap)
    chunked, whole = build_tokenizer(CARDS[name], settings), build_tokenizer(CARDS[name])
    step = 17 - overlap
    video = torch.rand(1, 3, 17 + step, 8, 8) * 2 - 1
    encoded = chunked.encode(video)
    chunks = [video[:, :, :17], video[:, :, step:]]
    separate = [whole.encode(chunk) for chunk in chunks]
    assert encoded.latents is not None
    torch.testing.assert_close(encoded.latents, torch.cat([e.latents for e in separate if e.latents is not None], 2))
    expected = torch.cat(list(cross_fade([whole.decode(e) for e in separate], overlap)), 2)
    torch.testing.assert_close(chunked.decode(encoded), expected)


@pytest.mark.slow
@given(num_frames=st.integers(1, 48), piece=st.integers(1, 20))
@settings(max_examples=10)
def test_a_stream_gives_what_the_whole_gives(num_frames: int, piece: int) -> None:
    tokenizer = build_tokenizer(CARDS["progressive-tiny-8x"], OVERLAPPING)
    assert isinstance(tokenizer, ProgressiveTokenizer)
    video = torch.rand(1, 3, num_frames, 12, 8) * 2 - 1
    streamed = torch.cat(list(tokenizer.reconstruct_stream(video.split(piece, 2))), 2)
    assert streamed.shape == video.shape
    torch.testing.assert_close(streamed, tokenizer.decode(tokenizer.encode(video)))


@pytest.mark.slow
def test_layers_in_tiles_equal_whole_frames_and_tiled_latents_do_not() -> None:
    video = torch.rand(1, 3, 9, 40, 48) * 2 - 1
    errors = {
        mode: tiling_error(
            build_tokenizer(CARDS["progressive-tiny-8x"], InferenceSettings(tile_size=16, tile_mode=mode)), video
        ).max_abs
        for mode in ("layers", "blend")
    }
    assert errors["layers"] < 1e-4
    assert errors["blend"] > 1e-2


def test_settings_that_cannot_be_honoured_are_refused() -> None:
    for values, message in (
        ({"chunk_frames": 17}, "set chunk_mode=official"),
        ({"chunk_frames": 16, "chunk_mode": "official"}, "1 [+] a multiple of 8, not 16"),
        ({"chunk_overlap": 4}, "more than half of chunk_frames"),
        ({"chunk_frames": 17, "chunk_mode": "official", "chunk_overlap": 9}, "more than half of chunk_frames"),
        ({"tile_size": 12}, "multiple of 8 pixels"),
        ({"tile_mode": "layers"}, "takes tile_size"),
        ({"tile_mode": "layers", "tile_size": 16, "tile_overlap": 8}, "no tile_overlap"),
    ):
        with pytest.raises(TokenizerError, match=message):
            build_tokenizer(CARDS["progressive-tiny-8x"], InferenceSettings.from_mapping(values))
