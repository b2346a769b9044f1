"""Repetitions in turn, on a clock that only passes move."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.bench.execution.device import OutOfMemory
from toklab.bench.execution.held_models import MEMORY_SHARE, held_together
from toklab.bench.execution.rounds import (
    CHECKPOINTS,
    Contestant,
    choose_for_turns,
    repeat_alone,
    repeat_in_turn,
    warm_up_each,
)


class Bench:
    """Contestants that share a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def clock(self) -> float:
        return self.now

    def contestant(self, name: str, seconds: Iterator[float | Exception]) -> Contestant:
        def one_pass() -> Mapping[str, float]:
            self.order.append(name)
            took = next(seconds)
            if isinstance(took, Exception):
                raise took
            self.now += took
            return {"encode_s": took / 4, "decode_s": took * 3 / 4, "started_s": self.now - took}

        return Contestant(one_pass)


def forever(*seconds: float) -> Iterator[float]:
    return itertools.cycle(seconds)


def in_turn(bench: Bench, contestants: list[Contestant], end: float, num_needed: int = 6) -> list[int]:
    """Time them; gives the number of repetitions of each."""
    repeat_in_turn(contestants, end, num_needed, clock=bench.clock)
    return [len(one.timings) for one in contestants]


def test_every_round_has_one_repetition_of_each_and_its_own_order() -> None:
    bench = Bench()
    contestants = [bench.contestant(name, forever(1.0)) for name in "abc"]
    assert in_turn(bench, contestants, 1e9) == [6, 6, 6]
    rounds = ["".join(bench.order[start : start + 3]) for start in range(0, 18, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(rounds)) > 2


def test_all_go_on_until_the_last_one_is_stable() -> None:
    bench = Bench()
    shaky = itertools.chain(forever_once(1.0, 1.2, 1.0, 1.2, 1.0, 1.2), forever(1.0))
    contestants = [bench.contestant("steady", forever(1.0)), bench.contestant("shaky", shaky)]
    assert in_turn(bench, contestants, 1e9) == [15, 15]
    never = [bench.contestant("steady", forever(1.0)), bench.contestant("never", forever(1.0, 2.0))]
    assert in_turn(bench, never, 1e9) == [CHECKPOINTS[-1]] * 2


def forever_once(*seconds: float) -> Iterator[float]:
    yield from seconds


@pytest.mark.parametrize(("num_needed", "rounds"), [(6, 6), (7, 9), (11, 12), (13, 15)])
def test_there_are_rounds_enough_for_all_pairs(num_needed: int, rounds: int) -> None:
    bench = Bench()
    contestants = [bench.contestant(name, forever(1.0)) for name in "ab"]
    assert in_turn(bench, contestants, 1e9, num_needed) == [rounds, rounds]


@settings(max_examples=50, deadline=None)
@given(
    passes=st.lists(st.lists(st.floats(0.01, 5.0), min_size=1, max_size=4), min_size=2, max_size=5),
    end=st.floats(0.0, 60.0),
)
def test_a_round_is_finished_and_the_next_one_keeps_to_the_time(passes: list[list[float]], end: float) -> None:
    bench = Bench()
    contestants = [bench.contestant(str(n), forever(*seconds)) for n, seconds in enumerate(passes)]
    counts = in_turn(bench, contestants, end)
    assert len(set(counts)) == 1
    assert counts[0] >= 1
    # No round is begun that isn't likely to end in time, so the last one is late by what it took longer at most.
    assert counts[0] == 1 or bench.now <= end + sum(max(seconds) - min(seconds) for seconds in passes)


def test_one_that_fails_is_out_and_the_others_stay_paired() -> None:
    bench = Bench()
    broken = bench.contestant("broken", iter([1.0, 1.0, RuntimeError("the fan is too loud")]))
    contestants = [bench.contestant("a", forever(1.0)), broken, bench.contestant("b", forever(2.0))]
    assert in_turn(bench, contestants, 1e9)[::2] == [6, 6]
    assert str(broken.failure) == "the fan is too loud"
    assert bench.order.count("broken") == 3


def test_what_ends_it_for_all_is_raised() -> None:
    bench = Bench()
    hungry = bench.contestant("hungry", iter([OutOfMemory("no room")]))
    with pytest.raises(OutOfMemory):
        repeat_in_turn([hungry], 1e9, 6, fatal=(OutOfMemory,), clock=bench.clock)
    with pytest.raises(OutOfMemory):
        warm_up_each(
            [bench.contestant("h", iter([OutOfMemory("no room")]))], 9, fatal=(OutOfMemory,), clock=bench.clock
        )


def test_warming_up_shares_the_time_and_says_what_a_warm_pass_takes() -> None:
    bench = Bench()
    contestants = [
        bench.contestant("cold", iter([5.0, 1.0])),
        bench.contestant("slow", iter([30.0])),
        bench.contestant("quick", iter([1.0, 1.0])),
    ]
    warm_up_each(contestants, 60.0, clock=bench.clock)
    assert [one.warm_ups for one in contestants] == [2, 1, 2]
    assert [one.expected_s for one in contestants] == [1.0, 30.0, 1.0]


def eight(places: object) -> int:
    return 8


def test_the_slowest_stay_out_where_rounds_would_not_fit() -> None:
    assert choose_for_turns([0.1, 5.0, 0.2], 60.0, eight) == [0, 1, 2]
    assert choose_for_turns([0.1, 9.0, 0.2], 60.0, eight) == [0, 2]
    assert choose_for_turns([30.0, 0.1], 60.0, eight) == []
    assert choose_for_turns([1.0], 60.0, eight) == []
    # Each in turn has its share alone: the slow one keeps two thirds of the time for itself.
    assert choose_for_turns([2.0, 2.0, 99.0], 30.0, eight) == []
    assert choose_for_turns([1.0, 1.0, 99.0], 30.0, eight) == [0, 1]


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=8), st.floats(0.0, 200.0))
def test_what_is_chosen_fits_and_is_the_quickest(seconds: list[float], available: float) -> None:
    chosen = choose_for_turns(seconds, available, eight)
    assert chosen == sorted(chosen)
    if chosen:
        assert len(chosen) > 1
        assert 8 * sum(seconds[place] for place in chosen) <= available * len(chosen) / len(seconds)
        others = [seconds[place] for place in range(len(seconds)) if place not in chosen]
        assert not others or max(seconds[place] for place in chosen) <= min(others)


def test_one_alone_is_repeated_at_least_once_whatever_it_takes() -> None:
    bench = Bench()
    slow = bench.contestant("slow", forever(100.0))
    repeat_alone(slow, 1.0, bench.clock)
    assert (slow.warm_ups, len(slow.timings)) == (1, 1)


@given(st.lists(st.floats(0.0, 50.0), min_size=1, max_size=10))
def test_models_are_held_in_groups_that_fit(sizes: list[float]) -> None:
    groups = held_together(sizes, 60.0)
    assert sorted(place for group in groups for place in group) == list(range(len(sizes)))
    for group in groups:
        assert len(group) == 1 or sum(sizes[place] for place in group) <= MEMORY_SHARE * 60.0
    assert held_together(sizes, None) == [list(range(len(sizes)))]


def test_two_groups_hold_what_three_would_in_order() -> None:
    assert held_together([20.0, 20.0, 10.0, 10.0], 60.0) == [[0, 2], [1, 3]]
