"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from toklab.datasets.atomic_files import replacing, temporary_path, write_text


def test_a_file_appears_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("before")
    with replacing(path) as unfinished:
        assert unfinished == temporary_path(path)
        # Readers of folders pass over hidden files, and the ending decides a video's container.
        assert (unfinished.parent, unfinished.name[0], unfinished.suffix) == (tmp_path, ".", ".mp4")
        unfinished.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def _break_off(path: Path) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt


def test_what_was_there_stays_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "list.json"
    write_text(path, "é")
    assert path.read_bytes() == "é".encode()
    with pytest.raises(KeyboardInterrupt):
        _break_off(path)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "other")
    assert path.read_text(encoding="utf-8") == "é"
    assert list(tmp_path.iterdir()) == [path]
