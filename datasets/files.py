"""The dataset ``files``: videos that are named one by one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .folder import FolderDataset
from .interface import Dataset, DatasetUnavailable, VideoSource
from .names import escape_name


class FilesDataset(Dataset):
    """Some videos, or folders of them. Keys are paths relative to the folder that holds them all."""

    name = "files"
    named_by_root = True

    def __init__(self, paths: Sequence[Path]):
        """Args: paths of at least one file or folder."""
        self._paths = tuple(Path(path) for path in paths)

    @property
    def root(self) -> Path:
        """The folder that holds them all, or the folders of them.

        Raises:
            DatasetUnavailable: if there is none.
        """
        if not self._paths:
            raise DatasetUnavailable("no file was given", "Give at least one")
        return Path(os.path.commonpath([path.absolute().parent for path in self._paths]))

    def sources(self) -> list[VideoSource]:
        """Every video, sorted by key.

        Raises:
            DatasetUnavailable: if a path doesn't exist or holds no video, or there is none at all.
        """
        common = self.root
        found: dict[str, VideoSource] = {}
        for path in self._paths:
            for source in FolderDataset(path).sources():
                key = escape_name(Path(os.path.relpath(source.path.absolute(), common)).as_posix())
                found[key] = VideoSource(**{**vars(source), "key": key})
        return [found[key] for key in sorted(found)]
