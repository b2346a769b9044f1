"""Writing video files: losslessly for keeping and comparing, or as H.264 for viewing."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

Quality = Literal["lossless", "view", "source"]

LOSSLESS_CODEC = "libx264rgb"
"""H.264 in RGB at quantizer 0: every pixel comes back, and common players show it."""
VIEW_CODEC = "libx264"
VIEW_CRF = "16"
SOURCE_OPTIONS = {"crf": "12", "threads": "1", "x264-params": "cpu-independent=1"}
"""Without the last one, x264's optimized rate control gives other bytes from one run to the next."""


def write_video(path: Path, frames: np.ndarray, fps: float, quality: Quality = "lossless") -> None:
    """Write frames, whole or not at all.

    Args:
        path: file to write or replace; the ending decides the container.
        frames: uint8 RGB, (T, H, W, 3). Unless ``lossless``, an odd last row or column is cut off.
        fps: frames per second; 30 stands in where the source has none.
        quality: ``lossless``, ``view``, or ``source``: as a good camera compresses, and reproducible.
    """
    if quality != "lossless":
        frames = frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with av.open(str(unfinished), "w") as container:
            rate = Fraction(fps if fps > 0 else 30.0).limit_denominator(1001)
            if quality == "lossless":
                stream = container.add_stream(LOSSLESS_CODEC, rate=rate, options={"qp": "0", "preset": "fast"})
                stream.pix_fmt = "rgb24"
            else:
                stream = container.add_stream(
                    VIEW_CODEC, rate=rate, options={"crf": VIEW_CRF} if quality == "view" else SOURCE_OPTIONS
                )
                stream.pix_fmt = "yuv420p"
            stream.height, stream.width = frames.shape[1:3]
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
