"""Which of the kept frames a report shows, which part of them it magnifies, and their pixels."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...datasets.interface import UnreadableVideo
from ..execution.reconstructions import FOLDER, REFERENCE_FOLDER, read_kept_frames
from ..metrics.psnr import FramePsnr
from ..metrics.ratio import RatioMetric
from ..metrics.ssim import GaussianSsim
from ..planning.cell import clip_identity
from .cell_results import CellResults
from .places import Place

LARGEST_ROUNDING = 1 / 255 + 2e-4
"""Reference and reconstruction are kept in 8 bits, each within half a level of what was scored. So the root of the mean
squared error of the kept frames is within one level of the scored one (triangle inequality), and the floor in the
ledger's dB adds 1e-4 at most. Beyond that the files aren't those that were scored."""
CROP_SHARE = 4
"""A crop has a quarter of the frame's height and width."""


@dataclass(frozen=True)
class KeptWindow:
    """A window of which reconstructions were kept."""

    identity: str
    """Of its clip: content and frames."""
    source: str
    """Key of the source video."""
    window: int
    """Which of its windows, from 0."""
    frame_ids: tuple[int, ...]
    """Indices of its frames in the source; a short tail repeats the last one."""
    reference: Path
    reconstructions: Mapping[str, Path]
    """By the tokenizer's label."""
    psnr: Mapping[str, np.ndarray]
    """The ledger's dB of each frame, by label, where it has them."""
    ssim: Mapping[str, np.ndarray]
    """The ledger's SSIM of each frame, by label, where it has them."""

    @property
    def distinct(self) -> list[int]:
        """Positions of its frames, without the repeated ones."""
        return [at for at, frame in enumerate(self.frame_ids) if at == 0 or frame != self.frame_ids[at - 1]]


Candidate = tuple[KeptWindow, int]
"""A frame: its window and its position there."""


@dataclass(frozen=True)
class ChosenFrame:
    """A frame that a report shows."""

    rule: str
    """By which it was chosen."""
    window: KeptWindow
    position: int
    """In the window, from 0."""


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


def kept_windows(folder: Path, place: Place) -> list[KeptWindow]:
    """Windows of a place with their references and reconstructions, in the ledger's order.

    Args:
        folder: run folder of the results that don't know theirs.
        place: with results of one or several run folders.
    """
    found: dict[str, KeptWindow] = {}
    for result in place.results:
        home = (result.folder or folder) / FOLDER
        references, own = home / REFERENCE_FOLDER / place.protocol_hash, home / result.cell.cell_id
        rows = [result.contents.rows[index] for index in kept_rows(result, result.folder or folder)]
        result = replace(result, rows=rows)
        psnr, ssim = frame_values(result, FramePsnr()), frame_values(result, GaussianSsim())
        for row in rows:
            identity = clip_identity(row.content_id, row.frame_ids)
            reference, made = references / f"{identity}.mkv", own / f"{identity}.mkv"
            known = found.get(identity) or KeptWindow(
                identity, row.source, row.window, row.frame_ids, reference, {}, {}, {}
            )
            found[identity] = replace(
                known,
                reconstructions={**known.reconstructions, result.label: made},
                psnr={**known.psnr, **({result.label: psnr[row.key]} if row.key in psnr else {})},
                ssim={**known.ssim, **({result.label: ssim[row.key]} if row.key in ssim else {})},
            )
    return list(found.values())


def kept_rows(result: CellResults, home: Path) -> dict[int, str]:
    """Scored rows, by their places, whose clip was kept with its reconstruction, and the name of both files.

    Args:
        result: the cell.
        home: its run folder.
    """
    references = home / FOLDER / REFERENCE_FOLDER / result.cell.protocol_hash
    own = home / FOLDER / result.cell.cell_id
    kept = {path.name for path in own.glob("*.mkv")} & {path.name for path in references.glob("*.mkv")}
    found: dict[int, str] = {}
    if kept:
        rows = result.contents.rows
        for index in np.flatnonzero(rows.is_scored).tolist():
            name = f"{clip_identity(rows.texts['content_id'][index], rows.frame_ids(index))}.mkv"
            if name in kept:
                found[index] = name
    return found


def frame_values(result: CellResults, metric: RatioMetric) -> dict[tuple[str, int], np.ndarray]:
    """What a metric of frames has for each frame, by source and window; without windows where frames lack it."""
    measured = ((window, np.asarray(metric.numerators(window))) for window in result.windows(metric))
    return {
        (window.file, window.window): values
        for window, values in measured
        if len(values) == window.num_frames and np.isfinite(values).all()
    }


def sharing_systems(windows: Sequence[KeptWindow]) -> Iterator[tuple[list[str], list[KeptWindow]]]:
    """Tokenizers that have windows in common, with those windows; each tokenizer once.

    Causal and non-causal tokenizers share none, as theirs differ in length.
    """
    left = list(windows)
    while left:
        counts = Counter({window.identity: len(window.reconstructions) for window in left})
        widest = max(left, key=lambda window: counts[window.identity])
        labels = list(widest.reconstructions)
        yield labels, [window for window in left if set(labels) <= set(window.reconstructions)]
        rests = (
            replace(window, reconstructions={k: v for k, v in window.reconstructions.items() if k not in labels})
            for window in left
        )
        left = [window for window in rests if window.reconstructions]


def choose_frames(windows: Sequence[KeptWindow], labels: Sequence[str]) -> list[ChosenFrame]:
    """The frames that stand for all kept ones, by rules that nobody can bend.

    *worst* and *best*: the lowest and the highest mean PSNR of the tokenizers. *median difference*: the (lower) median
    of their highest minus their lowest PSNR, where there are several. *by hash*: the smallest SHA-256 of clip and
    position. The rules take their frames in this order, each of a clip that none has taken yet, as long as there are
    such clips. Where the ledger lacks a PSNR, the last rule is the only one. Ties go to the smaller hash.
    """
    candidates = sorted(
        ((window, position) for window in windows for position in window.distinct),
        key=lambda each: hashlib.sha256(f"{each[0].identity} {each[1]}".encode()).hexdigest(),
    )
    rules: dict[str, Callable[[list[Candidate]], Candidate]] = {}
    if all(label in window.psnr for window in windows for label in labels):

        def values(candidate: Candidate) -> list[float]:
            return [float(candidate[0].psnr[label][candidate[1]]) for label in labels]

        def mean(candidate: Candidate) -> float:
            return math.fsum(values(candidate)) / len(labels)

        def spread(candidate: Candidate) -> float:
            return max(values(candidate)) - min(values(candidate))

        rules["worst"] = lambda left: min(left, key=mean)
        rules["best"] = lambda left: max(left, key=mean)
        if len(labels) > 1:
            rules["median difference"] = lambda left: sorted(left, key=spread)[(len(left) - 1) // 2]
    rules["by hash"] = lambda left: left[0]
    chosen: list[ChosenFrame] = []
    for rule, choose in rules.items():
        shown = {(each.window.identity, each.position) for each in chosen}
        clips = {identity for identity, _ in shown}
        left = [each for each in candidates if each[0].identity not in clips]
        left = left or [each for each in candidates if (each[0].identity, each[1]) not in shown]
        if left:
            chosen.append(ChosenFrame(rule, *choose(left)))
    return chosen


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
