"""Units and batches: fixed by the plan alone."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from toklab.bench.execution.engines.work_units import WorkUnits
from toklab.datasets.interface import FailedClip, VideoSource, Window
from toklab.datasets.readers.interface import VideoFacts
from toklab.datasets.source_plan import SourcePlan

FACTS = VideoFacts(100, 30.0, 8, 8, "pyav")


def plans(lengths: list[int]) -> list[SourcePlan | FailedClip]:
    """Videos of so many windows each; a negative number is one that can't be opened."""
    return [
        SourcePlan(VideoSource(f"{number:03}", Path("v")), "c", FACTS, tuple(Window(i, (i,)) for i in range(length)))
        if length >= 0
        else FailedClip(f"{number:03}", "", Window(-1, ()), "pyav", "broken")
        for number, length in enumerate(lengths)
    ]


@given(st.lists(st.integers(-1, 7), max_size=12), st.integers(1, 5))
def test_every_window_is_in_one_batch_of_consecutive_windows(lengths: list[int], batch_size: int) -> None:
    units = WorkUnits.of(plans(lengths), batch_size)
    inside = [window for unit in units.units for window in unit.windows()]
    expected = [(f"{n:03}", i) for n, length in enumerate(lengths) for i in range(length)]
    assert [(source, window.index) for source, _, window in inside] == expected
    assert all(len(list(unit.windows())) >= batch_size for unit in units.units[:-1])
    batches = [units.batch(source, index) for source, index in expected]
    for place, batch in zip(expected, batches, strict=True):
        assert place in [(source, window.index) for source, _, window in batch]
        assert len(batch) <= batch_size
        assert len({units.batch_of(source, window.index) for source, _, window in batch}) == 1
    distinct = {units.batch_of(*place): batch for place, batch in zip(expected, batches, strict=True)}
    assert [window for batch in distinct.values() for window in batch] == inside


def test_some_units_have_the_batches_that_they_have_among_all() -> None:
    units = WorkUnits.of(plans([3, 3, -1, 5, 1]), 4)
    alone = WorkUnits(units.units[1:], 4)
    places = [(source, window.index) for source, _, window in alone.units[0].windows()]
    assert [alone.batch_of(*place) for place in places] == [units.batch_of(*place) for place in places]
    assert alone.batch_of("000", 0) is None
    assert alone.batch_of("003", -1) is None
