"""Batches of a stream: those of the plan, whatever else comes between."""

from __future__ import annotations

from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st
from toklab.bench.execution.batches import group_batches
from toklab.bench.execution.engines.work_units import WorkUnits
from toklab.datasets.interface import Clip, FailedClip, VideoSource, Window
from toklab.datasets.readers.interface import VideoFacts
from toklab.datasets.source_plan import SourcePlan

FACTS = VideoFacts(100, 30.0, 8, 8, "pyav")


def plan(number: int, length: int) -> SourcePlan | FailedClip:
    """A video of so many windows; a negative number is one that can't be opened."""
    name = f"{number:03}"
    if length < 0:
        return FailedClip(name, "", Window(-1, ()), "pyav", "broken")
    return SourcePlan(VideoSource(name, Path("v")), "c", FACTS, tuple(Window(i, (i,)) for i in range(length)))


def clips(plan: SourcePlan | FailedClip) -> list[Clip | FailedClip]:
    """What a stream gives of a plan."""
    if isinstance(plan, FailedClip):
        return [plan]
    video = torch.zeros(3, 1, 1, 1)
    return [Clip(plan.source.key, "c", window, len(plan.windows), 30.0, "pyav", video) for window in plan.windows]


@given(st.lists(st.integers(-1, 5), max_size=10), st.integers(1, 5))
def test_videos_that_cannot_be_opened_part_no_batch(lengths: list[int], batch_size: int) -> None:
    plans = [plan(number, length) for number, length in enumerate(lengths)]
    units = WorkUnits.of(plans, batch_size)
    items = list(group_batches((clip for one in plans for clip in clips(one)), units))
    batches = [[(clip.source, clip.window.index) for clip in item] for item in items if isinstance(item, list)]
    planned = [tuple((s, w.index) for s, _, w in units.batch(*place)) for batch in batches for place in batch]
    assert batches == [list(batch) for batch in dict.fromkeys(planned)]
    assert sum(map(len, batches)) == sum(max(0, length) for length in lengths)
    assert [item for item in items if isinstance(item, FailedClip)] == [p for p in plans if isinstance(p, FailedClip)]
