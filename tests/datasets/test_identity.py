"""What a list of videos is known by."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from toklab.datasets import identity
from toklab.datasets.identity import list_identity
from toklab.datasets.interface import UnreadableVideo, VideoSource


@pytest.fixture
def sources(tmp_path: Path) -> list[VideoSource]:
    """Three files."""
    found = []
    for name in ("b", "a", "c"):
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(name.encode() * 3)
        found.append(VideoSource(path.name, path))
    return found


def test_a_list_is_known_by_the_contents_of_its_videos_in_their_order(sources: list[VideoSource]) -> None:
    lines = "".join(f"{hashlib.sha256(text).hexdigest()}\n" for text in (b"bbb", b"aaa", b"ccc"))
    known = list_identity(sources)
    assert known == f"contents:{hashlib.sha256(lines.encode()).hexdigest()}"
    assert list_identity(sources[::-1]) != known
    assert list_identity(sources[:2]) != known
    assert list_identity([]) == "none"
    sources[0].path.rename(sources[0].path.with_name("renamed.mp4"))
    renamed = VideoSource("renamed.mp4", sources[0].path.with_name("renamed.mp4"))
    assert list_identity([renamed, *sources[1:]]) == known


def test_a_long_list_is_known_by_names_and_sizes_and_says_so(
    sources: list[VideoSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "MAX_HASHED_VIDEOS", 2)
    known = list_identity(sources)
    lines = b"b.mp4  3\na.mp4  3\nc.mp4  3\n"
    assert known == f"names:{hashlib.sha256(lines).hexdigest()}"
    sources[0].path.write_bytes(b"bbbb")
    assert list_identity(sources) != known
    sources[0].path.unlink()
    with pytest.raises(UnreadableVideo, match=r"b\.mp4"):
        list_identity(sources)
