"""View copies of kept clips: sheets of compressed frames in which frame n is exactly frame n.

A browser can't seek to an exact frame of a video, but it can draw any part of a picture. So the frames of a clip lie in
the cells of large pictures (sheets), row by row. Maps of the error are made here, from the lossless frames, because
what the compression of a view copy adds would look like an error of the tokenizer.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np
from PIL import Image

from ...charts.strips import error_map

FRAME_QUALITY = 80
"""WebP quality of frames."""
ERROR_QUALITY = 25
"""WebP quality of maps of the error."""
CHART_QUALITY = 85
"""WebP quality of charts."""
WIDEST_CHART = 1800
"""Pixels."""
ENCODER_EFFORT = 2
"""From 0, fast, to 6, small."""
ERROR_GAIN = 4
"""An error of 1 / 4 of the range or more is white."""
LARGEST_SHEET = 2048
"""Pixels that a side of a sheet may have, unless a single frame has more."""
BLOCK = 16
"""Pixels of a side of WebP's blocks."""
GUTTER = 8
"""Pixels around every frame, at least, which repeat its edge: no frame bleeds into another."""


class MediaError(ValueError):
    """Why a kept clip can't be shown: its file is damaged, or doesn't fit the reference."""


@dataclass(frozen=True)
class Grid:
    """How the frames of a clip lie in its sheets; frame n is in sheet n // (columns · rows)."""

    num_frames: int
    height: int
    """Of a frame, in pixels."""
    width: int
    columns: int
    rows: int

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels from one frame to the next, down and across."""
        return _stride(self.height), _stride(self.width)

    @property
    def num_per_sheet(self) -> int:
        """Frames in a full sheet."""
        return self.columns * self.rows


@dataclass(frozen=True)
class Sheet:
    """A picture of several frames, as a WebP file."""

    content: bytes

    @property
    def name(self) -> str:
        """Of its file, from its content."""
        return f"{hashlib.sha256(self.content).hexdigest()[:20]}.webp"


def plan_grid(num_frames: int, height: int, width: int) -> Grid:
    """Sheets that are about square, and no larger than :data:`LARGEST_SHEET`."""
    down, across = _stride(height), _stride(width)
    most_columns, most_rows = max(1, LARGEST_SHEET // across), max(1, LARGEST_SHEET // down)
    columns = min(most_columns, max(1, math.ceil(math.sqrt(num_frames * down / across))))
    return Grid(num_frames, height, width, columns, min(most_rows, math.ceil(num_frames / columns)))


def read_frames(path: Path) -> np.ndarray:
    """The frames of a lossless video, uint8 RGB, (T, H, W, 3); raises :class:`MediaError`."""
    try:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"the kept video {path.name} can't be read: {error}") from error
    if not frames:
        raise MediaError(f"the kept video {path.name} has no frames")
    return np.stack(frames)


def frame_sheets(frames: np.ndarray) -> tuple[Sheet, ...]:
    """View copies of frames, uint8 RGB, (T, H, W, 3)."""
    return tuple(_sheets(frames, FRAME_QUALITY))


def error_sheets(frames: np.ndarray, reference: np.ndarray) -> tuple[Sheet, ...]:
    """View copies of the maps of the error between equally many frames of one size, uint8 RGB, (T, H, W, 3).

    A map is the absolute difference, averaged over the channels, times :data:`ERROR_GAIN`, in grey.

    Raises:
        MediaError: if the shapes differ.
    """
    if frames.shape != reference.shape:
        raise MediaError(f"the reconstruction is {_shape(frames)}, the reference {_shape(reference)}")
    maps = np.stack([_grey(error_map(one, other)) for one, other in zip(reference, frames, strict=True)])
    return tuple(_sheets(maps, ERROR_QUALITY))


def _grey(error: np.ndarray) -> np.ndarray:
    return np.minimum(np.rint(error * ERROR_GAIN), 255).astype(np.uint8)


def _sheets(frames: np.ndarray, quality: int) -> Iterator[Sheet]:
    grid = plan_grid(*frames.shape[:3])
    for start in range(0, grid.num_frames, grid.num_per_sheet):
        picture = Image.fromarray(_tiled(frames[start : start + grid.num_per_sheet], grid))
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=quality, method=ENCODER_EFFORT)
        yield Sheet(file.getvalue())


def _tiled(frames: np.ndarray, grid: Grid) -> np.ndarray:
    down, across = grid.stride
    num_rows = math.ceil(len(frames) / grid.columns)
    sheet = np.zeros((num_rows * down, grid.columns * across, *frames.shape[3:]), dtype=np.uint8)
    padding = [(GUTTER, down - grid.height - GUTTER), (GUTTER, across - grid.width - GUTTER)]
    padding += [(0, 0)] * (frames.ndim - 3)
    for index, frame in enumerate(frames):
        row, column = divmod(index, grid.columns)
        place = sheet[row * down : (row + 1) * down, column * across : (column + 1) * across]
        place[...] = np.pad(frame, padding, mode="edge")
    return sheet


def _stride(side: int) -> int:
    return math.ceil((side + 2 * GUTTER) / BLOCK) * BLOCK


def _shape(frames: np.ndarray) -> str:
    num_frames, height, width = frames.shape[:3]
    return f"{num_frames} frames of {height}×{width}"


def picture_copy(picture: bytes) -> bytes:
    """A picture for the page: compressed, and no wider than :data:`WIDEST_CHART`."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    if image.width > WIDEST_CHART:
        height = max(1, round(image.height * WIDEST_CHART / image.width))
        image = image.resize((WIDEST_CHART, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=CHART_QUALITY, method=ENCODER_EFFORT)
    return file.getvalue()
