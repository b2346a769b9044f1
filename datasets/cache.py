"""Decoded windows on disk, shared by all tokenizers of a suite; only those without damage are kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
import warnings
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .atomic_files import replacing
from .interface import VideoSource

SUFFIX = ".npz"
SPARE_BYTES = 1 << 30
"""Free bytes of the disk that are left to others."""
COUNTED_SHARE = 0.05
"""Share of the limit after whose writing a process counts anew: others may write into the same folder."""
TRIALS = 8
"""Windows that are timed before the cache decides whether keeping them pays."""


def clip_key(source: VideoSource, content_id: str, protocol_hash: str, frame_ids: Sequence[int], reader: str) -> str:
    """Identity of a decoded window, 64 hexadecimal digits: the content, how it is read, and what is done with it."""
    reading = [source.kind, source.width, source.height, source.colour_matrix, reader, "without damage"]
    identity = json.dumps([content_id, protocol_hash, list(frame_ids), reading])
    return hashlib.sha256(identity.encode()).hexdigest()


@dataclass
class _Cost:
    """Seconds that something took."""

    seconds: float = 0.0
    times: int = 0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.times += 1

    def exceeds(self, other: _Cost) -> bool:
        """Whether it takes longer than something else; ``False`` before both were tried often enough."""
        if min(self.times, other.times) < TRIALS:
            return False
        return self.seconds / self.times > other.seconds / other.times


class ClipCache:
    """Float32 arrays in one shelf of a folder, whose shelves have a limit in common.

    A full folder makes room by dropping what other shelves hold, the least recently used first. What the shelf itself
    holds stays, and further windows aren't kept: a dataset is gone through from its start to its end again and again,
    so what was used longest ago is what is needed next.

    Several threads and processes may share a folder. A file that is damaged is dropped. The cache switches itself off
    when the disk fails, with one warning, and where reading or writing a window takes longer than decoding it.
    """

    def __init__(self, folder: Path, max_bytes: int, shelf: str = "clips"):
        """Open a shelf.

        Args:
            folder: made if it isn't there.
            max_bytes: limit of the sum of its files, on all shelves.
            shelf: name of the shelf.
        """
        self.folder = folder / shelf
        self.max_bytes = max_bytes
        self.enabled = True
        self._root = folder
        self._is_full = False
        self._turn = threading.Lock()
        self._made, self._written, self._read = _Cost(), _Cost(), _Cost()
        self._num_bytes = self._num_uncounted = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._count()
        except OSError as error:
            self._switch_off(error)

    def get(self, key: str) -> np.ndarray | None:
        """The array kept under ``key``, or ``None``."""
        if not self.enabled or self._read.exceeds(self._made):
            return None
        path = self.folder / f"{key}{SUFFIX}"
        began = time.perf_counter()
        try:
            with zipfile.ZipFile(path) as archive, archive.open("video.npy") as member:
                video = np.lib.format.read_array(member)
                # The zip format's checksum is compared at the end alone, where a damaged shape may not lead.
                if member.read(1):
                    raise ValueError("there is more than the array")
        except FileNotFoundError:
            return None
        except Exception:
            # What is raised of damaged bytes depends on which ones they are.
            self._drop(path)
            return None
        with suppress(OSError):  # another user's file can be read, and not be marked as used
            os.utime(path)
        with self._turn:
            self._read.add(time.perf_counter() - began)
        return video

    def put(self, key: str, video: np.ndarray, made_in_s: float) -> None:
        """Keep an array, whole or not at all, if there is room for it; ``made_in_s``: seconds that it took to make."""
        with self._turn:
            self._made.add(made_in_s)
            pays = not self._written.exceeds(self._made) and not self._read.exceeds(self._made)
        if not self.enabled or self._is_full or not pays:
            return
        path = self.folder / f"{key}{SUFFIX}"
        began = time.perf_counter()
        try:
            with self._turn:
                if not self._has_room(video.nbytes):
                    return
            with replacing(path) as unfinished:
                with unfinished.open("wb") as file:
                    np.savez(file, video=video)
                size = unfinished.stat().st_size
        except OSError as error:
            self._switch_off(error)
            return
        with self._turn:
            self._num_bytes += size
            self._num_uncounted += size
            self._written.add(time.perf_counter() - began)

    def _has_room(self, num_bytes: int) -> bool:
        """Whether so many more bytes may be written; makes room in other shelves."""
        if self._num_uncounted > COUNTED_SHARE * self.max_bytes:
            self._count()
        if self._num_bytes + num_bytes > self.max_bytes:
            self._evict(num_bytes)
        is_too_much = self._num_bytes + num_bytes > self.max_bytes
        if is_too_much or shutil.disk_usage(self._root).free < num_bytes + SPARE_BYTES:
            # A larger window than the others says nothing about them.
            self._is_full = num_bytes <= self.max_bytes
            return False
        return True

    def _count(self) -> None:
        self._num_bytes = sum(size for _, size, _ in self._files())
        self._num_uncounted = 0

    def _files(self) -> list[tuple[float, int, Path]]:
        """(time of last use, bytes, path) of each file on all shelves, with what killed processes left unfinished."""
        files = []
        for path in self._root.glob("*/*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if path.suffix == SUFFIX:
                files.append((status.st_mtime, status.st_size, path))
        return files

    def _evict(self, num_bytes: int) -> None:
        """Drop files of other shelves until there is room for so many bytes, or nothing is left of them."""
        self._count()
        for _, size, path in sorted(self._files()):
            if self._num_bytes + num_bytes <= self.max_bytes:
                return
            if path.parent != self.folder:
                path.unlink(missing_ok=True)
                self._num_bytes -= size

    def _drop(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._switch_off(error)

    def _switch_off(self, error: OSError) -> None:
        self.enabled = False
        warnings.warn(f"the clip cache {self._root} is switched off: {error}", stacklevel=3)
