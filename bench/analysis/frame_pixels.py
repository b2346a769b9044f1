"""The pixels of chosen frames, and the part of them that a report magnifies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...datasets.interface import UnreadableVideo
from ..execution.reconstructions import read_kept_frames
from .kept_frames import ChosenFrame, KeptWindow

LARGEST_ROUNDING = 1 / 255 + 2e-4
"""Reference and reconstruction are kept in 8 bits, each within half a level of what was scored. So the root of the mean
squared error of the kept frames is within one level of the scored one (triangle inequality), and the floor in the
ledger's dB adds 1e-4 at most. Beyond that the files aren't those that were scored."""
CROP_SHARE = 4
"""A crop has a quarter of the frame's height and width."""


@dataclass(frozen=True)
class Box:
    """A part of a frame, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """That part of a frame (H, W, …)."""
        return frame[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True)
class DamagedClip:
    """A kept video that can't be shown."""

    window: KeptWindow
    label: str
    """Of the tokenizer; empty for the reference."""
    reason: str


@dataclass(frozen=True)
class FramePixels:
    """A chosen frame: uint8 RGB, (H, W, 3)."""

    chosen: ChosenFrame
    reference: np.ndarray
    made: Mapping[str, np.ndarray]
    """By the tokenizer's label."""


def read_frame(chosen: ChosenFrame, labels: Sequence[str]) -> FramePixels | list[DamagedClip]:
    """The chosen frame of the reference and of each reconstruction, or every video that can't be shown."""
    window, position = chosen.window, chosen.position
    reference = _read(window, "", window.reference, position)
    if isinstance(reference, DamagedClip):
        return [reference]
    made: dict[str, np.ndarray] = {}
    damaged: list[DamagedClip] = []
    for label in labels:
        frame = _read(window, label, window.reconstructions[label], position)
        reason = frame.reason if isinstance(frame, DamagedClip) else _objection(chosen, label, reference, frame)
        if isinstance(frame, DamagedClip) or reason:
            damaged.append(DamagedClip(window, label, reason))
        else:
            made[label] = frame
    return damaged or FramePixels(chosen, reference, made)


def _objection(chosen: ChosenFrame, label: str, reference: np.ndarray, frame: np.ndarray) -> str:
    """Why a frame can't be a reconstruction that was scored; empty if it can."""
    if frame.shape != reference.shape:
        sizes = " and ".join(f"{each.shape[0]}×{each.shape[1]}" for each in (frame, reference))
        return f"it and its reference have frames of {sizes} pixels"
    if label in chosen.window.psnr:
        scored = 10 ** (-float(chosen.window.psnr[label][chosen.position]) / 20)
        kept = float(np.sqrt(np.mean(((frame.astype(np.float64) - reference) / 255) ** 2)))
        if abs(kept - scored) > LARGEST_ROUNDING:
            return "its frames aren't those that were scored: their PSNR is another than the ledger's"
    return ""


def _read(window: KeptWindow, label: str, path: Path, position: int) -> np.ndarray | DamagedClip:
    try:
        return read_kept_frames(path, len(window.frame_ids), (position,))[position]
    except UnreadableVideo as error:
        return DamagedClip(window, label, str(error).removeprefix(f"{path}: "))


def without_damaged(windows: Sequence[KeptWindow], damaged: Sequence[DamagedClip]) -> list[KeptWindow]:
    """The windows without what can't be shown: single reconstructions, or all of a window whose reference it is."""
    bad = {(each.window.identity, each.label) for each in damaged}
    return [
        replace(window, reconstructions=rest)
        for window in windows
        if (window.identity, "") not in bad
        and (rest := {k: v for k, v in window.reconstructions.items() if (window.identity, k) not in bad})
    ]


def crop_box(reference: np.ndarray, made: Sequence[np.ndarray]) -> Box:
    """Where the tokenizers differ most: the crop over which the variance among them sums to the most.

    The variance of each pixel and channel is taken over the tokenizers; of a single one, the squared difference to the
    reference stands in its place. Of equal crops the first in reading order is taken.

    Args:
        reference: uint8 RGB, (H, W, 3).
        made: the tokenizers' frames, of the same shape.
    """
    height, width = reference.shape[:2]
    box_height, box_width = max(1, height // CROP_SHARE), max(1, width // CROP_SHARE)
    compared = [frame.astype(np.int64) for frame in (made if len(made) > 1 else (reference, *made))]
    total = sum(compared, np.zeros(reference.shape, np.int64))
    squares = sum((frame * frame for frame in compared), np.zeros(reference.shape, np.int64))
    # n² times the variance, in whole numbers, so that equal crops are equal.
    spread = (len(compared) * squares - total * total).sum(-1)
    sums = np.zeros((height + 1, width + 1), np.int64)
    sums[1:, 1:] = spread.cumsum(0).cumsum(1)
    boxes = (
        sums[box_height:, box_width:]
        - sums[:-box_height, box_width:]
        - sums[box_height:, :-box_width]
        + sums[:-box_height, :-box_width]
    )
    top, left = np.unravel_index(int(boxes.argmax()), boxes.shape)
    return Box(int(top), int(left), box_height, box_width)
