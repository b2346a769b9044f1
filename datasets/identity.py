"""The identity of a source's content: what resume, caches and comparisons go by."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from .interface import UnreadableVideo, VideoSource
from .readers.images import list_images

MAX_HASHED_VIDEOS = 1000
"""A longer list is known by names and sizes."""


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
    try:
        images = list_images(source.path)
    except OSError as error:
        raise UnreadableVideo(f"{source.path}: the folder can't be read ({error.strerror})") from None
    # The bytes of a name are the same whatever the locale is.
    lines = (f"{_hash_file(path)}  ".encode() + os.fsencode(path.name) + b"\n" for path in images)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def list_identity(sources: Sequence[VideoSource]) -> str:
    """What a list of videos is known by: ``none`` if it is empty, else how it was hashed, a colon, and SHA-256.

    ``contents``: of the lines ``CONTENT-ID`` of the videos in their order. Of more than a thousand videos ``names``, as
    reading all of them would take hours: of the lines ``KEY  BYTES``, which a file changed in place may leave as it is.

    Raises:
        UnreadableVideo: if a file isn't there or can't be read.
    """
    if not sources:
        return "none"
    if len(sources) > MAX_HASHED_VIDEOS:
        kind, lines = "names", [f"{source.key}  {_size(source.path)}" for source in sources]
    else:
        kind, lines = "contents", [content_id(source) for source in sources]
    text = "".join(f"{line}\n" for line in lines)
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise UnreadableVideo(f"{path}: can't be read ({error.strerror})") from None


def _hash_file(path: Path) -> str:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UnreadableVideo(f"{path}: there is no such file") from None
    except OSError as error:
        raise UnreadableVideo(f"{path}: can't be read ({error.strerror})") from None
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableVideo(f"{path}: is not a regular file")
    try:
        return _hash_unchanged_file(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise UnreadableVideo(f"{path}: can't be read ({error.strerror})") from None


@functools.lru_cache(maxsize=100_000)
def _hash_unchanged_file(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
