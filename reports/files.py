"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write to a temporary name beside ``path``, then rename; if it fails, ``path`` is as it was.

    Missing folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        temporary.write_bytes(content)
        open_to_others(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def open_to_others(path: Path) -> None:
    """Make a file of mkstemp, which is its owner's only, as readable as any other new file."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def write_files(folder: Path, contents: Mapping[str, str | bytes]) -> list[Path]:
    """Write files by their paths in a folder, each whole or not at all; text as UTF-8."""
    return [
        write_bytes(folder / name, content.encode() if isinstance(content, str) else content)
        for name, content in contents.items()
    ]
