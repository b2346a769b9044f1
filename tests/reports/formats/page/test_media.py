"""View copies: every frame in its cell, errors of lossless frames."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numbered_video import numbered_frames, read_numbers
from PIL import Image
from toklab.datasets.video_writer import write_video
from toklab.reports.formats.page import media
from toklab.reports.formats.page.media import MediaError, error_sheets, frame_sheets, plan_grid, read_frames


def cells(sheets: tuple[media.Sheet, ...], grid: media.Grid) -> np.ndarray:
    """The frames that lie in the cells of sheets, as the page finds them."""
    pictures = [np.asarray(Image.open(io.BytesIO(sheet.content)).convert("RGB")) for sheet in sheets]
    found = []
    for frame in range(grid.num_frames):
        sheet, inside = divmod(frame, grid.num_per_sheet)
        row, column = divmod(inside, grid.columns)
        top, left = row * grid.stride[0] + media.GUTTER, column * grid.stride[1] + media.GUTTER
        found.append(pictures[sheet][top : top + grid.height, left : left + grid.width])
    return np.stack(found)


@pytest.mark.parametrize("largest", [160, 320, 2048])
def test_cell_n_is_frame_n(largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "LARGEST_SHEET", largest)
    frames = numbered_frames(23)
    sheets = frame_sheets(frames)
    grid = plan_grid(*frames.shape[:3])
    assert len(sheets) == math.ceil(23 / grid.num_per_sheet)
    assert read_numbers(cells(sheets, grid)) == list(range(23))


def test_no_frame_bleeds_into_another() -> None:
    """Frames that alternate between black and white keep their edges."""
    frames = np.zeros((6, 41, 57, 3), np.uint8)
    frames[1::2] = 255
    found = cells(frame_sheets(frames), plan_grid(6, 41, 57)).astype(int)
    assert np.abs(found - frames).max() <= 3


@given(st.integers(1, 400), st.integers(1, 2200), st.integers(1, 2200))
def test_sheets_hold_every_frame_once(num_frames: int, height: int, width: int) -> None:
    grid = plan_grid(num_frames, height, width)
    assert grid.stride[0] >= height + 2 * media.GUTTER
    assert grid.stride[1] >= width + 2 * media.GUTTER
    assert grid.columns == 1 or grid.columns * grid.stride[1] <= media.LARGEST_SHEET
    assert grid.rows == 1 or grid.rows * grid.stride[0] <= media.LARGEST_SHEET
    assert grid.rows <= math.ceil(num_frames / grid.columns)


def test_errors_are_those_of_the_lossless_frames() -> None:
    reference = numbered_frames(3)
    changed = reference.astype(np.int16)
    changed[:, 10:20, 30:60] += np.where(reference[:, 10:20, 30:60] > 127, -24, 24)
    sheets = error_sheets(changed.astype(np.uint8), reference)
    found = cells(sheets, plan_grid(*reference.shape[:3])).mean(-1)
    assert found[:, 13:17, 35:55] == pytest.approx(24 * media.ERROR_GAIN, abs=6)
    assert found[:, 40:].max() <= 6


def test_large_errors_are_white_and_shapes_must_agree() -> None:
    black, white = np.zeros((1, 32, 32, 3), np.uint8), np.full((1, 32, 32, 3), 255, np.uint8)
    assert cells(error_sheets(black, white), plan_grid(1, 32, 32)).min() >= 250
    with pytest.raises(MediaError, match="the reconstruction is 1 frames of 32×32, the reference 2 frames of 32×32"):
        error_sheets(black, np.concatenate([white, white]))


def test_kept_videos_come_back_exactly_and_damaged_ones_say_so(tmp_path: Path) -> None:
    frames = numbered_frames(5)
    write_video(tmp_path / "kept.mkv", frames, 30.0, "lossless")
    assert np.array_equal(read_frames(tmp_path / "kept.mkv"), frames)
    (tmp_path / "cut.mkv").write_bytes((tmp_path / "kept.mkv").read_bytes()[:100])
    for name in ("cut.mkv", "absent.mkv"):
        with pytest.raises(MediaError, match=f"the kept video {name} "):
            read_frames(tmp_path / name)


def test_copies_of_charts_are_no_wider_than_the_page_shows() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (3600, 900), (10, 120, 200, 255)).save(file, "PNG")
    copy = Image.open(io.BytesIO(media.picture_copy(file.getvalue())))
    assert copy.size == (1800, 450)
    assert np.asarray(copy.convert("RGB"))[200, 900].tolist() == pytest.approx([10, 120, 200], abs=6)
