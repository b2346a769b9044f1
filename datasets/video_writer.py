"""Writing video files: losslessly for keeping and comparing, or as H.264 for viewing."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
import numpy as np

from .atomic_files import replacing

Quality = Literal["lossless", "view", "source"]

LOSSLESS_CODEC = "libx264rgb"
"""H.264 in RGB at quantizer 0: every pixel comes back, and common players show it."""
VIEW_CODEC = "libx264"
VIEW_CRF = "16"
SOURCE_OPTIONS = {"crf": "12", "threads": "1", "x264-params": "cpu-independent=1"}
"""Without the last one, x264's optimized rate control gives other bytes from one run to the next."""


class VideoWriter:
    """Writes a video in pieces; it appears, whole, when the ``with`` block ends without an error."""

    def __init__(self, path: Path, fps: float, quality: Quality = "lossless"):
        """Args: see :func:`write_video`."""
        self._path = path
        self._quality: Quality = quality
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rate = Fraction(fps if fps > 0 else 30.0).limit_denominator(1001)
        self._stream: av.VideoStream | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            unfinished = opened.enter_context(replacing(self._path))
            self._container = av.open(str(unfinished), "w")
            opened.push(self._finish)
            self._opened = opened.pop_all()
        return self

    def write(self, frames: np.ndarray) -> None:
        """Append frames, uint8 RGB, (T, H, W, 3), all of one size."""
        if self._quality != "lossless":
            frames = frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]
        if self._stream is None:
            self._stream = self._open_stream(*frames.shape[1:3])
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            self._container.mux(self._stream.encode(picture))

    def _open_stream(self, height: int, width: int) -> av.VideoStream:
        if self._quality == "lossless":
            options = {"qp": "0", "preset": "fast"}
            stream = self._container.add_stream(LOSSLESS_CODEC, rate=self._rate, options=options)
            stream.pix_fmt = "rgb24"
        else:
            options = {"crf": VIEW_CRF} if self._quality == "view" else SOURCE_OPTIONS
            stream = self._container.add_stream(VIEW_CODEC, rate=self._rate, options=options)
            stream.pix_fmt = "yuv420p"
        stream.height, stream.width = height, width
        return stream

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def _finish(self, kind: type[BaseException] | None, _error: object, _trace: object) -> None:
        """Write what the encoder holds back, if all went well, and close the file."""
        if kind is None and self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()


def write_video(path: Path, frames: np.ndarray, fps: float, quality: Quality = "lossless") -> None:
    """Write frames, whole or not at all.

    Args:
        path: file to write or replace; the ending decides the container.
        frames: uint8 RGB, (T, H, W, 3). Unless ``lossless``, an odd last row or column is cut off.
        fps: frames per second; 30 stands in where the source has none.
        quality: ``lossless``, ``view``, or ``source``: as a good camera compresses, and reproducible.
    """
    with VideoWriter(path, fps, quality) as writer:
        writer.write(frames)
