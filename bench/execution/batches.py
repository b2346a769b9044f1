"""Batches of a stream's clips: which windows go through the model together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from ...datasets.interface import Clip, FailedClip
from .engines.work_units import WorkUnits
from .long_windows import LongClip
from .options import MOST_WINDOWS

AS_MANY_AS_FIT = 0
"""Batch size: as many windows as fit the device's memory."""
MEMORY_SHARE = 0.8
"""Of the free memory, a batch that is sized by it takes at most so much."""


def group_batches(
    stream: Iterable[Clip | FailedClip | LongClip], units: WorkUnits
) -> Iterator[list[Clip] | FailedClip | LongClip]:
    """The clips of a stream in the batches that the plan puts them into.

    Failed clips and long ones come alone, at once: a long one must be used up before the stream's next item is asked
    for. The clips of a batch that differ in shape come apart.

    Args:
        stream: in the plan's order.
        units: of the plan.
    """
    pending: list[Clip] = []
    missing: set[tuple[str, int]] = set()
    current: object = None
    for item in stream:
        first = item.first if isinstance(item, LongClip) else item
        place = (first.source, first.window.index)
        if (batch := units.batch_of(*place)) is None:
            # A source that can't be opened is in no batch, and parts none.
            yield [item] if isinstance(item, Clip) else item
            continue
        if batch != current:
            yield from _of_one_shape(pending)
            pending, current = [], batch
            missing = {(source, window.index) for source, _, window in units.batch(*place)}
        missing.discard(place)
        if isinstance(item, Clip):
            pending.append(item)
        else:
            yield item
        if not missing:
            yield from _of_one_shape(pending)
            pending = []
    yield from _of_one_shape(pending)


def _of_one_shape(clips: Sequence[Clip]) -> Iterator[list[Clip]]:
    """Clips of a batch that can be stacked, in order."""
    for _, group in itertools.groupby(clips, key=lambda clip: clip.video.shape):
        yield list(group)


def windows_that_fit(used: int | None, peak: float | None, free: int | None) -> int:
    """Windows whose forward pass fits the memory of a device together; 1 where that isn't known, as on a CPU.

    Args:
        used: bytes that were in use before the pass of one window.
        peak: most bytes in use during it.
        free: bytes that are free after it.
    """
    if used is None or peak is None or free is None or peak <= used:
        return 1
    return max(1, min(MOST_WINDOWS, int(MEMORY_SHARE * free / (peak - used))))
