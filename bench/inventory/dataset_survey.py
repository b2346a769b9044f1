"""A dataset opened by its name, and surveyed: what is there, what is missing, what is unreadable."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Literal, cast

from ...datasets.catalog import parse_dataset
from ...datasets.check import check_dataset
from ...datasets.interface import Dataset
from ...datasets.lock import LOCK_NAME, LockError, differences, hash_videos, read_lock, write_lock
from ...datasets.names import unescape_name
from ...datasets.protocol import load_protocol
from ...reports.tables.plain import PlainTable, to_terminal
from ..catalog.catalog import datasets

Reader = Literal["auto", "decord", "pyav"]


def open_dataset(text: str) -> Dataset:
    """The dataset that ``NAME``, ``NAME:FOLDER``, ``OWN-NAME=NAME:FOLDER`` or the path of a folder stands for.

    Paths are as :func:`~toklab.datasets.names.escape_name` gives them.
    """
    kind, root = _kind_and_root(text)
    return datasets().get(kind)(root)


def _kind_and_root(text: str) -> tuple[str, Path | None]:
    path = Path(unescape_name(text))
    if text.partition(":")[0].rpartition("=")[2] not in datasets() and path.exists():
        return "folder", path
    return parse_dataset(text)[:2]


def check_table(text: str, reader: str, protocol: str | None) -> tuple[str, int]:
    """Every video of a dataset, opened: a table, and how many have another state than ``ok``."""
    if reader not in ("auto", "decord", "pyav"):
        raise ValueError(f"--reader is auto, decord or pyav, not {reader!r}")
    rows = check_dataset(
        open_dataset(text),
        reader=cast(Reader, reader),
        protocol=load_protocol(protocol) if protocol else None,
    )
    counts = Counter[str](row.state for row in rows if row.state != "ok")
    table = PlainTable(
        ("video", "state", "frames", "frames/s", "size", "reader", "windows", "reason"),
        [
            (
                row.key,
                row.state,
                row.num_frames,
                None if row.fps is None else f"{row.fps:.4g}",
                None if row.width is None else f"{row.width}×{row.height}",
                row.reader,
                row.num_windows,
                row.reason,
            )
            for row in rows
        ],
        notes=[_summary(len(rows), counts)],
    )
    return to_terminal(table), counts.total()


def _summary(num_videos: int, counts: Counter[str]) -> str:
    """How many videos aren't as they should be, by state."""
    if not counts:
        return f"{num_videos} videos, all ok"
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return f"{counts.total()} of {num_videos} videos not ok: {states}"


def lock_dataset(text: str, file: Path | None, *, update: bool) -> tuple[Path, dict[str, str], list[str]]:
    """Write a dataset's lock, or compare the one that is there.

    Args:
        text: the dataset, as for :func:`open_dataset`.
        file: where the lock is; in the dataset's folder if not given.
        update: whether a lock that differs is written anew.

    Returns:
        Path of the lock; key and SHA-256 of every video; how an earlier lock differs, line by line.

    Raises:
        LockError: if no file was given and the dataset has no folder or is one file, or the file isn't a lock.
    """
    path = file or _lock_place(text)
    videos = hash_videos(open_dataset(text))
    changes = differences(read_lock(path).videos, videos) if path.exists() else []
    if update or not path.exists():
        write_lock(path, videos)
    return path, videos, changes


def _lock_place(text: str) -> Path:
    kind, root = _kind_and_root(text)
    data = os.environ.get("TOKLAB_DATA")
    root = root or (Path(data) / kind if data else None)
    if root is None:
        raise LockError(f"{text} has no folder of its own for a lock: say where it goes with --lock FILE")
    root = root.expanduser()
    if root.is_file():
        raise LockError(
            f"{root} is one file: lock its folder, {root.parent}, or say where its lock goes with --lock FILE"
        )
    return root / LOCK_NAME
