"""Repetitions of timed passes: of one tokenizer alone, or of several in turn, within so many seconds.

In turn means rounds: each tokenizer has one repetition in a round, in an order that is drawn anew for each round. What
slows the machine down then slows all of a round, and no tokenizer always follows the same one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..statistics.order_statistics import median_interval

WARM_UPS = 2
CHECKPOINTS = (6, 9, 12, 15, 20, 30)
"""Numbers of repetitions after which medians are examined; the last one ends the pass."""
HALF_WIDTH = 0.03
"""The median is stable where its 95 % interval lies within this share of it, on both sides."""
SEED = 0
"""Of the order in each round."""

Timing = Mapping[str, float]
"""``encode_s`` and ``decode_s`` of one pass, and what else is known of it."""
Clock = Callable[[], float]


@dataclass(eq=False)
class Contestant:
    """What is timed, and what came of it."""

    one_pass: Callable[[], Timing]
    """Encodes and decodes once."""
    expected_s: float = 0.0
    """Seconds that a pass is likely to take; 0 where nobody knows."""
    timings: list[Timing] = field(default_factory=list)
    """Of its repetitions."""
    warm_ups: int = 0
    """Passes before the first repetition."""
    longest_s: float = 0.0
    """Seconds of its longest pass."""
    failure: Exception | None = None
    """What a pass raised; the contestant is out from then on."""

    def warm_up(self, end: float, clock: Clock) -> None:
        """Pass once, and twice where there is time for it and for a repetition."""
        while not self.warm_ups or (self.warm_ups < WARM_UPS and clock() + 2 * self.longest_s < end):
            self.expected_s = self._seconds_of_pass(clock)[1]
            self.warm_ups += 1

    def repeat(self, clock: Clock) -> None:
        """One more repetition."""
        self.timings.append(self._seconds_of_pass(clock)[0])

    def _seconds_of_pass(self, clock: Clock) -> tuple[Timing, float]:
        start = clock()
        timing = self.one_pass()
        seconds = clock() - start
        self.longest_s = max(self.longest_s, seconds)
        return timing, seconds

    @property
    def is_stable(self) -> bool:
        """Whether its medians are."""
        return all(is_stable([timing[name] for timing in self.timings]) for name in ("encode_s", "decode_s"))


def repeat_alone(contestant: Contestant, end: float, clock: Clock = time.perf_counter) -> None:
    """Warm up and repeat, until the medians are stable or the time is up.

    At least one pass warms up, and at least one is timed. No other pass begins that isn't likely to end in time.

    Args:
        contestant: keeps its timings.
        end: when the time is up, in seconds of the clock.
        clock: gives seconds.
    """
    contestant.warm_up(end, clock)
    while not contestant.timings or (
        clock() + contestant.longest_s < end and not _are_enough([contestant], CHECKPOINTS[0])
    ):
        contestant.repeat(clock)


def repeat_in_turn(
    contestants: Sequence[Contestant],
    end: float,
    num_needed: int,
    *,
    fatal: tuple[type[Exception], ...] = (),
    clock: Clock = time.perf_counter,
) -> None:
    """Repeat contestants that are warm, in rounds, until all their medians are stable or the time is up.

    All take part up to the last round, so that each has one repetition in every round. There is at least one round. No
    other begins that isn't likely to end in time, and one that began is finished. A contestant whose pass fails is out
    of this and all later rounds.

    Args:
        contestants: keep their timings.
        end: when the time is up, in seconds of the clock.
        num_needed: rounds that are made even if all medians are stable before, if there is time.
        fatal: errors that end it for all.
        clock: gives seconds.
    """
    order = random.Random(SEED)
    left = list(contestants)
    num_rounds = 0
    while left and (not num_rounds or clock() + sum(one.longest_s for one in left) < end):
        for one in order.sample(left, len(left)):
            _try(one, lambda one=one: one.repeat(clock), fatal)
        left = [one for one in left if one.failure is None]
        num_rounds += 1
        if _are_enough(left, num_needed):
            return


def choose_for_turns(
    seconds: Sequence[float], available_s: float, rounds_for: Callable[[Sequence[int]], int]
) -> list[int]:
    """Which contestants can be timed in turn, in their order: all but the slowest, so that the rounds fit in.

    Those in turn have their equal shares of the time, and no more, so that a slow one costs the others nothing.

    Args:
        seconds: of a pass of each.
        available_s: seconds for all.
        rounds_for: passes of each that some of them take, by their places.
    """
    by_speed = sorted(range(len(seconds)), key=lambda place: seconds[place])
    for count in range(len(seconds), 1, -1):
        chosen = sorted(by_speed[:count])
        cost = rounds_for(chosen) * sum(seconds[place] for place in chosen)
        if cost <= available_s * count / len(seconds):
            return chosen
    return []


def warm_up_each(
    contestants: Sequence[Contestant],
    end: float,
    *,
    fatal: tuple[type[Exception], ...] = (),
    clock: Clock = time.perf_counter,
) -> None:
    """Warm contestants up, one after the other; what fails is out."""
    for place, one in enumerate(contestants):
        share = max(0.0, end - clock()) / (len(contestants) - place)
        until = clock() + share
        _try(one, lambda one=one, until=until: one.warm_up(until, clock), fatal)


def is_stable(seconds: Sequence[float]) -> bool:
    """Whether the median has an interval, and it lies within :data:`HALF_WIDTH` of the median."""
    found = median_interval(np.array(seconds))
    if found.low is None or found.high is None:
        return False
    return max(found.value - found.low, found.high - found.value) <= HALF_WIDTH * found.value


def _are_enough(contestants: Sequence[Contestant], num_needed: int) -> bool:
    """Whether contestants with equally many repetitions need no more of them."""
    count = len(contestants[0].timings) if contestants else 0
    if count not in CHECKPOINTS or count < num_needed:
        return False
    return count == CHECKPOINTS[-1] or all(one.is_stable for one in contestants)


def _try(contestant: Contestant, step: Callable[[], None], fatal: tuple[type[Exception], ...]) -> None:
    try:
        step()
    except fatal:
        raise
    except Exception as error:
        # A plugin's tokenizer may raise anything at all.
        contestant.failure = error
