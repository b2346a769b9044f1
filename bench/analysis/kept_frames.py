"""Which windows were kept with their reconstructions, and which of their frames a report shows."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..execution.reconstructions import FOLDER, REFERENCE_FOLDER
from ..metrics.psnr import FramePsnr
from ..metrics.ratio import RatioMetric
from ..metrics.ssim import GaussianSsim
from ..planning.cell import clip_identity
from .cell_results import CellResults
from .frame_values import WindowKey, frame_values, windows_at
from .places import Place


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
class KeptFiles:
    """The files of a window that was kept."""

    reference: Path
    reconstruction: Path


def kept_windows(place: Place) -> list[KeptWindow]:
    """Windows of a place with their references and reconstructions, in the ledger's order."""
    found: dict[str, KeptWindow] = {}
    for result in place.results:
        kept = kept_rows(result)
        psnr, ssim = (_finite_values(result, metric, list(kept)) for metric in (FramePsnr(), GaussianSsim()))
        for index, files in kept.items():
            row = result.contents.rows[index]
            identity = clip_identity(row.content_id, row.frame_ids)
            known = found.get(identity) or KeptWindow(
                identity, row.source, row.window, row.frame_ids, files.reference, {}, {}, {}
            )
            found[identity] = replace(
                known,
                reconstructions={**known.reconstructions, result.label: files.reconstruction},
                psnr={**known.psnr, **({result.label: psnr[row.key]} if row.key in psnr else {})},
                ssim={**known.ssim, **({result.label: ssim[row.key]} if row.key in ssim else {})},
            )
    return list(found.values())


def kept_rows(result: CellResults) -> dict[int, KeptFiles]:
    """Scored rows, by their places, whose clip was kept with its reconstruction; none without a run folder."""
    if result.folder is None:
        return {}
    references = result.folder / FOLDER / REFERENCE_FOLDER / result.cell.protocol_hash
    own = result.folder / FOLDER / result.cell.cell_id
    kept = {path.name for path in own.glob("*.mkv")} & {path.name for path in references.glob("*.mkv")}
    found: dict[int, KeptFiles] = {}
    if kept:
        rows = result.contents.rows
        for index in np.flatnonzero(rows.is_scored).tolist():
            name = f"{clip_identity(rows.texts['content_id'][index], rows.frame_ids(index))}.mkv"
            if name in kept:
                found[index] = KeptFiles(references / name, own / name)
    return found


def _finite_values(result: CellResults, metric: RatioMetric, places: Sequence[int]) -> dict[WindowKey, np.ndarray]:
    """The metric's values of the frames of some windows; without windows where a frame has none."""
    values = frame_values(metric, windows_at(result.windows(metric), places))
    return {key: of_frames for key, of_frames in values.items() if np.isfinite(of_frames).all()}


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
