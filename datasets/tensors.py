"""Clips that are in memory already: tensors in place of video files, each one window, measured as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from .interface import Clip, Dataset, FailedClip, VideoSource, Window
from .protocol import Protocol
from .readers.interface import VideoFacts
from .source_plan import SourcePlan

TENSOR_PROTOCOL = Protocol(
    name="tensors",
    sample_fps="native",
    chunk_size=1,
    long_video=True,
    tail="drop",
    size_multiple=1,
    resize="none",
    resize_filter="bilinear",
    antialias=False,
    crop="top-left",
    round_to_uint8=False,
)
"""The protocol of clips from memory: all frames of each, at their own size, neither resized nor rounded."""

TENSOR_FPS = 30.0
"""Frame rate written beside clips from memory, which carry none; no figure depends on it."""


@dataclass(frozen=True)
class TensorClip:
    """One tensor as a clip."""

    key: str
    content_id: str
    """SHA-256 of shape, type and values, hexadecimal."""
    video: Tensor
    """(3, T, H, W), uint8 or float in [-1, 1], as it was given."""

    @property
    def plan(self) -> SourcePlan:
        """The clip as the only window of its source."""
        _, num_frames, height, width = self.video.shape
        facts = VideoFacts(num_frames, TENSOR_FPS, width, height, "memory")
        source = VideoSource(self.key, Path(self.key), fps=TENSOR_FPS)
        return SourcePlan(source, self.content_id, facts, (Window(0, tuple(range(num_frames))),))

    def as_floats(self) -> Tensor:
        """(3, T, H, W) float32 in [-1, 1] on the CPU."""
        video = self.video.detach().to("cpu")
        return (video.float() / 255 - 0.5) / 0.5 if video.dtype == torch.uint8 else video.float().clone()


class TensorDataset(Dataset):
    """Clips that are in memory."""

    name = "tensors"

    def __init__(self, videos: Iterable[Tensor]):
        """Check and hash every tensor; they stay where they are and must not change meanwhile.

        Args:
            videos: each (3, T, H, W), uint8 in [0, 255] or float in [-1, 1].

        Raises:
            ValueError: naming the first tensor of another shape, type or range.
        """
        self.clips = tuple(_checked(index, video) for index, video in enumerate(videos))
        if not self.clips:
            raise ValueError("no tensors were given; give at least one clip (3, T, H, W)")

    def sources(self) -> list[VideoSource]:
        """One source a tensor, in the order they were given."""
        return [clip.plan.source for clip in self.clips]


class TensorStream:
    """The clips of a :class:`TensorDataset` in order: what a clip stream is to files."""

    def __init__(
        self,
        clips: Sequence[TensorClip],
        *,
        skip: Callable[[str, str, Window], bool] | None = None,
    ):
        """Args: the clips; and which windows are left out, by key, content and window."""
        self._clips = clips
        self._skip = skip

    def plans(self) -> Iterator[SourcePlan | FailedClip]:
        """Every clip as a source of one window."""
        return (clip.plan for clip in self._clips)

    def __iter__(self) -> Iterator[Clip | FailedClip]:
        for clip in self._clips:
            plan = clip.plan
            (window,) = plan.windows
            if self._skip is None or not self._skip(clip.key, clip.content_id, window):
                yield Clip(clip.key, clip.content_id, window, 1, plan.fps, "memory", clip.as_floats())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


def _checked(index: int, video: Tensor) -> TensorClip:
    name = f"clip {index}"
    if not isinstance(video, Tensor):
        raise ValueError(f"{name} is a {type(video).__name__}, not a tensor (3, T, H, W)")
    if video.ndim == 5:
        raise ValueError(f"{name} has 5 dimensions: give the clips of a batch one by one, each (3, T, H, W)")
    if video.ndim != 4 or video.shape[0] != 3 or 0 in video.shape:
        raise ValueError(f"{name} has shape {tuple(video.shape)}, not (3, T, H, W)")
    if video.dtype != torch.uint8:
        if not video.is_floating_point():
            raise ValueError(f"{name} is {video.dtype}; give uint8, or floats in [-1, 1]")
        if not video.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinite values")
        low, high = video.min().item(), video.max().item()
        if low < -1 or high > 1:
            raise ValueError(f"{name} has values from {low:g} to {high:g}; give uint8, or floats in [-1, 1]")
    return TensorClip(f"{index:06d}", _content_id(video), video)


def _content_id(video: Tensor) -> str:
    digest = hashlib.sha256(f"{video.dtype}:{tuple(video.shape)}:".encode())
    digest.update(video.detach().to("cpu").contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
