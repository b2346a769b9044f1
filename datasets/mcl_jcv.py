"""MCL-JCV: 30 sequences of 1920×1080, 5 s each, from their raw sources or from video files."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

from .folder import raw_source
from .interface import Dataset, DatasetUnavailable, MissingSource, VideoSource
from .locations import dataset_folder

_FPS_25 = (5, 6, 7, 8, 9, 18, 20)
_FPS_24 = (17, 21, 22, 23, 24, 25, 29)

SEQUENCE_FPS = {
    f"videoSRC{number:02d}": 25 if number in _FPS_25 else 24 if number in _FPS_24 else 30 for number in range(1, 31)
}
"""Frames per second of each official sequence."""

SECONDS = 5
"""Duration of every sequence."""

WIDTH, HEIGHT = 1920, 1080

_SUFFIXES = (".yuv", ".mkv", ".avi", ".mp4")
"""In the order of preference where a sequence is there twice."""

_LOSSY_FOLDER = ("1080p", "videos")
"""Folder of the published lossy encodes, which are no references."""

_HINT = (
    "Download the zip files under 1080P/YUV_source/ of the Hugging Face dataset uscmcl/MCL-JCV_Dataset and unpack them "
    "so that the folder holds videoSRC01_1920x1080_30.yuv … videoSRC30_1920x1080_30.yuv, at any depth; videoSRC01.mp4 "
    "… (or .mkv, .avi) do too"
)


class MclJcvDataset(Dataset):
    """The 30 sequences under their official names ``videoSRC01`` … ``videoSRC30``.

    Raw files are I420 at the official frame rate. All files are converted by BT.709, but for those that name another
    matrix: copies made of raw files name none.
    """

    name = "mcl-jcv"
    colour_matrix = "bt709"

    def __init__(self, root: Path | None = None):
        self._root = root

    def sources(self) -> list[VideoSource]:
        """The sequences that are there, sorted by name.

        Raises:
            DatasetUnavailable: if none is.
        """
        files = self._files()
        if not files:
            raise DatasetUnavailable("none of the 30 sequences of MCL-JCV is in the folder", _HINT)
        return [_source(name, files[name]) for name in SEQUENCE_FPS if name in files]

    def missing(self) -> list[MissingSource]:
        """Which of the 30 sequences are not there."""
        files = self._files()
        return [
            MissingSource(name, f"no {name}_1920x1080_{fps}.yuv and no {name}.mp4, .mkv or .avi in the folder")
            for name, fps in SEQUENCE_FPS.items()
            if name not in files
        ]

    def expected_num_frames(self, key: str) -> int:
        """Frames of the official sequence."""
        return SEQUENCE_FPS[key] * SECONDS

    def _files(self) -> dict[str, Path]:
        root = dataset_folder(self.name, self._root, _HINT)
        found: dict[str, list[Path]] = {}
        for file in root.rglob("*"):
            match = re.match(r"(videoSRC\d\d)(?![0-9])", file.name, re.IGNORECASE)
            name = "videoSRC" + match[1][-2:] if match else ""
            if name in SEQUENCE_FPS and file.suffix.lower() in _SUFFIXES and not _is_lossy(file):
                found.setdefault(name, []).append(file)
        return {name: min(files, key=_preference) for name, files in found.items()}


def _is_lossy(file: Path) -> bool:
    parts = [part.lower() for part in file.parts]
    return _LOSSY_FOLDER in itertools.pairwise(parts)


def _preference(file: Path) -> tuple[int, str]:
    return _SUFFIXES.index(file.suffix.lower()), file.as_posix()


def _source(name: str, file: Path) -> VideoSource:
    if file.suffix.lower() != ".yuv":
        return VideoSource(name, file, colour_matrix=MclJcvDataset.colour_matrix)
    named = raw_source(name, file)
    return replace(named, fps=float(SEQUENCE_FPS[name]), width=named.width or WIDTH, height=named.height or HEIGHT)
