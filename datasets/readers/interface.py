"""What every reader of a video gives: its facts, and its frames by index, exactly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from ..interface import UnreadableVideo

ReaderName = Literal["decord", "pyav", "yuv", "images", "memory"]


@dataclass(frozen=True)
class VideoFacts:
    """What is known of a source before its frames are decoded."""

    num_frames: int
    """Frames the source holds, or announces where it was cut off; at least 1."""
    fps: float
    """Average frame rate, frames/s."""
    width: int
    """Of the frames as they are shown, in pixels."""
    height: int
    reader: ReaderName
    """The reader that was chosen."""
    coding: str = ""
    """How it is stored: a codec, as ``H.264``, ``raw`` or ``images``; empty in memory."""


class VideoReader(ABC):
    """An open source. Frames are uint8 RGB, turned as their rotation metadata says."""

    facts: VideoFacts

    def __init__(self, title: str):
        self.title = title
        """What errors call the source."""

    @property
    def name(self) -> ReaderName:
        """Name of the reader."""
        return self.facts.reader

    @property
    def num_frames(self) -> int:
        """Frames that may be asked for."""
        return self.facts.num_frames

    @property
    def fps(self) -> float:
        """Average frame rate, frames/s."""
        return self.facts.fps

    def frames(self, frame_ids: Sequence[int]) -> np.ndarray:
        """Frames by index, in any order, repeated ones included: (T, H, W, 3) uint8 RGB.

        Raises:
            IndexError: if there is no such frame, or no index at all.
            UnreadableVideo: if a frame can't be decoded.
        """
        if not frame_ids:
            raise IndexError(f"{self.title}: no frame was asked for")
        for frame_id in frame_ids:
            if not 0 <= frame_id < self.num_frames:
                raise IndexError(f"{self.title} has {self.num_frames} frames, so there is no frame {frame_id}")
        return self._frames(frame_ids)

    @abstractmethod
    def _frames(self, frame_ids: Sequence[int]) -> np.ndarray:
        """``frames`` with indices that are known to exist."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Every frame in order, each (H, W, 3) uint8."""
        for frame_id in range(self.num_frames):
            yield self.frames([frame_id])[0]

    def close(self) -> None:
        """Let go of the file."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ForwardReader(VideoReader):
    """A reader that never seeks: it decodes from the start onwards, and starts again to go back.

    Seeking is what readers get wrong (open groups of pictures, inexact indices). Windows are read in order, so
    decoding forwards costs next to nothing. The frames of the last call are kept for windows that overlap.
    """

    def __init__(self, title: str):
        super().__init__(title)
        self._position = 0
        self._kept: dict[int, np.ndarray] = {}

    @abstractmethod
    def _restart(self) -> None:
        """Go back to before the first frame."""

    @abstractmethod
    def _decode_next(self) -> Any:
        """Decode one frame. Raises :class:`UnreadableVideo` at the end or on damaged data."""

    @abstractmethod
    def _to_rgb(self, decoded: Any) -> np.ndarray:
        """(H, W, 3) uint8 RGB of what ``_decode_next`` gave."""

    def _frames(self, frame_ids: Sequence[int]) -> np.ndarray:
        wanted = sorted(set(frame_ids))
        kept = {frame_id: self._kept[frame_id] for frame_id in wanted if frame_id in self._kept}
        missing = [frame_id for frame_id in wanted if frame_id not in kept]
        if missing and missing[0] < self._position:
            self._restart()
            self._position = 0
        for frame_id in missing:
            while self._position < frame_id:
                self._decode_next()
                self._position += 1
            frame = self._to_rgb(self._decode_next())
            self._position += 1
            if (frame.shape[1], frame.shape[0]) != (self.facts.width, self.facts.height):
                raise UnreadableVideo(
                    f"{self.title}: frame {frame_id} is {frame.shape[1]}×{frame.shape[0]} where the video is "
                    f"{self.facts.width}×{self.facts.height}; videos that change size aren't read"
                )
            kept[frame_id] = frame
        self._kept = kept
        return np.stack([kept[frame_id] for frame_id in frame_ids])
