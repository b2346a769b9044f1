"""Work on several units at once whose results come in the order of the units, and never pile up."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

Result = TypeVar("Result")

MOST_RESULTS = 128
"""Results that may be under way at once however small they are: each may hold a file descriptor."""
PATIENCE_S = 0.5
"""Seconds that a lane may take to end by itself: what is interrupted may be slow to start again."""
INTERRUPT_INTERVAL_S = 0.1


@dataclass(frozen=True)
class Bound:
    """How much may be under way: results that are being made, and those that wait.

    A result may be made while there are fewer than ``num_results``, or while it takes less than ``num_bytes`` with
    the others; 0 leaves the number alone to decide.
    """

    num_results: int
    num_bytes: int = 0

    def has_room(self, num_results: int, num_bytes: int, more: int) -> bool:
        """Whether another result of ``more`` bytes may be made beside so many of ``num_bytes`` in all."""
        return num_results < self.num_results or (num_results < MOST_RESULTS and num_bytes + more < self.num_bytes)


class Reserve(Protocol):
    """Waits for room for a result of so many bytes; ``False`` where the work is to stop."""

    def __call__(self, num_bytes: int, /) -> bool:
        """Called once before each result that a unit gives."""
        ...


@dataclass
class _Unit(Generic[Result]):
    made: deque[tuple[Result, int]] = field(default_factory=deque)
    num_reserved: int = 0
    """Results that are being made or wait."""
    is_done: bool = False
    error: BaseException | None = None


class OrderedWork(Generic[Result]):
    """Units 0 … n − 1, each worked on by one of several lanes; a lane takes the next unit when it is done with one.

    The unit whose results are due may always make one, whatever the others hold: so they can't keep it from its end.
    """

    def __init__(
        self,
        num_units: int,
        work: Callable[[int, int, Reserve], Iterator[Result]],
        *,
        num_lanes: int,
        bound: Bound,
        interrupt: Callable[[int], None],
        name: str,
    ):
        """Set up; nothing is started before :meth:`results`.

        Args:
            num_units: how many there are.
            work: ``work(unit, lane, reserve)`` gives a unit's results in order, on the lane's thread. It reserves
                room before it makes each of them, and ends where it can't.
            num_lanes: threads, at least 1.
            bound: of what is under way. One more result may be: see above.
            interrupt: ends what a lane waits for, when nobody wants the results any more; called until it has ended.
            name: of the threads.
        """
        self._num_units = num_units
        self._work = work
        self._num_lanes = min(num_lanes, num_units)
        self._bound = bound
        self._interrupt = interrupt
        self._name = name
        self._changed = threading.Condition()
        self._units: dict[int, _Unit[Result]] = {}
        self._next = 0
        self._due = 0
        self._num_results = self._num_bytes = 0
        self._is_stopped = False

    @property
    def is_stopped(self) -> bool:
        """Whether nobody wants further results."""
        return self._is_stopped

    def results(self) -> Generator[Result, None, None]:
        """All results, unit by unit. An error of a unit is raised in its place.

        Closing the generator stops the lanes, and waits for their end.
        """
        lanes = [
            threading.Thread(target=self._run_lane, args=(lane,), name=self._name, daemon=True)
            for lane in range(self._num_lanes)
        ]
        is_complete = False
        try:
            for lane in lanes:
                lane.start()
            while (found := self._take()) is not None:
                yield found[0]
            is_complete = True
        finally:
            with self._changed:
                self._is_stopped = True
                self._changed.notify_all()
            self._end([lane for lane in lanes if lane.ident is not None], interrupt=not is_complete)

    def _end(self, lanes: Sequence[threading.Thread], *, interrupt: bool) -> None:
        """Wait for the end of all lanes."""
        until = time.monotonic() + PATIENCE_S
        for number, lane in enumerate(lanes):
            lane.join(max(0.0, until - time.monotonic()) if interrupt else None)
            # A lane may start what it waits for at this very moment, so once is not enough.
            while lane.is_alive():
                self._interrupt(number)
                lane.join(INTERRUPT_INTERVAL_S)

    def _take(self) -> tuple[Result] | None:
        """The next result in order, once it is there; ``None`` after the last one."""
        with self._changed:
            while self._due < self._num_units:
                unit = self._units.get(self._due)
                if unit is not None and unit.made:
                    result, num_bytes = unit.made.popleft()
                    self._free(unit, num_bytes)
                    return (result,)
                if unit is not None and unit.is_done:
                    if unit.error is not None:
                        raise unit.error
                    del self._units[self._due]
                    self._due += 1
                    self._changed.notify_all()
                else:
                    self._changed.wait()
        return None

    def _run_lane(self, lane: int) -> None:
        while True:
            with self._changed:
                if self._is_stopped or self._next >= self._num_units:
                    return
                number, self._next = self._next, self._next + 1
                unit = self._units[number] = _Unit()
            self._run_unit(number, unit, lane)

    def _run_unit(self, number: int, unit: _Unit[Result], lane: int) -> None:
        reserved: deque[int] = deque()

        def reserve(num_bytes: int) -> bool:
            with self._changed:
                self._changed.wait_for(lambda: self._is_stopped or self._has_room(number, unit, num_bytes))
                if self._is_stopped:
                    return False
                unit.num_reserved += 1
                self._num_results += 1
                self._num_bytes += num_bytes
            reserved.append(num_bytes)
            return True

        try:
            for result in self._work(number, lane, reserve):
                with self._changed:
                    unit.made.append((result, reserved.popleft()))
                    self._changed.notify_all()
        except BaseException as error:
            unit.error = error
        with self._changed:
            for num_bytes in reserved:
                self._free(unit, num_bytes)
            unit.is_done = True
            self._changed.notify_all()

    def _has_room(self, number: int, unit: _Unit[Result], num_bytes: int) -> bool:
        is_due = number == self._due and unit.num_reserved == 0
        return is_due or self._bound.has_room(self._num_results, self._num_bytes, num_bytes)

    def _free(self, unit: _Unit[Result], num_bytes: int) -> None:
        unit.num_reserved -= 1
        self._num_results -= 1
        self._num_bytes -= num_bytes
        self._changed.notify_all()
