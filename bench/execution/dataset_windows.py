"""What a dataset gives under a protocol: its sources, their windows, and what can't be opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...datasets.interface import Dataset, FailedClip, Window
from ...datasets.stream import SourcePlan
from ..ledger.plans import PlannedWindow, clip_digest
from ..planning.cell import clip_identity


@dataclass
class DatasetWindows:
    """A dataset's sources and windows under a protocol, planned once and shared by the cells that use them."""

    dataset: Dataset
    plans: list[SourcePlan | FailedClip]
    missing: tuple[str, ...]

    @property
    def count(self) -> int:
        """Windows, each unreadable source counted as one."""
        return sum(len(plan.windows) if isinstance(plan, SourcePlan) else 1 for plan in self.plans)

    def count_where(self, holds: Callable[[str, str, Window], bool]) -> int:
        """Windows for which ``holds(source, content_id, window)``, unreadable sources included."""
        readable = [
            (p.source.key, p.content_id, window)
            for p in self.plans
            if isinstance(p, SourcePlan)
            for window in p.windows
        ]
        unreadable = [(p.source, p.content_id, p.window) for p in self.plans if isinstance(p, FailedClip)]
        return sum(holds(*item) for item in (*readable, *unreadable))

    def planned(self) -> frozenset[PlannedWindow]:
        """Every window as a plan names it, unreadable sources included."""
        readable = [(p.source.key, p.content_id, w) for p in self.plans if isinstance(p, SourcePlan) for w in p.windows]
        unreadable = [(p.source, p.content_id, p.window) for p in self.plans if isinstance(p, FailedClip)]
        return frozenset(
            (source, window.index, clip_digest(content_id, window.frame_ids))
            for source, content_id, window in (*readable, *unreadable)
        )

    def clips(self) -> list[str]:
        """Identity of every clip."""
        plans = [plan for plan in self.plans if isinstance(plan, SourcePlan)]
        return [clip_identity(plan.content_id, window.frame_ids) for plan in plans for window in plan.windows]


def cut_plans(plans: list[SourcePlan | FailedClip], limit: int | None) -> list[SourcePlan | FailedClip]:
    """Plans without the windows beyond ``limit``."""
    cut: list[SourcePlan | FailedClip] = []
    for plan in plans:
        if isinstance(plan, SourcePlan) and limit is not None:
            plan = replace(plan, windows=plan.windows[:limit])
            limit -= len(plan.windows)
        cut.append(plan)
    return cut
