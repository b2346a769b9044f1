"""The lock of a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest
from toklab.datasets.folder import FolderDataset
from toklab.datasets.interface import UnreadableVideo, VideoSource
from toklab.datasets.lock import (
    LOCK_NAME,
    GoneVideo,
    Lock,
    LockError,
    differences,
    find_lock,
    hash_videos,
    read_lock,
    write_lock,
)


def test_a_lock_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_lock(tmp_path / LOCK_NAME, {"b.mp4": "11", "a.mp4": "00"})
    assert find_lock(tmp_path) == find_lock(tmp_path / "a.mp4") == tmp_path / LOCK_NAME
    assert read_lock(tmp_path / LOCK_NAME) == Lock(tmp_path / LOCK_NAME, {"a.mp4": "00", "b.mp4": "11"})
    assert find_lock(tmp_path / "elsewhere" / "deeper") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "videos": {}}', '{"format": 1, "videos": {"a": 1}}'])
def test_what_is_no_lock_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK_NAME).write_text(text)
    with pytest.raises(LockError, match="toklab data lock"):
        read_lock(tmp_path / LOCK_NAME)


def test_every_byte_of_every_video_counts(tmp_path: Path) -> None:
    content = bytearray(100_000)
    (tmp_path / "a.mp4").write_bytes(content)
    locked = hash_videos(FolderDataset(tmp_path))
    content[70_001] = 1
    (tmp_path / "a.mp4").write_bytes(content)
    (tmp_path / "b.mp4").write_bytes(content)
    found = hash_videos(FolderDataset(tmp_path))
    assert differences(locked, found) == ["changed a.mp4", "added b.mp4"]
    assert differences(found, locked) == ["changed a.mp4", "missing b.mp4"]
    assert differences(found, found) == []


def test_a_source_is_what_was_locked_or_is_named(tmp_path: Path) -> None:
    lock = Lock(tmp_path / LOCK_NAME, {"a.mp4": "00" * 32, "b.mp4": "11" * 32})
    source = VideoSource("a.mp4", tmp_path / "a.mp4")
    lock.check(source, "00" * 32)
    with pytest.raises(UnreadableVideo, match=r"a\.mp4: has changed since .*toklab\.lock"):
        lock.check(source, "22" * 32)
    with pytest.raises(UnreadableVideo, match=r"c\.mp4: isn't in .*toklab\.lock"):
        lock.check(VideoSource("c.mp4", tmp_path / "c.mp4"), "00" * 32)
    assert lock.with_missing([source]) == [source, GoneVideo("b.mp4", lock.path)]
