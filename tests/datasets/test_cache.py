"""The cache of decoded windows."""

from __future__ import annotations

import os
import shutil
import time
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import numpy as np
import pytest
from toklab.datasets.cache import SPARE_BYTES, TRIALS, ClipCache, clip_key
from toklab.datasets.interface import VideoSource


@pytest.fixture
def video() -> np.ndarray:
    """10,000 random float32 values."""
    return np.random.default_rng(0).random((1, 10, 25, 40), dtype=np.float32)


def test_what_is_put_comes_back(tmp_path: Path, video: np.ndarray) -> None:
    ClipCache(tmp_path, 10**6, "one").put("k", video, 1.0)
    back = ClipCache(tmp_path, 10**6, "one").get("k")
    assert back is not None
    assert back.dtype == np.float32
    assert np.array_equal(back, video)
    assert ClipCache(tmp_path, 10**6, "one").get("other") is None
    assert ClipCache(tmp_path, 10**6, "two").get("k") is None
    assert [path.name for path in tmp_path.glob("*/*")] == ["k.npz"]


def test_a_full_shelf_keeps_what_it_has(tmp_path: Path, video: np.ndarray) -> None:
    cache = ClipCache(tmp_path, 180_000)
    found: list[str] = []
    for _ in range(3):
        found.clear()
        for key in "abcdefgh":
            if cache.get(key) is None:
                cache.put(key, video, 1.0)
            else:
                found.append(key)
        assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= 180_000
    # A cache that made room for each window would have dropped every one before it was needed again.
    assert found == list("abcd")


def test_a_shelf_makes_room_in_others_the_least_recently_used_first(tmp_path: Path, video: np.ndarray) -> None:
    before = ClipCache(tmp_path, 180_000, "before")
    for age, key in enumerate("abcd"):
        before.put(key, video, 1.0)
        os.utime(tmp_path / "before" / f"{key}.npz", (age, age))
    before.get("a")
    after = ClipCache(tmp_path, 180_000, "after")
    after.put("e", video, 1.0)
    assert [key for key in "abcd" if before.get(key) is not None] == ["a", "c", "d"]
    for key in "fghi":
        after.put(key, video, 1.0)
    assert [key for key in "efghi" if after.get(key) is not None] == list("efgh")
    assert not list((tmp_path / "before").iterdir())


def test_several_processes_stay_below_the_limit_together(tmp_path: Path, video: np.ndarray) -> None:
    caches = [ClipCache(tmp_path, 400_000, "one") for _ in range(4)]
    for number in range(40):
        caches[number % 4].put(f"k{number}", video, 1.0)
    written = sum(path.stat().st_size for path in tmp_path.glob("*/*"))
    assert 0.9 * 400_000 <= written <= 400_000


def test_a_disk_that_is_nearly_full_is_left_alone(
    tmp_path: Path, video: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=SPARE_BYTES))
    ClipCache(tmp_path, 10**6).put("k", video, 1.0)
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize("slow", ["nothing", "reading", "writing"])
def test_a_cache_that_is_slower_than_decoding_is_left_alone(
    tmp_path: Path, video: np.ndarray, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    load, save = np.lib.format.read_array, np.savez

    def slow_load(file: IO[bytes]) -> object:
        clock[0] += 2.0 if slow == "reading" else 0.5
        return load(file)

    def slow_save(file: object, video: np.ndarray) -> None:
        clock[0] += 2.0 if slow == "writing" else 0.5
        save(file, video=video)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(np.lib.format, "read_array", slow_load)
    monkeypatch.setattr(np, "savez", slow_save)
    cache = ClipCache(tmp_path, 10**7)
    for number in range(TRIALS + 2):
        cache.put(f"k{number}", video, made_in_s=1.0)
    assert len(list(tmp_path.glob("*/*"))) == (TRIALS if slow == "writing" else TRIALS + 2)
    found = [cache.get("k0") is not None for _ in range(TRIALS + 2)]
    assert found == [True] * TRIALS + [slow != "reading"] * 2


def test_a_clip_larger_than_the_limit_is_not_kept_and_smaller_ones_are(tmp_path: Path, video: np.ndarray) -> None:
    cache = ClipCache(tmp_path, 30_000)
    cache.put("k", video, 1.0)
    assert not list(tmp_path.glob("*/*"))
    cache.put("k", video[:, :5], 1.0)
    assert cache.get("k") is not None


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "foreign"])
def test_a_damaged_file_is_dropped(tmp_path: Path, video: np.ndarray, damage: str) -> None:
    cache = ClipCache(tmp_path, 10**6)
    cache.put("k", video, 1.0)
    path = cache.folder / "k.npz"
    content = bytearray(path.read_bytes())
    content[20_000] ^= 1
    path.write_bytes({"empty": b"", "cut": content[:5000], "changed": content, "foreign": b"text"}[damage])
    assert cache.get("k") is None
    assert not path.exists()


def test_no_flipped_bit_of_a_files_headers_gives_another_array(tmp_path: Path) -> None:
    cache = ClipCache(tmp_path, 10**6)
    video = np.arange(17, dtype=np.float32)
    cache.put("k", video, 1.0)
    path = cache.folder / "k.npz"
    content = path.read_bytes()
    num_seen = 0
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = cache.get("k")
        num_seen += found is None
        assert found is None or (found.shape == video.shape and np.array_equal(found, video)), bit
    assert num_seen > 4 * len(content)


def test_a_file_that_can_be_neither_read_nor_removed_switches_the_cache_off(
    tmp_path: Path, video: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder of another user."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    cache = ClipCache(tmp_path, 10**6)
    cache.put("k", video, 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", refuse)
        assert cache.get("k") is not None
    monkeypatch.setattr(zipfile, "ZipFile", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.warns(UserWarning, match="switched off.*denied"):
        assert cache.get("k") is None
    assert not cache.enabled


def test_a_failing_disk_switches_the_cache_off_with_one_warning(
    tmp_path: Path, video: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    cache = ClipCache(tmp_path, 10**6)
    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(UserWarning, match="switched off.*No space"):
        cache.put("a", video, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.put("b", video, 1.0)
    assert not list(tmp_path.glob("*/*"))
    assert cache.get("a") is None


def test_keys_tell_apart_all_that_changes_a_clip() -> None:
    source = VideoSource("v", Path("v.yuv"), "yuv", width=64, height=32)
    other_size = VideoSource("v", Path("v.yuv"), "yuv", width=32, height=64)
    keys = {
        clip_key(source, "c", "p", (0, 1), "yuv"),
        clip_key(other_size, "c", "p", (0, 1), "yuv"),
        clip_key(source, "d", "p", (0, 1), "yuv"),
        clip_key(source, "c", "q", (0, 1), "yuv"),
        clip_key(source, "c", "p", (0, 2), "yuv"),
        clip_key(source, "c", "p", (0, 1), "pyav"),
    }
    assert len(keys) == 6
    renamed = VideoSource("w", Path("w.yuv"), "yuv", width=64, height=32)
    assert clip_key(renamed, "c", "p", (0, 1), "yuv") in keys
