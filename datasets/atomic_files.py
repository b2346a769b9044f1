"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def temporary_path(path: Path) -> Path:
    """Where this thread writes what will replace ``path``: a hidden file beside it, with the same ending."""
    return path.with_name(f".{os.getpid()}-{threading.get_ident()}.{path.name}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path to write to; that file takes the place of ``path`` if the block ends without an error.

    Raises:
        OSError: if it can't be written; what was there before stays.
    """
    unfinished = temporary_path(path)
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Raises:
        OSError: if it can't be written; what was there before stays.
    """
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
