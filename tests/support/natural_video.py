"""Video that looks like a photograph: a view that moves over one picture, with another picture moving across it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numbered_video import run_ffmpeg
from skimage import data

HEIGHT, WIDTH = 160, 256


def natural_frames(num_frames: int) -> np.ndarray:
    """(T, 160, 256, 3) uint8."""
    background, cat = data.astronaut(), data.chelsea()[100:160, 150:230]
    frames = np.empty((num_frames, HEIGHT, WIDTH, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:] = background[60 + number : 60 + number + HEIGHT, 100 + 2 * number : 100 + 2 * number + WIDTH]
        frame[50:110, 10 + 3 * number : 90 + 3 * number] = cat
    return frames


def write_natural(path: Path, num_frames: int, *options: str, fps: str = "30") -> Path:
    """Encode natural frames; ``options`` are FFmpeg's for the output."""
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", fps, "-i", "-")
    run_ffmpeg(*raw, *options, path, data=natural_frames(num_frames).tobytes())
    return path
