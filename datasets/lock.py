"""The lock of a dataset: the content hash of every video, against which each run checks what it reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .atomic_files import write_text
from .identity import content_id
from .interface import Dataset, UnreadableVideo, VideoSource

LOCK_NAME = "toklab.lock"
"""The file beside the data: in the dataset's folder."""
LOCK_FORMAT = 1


class LockError(ValueError):
    """A lock that isn't there, can't be read, or doesn't fit the data."""


@dataclass(frozen=True)
class GoneVideo(VideoSource):
    """A locked video that its dataset doesn't give any more, never opened; ``path`` is the lock's."""


@dataclass(frozen=True)
class Lock:
    """What the videos of a dataset were when it was locked."""

    path: Path
    """The file."""
    videos: Mapping[str, str]
    """Key of each video → SHA-256 of all its bytes, as :func:`toklab.datasets.identity.content_id` gives it."""

    def check(self, source: VideoSource, content: str) -> None:
        """Raise :class:`UnreadableVideo` if a source isn't what was locked.

        Args:
            source: of the dataset, not one that is gone.
            content: its SHA-256.
        """
        locked = self.videos.get(source.key)
        if locked is None:
            raise UnreadableVideo(f"{source.path}: isn't in {self.path}; if it belongs there, lock the dataset anew")
        if locked != content:
            raise UnreadableVideo(
                f"{source.path}: has changed since {self.path} was written: SHA-256 {content[:12]}… instead of "
                f"{locked[:12]}…; bring the file of then, or lock the dataset anew"
            )

    def with_missing(self, sources: Sequence[VideoSource]) -> list[VideoSource]:
        """The sources, and a :class:`GoneVideo` for each locked video that isn't among them; sorted by key."""
        present = {source.key for source in sources}
        missing = [GoneVideo(key, self.path) for key in self.videos if key not in present]
        return sorted((*sources, *missing), key=lambda source: source.key)


def find_lock(root: Path | None) -> Path | None:
    """The lock beside the data of a folder, if there is one; of a single file, beside the file."""
    if root is None:
        return None
    root = root.expanduser()
    path = (root if root.is_dir() else root.parent) / LOCK_NAME
    return path if path.is_file() else None


def hash_videos(dataset: Dataset) -> dict[str, str]:
    """Key and SHA-256 of every video that is there.

    Raises:
        UnreadableVideo: if a file can't be read.
        DatasetUnavailable: if the dataset isn't there at all.
    """
    return {source.key: content_id(source) for source in dataset.sources()}


def differences(locked: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """What has changed, line by line: ``changed KEY``, ``missing KEY``, ``added KEY``; sorted by key."""
    lines = []
    for key in sorted({*locked, *found}):
        if key not in found:
            lines.append(f"missing {key}")
        elif key not in locked:
            lines.append(f"added {key}")
        elif locked[key] != found[key]:
            lines.append(f"changed {key}")
    return lines


def write_lock(path: Path, videos: Mapping[str, str]) -> None:
    """Write a lock, whole or not at all."""
    content = {"format": LOCK_FORMAT, "videos": dict(sorted(videos.items()))}
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_lock(path: Path) -> Lock:
    """Read a lock.

    Raises:
        LockError: if there is none, or it isn't one.
    """
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LockError(f"there is no lock {path}; `toklab data lock` writes one") from None
    except (OSError, ValueError) as error:
        raise LockError(f"{path} can't be read as a lock ({error}); `toklab data lock` writes one") from None
    videos = read.get("videos") if isinstance(read, dict) and read.get("format") == LOCK_FORMAT else None
    if not isinstance(videos, dict) or not all(isinstance(value, str) for value in videos.values()):
        raise LockError(f"{path} is no lock of a dataset; `toklab data lock` writes one")
    return Lock(path, videos)
