"""The datasets that toklab ships, by name; nothing is imported before a dataset is asked for."""

from __future__ import annotations

from pathlib import Path

DATASETS = {
    "folder": ".folder:FolderDataset",
    "images": ".folder:ImagesDataset",
    "mcl-jcv": ".mcl_jcv:MclJcvDataset",
    "sample": ".sample:SampleDataset",
    "webvid-val": ".webvid_val:WebVidValDataset",
}
"""Name → ``module:class`` below ``toklab.datasets``; each class takes ``root: Path | None``."""


def parse_dataset(text: str) -> tuple[str, Path | None]:
    """Split ``name`` or ``name:root`` as a command line gives it: ``folder:clips`` → ``("folder", Path("clips"))``.

    Raises:
        ValueError: if the name, or the root after a colon, is empty.
    """
    name, colon, root = text.partition(":")
    if not name or (colon and not root):
        raise ValueError(f"a dataset is written NAME or NAME:FOLDER, not {text!r}")
    return name, Path(root) if root else None
