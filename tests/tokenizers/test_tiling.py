"""Tiles: equal to whole frames where the function is pointwise, and close to them for a network."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError
from toklab.tokenizers.tiling import Tiling, run_tiled, tiling_error
from torch import Tensor
from torch.nn import functional as F

TINY = load_cards()["vidtok-tiny-kl-4chn"]


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    size = draw(st.integers(1, 9))
    return Tiling(size, draw(st.integers(0, size // 2)))


@given(tilings(), st.integers(1, 60))
def test_tiles_cover_every_position_and_overlap(tiling: Tiling, length: int) -> None:
    starts = tiling.starts(length)
    assert starts[0] == 0
    assert starts[-1] == max(0, length - tiling.size)
    assert all(0 < after - before <= tiling.size - tiling.overlap for before, after in itertools.pairwise(starts))


@pytest.mark.slow
@given(tilings(), st.integers(1, 20), st.integers(1, 20), st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_a_pointwise_function_gives_the_same_in_tiles(
    tiling: Tiling, height: int, width: int, lengths: list[int]
) -> None:
    video = torch.rand(2, 3, sum(lengths), 2 * height, 2 * width)

    def halve(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
        return (F.avg_pool3d(piece, (1, 2, 2)) for piece in pieces)

    tiled = torch.cat(list(run_tiled(halve, video.split(lengths, 2), tiling, 2, 1)), 2)
    torch.testing.assert_close(tiled, F.avg_pool3d(video, (1, 2, 2)), atol=1e-6, rtol=1e-6)


def test_weights_rise_linearly_across_an_overlap() -> None:
    tiles = iter([0.0, 1.0])

    def constant(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
        value = next(tiles)
        return (torch.full_like(piece, value) for piece in pieces)

    (blended,) = run_tiled(constant, [torch.zeros(1, 1, 1, 8, 12)], Tiling(8, 4), 1, 1)
    expected = torch.tensor([0, 0, 0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1, 1, 1])
    torch.testing.assert_close(blended[0, 0, 0], expected.expand(8, -1))


@pytest.mark.slow
def test_blending_lowers_the_error_of_tiles() -> None:
    video = torch.rand(1, 3, 5, 128, 128) * 2 - 1
    cut = tiling_error(build_tokenizer(TINY, InferenceSettings(tile_size=64)), video)
    blended = tiling_error(build_tokenizer(TINY, InferenceSettings(tile_size=64, tile_overlap=16)), video)
    assert cut.rms == pytest.approx(0.15, abs=0.02)
    assert blended.rms == pytest.approx(0.07, abs=0.02)


def test_one_tile_is_the_whole() -> None:
    video = torch.rand(1, 3, 5, 24, 40) * 2 - 1
    assert tiling_error(build_tokenizer(TINY, InferenceSettings(tile_size=40, tile_overlap=16)), video) == (0, 0)
    with pytest.raises(TokenizerError, match="isn't tiled"):
        tiling_error(build_tokenizer(TINY), video)


@pytest.mark.slow
def test_tiles_and_chunks_go_together() -> None:
    video = torch.rand(1, 3, 14, 40, 56) * 2 - 1
    tiles = InferenceSettings(tile_size=32, tile_overlap=8)
    tiled = build_tokenizer(TINY, tiles)
    both = build_tokenizer(TINY, replace(tiles, chunk_frames=4))
    expected, encoded = tiled.encode(video), both.encode(video)
    assert encoded.latents is not None
    assert expected.latents is not None
    torch.testing.assert_close(encoded.latents, expected.latents, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(both.decode(encoded), tiled.decode(expected), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    ("tiles", "message"),
    [
        ({"tile_size": 20}, "tile_size must be a multiple of 8 pixels, not 20"),
        ({"tile_size": 32, "tile_overlap": 4}, "tile_overlap must be a multiple of 8"),
    ],
)
def test_tiles_off_the_grid_of_latents_are_refused(tiles: dict[str, int], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        build_tokenizer(TINY, InferenceSettings(**tiles))  # type: ignore[arg-type]
