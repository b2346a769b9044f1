"""Damage in compressed video is found, and only there."""

from __future__ import annotations

import random
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from natural_video import write_natural
from toklab.datasets.interface import UnreadableVideo, VideoSource
from toklab.datasets.readers.choice import ReaderChoice
from toklab.datasets.readers.damage import DamageWatch
from toklab.datasets.readers.worker_process import OpenSource

NUM_FRAMES = 16
GROUP = 8
LAST = 10**6
SILENT = "log-level=none"
CHECKED = ["h264.mp4", "hevc.mp4", "av1.mp4"]
"""In which hardly a flipped bit goes unnoticed."""
ENCODED = {
    "h264.mp4": ("-c:v", "libx264", "-g", str(GROUP), "-pix_fmt", "yuv420p"),
    "h264-baseline.mp4": ("-c:v", "libx264", "-profile:v", "baseline", "-g", str(GROUP), "-pix_fmt", "yuv420p"),
    "hevc.mp4": ("-c:v", "libx265", "-g", str(GROUP), "-pix_fmt", "yuv420p", "-x265-params", f"{SILENT}:ctu=16"),
    "hevc-hash.mp4": ("-c:v", "libx265", "-g", str(GROUP), "-x265-params", f"{SILENT}:wpp=0:hash=1"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-g", str(GROUP), "-cpu-used", "8", "-b:v", "400k"),
    "vp8.webm": ("-c:v", "libvpx", "-g", str(GROUP), "-b:v", "400k"),
    "av1.mp4": ("-c:v", "libsvtav1", "-pix_fmt", "yuv420p", "-svtav1-params", "preset=12"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-q:v", "2", "-g", str(GROUP)),
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage")
    for name, options in ENCODED.items():
        write_natural(folder / name, NUM_FRAMES, *options)
    return folder


class _Untouched:
    """Stands in for a protocol's transform: the pixels as they are."""

    def transform(self, frames: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(frames)


def _windows(path: Path, reader: ReaderChoice) -> list[np.ndarray | None]:
    """The windows of a file as a run decodes them; ``None`` where it would fail them."""
    source, opened = VideoSource(path.name, path), OpenSource()
    windows: list[np.ndarray | None] = []
    for start in range(0, NUM_FRAMES, GROUP):
        try:
            pixels, _, damage = opened.decode(source, reader, tuple(range(start, start + GROUP)), _Untouched())
        except (UnreadableVideo, IndexError):
            windows.append(None)
        else:
            windows.append(None if damage else pixels)
    opened.close()
    return windows


def _flipped(data: bytes, positions: list[int]) -> bytes:
    damaged = bytearray(data)
    for position in positions:
        damaged[position // 8] ^= 1 << (position % 8)
    return bytes(damaged)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENCODED)
def test_a_healthy_file_shows_no_damage(videos: Path, name: str) -> None:
    assert DamageWatch(videos / name).damage_through(LAST) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKED)
def test_hardly_a_wrong_window_goes_unnoticed_after_three_flipped_bits(videos: Path, tmp_path: Path, name: str) -> None:
    data = (videos / name).read_bytes()
    right = _windows(videos / name, "auto")
    assert all(window is not None for window in right)
    generator = random.Random(0)
    num_failed = num_unnoticed = 0
    for _ in range(10):
        path = tmp_path / name
        path.write_bytes(_flipped(data, [generator.randrange(len(data) * 8) for _ in range(3)]))
        windows = _windows(path, "auto")
        num_failed += any(window is None for window in windows)
        num_unnoticed += any(
            window is not None and expected is not None and not np.array_equal(window, expected)
            for window, expected in zip(windows, right, strict=True)
        )
    assert num_failed >= 8
    # A flipped bit that leaves the stream valid shows nowhere.
    assert num_unnoticed <= 1


def _damage_packet(path: Path, number: int) -> None:
    """Flip every eighth bit in the middle of a packet."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    place, size = packets[number].pos, packets[number].size
    assert place is not None
    data = bytearray(path.read_bytes())
    for byte in range(place + size * 3 // 10, place + size * 6 // 10):
        data[byte] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_of_a_file_that_ends_too_early_the_frames_before_stay_reliable(tmp_path: Path, ending: str) -> None:
    # An index at the end would be lost.
    path = write_natural(tmp_path / f"cut{ending}", NUM_FRAMES, *ENCODED["h264.mp4"], "-movflags", "faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    watch = DamageWatch(path)
    damage = watch.damage_through(LAST)
    assert damage is not None
    assert damage.frame >= GROUP
    assert watch.damage_through(damage.frame - 1) is None


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "h264-baseline.mp4", "vp9.webm", "vp8.webm", "mpeg4.avi"])
def test_frames_before_a_sign_of_damage_are_not_relied_on(videos: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes((videos / name).read_bytes())
    _damage_packet(path, GROUP + 1)
    damage = DamageWatch(path).damage_through(0)
    assert damage is not None
    assert damage.frame == 0


def test_a_hash_in_the_stream_tells_what_is_wrong(videos: Path, tmp_path: Path) -> None:
    path = tmp_path / "hevc-hash.mp4"
    path.write_bytes((videos / path.name).read_bytes())
    _damage_packet(path, 1)
    assert "mismatching checksum" in str(DamageWatch(path).damage_through(LAST))


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["sample", pytest.param("train", marks=pytest.mark.thorough), "compat"])
def test_no_real_clip_shows_damage(shared: Path, folder: str) -> None:
    clips = sorted((shared / "clips" / folder).iterdir())
    assert clips
    assert {clip.name: str(found) for clip in clips if (found := DamageWatch(clip).damage_through(LAST))} == {}
