"""Short lossless videos of moving stripes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from toklab.datasets.video_writer import write_video

HEIGHT, WIDTH = 40, 56


def write_stripes(path: Path, num_frames: int = 20) -> Path:
    """Write a video of 40×56 pixels at 30 frames a second; the number of frames decides its phase."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    frames = [
        np.stack([(columns * 5 + 7 * t + num_frames) % 256, (rows * 6 + 3 * t) % 256, (rows + columns) % 256], -1)
        for t in range(num_frames)
    ]
    write_video(path, np.stack(frames).astype(np.uint8), 30.0)
    return path
