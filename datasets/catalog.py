"""The datasets that toklab ships, by name; nothing is imported before a dataset is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .names import GIVEN_NAME, unescape_name

DATASETS = {
    "folder": ".folder:FolderDataset",
    "images": ".folder:ImagesDataset",
    "mcl-jcv": ".mcl_jcv:MclJcvDataset",
    "sample": ".sample:SampleDataset",
    "webvid-val": ".webvid_val:WebVidValDataset",
}
"""Name → ``module:class`` below ``toklab.datasets``; each class takes ``root: Path | None``."""


class DatasetChoice(NamedTuple):
    """A dataset as a command line gives it."""

    kind: str
    """Name in the catalog."""
    root: Path | None
    """Where it lies; ``None``: at its default place."""
    name: str = ""
    """The name that the user gives it; empty if none."""


def parse_dataset(text: str) -> DatasetChoice:
    """Split ``KIND``, ``KIND:ROOT`` or ``NAME=KIND:ROOT``: ``clips=folder:/a`` is ``/a``, of kind folder, as clips.

    A root may have characters spelled out as :func:`~.names.escape_name` does.

    Raises:
        ValueError: if the kind, or the root after a colon, is empty, or the name has other than letters, digits
            and ``.+-_``.
    """
    head, colon, root = text.partition(":")
    name, equals, kind = head.rpartition("=")
    if not kind or (colon and not root) or (equals and not GIVEN_NAME.fullmatch(name)):
        raise ValueError(f"a dataset is written NAME, NAME:FOLDER or OWN-NAME=folder:FOLDER, not {text!r}")
    return DatasetChoice(kind, Path(unescape_name(root)) if root else None, name)
