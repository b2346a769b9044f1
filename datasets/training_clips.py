"""Random clips for training: from any folder of videos, from the synthetic ones, or from both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .decoded_frames import DecodedFrames
from .folder import FolderDataset
from .interface import DatasetUnavailable, UnreadableVideo, VideoSource
from .synthetic_clips import synthetic_clips

LIST_SUFFIX = ".txt"


@dataclass(frozen=True)
class TrainingData:
    """How clips are cut out of videos.

    Raises:
        ValueError: if a value is out of range.
    """

    num_frames: int = 17
    """Frames of a clip."""
    size: int = 64
    """Height and width of a clip, in pixels."""
    short_side: int = 256
    """Videos are kept with their short side scaled to this, smaller ones as they are."""
    scales: tuple[int, ...] = (1, 2)
    """A clip is a square of ``size`` times one of these, averaged down to ``size``; drawn for each clip."""
    strides: tuple[int, ...] = (1,)
    """Frames from one frame of a clip to the next, drawn for each clip; without effect where ``fps`` is set."""
    fps: float = 0.0
    """Frame rate that videos are sampled at: every round(own rate / this)-th frame; 0: all frames."""
    flip: bool = True
    """Whether half of the clips are mirrored."""
    synthetic_share: float = 0.25
    """Share of the clips that are synthetic; all are where there are no videos."""
    synthetic_clips: int = 88
    """Different synthetic clips that are made, once."""

    def __post_init__(self) -> None:
        numbers = (self.num_frames, self.size, self.short_side, self.synthetic_clips, *self.scales, *self.strides)
        if min(numbers) < 1 or not self.scales or not self.strides:
            raise ValueError("training data: counts, sizes, scales and strides are at least 1")
        if not 0 <= self.synthetic_share <= 1 or self.fps < 0:
            raise ValueError("training data: synthetic_share is in [0, 1], and fps not negative")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainingData:
        """From the table of a recipe; raises ``ValueError`` on an unknown name."""
        names = [f.name for f in fields(cls)]
        if unknown := sorted(set(values) - set(names)):
            raise ValueError(f"training data: {unknown[0]} is no key; there are: {', '.join(names)}")
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**given)


def training_sources(place: Path) -> list[VideoSource]:
    """The videos of a folder, or of a text file (``.txt``) that names one a line, relative to the file.

    Raises:
        DatasetUnavailable: if there is nothing at ``place``, or a video that the list names isn't there.
    """
    if place.suffix != LIST_SUFFIX:
        return FolderDataset(place).sources()
    if not place.is_file():
        raise DatasetUnavailable(f"there is no file {place}", "Give a folder of videos, or a text file that lists them")
    sources = []
    for line in place.read_text(encoding="utf-8").splitlines():
        if name := line.strip():
            sources += FolderDataset(place.parent / name).sources()
    return sources


class TrainingClips:
    """Batches of random clips, each a function of (seed, step, process) alone.

    Args:
        data: how clips are cut.
        batch_size: clips of a batch.
        seed: of everything random.
        place: folder or list of videos, see :func:`training_sources`; ``None``: synthetic clips alone.
        cache: folder for decoded frames, kept for later trainings.
        progress: called with (videos ready, videos in all) while they are decoded or made.

    Raises:
        DatasetUnavailable: if there is no video at ``place``.
        UnreadableVideo: if none of them is long enough.
    """

    def __init__(
        self,
        data: TrainingData,
        batch_size: int,
        seed: int,
        place: Path | None,
        cache: Path,
        progress: Callable[[int, int], None] | None = None,
    ):
        self.data = data
        self.batch_size = batch_size
        self.seed = seed
        self.skipped: list[str] = []
        """Videos that were passed over, and why."""
        frames = DecodedFrames(cache, data.short_side)
        self._videos: list[np.ndarray] = []
        self._intervals: list[tuple[int, ...]] = []
        sources = training_sources(place) if place is not None else []
        for number, source in enumerate(sources, start=1):
            self._add(frames, source)
            if progress:
                progress(number, len(sources))
        if sources and not self._videos:
            raise UnreadableVideo(f"{place}: no video gives a clip of {data.num_frames} frames; {self.skipped[0]}")
        self._synthetic = np.empty((0, 0, 0, 0, 3), np.uint8)
        if data.synthetic_share > 0 or not self._videos:
            side = data.size * max(data.scales)
            length = (data.num_frames - 1) * max(data.strides) + 1
            self._synthetic = frames.generated(
                f"synthetic-{data.synthetic_clips}-{length}-{side}",
                lambda: np.stack(list(synthetic_clips(data.synthetic_clips, length, (side, side), progress))),
            )

    @property
    def description(self) -> str:
        """What the clips come from, in words."""
        parts = [f"{len(self._videos)} videos"] if self._videos else []
        if len(self._synthetic):
            share = self.data.synthetic_share if self._videos else 1.0
            parts.append(f"{len(self._synthetic)} synthetic clips ({share:.0%} of the batches)")
        return " and ".join(parts)

    def __call__(self, step: int, process: int = 0) -> Tensor:
        """The batch of a step: (B, 3, T, H, W) float32 in [-1, 1]."""
        digest = hashlib.sha256(f"{self.seed}/{step}/{process}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        return torch.stack([self._clip(rng) for _ in range(self.batch_size)])

    def _add(self, frames: DecodedFrames, source: VideoSource) -> None:
        try:
            video, fps = frames.of(source)
        except UnreadableVideo as error:
            self.skipped.append(str(error))
            return
        wanted = self.data.strides if not self.data.fps else (max(1, round(fps / self.data.fps)),)
        intervals = tuple(i for i in wanted if (self.data.num_frames - 1) * i < len(video))
        if not intervals or min(video.shape[1:3]) < self.data.size:
            self.skipped.append(
                f"{source.key}: {len(video)} frames of {video.shape[2]}×{video.shape[1]} hold no clip of "
                f"{self.data.num_frames} frames and {self.data.size} pixels"
            )
            return
        self._videos.append(video)
        self._intervals.append(intervals)

    def _clip(self, rng: np.random.Generator) -> Tensor:
        data = self.data
        if not self._videos or rng.random() < data.synthetic_share:
            video = self._synthetic[int(rng.integers(len(self._synthetic)))]
            interval = int(rng.choice(data.strides))
        else:
            index = int(rng.integers(len(self._videos)))
            video, interval = self._videos[index], int(rng.choice(self._intervals[index]))
        height, width = video.shape[1:3]
        scale = int(rng.choice([s for s in data.scales if data.size * s <= min(height, width)] or [1]))
        side = data.size * scale
        start = int(rng.integers(len(video) - (data.num_frames - 1) * interval))
        top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
        stop = start + (data.num_frames - 1) * interval + 1
        cut = np.array(video[start:stop:interval, top : top + side, left : left + side])
        clip = torch.from_numpy(cut).permute(0, 3, 1, 2).float()
        if scale > 1:
            clip = F.avg_pool2d(clip, scale)
        if data.flip and rng.random() < 0.5:
            clip = clip.flip(3)
        return (clip / 127.5 - 1).transpose(0, 1).contiguous()
