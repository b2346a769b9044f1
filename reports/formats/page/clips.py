"""The kept clips of a report as the page shows them: the pictures they are in, and which of them there is room for."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...text import one_line
from ..interface import KeptClip, Report
from .media import (
    ERROR_GAIN,
    FRAME_QUALITY,
    GUTTER,
    MediaError,
    Sheet,
    error_sheets,
    frame_sheets,
    plan_grid,
    read_frames,
)

NO_ROOM = "there is no room for it in a page of one file; `toklab report RUN --format html --bundle` writes a folder"
"""Why a clip can't be seen in this page."""


class PageMedia:
    """View copies of the kept clips of a report."""

    def __init__(self, report: Report, limit: int | None):
        """Make the view copies.

        Args:
            report: the report.
            limit: bytes of pictures in base64; clips beyond it are listed with the reason, but aren't shown. ``None``:
                no limit.
        """
        self.pictures: dict[str, bytes] = {}
        """Name of a file → the picture."""
        self.clips: list[dict[str, Any]] = []
        """The clips in JSON."""
        self._room = math.inf if limit is None else limit
        self._is_full = False
        self._known_labels = set(report.identities)
        for clip in _by_turns(report.clips):
            self.clips.append(self._clip(clip))

    def embedded(self) -> dict[str, str]:
        """The pictures in base64, by name."""
        return {name: base64.b64encode(picture).decode() for name, picture in self.pictures.items()}

    def _clip(self, clip: KeptClip) -> dict[str, Any]:
        described: dict[str, Any] = {
            "dataset": clip.dataset,
            "hash": clip.protocol_hash,
            "source": clip.source,
            "window": clip.window,
            "gain": ERROR_GAIN,
            "quality": FRAME_QUALITY,
            "systems": {},
        }
        if self._is_full:
            return described | {"reason": NO_ROOM}
        found: dict[str, bytes] = {}
        try:
            reference = read_frames(clip.reference)
        except MediaError as error:
            return described | {"reason": one_line(str(error))}
        grid = plan_grid(*reference.shape[:3])
        described |= {
            "frames": grid.num_frames,
            "size": [grid.height, grid.width],
            "stride": list(grid.stride),
            "gutter": GUTTER,
            "grid": [grid.rows, grid.columns],
            "reference": _collect(frame_sheets(reference), found),
        }
        described["systems"] = dict(self._systems(clip, reference, found))
        size = sum(4 * math.ceil(len(each) / 3) for name, each in found.items() if name not in self.pictures)
        if size > self._room:
            self._is_full = True
            return {name: value for name, value in described.items() if name != "reference"} | {
                "reason": NO_ROOM,
                "systems": {},
            }
        self._room -= size
        self.pictures |= found
        return described

    def _systems(
        self, clip: KeptClip, reference: np.ndarray, found: dict[str, bytes]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """What each system made of a clip, by label; its pictures are added to ``found``."""
        for given, path in clip.reconstructions.items():
            label = one_line(given)
            if label not in self._known_labels:
                continue
            of_frames = clip.frame_values.get(given, {})
            values = {name: [_rounded(value) for value in each] for name, each in of_frames.items()}
            try:
                frames = read_frames(path)
                errors = _collect(error_sheets(frames, reference), found)
                views = _collect(frame_sheets(frames), found)
                yield label, {"view": views, "error": errors, "values": values}
            except MediaError as error:
                yield label, {"reason": one_line(str(error)), "values": values}


def _by_turns(clips: Sequence[KeptClip]) -> Iterator[KeptClip]:
    """The clips, those of several datasets and protocols by turns: each has some if there isn't room for all."""
    queues: dict[tuple[str, str], list[KeptClip]] = {}
    for clip in clips:
        queues.setdefault((clip.dataset, clip.protocol_hash), []).append(clip)
    for turn in range(max(map(len, queues.values()), default=0)):
        yield from (queue[turn] for queue in queues.values() if turn < len(queue))


def _collect(sheets: Sequence[Sheet], found: dict[str, bytes]) -> list[str]:
    found |= {sheet.name: sheet.content for sheet in sheets}
    return [sheet.name for sheet in sheets]


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
