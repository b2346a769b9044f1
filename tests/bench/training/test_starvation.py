from __future__ import annotations

import pytest
from toklab.bench.training.starvation import LEAST_STEPS, StarvationWatch
from toklab.datasets.streamed_clips import DecodingPace
from toklab.tokenizers.training.loop import Progress

PACE = DecodingPace(num_clips=10, num_frames=170, num_decoded=850, busy_seconds=3.4, num_workers=2)


def progress(data_seconds: float, step_seconds: float, num_timed: int = LEAST_STEPS) -> Progress:
    return Progress(40, 100, 9.0, 0.1, {}, data_seconds, step_seconds, num_timed)


def test_a_starving_device_is_said_once_with_what_would_help() -> None:
    said: list[str] = []
    watch = StarvationWatch(said.append, lambda: PACE)
    for _ in range(3):
        watch.look(progress(0.6, 0.2))
    (text,) = said
    assert "step 40: the device waits for clips 75% of the time (0.60 s beside 0.20 s of work a step)" in text
    assert "2 workers give 100 frames/s, and decode 5.0 for each of them; try --workers 8" in text


def test_a_device_that_starves_again_is_said_again() -> None:
    said: list[str] = []
    watch = StarvationWatch(said.append, None)
    for data_seconds in (0.5, 0.15, 0.0, 0.5):
        watch.look(progress(data_seconds, 1.0))
    assert len(said) == 2
    assert "the disk with the decoded frames" in said[0]


@pytest.mark.parametrize("seen", [progress(0.1, 1.0), progress(9.0, 1.0, LEAST_STEPS - 1), progress(0.0, 0.0)])
def test_nothing_is_said_of_short_waits_and_of_the_first_steps(seen: Progress) -> None:
    said: list[str] = []
    StarvationWatch(said.append, lambda: PACE).look(seen)
    assert said == []


def test_the_pace_before_the_first_clip() -> None:
    assert DecodingPace(0, 0, 0, 0.0, 2).frames_per_second == 0
