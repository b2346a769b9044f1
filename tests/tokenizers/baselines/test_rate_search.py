from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.tokenizers.baselines.rate_search import COARSEST, FINEST, STEP, TOLERANCE, search_rate


def search(sizes: list[int], target_bits: float) -> tuple[float, str]:
    found = search_rate(lambda index: bytes(sizes[index]), lambda stream: float(len(stream)), len(sizes), target_bits)
    assert found.bits == len(found.stream)
    return found.bits, found.off_target


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=40, unique=True).map(sorted), st.integers(1, 6000))
def test_nothing_within_tolerance_is_missed_and_the_reason_is_true(sizes: list[int], target: int) -> None:
    bits, reason = search(sizes, target)
    assert bits in sizes
    fitting = [size for size in sizes if abs(size / target - 1) <= TOLERANCE]
    assert bool(fitting) == (reason == "")
    if reason:
        expected = COARSEST if sizes[0] > target else FINEST if sizes[-1] < target else STEP
        assert reason == expected
        nearest = min(sizes, key=lambda size: max(size / target, target / size))
        assert max(bits / target, target / bits) == pytest.approx(max(nearest / target, target / nearest))


def test_a_stream_within_the_target_comes_before_a_nearer_one_above() -> None:
    assert search([900, 975, 1001, 1200], 1000) == (975, "")
    assert search([900, 1001, 1200], 1000) == (1001, "")


def test_a_setting_nearby_may_hit_what_the_nearest_miss() -> None:
    assert search([100, 200, 990, 900, 1100, 1200, 1300], 1000) == (990, "")


def test_sizes_that_do_not_grow_steadily_still_give_the_nearest_met() -> None:
    bits, _ = search([100, 300, 250, 400, 390, 500], 395)
    assert bits in (390, 400)
