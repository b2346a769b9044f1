"""A dataset: the PNG files of a folder, each a video of one frame."""

from __future__ import annotations

from pathlib import Path

from toklab.datasets.interface import Dataset, DatasetUnavailable, VideoSource


class StillsDataset(Dataset):
    name = "example-stills"

    def __init__(self, root: Path | None):
        if root is None:
            raise DatasetUnavailable(f"{self.name} has no default folder", f"Name one: {self.name}:FOLDER")
        self._root = root

    def sources(self) -> list[VideoSource]:
        return [VideoSource(path.name, path, kind="image", fps=1.0) for path in sorted(self._root.glob("*.png"))]
