"""Random clips for training: from any folder of videos, from the synthetic ones, or from both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .decoded_frames import DecodedFrames
from .interface import UnreadableVideo, VideoSource
from .synthetic_clips import VERSION, synthetic_clips
from .training_data import TrainingData
from .training_videos import training_sources


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
            self._synthetic = synthetic_frames(data, frames, progress)

    @property
    def description(self) -> str:
        """What the clips come from, in words."""
        share = self.data.synthetic_share if self._videos else 1.0
        return described(len(self._videos), len(self._synthetic), share)

    def __call__(self, step: int, process: int = 0) -> Tensor:
        """The batch of a step: (B, 3, T, H, W) float32 in [-1, 1]."""
        digest = hashlib.sha256(f"{self.seed}/{step}/{process}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        return torch.stack([self._clip(rng) for _ in range(self.batch_size)])

    def close(self) -> None:
        """Let go of the frames; nothing else is held."""
        self._videos.clear()

    def _add(self, frames: DecodedFrames, source: VideoSource) -> None:
        try:
            video, fps = frames.of(source)
        except UnreadableVideo as error:
            self.skipped.append(str(error))
            return
        if objection := self.data.objection_to(len(video), fps, *video.shape[1:3]):
            self.skipped.append(f"{source.key}: {objection}")
            return
        self._videos.append(video)
        self._intervals.append(self.data.intervals(len(video), fps))

    def _clip(self, rng: np.random.Generator) -> Tensor:
        data = self.data
        if not self._videos or rng.random() < data.synthetic_share:
            return synthetic_clip(self._synthetic, data, rng)
        index = int(rng.integers(len(self._videos)))
        return _random_clip(self._videos[index], int(rng.choice(self._intervals[index])), data, rng)


def synthetic_frames(
    data: TrainingData, frames: DecodedFrames, progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """The synthetic clips of a recipe, (N, T, H, W, 3) uint8; made on the first call, and kept beside ``frames``."""
    side, length = data.size * max(data.scales), data.span(max(data.strides))
    return frames.generated(
        f"synthetic-{VERSION}-{data.synthetic_clips}-{length}-{side}",
        lambda: np.stack(list(synthetic_clips(data.synthetic_clips, length, (side, side), progress))),
    )


def synthetic_clip(synthetic: np.ndarray, data: TrainingData, rng: np.random.Generator) -> Tensor:
    """A clip (3, T, H, W) in [-1, 1] out of :func:`synthetic_frames`, drawn by ``rng``."""
    video = synthetic[int(rng.integers(len(synthetic)))]
    return _random_clip(video, int(rng.choice(data.strides)), data, rng)


def described(num_videos: int, num_synthetic: int, share: float) -> str:
    """What clips come from, in words; ``share`` is that of the synthetic ones."""
    parts = [f"{num_videos} videos"] if num_videos else []
    if num_synthetic:
        parts.append(f"{num_synthetic} synthetic clips ({share:.0%} of the batches)")
    return " and ".join(parts)


def _random_clip(video: np.ndarray, interval: int, data: TrainingData, rng: np.random.Generator) -> Tensor:
    """A clip (3, T, size, size) in [-1, 1] out of (T, H, W, 3) uint8, every ``interval``-th frame of it."""
    height, width = video.shape[1:3]
    scale = int(rng.choice(data.fitting_scales(height, width)))
    side = data.size * scale
    start = int(rng.integers(len(video) - data.span(interval) + 1))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    stop = start + data.span(interval)
    cut = np.array(video[start:stop:interval, top : top + side, left : left + side])
    clip = torch.from_numpy(cut).permute(0, 3, 1, 2).float()
    if scale > 1:
        clip = F.avg_pool2d(clip, scale)
    if data.flip and rng.random() < 0.5:
        clip = clip.flip(3)
    return (clip / 127.5 - 1).transpose(0, 1).contiguous()
