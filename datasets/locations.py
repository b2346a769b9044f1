"""Where datasets lie on this machine, and where made files are cached."""

from __future__ import annotations

import os
from pathlib import Path

from .interface import DatasetUnavailable


def cache_folder() -> Path:
    """``$TOKLAB_CACHE``, else ``toklab`` below ``$XDG_CACHE_HOME`` or ``~/.cache``; it need not exist."""
    own = os.environ.get("TOKLAB_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "toklab"


def dataset_folder(name: str, root: Path | None, hint: str) -> Path:
    """The folder of a dataset: ``root``, or ``$TOKLAB_DATA/name`` where no root is given.

    Raises:
        DatasetUnavailable: if neither names a folder; ``hint`` says how to bring the dataset.
    """
    if root is not None:
        folder = root.expanduser()
    elif data := os.environ.get("TOKLAB_DATA"):
        folder = Path(data).expanduser() / name
    else:
        raise DatasetUnavailable(
            f"no folder is given for the dataset {name}", f"Write {name}:FOLDER or set TOKLAB_DATA; {hint}"
        )
    if not folder.exists():
        raise DatasetUnavailable(f"the dataset {name} is not at {folder}: there is no such folder", hint)
    return folder
