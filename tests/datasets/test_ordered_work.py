"""Work on several units at once: order, bounds, errors, and an end without leftovers."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.datasets.ordered_work import Bound, OrderedWork, Reserve

NAME = "toklab-test-lane"


class _Recorder:
    """Units whose results are ``(unit, index)``; counts what is under way."""

    def __init__(self, sizes: list[list[int]], bound: Bound, num_lanes: int):
        self.sizes = sizes
        self.lock = threading.Lock()
        self.open: list[tuple[int, int, int]] = []
        self.is_bounded = True
        self.bound = bound
        self.work = OrderedWork(
            len(sizes), self.make, num_lanes=num_lanes, bound=bound, interrupt=lambda lane: None, name=NAME
        )

    def make(self, unit: int, lane: int, reserve: Reserve) -> Iterator[tuple[int, int]]:
        for index, size in enumerate(self.sizes[unit]):
            if not reserve(size):
                return
            with self.lock:
                self.open.append((unit, index, size))
                self.is_bounded &= self._is_within_bound(sorted(size for *_, size in self.open))
            yield unit, index

    def _is_within_bound(self, sizes: list[int]) -> bool:
        # One more may be made for the unit that is due, and one was taken that isn't counted as such yet.
        sizes = sizes[:-2]
        return len(sizes) <= self.bound.num_results or sum(sizes) <= self.bound.num_bytes

    def taken(self, unit: int, index: int) -> None:
        with self.lock:
            self.open.remove((unit, index, self.sizes[unit][index]))


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=8),
    num_results=st.integers(1, 4),
    num_bytes=st.integers(0, 20),
    num_lanes=st.integers(1, 4),
)
def test_results_come_in_order_and_within_the_bound(
    sizes: list[list[int]], num_results: int, num_bytes: int, num_lanes: int
) -> None:
    recorder = _Recorder(sizes, Bound(num_results, num_bytes), num_lanes)
    found = []
    for unit, index in recorder.work.results():
        recorder.taken(unit, index)
        found.append((unit, index))
    assert found == [(unit, index) for unit, made in enumerate(sizes) for index in range(len(made))]
    assert recorder.is_bounded


def test_a_unit_that_hangs_keeps_one_lane_and_the_others_go_on() -> None:
    may_end = threading.Event()
    made: list[int] = []

    def make(unit: int, lane: int, reserve: Reserve) -> Iterator[int]:
        assert reserve(1)
        if unit == 0:
            # Only the other lane can end this.
            assert may_end.wait(600)
        made.append(unit)
        if len(made) == 3:
            may_end.set()
        yield unit

    work = OrderedWork(6, make, num_lanes=2, bound=Bound(4), interrupt=lambda lane: None, name=NAME)
    assert list(work.results()) == [0, 1, 2, 3, 4, 5]
    assert made[:3] == [1, 2, 3]


def test_units_behind_take_no_more_than_the_bound_while_the_first_one_hangs() -> None:
    may_end = threading.Event()
    held: list[int] = []
    is_full = threading.Event()

    def make(unit: int, lane: int, reserve: Reserve) -> Iterator[int]:
        if unit == 0:
            assert may_end.wait(600)
        for _ in range(5):
            if len(held) == 3:
                is_full.set()
            if not reserve(0):
                return
            held.append(unit)
            yield unit

    work = OrderedWork(3, make, num_lanes=2, bound=Bound(3), interrupt=lambda lane: may_end.set(), name=NAME)
    results = work.results()
    consumer = threading.Thread(target=lambda: held.append(-next(results) - 1))
    consumer.start()
    assert is_full.wait(600)
    assert held == [1, 1, 1]
    may_end.set()
    consumer.join()
    assert list(results) == [0] * 4 + [1] * 5 + [2] * 5


def test_an_error_comes_in_its_place() -> None:
    def make(unit: int, lane: int, reserve: Reserve) -> Iterator[int]:
        assert reserve(0)
        yield unit
        if unit == 1:
            raise ZeroDivisionError

    results = OrderedWork(3, make, num_lanes=3, bound=Bound(9), interrupt=lambda lane: None, name=NAME).results()
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_leaving_early_interrupts_the_lane_that_hangs_and_waits_for_all() -> None:
    released = threading.Event()
    interrupted: set[int] = set()

    def interrupt(lane: int) -> None:
        interrupted.add(lane)
        released.set()

    def make(unit: int, lane: int, reserve: Reserve) -> Iterator[int]:
        if not reserve(0):
            return
        if unit == 1:
            hanging.append(lane)
            is_hanging.set()
            assert released.wait(600)
        assert is_hanging.wait(600)
        yield unit

    is_hanging = threading.Event()
    hanging: list[int] = []
    work = OrderedWork(3, make, num_lanes=3, bound=Bound(9), interrupt=interrupt, name=NAME)
    results = work.results()
    assert next(results) == 0
    results.close()
    assert work.is_stopped
    # A lane that ends by itself is left alone.
    assert interrupted == set(hanging)
    assert not [thread for thread in threading.enumerate() if thread.name == NAME]
