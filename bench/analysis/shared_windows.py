"""The windows that several tokenizers share, so that their figures can be compared at equal terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..catalog.broken_metric import guarded
from ..metrics.interface import MeasuredWindow, Metric, Unavailable
from ..statistics.ratios import MIN_SOURCES
from .results import CellResults

MAX_LOSS = 0.1
"""Share of the videos that a single tokenizer may cost the others before it is left out."""

Identity = tuple[tuple[str, int], str, tuple[int, ...]]
"""Key of a window, content of its video and its frames."""


@dataclass(frozen=True)
class Contestant:
    """What one tokenizer brings to a comparison by one metric."""

    windows: dict[Identity, MeasuredWindow]
    """Its usable windows."""

    @classmethod
    def of(cls, result: CellResults, metric: Metric, windows: Sequence[MeasuredWindow] | None = None) -> Contestant:
        """Of a cell; ``windows`` are the metric's, where they were already read."""
        clips = {row.key: (row.key, row.content_id, row.frame_ids) for row in result.scored()}
        if result.lacks_windows(metric):
            return cls({})
        read = result.windows(metric) if windows is None else windows
        usable = guarded(metric, "usable", lambda: metric.usable(read))
        # Of a metric whose code fails no figure is there to be compared, and its own line says why.
        return cls({} if isinstance(usable, Unavailable) else {clips[window.key]: window for window in usable})

    @property
    def sources(self) -> set[str]:
        """Contents of its videos."""
        return {content for _, content, _ in self.windows}

    def cut_like(self, other: Contestant) -> bool:
        """Whether both see the same frames where they see the same window of a video."""
        frames = {(key, content): ids for key, content, ids in self.windows}
        return all(frames.get((key, content), ids) == ids for key, content, ids in other.windows)


@dataclass(frozen=True)
class SharedWindows:
    """Windows that all of some tokenizers have."""

    members: tuple[int, ...]
    """Indices of the tokenizers that take part."""
    windows: tuple[list[MeasuredWindow], ...]
    """Those of each member; paired by video alone where tokenizers cut videos differently."""
    num_sources: int
    """Videos that all members share."""
    same_cut: bool
    """Whether all members see the same frames."""

    @property
    def num_windows(self) -> int:
        """Windows of the member with the fewest."""
        return min(map(len, self.windows), default=0)


def share_windows(contestants: Sequence[Contestant], members: Sequence[int]) -> SharedWindows:
    """What the members share: windows where they cut videos alike, else all windows of shared videos.

    Causal tokenizers take windows of 17 frames and others of 16, so those are paired by video.
    """
    cuts: list[list[int]] = []
    for member in members:
        fitting = [cut for cut in cuts if contestants[cut[0]].cut_like(contestants[member])]
        if fitting:
            fitting[0].append(member)
        else:
            cuts.append([member])
    kept: dict[int, set[Identity]] = {}
    for cut in cuts:
        common = set.intersection(*(set(contestants[member].windows) for member in cut))
        kept |= dict.fromkeys(cut, common)
    sources = set.intersection(*({content for _, content, _ in common} for common in kept.values())) if kept else set()
    windows = tuple(
        [
            window
            for identity, window in contestants[member].windows.items()
            if identity in kept[member] and identity[1] in sources
        ]
        for member in members
    )
    return SharedWindows(tuple(members), windows, len(sources), len(cuts) <= 1)


def share_for_ranks(contestants: Sequence[Contestant]) -> SharedWindows:
    """What those share that can be ranked together.

    A tokenizer with too few videos is left out: one with fewer than five, and one that would cost the others more than
    a tenth of their videos.
    """
    members = [index for index, one in enumerate(contestants) if len(one.sources) >= MIN_SOURCES]
    while len(members) > 1:
        shared = share_windows(contestants, members)
        losses = {}
        for member in members:
            without = share_windows(contestants, [other for other in members if other != member]).num_sources
            losses[member] = 1 - shared.num_sources / without if without else 0.0
        worst = max(losses, key=lambda member: losses[member])
        if losses[worst] <= MAX_LOSS:
            return shared
        members.remove(worst)
    return share_windows(contestants, members)
