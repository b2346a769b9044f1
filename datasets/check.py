"""Looking through a dataset: what is there, what is missing, what can't be read, and what has the wrong length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .interface import Dataset, UnreadableVideo, VideoSource
from .protocol import Protocol
from .readers.choice import ReaderChoice
from .readers.worker import DecodeWorker

CheckState = Literal["ok", "missing", "unreadable", "damaged", "wrong-length", "no-window"]


@dataclass(frozen=True)
class CheckRow:
    """What was found of one video."""

    key: str
    """The source's key."""
    state: CheckState
    """``damaged``: some frames are; ``wrong-length``: not the number of frames the dataset gives; ``no-window``: the
    protocol can't use it."""
    reason: str = ""
    """Why the state isn't ``ok``."""
    num_frames: int | None = None
    """``None``, here and below, where it could not be opened."""
    fps: float | None = None
    """Average frame rate, frames/s."""
    width: int | None = None
    """Of the frames as shown, in pixels."""
    height: int | None = None
    """Of the frames as shown, in pixels."""
    reader: str = ""
    """The reader that opened it."""
    num_windows: int | None = None
    """Windows under the protocol, if one was given."""


class _FirstPixel:
    """Stands in for a protocol's transform, so that hardly anything is sent back: the frames need only decode."""

    def transform(self, frames: np.ndarray) -> Tensor:
        """The upper left pixel of (T, H, W, 3): (3, T, 1, 1)."""
        return torch.from_numpy(frames[:, :1, :1].copy()).permute(3, 0, 1, 2).float()


def check_dataset(
    dataset: Dataset,
    *,
    reader: ReaderChoice = "auto",
    protocol: Protocol | None = None,
    causal: bool = True,
    timeout_s: float = 120.0,
) -> list[CheckRow]:
    """Open every video of a dataset, decode its first and last frame, and look for damage, in a child process.

    Args:
        dataset: What to look through.
        reader: As for a run.
        protocol: Count windows under it, and report the videos that give none.
        causal: Whether windows are of the length that causal tokenizers take.
        timeout_s: Seconds that one step with one video may take.

    Returns:
        One row a video, missing ones included, sorted by key.

    Raises:
        DatasetUnavailable: if the dataset isn't there at all.
    """
    rows = [CheckRow(missing.key, "missing", missing.reason) for missing in dataset.missing()]
    worker = DecodeWorker(timeout_s)
    try:
        for source in dataset.sources():
            expected = dataset.expected_num_frames(source.key)
            rows.append(_check_source(source, worker, reader, protocol, causal, expected))
    finally:
        worker.close()
    return sorted(rows, key=lambda row: row.key)


def _check_source(
    source: VideoSource,
    worker: DecodeWorker,
    reader: ReaderChoice,
    protocol: Protocol | None,
    causal: bool,
    expected: int | None,
) -> CheckRow:
    try:
        facts = worker.probe(source, reader)
    except UnreadableVideo as error:
        return CheckRow(source.key, "unreadable", str(error))
    state: CheckState = "ok"
    reason, num_windows = "", None
    if protocol is not None:
        try:
            num_windows = len(protocol.windows(facts.num_frames, facts.fps, causal=causal))
        except ValueError as error:
            state, reason, num_windows = "no-window", str(error), 0
    if expected not in (None, facts.num_frames):
        state, reason = "wrong-length", f"{facts.num_frames} frames where the dataset gives {expected}"
    try:
        clip = worker.decode(source, sorted({0, facts.num_frames - 1}), _FirstPixel(), reader)
        if clip.damage:
            state, reason = "damaged", clip.damage
    except UnreadableVideo as error:
        state, reason = "unreadable", str(error)
    return CheckRow(
        source.key,
        state,
        reason,
        num_frames=facts.num_frames,
        fps=facts.fps,
        width=facts.width,
        height=facts.height,
        reader=facts.reader,
        num_windows=num_windows,
    )
