"""A dataset: the PNG files of a folder, each a video of one frame."""

from pathlib import Path

from toklab.datasets.interface import Dataset, DatasetUnavailable, VideoSource


class StillsDataset(Dataset):
    """Every PNG file directly in the folder ``root``."""

    name = "example-stills"
    named_by_root = True

    def __init__(self, root: Path | None):
        if root is None:
            raise DatasetUnavailable(f"{self.name} has no default folder", f"Name one: {self.name}:FOLDER")
        self._root = root

    def sources(self) -> list[VideoSource]:
        """The files, sorted by name."""
        return [VideoSource(path.name, path, kind="image", fps=24.0) for path in sorted(self._root.glob("*.png"))]
