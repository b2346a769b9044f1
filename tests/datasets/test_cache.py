"""The cache of decoded windows."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from toklab.datasets.cache import ClipCache, clip_key
from toklab.datasets.interface import VideoSource


@pytest.fixture
def video() -> np.ndarray:
    """10,000 random float32 values."""
    return np.random.default_rng(0).random((1, 10, 25, 40), dtype=np.float32)


def test_what_is_put_comes_back(tmp_path: Path, video: np.ndarray) -> None:
    ClipCache(tmp_path, 10**6).put("k", video)
    back = ClipCache(tmp_path, 10**6).get("k")
    assert back is not None
    assert back.dtype == np.float32
    assert np.array_equal(back, video)
    assert ClipCache(tmp_path, 10**6).get("other") is None
    assert [path.name for path in tmp_path.iterdir()] == ["k.npz"]


def test_the_least_recently_used_go_first(tmp_path: Path, video: np.ndarray) -> None:
    cache = ClipCache(tmp_path, 180_000)
    for age, key in enumerate("abcd"):
        cache.put(key, video)
        os.utime(tmp_path / f"{key}.npz", (age, age))
    cache.get("a")
    cache.put("e", video)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 180_000
    assert cache.get("a") is not None
    assert cache.get("e") is not None
    assert cache.get("b") is None


def test_a_clip_larger_than_the_limit_is_not_kept(tmp_path: Path, video: np.ndarray) -> None:
    ClipCache(tmp_path, 1000).put("k", video)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "foreign"])
def test_a_damaged_file_is_dropped(tmp_path: Path, video: np.ndarray, damage: str) -> None:
    cache = ClipCache(tmp_path, 10**6)
    cache.put("k", video)
    path = tmp_path / "k.npz"
    content = bytearray(path.read_bytes())
    content[20_000] ^= 1
    path.write_bytes({"empty": b"", "cut": content[:5000], "changed": content, "foreign": b"text"}[damage])
    assert cache.get("k") is None
    assert not path.exists()


def test_a_failing_disk_switches_the_cache_off_with_one_warning(
    tmp_path: Path, video: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    cache = ClipCache(tmp_path, 10**6)
    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(UserWarning, match="switched off.*No space"):
        cache.put("a", video)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.put("b", video)
    assert not list(tmp_path.iterdir())
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
