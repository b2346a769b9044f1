"""The values that flow out of a dataset: video sources, windows of frames, and clips.

A dataset lists :class:`VideoSource` values; a reader opens one; a protocol cuts it into :class:`Window` values; the
clip stream gives each window as a :class:`Clip`, or as a :class:`FailedClip` with its reason. Nothing is ever left out
silently: every source ends in clips, failed clips, or both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from .names import escape_unprintable

SourceKind = Literal["video", "yuv", "images", "image"]

ColourMatrix = Literal["bt709", "bt601"]

OnCorrupt = Literal["fail", "note"]
"""What becomes of windows with damaged frames: they fail, or they are scored with a note."""

WHOLE_SOURCE = -1
"""Window index of a failure that concerns the whole source, because it could not be opened or counted."""


class UnreadableVideo(ValueError):
    """A source that can't be opened, counted or decoded; the message names the file and the reason."""


class DatasetUnavailable(ValueError):
    """A dataset that is not on this machine; ``hint`` says how to bring it."""

    def __init__(self, message: str, hint: str):
        super().__init__(f"{message}. {hint}")
        self.hint = hint


@dataclass(frozen=True)
class VideoSource:
    """One video of a dataset."""

    key: str
    """Unique in the dataset and stable across machines: the path below the dataset's root, or its official name."""
    path: Path
    """The file, or the folder of an image sequence."""
    kind: SourceKind = "video"
    fps: float | None = None
    """Frame rate where the file doesn't carry one (raw video, image sequences); otherwise ``None``."""
    width: int | None = None
    """Frame size of raw video; otherwise ``None``."""
    height: int | None = None
    colour_matrix: ColourMatrix | None = None
    """Matrix that turns YCbCr into RGB where the file names none; ``None``: BT.709 for raw video, else BT.601."""

    def __post_init__(self) -> None:
        # Keys are kept in ledgers and printed. A dataset that escapes names itself keeps those of two files apart.
        object.__setattr__(self, "key", escape_unprintable(self.key))


@dataclass(frozen=True)
class MissingSource:
    """A video the dataset's list names and the disk doesn't hold."""

    key: str
    reason: str


@dataclass(frozen=True)
class Window:
    """Frames of one source that form one clip."""

    index: int
    """Position among the source's windows, from 0."""
    frame_ids: tuple[int, ...]
    """Indices into the source's frames; repeated ids are the repeated tail."""


@dataclass(frozen=True)
class Clip:
    """One window, or a piece of it, decoded and transformed by the protocol."""

    source: str
    """The source's key."""
    content_id: str
    """SHA-256 of the source's content, hexadecimal."""
    window: Window
    num_windows: int
    """Windows the source has in all."""
    fps: float
    """Average frame rate of the source, frames/s."""
    reader: str
    """The reader that decoded it: ``decord``, ``pyav``, ``yuv``, ``images``; ``memory`` for tensors."""
    video: Tensor
    """(C, T, H, W) float32 in [-1, 1], on the CPU."""
    start: int = 0
    """Position of the first frame in the window; over 0 only where a long window comes in pieces."""
    sampled_fps: float = 0.0
    """Frames/s of the clip itself: fewer where the protocol takes every n-th frame only; 0 where it is unknown."""
    note: str = ""
    """What makes its frames doubtful: damage of the file. Empty if nothing does."""

    @property
    def is_whole(self) -> bool:
        """Whether these are all the frames of the window."""
        return self.video.shape[1] == len(self.window.frame_ids)

    @property
    def ends_window(self) -> bool:
        """Whether the last frame of the window is among these."""
        return self.start + self.video.shape[1] == len(self.window.frame_ids)


@dataclass(frozen=True)
class FailedClip:
    """A window, or a whole source, that could not be read."""

    source: str
    content_id: str
    """Empty where not even the content could be hashed."""
    window: Window
    """Index :data:`WHOLE_SOURCE` and no frame ids where the source couldn't be opened or counted."""
    reader: str
    reason: str


class Dataset(ABC):
    """A set of videos under one name."""

    name: str
    named_by_root: bool = False
    """Whether two roots are two datasets, as of a folder of anybody's videos; an official dataset may lie anywhere."""
    colour_matrix: ColourMatrix | None = None
    """Matrix of the dataset's videos, for files that name none; ``None``: nothing is known of it."""
    knows_content: bool = False
    """Whether the dataset itself checks what is in its files each time, so that no damage goes unnoticed."""

    @abstractmethod
    def sources(self) -> list[VideoSource]:
        """Every video that is there, sorted by key. Raises :class:`DatasetUnavailable` if there is none."""

    def missing(self) -> list[MissingSource]:
        """Videos that the dataset's own list names and that are not there."""
        return []

    def expected_num_frames(self, key: str) -> int | None:
        """Frames that the source officially has; ``None`` where nothing is known."""
        return None
