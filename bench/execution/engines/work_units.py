"""Work units: runs of consecutive videos, each with its batches. The plan alone fixes them.

A batch never depends on which windows are done already, nor on who computes it. So all engines, and a run that goes on
after a kill, compute the same batches, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ....datasets.interface import FailedClip, Window
from ....datasets.source_plan import SourcePlan

Place = tuple[str, int]
"""Key of a source, and index of a window in it."""
Neighbour = tuple[str, str, Window]
"""Key and content of a source, and one of its windows."""


@dataclass(frozen=True)
class WorkUnit:
    """As many consecutive videos as fill at least one batch."""

    number: int
    """Place in the cell, from 0."""
    plans: tuple[SourcePlan, ...]

    def windows(self) -> Iterator[Neighbour]:
        """Every window, in the order in which they are computed."""
        return ((plan.source.key, plan.content_id, window) for plan in self.plans for window in plan.windows)


class WorkUnits:
    """The units of a cell, or some of them."""

    def __init__(self, units: Iterable[WorkUnit], batch_size: int):
        """Args: the units, and the windows in a batch, at most."""
        self.units = list(units)
        self._batch_size = batch_size
        self._starts: dict[str, tuple[WorkUnit, int]] = {}
        for unit in self.units:
            start = 0
            for plan in unit.plans:
                self._starts[plan.source.key] = (unit, start)
                start += len(plan.windows)

    @classmethod
    def of(cls, plans: Iterable[SourcePlan | FailedClip], batch_size: int) -> WorkUnits:
        """The units of a dataset's plans, in their order; sources that can't be opened are in none."""
        return cls(_cut(plans, batch_size), batch_size)

    def batch_of(self, source: str, window: int) -> tuple[int, int] | None:
        """The batch of a window: number of its unit, and place in it. ``None`` for a window of none of the units."""
        if window < 0 or source not in self._starts:
            return None
        unit, start = self._starts[source]
        return unit.number, (start + window) // self._batch_size

    def batch(self, source: str, window: int) -> Sequence[Neighbour]:
        """All windows in the batch of one of them."""
        if (place := self.batch_of(source, window)) is None:
            return []
        unit, first = self._starts[source][0], place[1] * self._batch_size
        found: list[Neighbour] = []
        start = 0
        for plan in unit.plans:
            inside = plan.windows[max(0, first - start) : max(0, first + self._batch_size - start)]
            found += [(plan.source.key, plan.content_id, window) for window in inside]
            start += len(plan.windows)
        return found


def _cut(plans: Iterable[SourcePlan | FailedClip], batch_size: int) -> Iterator[WorkUnit]:
    number, pending = 0, []
    for plan in plans:
        if not isinstance(plan, SourcePlan) or not plan.windows:
            continue
        pending.append(plan)
        if sum(len(one.windows) for one in pending) >= batch_size:
            yield WorkUnit(number, tuple(pending))
            number, pending = number + 1, []
    if pending:
        yield WorkUnit(number, tuple(pending))
