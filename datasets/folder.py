"""The datasets ``folder``, any directory of videos, image sequences and single images, and ``images``, of pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from .interface import Dataset, DatasetUnavailable, VideoSource
from .locations import dataset_folder
from .names import escape_name
from .readers.images import IMAGE_SUFFIXES

VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv", ".y4m"),
    }
)
RAW_SUFFIX = ".yuv"

IMAGE_FPS = 24.0
"""Frame rate given to images, which carry none; the convention of DAVIS."""

_RAW_NAME = re.compile(r"(?:^|_)(?P<width>\d+)x(?P<height>\d+)_(?P<fps>\d+(?:\.\d+)?)(?:fps)?(?:_|$)")


class FolderDataset(Dataset):
    """Every video below a folder.

    Keys are paths relative to the folder. A sub-folder whose only media are images is one image sequence; images
    elsewhere are videos of one frame. A sub-folder that can't be read stays in the list, so that it is reported. Raw
    ``.yuv`` files are 8-bit I420 in BT.709 and carry their format in the name, as in ``name_1920x1080_30.yuv``. Hidden
    files and folders, and files of other kinds, are passed over. A single file may stand for the folder.
    """

    name = "folder"
    named_by_root = True

    def __init__(self, root: Path | None = None):
        self._root = root

    def sources(self) -> list[VideoSource]:
        """Every source, sorted by key; whether it can be read shows when it is opened.

        Raises:
            DatasetUnavailable: if there is no such folder, or no media in it.
        """
        root = dataset_folder(self.name, self._root, "Give a folder that holds videos or images")
        _check_readable(root)
        found = (
            list(_walk(root, root, frozenset())) if root.is_dir() else list(_file_source(root, escape_name(root.name)))
        )
        if not found:
            suffixes = " ".join(sorted({*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, RAW_SUFFIX}))
            raise DatasetUnavailable(
                f"{root} holds no video and no image", f"Give a folder with files of these kinds: {suffixes}"
            )
        return sorted(found, key=lambda source: source.key)


class ImagesDataset(Dataset):
    """Every picture below a folder, each a video of one frame, also where a sub-folder looks like an image sequence.

    Keys are paths relative to the folder. Hidden files and folders are passed over.
    """

    name = "images"
    named_by_root = True

    def __init__(self, root: Path | None = None):
        self._root = root

    def sources(self) -> list[VideoSource]:
        """Every picture, sorted by key; whether it can be read shows when it is opened.

        Raises:
            DatasetUnavailable: if there is no such folder, or no picture in it.
        """
        root = dataset_folder(self.name, self._root, "Give a folder that holds pictures")
        _check_readable(root)
        pictures = _pictures(root) if root.is_dir() else ()
        found = {escape_name(path.relative_to(root).as_posix()): path for path in pictures}
        if not found:
            suffixes = " ".join(sorted(IMAGE_SUFFIXES))
            raise DatasetUnavailable(f"{root} holds no picture", f"Give a folder with files of these kinds: {suffixes}")
        return [VideoSource(key, found[key], kind="image", fps=IMAGE_FPS) for key in sorted(found)]


def raw_source(key: str, path: Path) -> VideoSource:
    """A raw I420 file in BT.709 whose name tells size and rate; they stay ``None`` where it doesn't."""
    match = _RAW_NAME.search(path.stem)
    return VideoSource(
        key=key,
        path=path,
        kind="yuv",
        fps=float(match["fps"]) if match else None,
        width=int(match["width"]) if match else None,
        height=int(match["height"]) if match else None,
        colour_matrix="bt709",
    )


def _walk(folder: Path, root: Path, parents: frozenset[Path]) -> Iterator[VideoSource]:
    """Sources below ``folder``; ``parents`` are the resolved folders above it, so that links can't lead in circles."""
    resolved = folder.resolve()
    if resolved in parents:
        return
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        # It may hold videos: it stays in the list, and opening it gives the reason.
        yield VideoSource(escape_name(folder.relative_to(root).as_posix()), folder, kind="images", fps=IMAGE_FPS)
        return
    # A folder called x.mp4 is meant to be a video: it stays in the list, so that it is reported as unreadable.
    subfolders = [entry for entry in entries if _is_folder(entry) and entry.suffix.lower() not in VIDEO_SUFFIXES]
    files = [entry for entry in entries if entry not in subfolders]
    media = [source for file in files for source in _file_source(file, escape_name(file.relative_to(root).as_posix()))]
    if folder != root and media and not subfolders and all(source.kind == "image" for source in media):
        yield VideoSource(escape_name(folder.relative_to(root).as_posix()), folder, kind="images", fps=IMAGE_FPS)
        return
    yield from media
    for subfolder in subfolders:
        yield from _walk(subfolder, root, parents | {resolved})


def _is_folder(entry: Path) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _check_readable(root: Path) -> None:
    """Raise :class:`DatasetUnavailable` if the folder ``root`` can't be listed."""
    try:
        if root.is_dir():
            next(root.iterdir(), None)
    except OSError as error:
        raise DatasetUnavailable(f"{root} can't be read ({error.strerror})", "Ask for the right to read it") from None


def _pictures(root: Path) -> Iterator[Path]:
    """Every picture below a folder, and every folder that can't be read, without hidden ones."""
    unreadable: list[Path] = []
    for folder, subfolders, files in os.walk(root, onerror=lambda error: unreadable.append(Path(error.filename))):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                yield Path(folder, name)
    yield from unreadable


def _file_source(file: Path, key: str) -> Iterator[VideoSource]:
    suffix = file.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        yield VideoSource(key, file)
    elif suffix in IMAGE_SUFFIXES:
        yield VideoSource(key, file, kind="image", fps=IMAGE_FPS)
    elif suffix == RAW_SUFFIX:
        yield raw_source(key, file)
