"""Decoded videos on disk, as arrays that are mapped and not read: random access without decoding."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from .identity import content_id
from .interface import VideoSource
from .readers.choice import open_reader

MAX_BYTES = 1 << 30
"""Of a video; the frames beyond it are left out."""


class DecodedFrames:
    """A cache of whole videos, uint8, with their short side scaled down to ``short_side``.

    Args:
        folder: where arrays lie; made if need be.
        short_side: in pixels; smaller videos stay as they are.
    """

    def __init__(self, folder: Path, short_side: int):
        self._folder = folder
        self._short_side = short_side
        folder.mkdir(parents=True, exist_ok=True)

    def of(self, source: VideoSource) -> tuple[np.ndarray, float]:
        """The frames of a video, (T, H, W, 3) uint8, and its frame rate; decoded on the first call.

        Raises:
            UnreadableVideo: if it can't be opened or decoded.
        """
        stem = f"{content_id(source)}-{self._short_side}"
        facts = self._folder / f"{stem}.json"
        array = self._folder / f"{stem}.npy"
        if not (facts.is_file() and array.is_file()):
            with open_reader(source, "pyav") as reader:
                num_bytes = 0
                frames = []
                for frame in reader:
                    frames.append(self._resized(frame))
                    num_bytes += frames[-1].nbytes
                    if num_bytes > MAX_BYTES:
                        break
                fps = reader.fps
            _write_array(array, np.stack(frames))
            _write_text(facts, json.dumps({"fps": fps}))
        return np.load(array, mmap_mode="r"), float(json.loads(facts.read_text(encoding="utf-8"))["fps"])

    def generated(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The array that ``make`` gives, under a name that tells all it depends on; made on the first call."""
        path = self._folder / f"{name}.npy"
        if not path.is_file():
            _write_array(path, make())
        return np.load(path, mmap_mode="r")

    def _resized(self, frame: np.ndarray) -> np.ndarray:
        short = min(frame.shape[:2])
        if short <= self._short_side:
            return frame
        size = [round(side * self._short_side / short) for side in frame.shape[:2]]
        image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()
        scaled = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
        return scaled[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()


def _write_array(path: Path, array: np.ndarray) -> None:
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with unfinished.open("wb") as file:
            np.save(file, array)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_text(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{os.getpid()}.{path.name}")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)
