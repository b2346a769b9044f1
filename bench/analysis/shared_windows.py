"""The windows that several tokenizers share, so that their figures can be compared at equal terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..catalog.broken_metric import guarded
from ..ledger.columns import RowColumns
from ..metrics.interface import MeasuredWindow, Metric, Unavailable
from ..metrics.window_columns import WindowColumns
from ..statistics.ratios import MIN_SOURCES
from .cell_results import CellResults

MAX_LOSS = 0.1
"""Share of the videos that a single tokenizer may cost the others before it is left out."""


@dataclass(frozen=True, eq=False)
class Contestant:
    """What one tokenizer brings to a comparison by one metric."""

    windows: Sequence[MeasuredWindow]
    """Its usable windows."""
    index: np.ndarray
    """(windows,) int64, their places among the cell's rows."""
    rows: RowColumns
    """All rows of the cell."""

    @classmethod
    def of(cls, result: CellResults, metric: Metric, windows: Sequence[MeasuredWindow] | None = None) -> Contestant:
        """Of a cell; ``windows`` are the metric's, where they were already read."""
        rows = result.contents.rows
        if result.lacks_windows(metric):
            return cls([], np.zeros(0, np.int64), rows)
        read = result.windows(metric) if windows is None else windows
        usable = guarded(metric, "usable", lambda: metric.usable(read))
        # Of a metric whose code fails no figure is there to be compared, and its own line says why.
        if isinstance(usable, Unavailable):
            usable = []
        if isinstance(usable, WindowColumns):
            return cls(usable, usable.row_places, rows)
        return cls(usable, np.array([rows.places[window.key] for window in usable], np.int64), rows)

    def part(self, chosen: np.ndarray) -> Contestant:
        """With some of its windows; ``chosen`` is (windows,) bool."""
        places = np.flatnonzero(chosen)
        if isinstance(self.windows, WindowColumns):
            windows: Sequence[MeasuredWindow] = self.windows.take(places)
        else:
            windows = [self.windows[place] for place in places.tolist()]
        return Contestant(windows, self.index[places], self.rows)

    def of_whole_videos(self) -> Contestant:
        """With the windows of those videos alone of which it lacks none."""
        sources = self.rows.texts["source"].codes
        lacks = np.ones(len(sources), bool)
        lacks[self.index] = False
        return self.part(~np.isin(sources[self.index], sources[lacks]))

    @property
    def num_sources(self) -> int:
        """Its videos, copies of one counted once."""
        return len(np.unique(self.rows.texts["content_id"].codes[self.index]))


@dataclass(frozen=True, eq=False)
class SharedWindows:
    """Windows that all of some tokenizers have."""

    members: tuple[int, ...]
    """Indices of the tokenizers that take part."""
    parts: tuple[Contestant, ...]
    """Each member with what is shared; paired by video alone where tokenizers cut videos differently."""
    num_sources: int
    """Videos that all members share."""
    same_cut: bool
    """Whether all members see the same frames."""

    @property
    def windows(self) -> tuple[Sequence[MeasuredWindow], ...]:
        """The windows of each member."""
        return tuple(part.windows for part in self.parts)

    @property
    def note(self) -> str:
        """What a reader must know of how the windows are paired; empty where all members see the same frames."""
        return "" if self.same_cut else "windows differ in length and are paired by video"

    @property
    def num_windows(self) -> int:
        """Windows of the member with the fewest."""
        return min((len(part.windows) for part in self.parts), default=0)


@dataclass(frozen=True, eq=False)
class _Numbers:
    """The windows of a contestant as numbers that are equal wherever the windows are."""

    content: np.ndarray
    """(windows,) by the content of the video."""
    place: np.ndarray
    """(windows,) by key and content."""
    identity: np.ndarray
    """(windows,) by key, content and frames."""

    def cut_like(self, other: _Numbers) -> bool:
        """Whether both see the same frames where they see the same window of a video."""
        own = np.full(1 + max(self.place.max(initial=0), other.place.max(initial=0)), -1)
        own[self.place] = self.identity
        found = own[other.place]
        return bool(((found < 0) | (found == other.identity)).all())


def _numbered(contestants: Sequence[Contestant]) -> list[_Numbers]:
    """The windows of contestants, numbered in common."""
    ends = np.cumsum([len(one.index) for one in contestants])[:-1]
    content = _numbers_of_texts(contestants, "content_id")
    windows = np.concatenate([one.rows.window[one.index] for one in contestants])
    place = _paired(_paired(_numbers_of_texts(contestants, "source"), windows - windows.min(initial=0)), content)
    identity = _paired(place, _numbers_of_texts(contestants, "frame_ids"))
    return list(map(_Numbers, *(np.split(column, ends) for column in (content, place, identity))))


def _numbers_of_texts(contestants: Sequence[Contestant], name: str) -> np.ndarray:
    """Equal numbers for equal texts of a column, all contestants one after the other."""
    known: dict[str, int] = {}
    found = []
    for one in contestants:
        column = one.rows.texts[name]
        numbers = np.array([known.setdefault(value, len(known)) for value in column.values], np.int64)
        found.append(numbers[column.codes[one.index]] if len(numbers) else np.zeros(0, np.int64))
    return np.concatenate(found)


def _paired(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A number for each pair of numbers, from 0 without gaps, so that products never overflow."""
    return np.unique(first * (second.max(initial=0) + 1) + second, return_inverse=True)[1]


def share_windows(
    contestants: Sequence[Contestant], members: Sequence[int], *, by_video: bool = False
) -> SharedWindows:
    """What the members share: windows where they cut videos alike, else all windows of shared videos.

    Causal tokenizers take windows of 17 frames and others of 16, so those are paired by video.

    Args:
        contestants: whom the members are among.
        members: their indices.
        by_video: whether all windows of shared videos are taken in any case.
    """
    return _share(contestants, members, _numbered(contestants) if contestants else [], by_video=by_video)


def _share(
    contestants: Sequence[Contestant],
    members: Sequence[int],
    numbers: Sequence[_Numbers],
    *,
    by_video: bool = False,
) -> SharedWindows:
    cuts: list[list[int]] = []
    for member in members:
        fitting = [cut for cut in cuts if not by_video and numbers[cut[0]].cut_like(numbers[member])]
        if fitting:
            fitting[0].append(member)
        else:
            cuts.append([member])
    chosen: dict[int, np.ndarray] = {}
    for cut in cuts:
        counted = np.bincount(np.concatenate([numbers[member].identity for member in cut]))
        for member in cut:
            chosen[member] = counted[numbers[member].identity] == len(cut)
    present = [np.unique(numbers[member].content[own]) for member, own in chosen.items()]
    most = 1 + max((numbers[member].content.max(initial=0) for member in members), default=0)
    every = np.bincount(np.concatenate([*present, np.zeros(0, np.int64)]), minlength=most) == max(1, len(present))
    parts = tuple(contestants[member].part(chosen[member] & every[numbers[member].content]) for member in members)
    return SharedWindows(tuple(members), parts, int(np.count_nonzero(every)), len(cuts) <= 1)


def share_for_ranks(contestants: Sequence[Contestant]) -> SharedWindows:
    """What those share that can be ranked together.

    A tokenizer with too few videos is left out: one with fewer than five, and one that would cost the others more than
    a tenth of their videos.
    """
    members = [index for index, one in enumerate(contestants) if one.num_sources >= MIN_SOURCES]
    numbers = _numbered(contestants) if contestants else []
    while len(members) > 1:
        shared = _share(contestants, members, numbers)
        losses = {}
        for member in members:
            without = _share(contestants, [other for other in members if other != member], numbers).num_sources
            losses[member] = 1 - shared.num_sources / without if without else 0.0
        worst = max(losses, key=lambda member: losses[member])
        if losses[worst] <= MAX_LOSS:
            return shared
        members.remove(worst)
    return _share(contestants, members, numbers)
