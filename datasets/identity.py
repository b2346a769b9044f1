"""The identity of a source's content: what resume, caches and comparisons go by."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from .interface import UnreadableVideo, VideoSource
from .readers.images import list_images


def content_id(source: VideoSource) -> str:
    """SHA-256, hexadecimal, of the source's bytes.

    For an image sequence: of the lines ``SHA-256  NAME`` of its images in natural order. A file that was hashed before
    in this process isn't read again while its size and time of change stay the same.

    Raises:
        UnreadableVideo: if a file isn't there or can't be read.
    """
    if source.kind != "images":
        return _hash_file(source.path)
    if not source.path.is_dir():
        raise UnreadableVideo(f"{source.path}: there is no such folder")
    lines = (f"{_hash_file(path)}  {path.name}\n" for path in list_images(source.path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _hash_file(path: Path) -> str:
    if not path.exists():
        raise UnreadableVideo(f"{path}: there is no such file")
    if not path.is_file():
        raise UnreadableVideo(f"{path}: is not a regular file")
    status = path.stat()
    try:
        return _hash_unchanged_file(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise UnreadableVideo(f"{path}: can't be read ({error.strerror})") from None


@functools.lru_cache(maxsize=100_000)
def _hash_unchanged_file(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
