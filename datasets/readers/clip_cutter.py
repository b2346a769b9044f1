"""What a child does for a streamed training clip: cut a random window out of a video, scale and crop it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..interface import UnreadableVideo
from ..training_data import TrainingData
from ..training_videos import TrainingVideo
from .choice import open_reader
from .interface import VideoReader
from .seeking import ByteRange, SeekingReader


@dataclass(frozen=True)
class ClipRequest:
    """How a clip is cut."""

    data: TrainingData
    generator: np.random.Generator
    """Draws the window, the crop and whether it is mirrored."""


class UnusableVideo(UnreadableVideo):
    """A video that gives no clip, whichever window of it is drawn."""


class CutClip(NamedTuple):
    """A training clip."""

    frames: np.ndarray
    """(T, size, size, 3) uint8."""
    num_decoded: int
    """Frames that were decoded for it, those before its window included."""


def cut_clip(video: TrainingVideo, request: ClipRequest) -> CutClip:
    """Draw a clip from a video.

    Raises:
        UnusableVideo: if it can't be opened, or holds no clip of this length and size.
        UnreadableVideo: if the window that was drawn can't be decoded.
    """
    data, generator = request.data, request.generator
    try:
        reader = _open(video)
    except UnreadableVideo as error:
        raise UnusableVideo(str(error)) from error
    ratio = min(1.0, data.short_side / min(reader.height, reader.width))
    scaled_height, scaled_width = (round(side * ratio) for side in (reader.height, reader.width))
    if objection := data.objection_to(reader.num_frames, reader.fps, scaled_height, scaled_width):
        raise UnusableVideo(f"{video.title}: {objection}")
    interval = int(generator.choice(data.intervals(reader.num_frames, reader.fps)))
    start = int(generator.integers(reader.num_frames - data.span(interval) + 1))
    frames = _scaled(reader.frames(start, interval, data.num_frames), data.short_side, video.title)
    return CutClip(_cropped(frames, data, generator), reader.num_decoded)


def _open(video: TrainingVideo) -> SeekingReader | _ExactReader:
    if video.source.kind != "video":
        return _ExactReader(open_reader(video.source))
    part = ByteRange(video.offset, video.num_bytes) if video.num_bytes else None
    return SeekingReader(video.path, video.title, part)


class _ExactReader:
    """Raw video and images, whose frames are found at once."""

    def __init__(self, reader: VideoReader):
        self._reader = reader
        self.num_frames, self.fps = reader.num_frames, reader.fps
        self.height, self.width = reader.facts.height, reader.facts.width
        self.num_decoded = 0

    def frames(self, start: int, interval: int, count: int) -> Iterator[np.ndarray]:
        with self._reader:
            self.num_decoded = count
            yield from self._reader.frames(range(start, start + (count - 1) * interval + 1, interval))


def _scaled(frames: Iterator[np.ndarray], short_side: int, title: str) -> Tensor:
    """Frames with their short side scaled down to ``short_side``: (T, 3, H, W) uint8."""
    scaled: list[Tensor] = []
    for frame in frames:
        image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)
        short = min(image.shape[1:])
        if short > short_side:
            size = [round(side * short_side / short) for side in image.shape[1:]]
            # On bytes this is several times as fast as on floats, and less than one level off.
            image = F.interpolate(image[None], size, mode="bilinear", antialias=True, align_corners=False)[0]
        if scaled and image.shape != scaled[0].shape:
            raise UnreadableVideo(f"{title}: its frames change size within the clip")
        scaled.append(image)
    return torch.stack(scaled)


def _cropped(frames: Tensor, data: TrainingData, generator: np.random.Generator) -> np.ndarray:
    """A random square of frames (T, 3, H, W) uint8, averaged down to the clip's size: (T, size, size, 3) uint8."""
    height, width = frames.shape[2:]
    scale = int(generator.choice(data.fitting_scales(height, width)))
    side = data.size * scale
    top, left = int(generator.integers(height - side + 1)), int(generator.integers(width - side + 1))
    square = frames[:, :, top : top + side, left : left + side]
    if scale > 1:
        square = F.avg_pool2d(square.float(), scale).round().byte()
    if data.flip and generator.random() < 0.5:
        square = square.flip(3)
    return square.permute(0, 2, 3, 1).contiguous().numpy()
