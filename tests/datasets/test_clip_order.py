from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.datasets.clip_order import ClipOrder

SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.integers(1, 40), st.integers(0, 200))
def test_every_epoch_has_every_video_once(seed: int, num_videos: int, epoch: int) -> None:
    order = ClipOrder(seed, num_videos)
    positions = range(epoch * num_videos, (epoch + 1) * num_videos)
    assert sorted(order.video(position) for position in positions) == list(range(num_videos))


@given(SEEDS, st.integers(0, 10_000), st.integers(0, 3))
def test_a_position_needs_none_before_it(seed: int, position: int, attempt: int) -> None:
    one, other = ClipOrder(seed, 37), ClipOrder(seed, 37)
    for earlier in range(0, position, 1 + position // 20):
        one.video(earlier)
    assert one.video(position, attempt) == other.video(position, attempt)
    draws = [order.generator(position, attempt).integers(1 << 60) for order in (one, other)]
    assert draws[0] == draws[1]


@given(SEEDS, st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.integers(1, 30))
def test_synthetic_positions_have_their_share_and_take_no_videos_turn(seed: int, share: float, num_videos: int) -> None:
    order = ClipOrder(seed, num_videos, share)
    synthetic = [order.is_synthetic(position) for position in range(200)]
    for count in range(1, 201):
        assert abs(sum(synthetic[:count]) - share * count) < 1
    videos = [order.video(position) for position in range(200) if not synthetic[position]]
    for first in range(0, len(videos) - num_videos + 1, num_videos):
        assert len(set(videos[first : first + num_videos])) == num_videos


@given(SEEDS, st.integers(1, 4), st.integers(1, 5), st.integers(8, 40))
def test_processes_share_the_videos_of_an_epoch_without_overlap(
    seed: int, num_processes: int, batch_size: int, num_videos: int
) -> None:
    order = ClipOrder(seed, num_videos)
    num_steps = num_videos // (num_processes * batch_size)
    taken = Counter(
        order.video((step * num_processes + process) * batch_size + place)
        for step in range(num_steps)
        for process in range(num_processes)
        for place in range(batch_size)
    )
    assert all(count == 1 for count in taken.values())


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    order = ClipOrder(0, 50)
    first, second = ([order.video(epoch * 50 + place) for place in range(50)] for epoch in range(2))
    assert first != second
    assert first != [ClipOrder(1, 50).video(place) for place in range(50)]


def test_hundreds_of_thousands_of_videos_and_far_positions() -> None:
    order = ClipOrder(3, 400_000, 0.25)
    assert (
        len({order.video(position) for position in range(10**9, 10**9 + 50) if not order.is_synthetic(position)}) > 36
    )


def test_without_videos_all_is_synthetic() -> None:
    assert all(ClipOrder(0, 0).is_synthetic(position) for position in range(10))


@pytest.mark.parametrize("attempt", [1, 2])
def test_substitutes_are_drawn_from_all_videos(attempt: int) -> None:
    order = ClipOrder(0, 5)
    assert {order.video(position, attempt) for position in range(100)} == set(range(5))
