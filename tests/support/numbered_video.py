"""Videos whose frames carry their number as black and white blocks, so that a decoded frame tells which one it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np

HEIGHT, WIDTH, BLOCK = 64, 128, 16


def numbered_frames(num_frames: int) -> np.ndarray:
    """(T, 64, 128, 3) uint8: a moving ramp above, eight blocks with the number's bits below."""
    ramp = np.linspace(0, 255, WIDTH)
    frames = np.zeros((num_frames, HEIGHT, WIDTH, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:, :, 0] = np.roll(ramp, 3 * number)
        frame[:, :, 1] = np.roll(ramp, -2 * number)
        for bit in range(8):
            frame[-BLOCK:, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return frames


def read_numbers(frames: np.ndarray) -> list[int]:
    """The numbers that frames (T, 64, 128, 3) carry."""
    middle = frames[:, -BLOCK + 4 : -4, :, :].mean(axis=(1, 3)).reshape(len(frames), 8, BLOCK)[:, :, 4:-4].mean(axis=2)
    return [int(sum(1 << bit for bit in range(8) if row[bit] > 127)) for row in middle]


def run_ffmpeg(*arguments: str | Path, data: bytes | None = None) -> bytes:
    """Run FFmpeg and give what it writes to standard output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin" if data is None else "-n", "-loglevel", "error"]
    return subprocess.run([*command, *map(str, arguments)], input=data, check=True, capture_output=True).stdout


def write_numbered(path: Path, num_frames: int, *options: str, fps: int = 30) -> Path:
    """Encode numbered frames; ``options`` are FFmpeg's for the output, H.264 with a key frame every 30 by default."""
    options = options or ("-c:v", "libx264", "-g", "30", "-pix_fmt", "yuv420p")
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(fps), "-i", "-")
    run_ffmpeg(*raw, *options, path, data=numbered_frames(num_frames).tobytes())
    return path


def numbers_by_ffmpeg(path: Path) -> list[int]:
    """The numbers of the frames that FFmpeg itself shows."""
    raw = run_ffmpeg("-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return read_numbers(np.frombuffer(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3))
