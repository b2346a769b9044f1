"""What is said of a dataset's videos, and their lock."""

from __future__ import annotations

from pathlib import Path

import pytest
from toklab.bench.inventory.dataset_survey import lock_dataset
from toklab.datasets.lock import LockError, read_lock


def test_the_lock_of_a_folder_is_left_alone_by_one_file_of_it(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_text(name)
    path, videos, _ = lock_dataset(f"folder:{tmp_path}", None, update=False)
    with pytest.raises(LockError, match=r"a\.mp4 is one file: lock its folder, .*--lock FILE"):
        lock_dataset(f"folder:{tmp_path / 'a.mp4'}", None, update=True)
    assert read_lock(path).videos == videos
    assert list(videos) == ["a.mp4", "b.mp4"]
    of_one, found, _ = lock_dataset(f"folder:{tmp_path / 'a.mp4'}", tmp_path / "one.lock", update=False)
    assert read_lock(of_one).videos == found == {"a.mp4": videos["a.mp4"]}
