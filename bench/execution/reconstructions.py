"""Kept reconstructions: a few windows of every cell as lossless video, the same windows for all tokenizers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from torch import Tensor

from ...datasets.interface import Clip, UnreadableVideo
from ...datasets.readers.container import open_container
from ...datasets.video_writer import VideoWriter
from ..ledger.errors import writing
from ..metrics.interface import WindowBatch
from ..planning.cell import clip_identity

FOLDER = "reconstructions"
REFERENCE_FOLDER = "reference"
UNFINISHED = ".[0-9]*.mkv"
"""Names of videos while :class:`~toklab.datasets.video_writer.VideoWriter` writes them."""


def to_uint8(video: Tensor) -> np.ndarray:
    """(C, T, H, W) in [-1, 1] to uint8 frames (T, H, W, C)."""
    frames = ((video.clamp(-1, 1) + 1) * 127.5).round().byte()
    return frames.permute(1, 2, 3, 0).cpu().numpy()


def read_kept_frames(path: Path, num_frames: int, positions: Collection[int]) -> dict[int, np.ndarray]:
    """Frames of a kept video by their positions: uint8 RGB, (H, W, 3), as they were written.

    Args:
        path: the video.
        num_frames: how many it must have.
        positions: of the frames that are wanted, from 0.

    Raises:
        UnreadableVideo: if it isn't there, can't be decoded, or has another number of frames.
    """
    frames: dict[int, np.ndarray] = {}
    count = 0
    container, stream = open_container(path)
    with container:
        try:
            for frame in container.decode(stream):
                if isinstance(frame, VideoFrame):
                    if count in positions:
                        frames[count] = frame.to_ndarray(format="rgb24")
                    count += 1
        except FFmpegError as error:
            raise UnreadableVideo(f"{path}: frame {count} can't be decoded ({error.strerror})") from None
    if count != num_frames:
        raise UnreadableVideo(f"{path}: has {count} frames, not {num_frames}")
    return frames


def choose_windows(clips: Iterable[str], keep: int | None) -> frozenset[str]:
    """The ``keep`` clip identities with the smallest hash; all of them for ``None``."""
    ordered = sorted(set(clips), key=lambda clip: hashlib.sha256(clip.encode()).hexdigest())
    return frozenset(ordered if keep is None else ordered[:keep])


def remove_unfinished(run_folder: Path) -> None:
    """Remove videos that killed processes left half written; only for who holds the lock of the run folder."""
    for left in (run_folder / FOLDER).rglob(UNFINISHED):
        with suppress(OSError):
            left.unlink()


class _KeptVideo(VideoWriter):
    """Raises :class:`~toklab.bench.ledger.errors.LedgerError` where the disk is full."""

    def __init__(self, path: Path, fps: float):
        with writing(path):
            super().__init__(path, fps)

    def __enter__(self) -> Self:
        with writing(self._path):
            return super().__enter__()

    def write(self, frames: np.ndarray) -> None:
        with writing(self._path):
            super().write(frames)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with writing(self._path):
            super().__exit__(kind, error, trace)


@dataclass(frozen=True)
class ReconstructionKeeper:
    """Writes the chosen windows of one cell, rounded to 8 bits, as lossless video; the reference once."""

    run_folder: Path
    cell_id: str
    protocol_hash: str
    chosen: frozenset[str]
    """Clip identities to keep."""
    references: frozenset[str] = frozenset()
    """Clip identities whose reference is kept elsewhere."""

    @contextmanager
    def open(self, clip: Clip) -> Iterator[Callable[[WindowBatch], None]]:
        """Take the window of a clip, piece by piece or at once, with the function that is given.

        When the block ends without an error, the window's reconstruction is there, and its reference if no tokenizer
        wrote it before. Of windows that aren't chosen nothing is kept.

        Raises:
            LedgerError: if the disk is full.
        """
        identity = clip_identity(clip.content_id, clip.window.frame_ids)
        if identity not in self.chosen:
            yield lambda batch: None
            return
        name = f"{identity}.mkv"
        reference = self.run_folder / FOLDER / REFERENCE_FOLDER / self.protocol_hash / name
        with ExitStack() as files:
            writer = files.enter_context(_KeptVideo(self.run_folder / FOLDER / self.cell_id / name, clip.fps))
            is_kept = identity in self.references or reference.exists()
            new = None if is_kept else files.enter_context(_KeptVideo(reference, clip.fps))

            def keep(batch: WindowBatch) -> None:
                writer.write(to_uint8(batch.reconstruction[0]))
                if new is not None:
                    new.write(to_uint8(batch.reference[0]))

            yield keep
