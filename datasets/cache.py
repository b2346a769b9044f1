"""Decoded windows on disk, shared by all tokenizers of a suite; only those without damage are kept."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .interface import VideoSource
from .readers.interface import VideoFacts

SUFFIX = ".npz"
KEPT_SHARE = 0.9
"""Eviction goes down to this share of the limit, so that it isn't needed at every window."""


def clip_key(source: VideoSource, content_id: str, protocol_hash: str, frame_ids: Sequence[int], reader: str) -> str:
    """Identity of a decoded window, 64 hexadecimal digits: the content, how it is read, and what is done with it."""
    reading = [source.kind, source.width, source.height, source.colour_matrix, reader, "without damage"]
    identity = json.dumps([content_id, protocol_hash, list(frame_ids), reading])
    return hashlib.sha256(identity.encode()).hexdigest()


class ClipCache:
    """Float32 arrays in a folder, of which the least recently used ones go when it grows over its limit.

    Several processes may share a folder. A file that is damaged is dropped. When the disk fails the cache switches
    itself off with one warning.
    """

    def __init__(self, folder: Path, max_bytes: int):
        """Args: ``folder`` is made if it isn't there; ``max_bytes`` limits the sum of its files."""
        self.folder = folder
        self.max_bytes = max_bytes
        self.enabled = True
        self.facts: dict[tuple[str, VideoSource, str], VideoFacts] = {}
        """What sources were found to be, by content, source and reader choice; kept in memory only."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._num_bytes = sum(size for _, size, _ in self._files())
        except OSError as error:
            self._switch_off(error)

    def get(self, key: str) -> np.ndarray | None:
        """The array kept under ``key``, or ``None``."""
        if not self.enabled:
            return None
        path = self.folder / f"{key}{SUFFIX}"
        try:
            # The zip format's checksums tell a damaged file from a whole one.
            with np.load(path) as archive:
                video = archive["video"]
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)
            return None
        return video

    def put(self, key: str, video: np.ndarray) -> None:
        """Keep an array, whole or not at all; one that is larger than the limit isn't kept."""
        if not self.enabled or video.nbytes > self.max_bytes:
            return
        unfinished = self.folder / f"{key}.{os.getpid()}.tmp"
        try:
            with unfinished.open("wb") as file:
                np.savez(file, video=video)
            self._num_bytes += unfinished.stat().st_size
            unfinished.replace(self.folder / f"{key}{SUFFIX}")
            if self._num_bytes > self.max_bytes:
                self._evict()
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            self._switch_off(error)

    def _files(self) -> list[tuple[float, int, Path]]:
        """(time of last use, bytes, path) of every file, unfinished ones of killed processes included."""
        files = []
        for path in self.folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if path.suffix in (SUFFIX, ".tmp"):
                files.append((status.st_mtime, status.st_size, path))
        return files

    def _evict(self) -> None:
        files = sorted(self._files())
        num_bytes = sum(size for _, size, _ in files)
        for _, size, path in files:
            if num_bytes <= self.max_bytes * KEPT_SHARE:
                break
            path.unlink(missing_ok=True)
            num_bytes -= size
        self._num_bytes = num_bytes

    def _switch_off(self, error: OSError) -> None:
        self.enabled = False
        warnings.warn(f"the clip cache {self.folder} is switched off: {error}", stacklevel=3)
