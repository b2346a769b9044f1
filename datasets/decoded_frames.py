"""Decoded videos on disk, as arrays that are mapped and not read: random access without decoding."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from .atomic_files import replacing, write_text
from .identity import content_id
from .interface import VideoSource
from .readers.choice import open_reader

MAX_BYTES = 1 << 30
"""Bytes of a video's frames from which on further ones are left out."""

UNUSABLE = (OSError, ValueError, EOFError, KeyError, TypeError)
"""What reading a file of the cache raises that isn't there or is cut off."""


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
        """The frames of a video, (T, H, W, 3) uint8 RGB, and its frame rate in frames/s; decoded on the first call.

        Raises:
            UnreadableVideo: if it can't be opened or decoded.
        """
        stem = f"{content_id(source)}-{self._short_side}"
        facts = self._folder / f"{stem}.json"
        array = self._folder / f"{stem}.npy"
        with suppress(*UNUSABLE):
            return _mapped(array), _noted_rate(facts)
        frames, fps = self._decoded(source)
        _write_array(array, frames)
        write_text(facts, json.dumps({"fps": fps}))
        return _mapped(array), fps

    def generated(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The array that ``make`` gives, under a name that tells all it depends on; made on the first call."""
        path = self._folder / f"{name}.npy"
        with suppress(*UNUSABLE):
            return _mapped(path)
        _write_array(path, make())
        return _mapped(path)

    def _decoded(self, source: VideoSource) -> tuple[np.ndarray, float]:
        with open_reader(source, "pyav") as reader:
            num_bytes = 0
            frames = []
            for frame in reader:
                frames.append(self._resized(frame))
                num_bytes += frames[-1].nbytes
                if num_bytes > MAX_BYTES:
                    break
            return np.stack(frames), reader.fps

    def _resized(self, frame: np.ndarray) -> np.ndarray:
        short = min(frame.shape[:2])
        if short <= self._short_side:
            return frame
        size = [round(side * self._short_side / short) for side in frame.shape[:2]]
        image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()
        scaled = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
        return scaled[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()


def _mapped(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r")


def _noted_rate(path: Path) -> float:
    return float(json.loads(path.read_text(encoding="utf-8"))["fps"])


def _write_array(path: Path, array: np.ndarray) -> None:
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, array)
