"""Chunks and tiles: whatever the cut, an identity comes back whole."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toklab.tokenizers.networks.ldm.chunks import OfficialTiling, overlapping_chunks, run_chunks


@given(num_frames=st.integers(1, 40), stride=st.sampled_from([0, 4, 8, 16]), piece=st.integers(1, 40))
def test_an_identity_in_chunks_gives_the_clip_and_copies_of_its_last_frame(
    num_frames: int, stride: int, piece: int
) -> None:
    x = torch.arange(num_frames, dtype=torch.float32).view(1, 1, -1, 1, 1)
    chunks = list(overlapping_chunks(x.split(piece, 2), stride, 4))
    y = torch.cat(list(run_chunks(lambda chunk: chunk.values, chunks)), 2).flatten()
    assert y[:num_frames].tolist() == list(range(num_frames))
    assert len(y) % 4 == 1
    assert len(y) - num_frames < 4
    assert set(y[num_frames:].tolist()) <= {num_frames - 1}
    assert [chunk.starts for chunk in chunks] == [True] + [False] * (len(chunks) - 1)
    assert [chunk.ends for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    if stride:
        assert len(chunks) == max(1, -(-(num_frames - 1) // stride))
        assert all(chunk.values.shape[2] <= stride + 1 for chunk in chunks)


@given(height=st.integers(1, 40), width=st.integers(1, 40), stops=st.booleans())
def test_an_identity_in_tiles_gives_the_frame(height: int, width: int, stops: bool) -> None:
    x = torch.rand(1, 1, 2, height, width)
    tiling = OfficialTiling(12, 9, 9, 3, stops)
    torch.testing.assert_close(tiling.run(lambda tile: tile, x), x)


def test_tiles_fade_linearly_from_left_to_right() -> None:
    tiling = OfficialTiling(6, 4, 4, 2, stops_at_border=True)
    values = iter([0.0, 1.0])
    y = tiling.run(lambda tile: torch.full_like(tile, next(values)), torch.zeros(1, 1, 1, 6, 10))
    assert y[0, 0, 0, 0].tolist() == [0, 0, 0, 0, 0, 0.5, 1, 1, 1, 1]


@pytest.mark.parametrize(("stops", "starts"), [(True, [0, 9]), (False, [0, 9, 18])])
def test_the_last_tile_is_where_the_official_code_puts_it(stops: bool, starts: list[int]) -> None:
    assert OfficialTiling(12, 9, 9, 3, stops).starts(20) == starts
    assert OfficialTiling(12, 9, 9, 3, stops).starts(9) == [0]
