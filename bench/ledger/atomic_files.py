"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .errors import writing

TEMPORARY = ".tmp"


def temporary_path(path: Path) -> Path:
    """Where this process writes what will replace ``path``."""
    return path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(unfinished: Path, path: Path) -> None:
    """Put a finished file in the place of another, on the disk too."""
    os.replace(unfinished, path)
    if os.name == "posix":
        sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        LedgerError: if the disk is full; what was there before stays, here and below.
        OSError: if it can't be written for another reason.
    """
    unfinished = temporary_path(path)
    try:
        with writing(path):
            with unfinished.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            replace_file(unfinished, path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def remove_temporary_files(folders: Iterable[Path]) -> None:
    """Remove what killed processes left. The caller holds the lock of the run folder."""
    for folder in folders:
        for left in folder.glob(f"*.[0-9]*{TEMPORARY}"):
            with suppress(OSError):
                left.unlink()
