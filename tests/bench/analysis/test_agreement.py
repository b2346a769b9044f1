"""When a measured and a published figure agree."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.bench.analysis.agreement import Basis, Verdict, agreement

FIGURES = st.floats(-1000, 1000)
DECIMALS = st.integers(0, 4)
BASES = st.sampled_from(["model", "same videos", "other videos"])


@pytest.mark.parametrize(
    ("basis", "published", "verdict", "reason"),
    [
        ("same videos", 29.64, "reproduced", "to the printed digits"),
        ("same videos", 29.65, "reproduced", "to the printed digits"),
        ("same videos", 29.66, "not reproduced", "the same videos give other digits"),
        ("same videos", 31.01, "contradicted", "by more than digits and interval allow"),
        ("other videos", 29.66, "reproduced", "within the interval of 12 videos"),
        ("other videos", 31.005, "reproduced", "within the interval of 12 videos"),
        ("other videos", 31.01, "contradicted", "by more than digits and interval allow"),
        ("model", 29.66, "contradicted", "by more than the printed digits allow"),
    ],
)
def test_the_tolerance_is_that_of_what_may_differ(
    basis: Basis, published: float, verdict: Verdict, reason: str
) -> None:
    found = agreement(29.641, published, 2, basis, low=28.5, high=31.0, num_videos=12)
    assert (found.verdict, found.reason) == (verdict, reason)


def test_without_an_interval_other_videos_decide_nothing() -> None:
    for published in (29.64, 35.0):
        found = agreement(29.64, published, 2, "other videos", num_videos=4)
        assert found.verdict == "not comparable"
        assert "4 videos give no interval; it takes 5" in found.reason
        assert math.isnan(found.low)


def test_the_same_videos_without_an_interval_never_contradict() -> None:
    assert agreement(29.64, 35.0, 2, "same videos", num_videos=4).verdict == "not reproduced"


@pytest.mark.parametrize("basis", ["model", "same videos", "other videos"])
def test_what_is_no_number_is_not_comparable(basis: Basis) -> None:
    for measured, published in ((math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0)):
        assert agreement(measured, published, 2, basis, low=0.0, high=2.0).verdict == "not comparable"


@given(FIGURES, DECIMALS, BASES, st.floats(0, 10), st.floats(0, 10), st.integers(5, 100))
def test_a_figure_that_rounds_to_the_published_one_is_reproduced(
    measured: float, decimals: int, basis: Basis, below: float, above: float, num_videos: int
) -> None:
    ends = {"low": measured - below, "high": measured + above}
    assert agreement(measured, round(measured, decimals), decimals, basis, **ends, num_videos=num_videos).verdict == (
        "reproduced"
    )


@given(FIGURES, FIGURES, DECIMALS, BASES, st.floats(0, 10), st.floats(0, 10))
def test_the_accepted_range_decides_and_contradictions_lie_outside_of_the_interval(
    measured: float, published: float, decimals: int, basis: Basis, below: float, above: float
) -> None:
    low, high = measured - below, measured + above
    found = agreement(measured, published, decimals, basis, low=low, high=high, num_videos=9)
    assert (found.verdict == "reproduced") == (found.low <= published <= found.high)
    assert found.low < measured < found.high
    if found.verdict == "contradicted" and basis != "model":
        assert not low <= published <= high


@given(FIGURES, FIGURES, DECIMALS, BASES)
def test_without_an_interval_only_models_are_contradicted(
    measured: float, published: float, decimals: int, basis: Basis
) -> None:
    if agreement(measured, published, decimals, basis).verdict == "contradicted":
        assert basis == "model"
