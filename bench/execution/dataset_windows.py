"""What a dataset gives under a protocol: its sources, their windows, and what can't be opened."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...datasets.interface import Dataset, FailedClip, VideoSource, Window
from ...datasets.source_plan import SourcePlan
from ...datasets.tensors import TensorClip
from ..ledger.plans import PlannedWindow, clip_digest
from ..planning.cell import clip_identity


@dataclass
class DatasetWindows:
    """A dataset's sources and windows under a protocol, planned once and shared by the cells that use them."""

    sources: Sequence[VideoSource | TensorClip]
    plans: list[SourcePlan | FailedClip]
    missing: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What a reader of the figures must know of the videos, such as wrong lengths."""

    @property
    def count(self) -> int:
        """Windows, each unreadable source counted as one."""
        return sum(len(plan.windows) if isinstance(plan, SourcePlan) else 1 for plan in self.plans)

    @property
    def num_videos(self) -> int:
        """Sources with a window, unreadable ones included."""
        return sum(bool(plan.windows) if isinstance(plan, SourcePlan) else True for plan in self.plans)

    def count_where(self, holds: Callable[[str, str, Window], bool]) -> int:
        """Windows for which ``holds(source, content_id, window)``, unreadable sources included."""
        return sum(holds(*item) for item in itertools.chain(self._readable(), self._unreadable()))

    def places(self) -> frozenset[tuple[str, int]]:
        """Source and index of every window that can be read."""
        return frozenset((source, window.index) for source, _, window in self._readable())

    def planned(self) -> frozenset[PlannedWindow]:
        """Every window as a plan names it, unreadable sources included."""
        return frozenset(
            (source, window.index, clip_digest(content_id, window.frame_ids))
            for source, content_id, window in itertools.chain(self._readable(), self._unreadable())
        )

    def clips(self) -> list[str]:
        """Identity of every clip that can be read."""
        return [clip_identity(content_id, window.frame_ids) for _, content_id, window in self._readable()]

    def _readable(self) -> Iterator[tuple[str, str, Window]]:
        """Source, content and window."""
        plans = (plan for plan in self.plans if isinstance(plan, SourcePlan))
        return ((plan.source.key, plan.content_id, window) for plan in plans for window in plan.windows)

    def _unreadable(self) -> Iterator[tuple[str, str, Window]]:
        return ((p.source, p.content_id, p.window) for p in self.plans if isinstance(p, FailedClip))


def cut_plans(
    plans: Iterable[SourcePlan | FailedClip], limit: int | None, limit_videos: int | None = None
) -> list[SourcePlan | FailedClip]:
    """The first ``limit_videos`` plans, with at most ``limit`` windows in all, spread over the videos.

    The first window of each video is taken, then the second of each, and so on, videos in their order. No more plans
    are drawn from ``plans`` than it takes; sources among them that can't be opened stay, beside the limit.
    """
    taken: list[SourcePlan | FailedClip] = []
    lengths: list[int] = []
    num_open = 0
    for plan in itertools.islice(plans, limit_videos):
        taken.append(plan)
        lengths.append(len(plan.windows) if isinstance(plan, SourcePlan) else 0)
        num_open += lengths[-1] > 0
        if limit is not None and num_open >= limit:
            break
    if limit is None:
        return taken
    shares = _spread(lengths, limit)
    return [
        replace(plan, windows=plan.windows[:share]) if isinstance(plan, SourcePlan) else plan
        for plan, share in zip(taken, shares, strict=True)
    ]


def _spread(lengths: Sequence[int], limit: int) -> list[int]:
    """How many of each video's windows are taken, round by round, until there are ``limit`` or no more."""
    shares = [0] * len(lengths)
    while limit > 0 and (open_ones := [i for i, length in enumerate(lengths) if shares[i] < length]):
        for index in open_ones[:limit]:
            shares[index] += 1
        limit -= len(open_ones)
    return shares


def length_notes(dataset: Dataset, plans: Iterable[SourcePlan | FailedClip]) -> tuple[str, ...]:
    """Videos that haven't as many frames as the dataset says: ``key: …``."""
    found = []
    for plan in plans:
        if isinstance(plan, SourcePlan):
            expected = dataset.expected_num_frames(plan.source.key)
            if expected not in (None, plan.num_frames):
                found.append(f"{plan.source.key}: {plan.num_frames} frames where the dataset gives {expected}")
    return tuple(found)


def unlocked_notes(plans: Iterable[SourcePlan | FailedClip]) -> tuple[str, ...]:
    """That damage to videos could go unnoticed, with their codecs; nothing of videos in memory."""
    kinds = ", ".join(sorted({plan.facts.coding for plan in plans if isinstance(plan, SourcePlan)} - {""}))
    if not kinds:
        return ()
    return (
        f"not locked ({kinds}): damage that no decoder notices would go unseen; `toklab data lock` pins the content",
    )
