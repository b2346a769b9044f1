from __future__ import annotations

from collections.abc import Iterator

from toklab.tokenizers.training.pace import RECENT_STEPS, Pace


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_waits_and_steps_are_told_apart_and_the_first_of_them_is_left_out() -> None:
    clock = Clock()
    pace = Pace(clock)

    def clips() -> Iterator[int]:
        for wait in (9.0, 1.0, 3.0):
            clock.now += wait
            yield 0

    for _ in pace.waited(clips()):
        # What goes on between steps, such as a validation, belongs to neither.
        clock.now += 100
        with pace.step():
            clock.now += 4
        clock.now += 100
    assert (pace.first_wait, pace.num_steps) == (9.0, 2)
    assert (pace.data_seconds, pace.step_seconds) == (2.0, 4.0)


def test_old_steps_are_forgotten() -> None:
    clock = Clock()
    pace = Pace(clock)
    for wait in [5.0] * RECENT_STEPS + [1.0] * (RECENT_STEPS + 1):

        def clips(wait: float = wait) -> Iterator[int]:
            clock.now += wait
            yield 0

        for _ in pace.waited(clips()):
            with pace.step():
                pass
    assert (pace.data_seconds, pace.num_steps) == (1.0, RECENT_STEPS)


def test_a_training_of_one_step_has_no_means() -> None:
    pace = Pace(Clock())
    assert (pace.data_seconds, pace.step_seconds, pace.num_steps) == (0.0, 0.0, 0)
