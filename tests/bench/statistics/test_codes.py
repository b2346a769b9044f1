"""Figures of code counts."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.bench.statistics.codes import (
    adaptive_code_bits,
    corrected_entropy_bits,
    entropy_bits,
    expected_distinct,
)

COUNTS = st.lists(st.integers(0, 60), min_size=2, max_size=30).filter(any)


@given(COUNTS, st.data())
def test_distinct_codes_against_exact_fractions(counts: list[int], data: st.DataObject) -> None:
    total = sum(counts)
    drawn = data.draw(st.integers(0, total))
    exact = sum(1 - Fraction(comb(total - count, drawn), comb(total, drawn)) for count in counts)
    assert expected_distinct(np.array(counts), drawn) == pytest.approx(float(exact), rel=1e-9, abs=1e-9)


@pytest.mark.slow
@given(st.lists(st.integers(0, 12), min_size=2, max_size=12).filter(any))
def test_growth_rises_ever_more_slowly_to_all_codes(counts: list[int]) -> None:
    found = [expected_distinct(np.array(counts), drawn) for drawn in range(sum(counts) + 1)]
    assert found[0] == 0
    assert found[1] == pytest.approx(1)
    assert found[-1] == np.count_nonzero(counts)
    steps = np.diff(found)
    assert (steps >= -1e-9).all()
    assert (np.diff(steps) <= 1e-9).all()


def test_distinct_codes_against_draws() -> None:
    generator = np.random.default_rng(0)
    counts = generator.geometric(0.1, 300)
    drawn = [np.count_nonzero(generator.multivariate_hypergeometric(counts, 500)) for _ in range(2_000)]
    assert expected_distinct(counts, 500) == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / 2_000**0.5)


def test_large_counts_against_exact_fractions() -> None:
    counts = np.array([6_000, 5_000, 30_000, 4_500])
    total = int(counts.sum())
    exact = sum(1 - Fraction(comb(total - int(count), 4_200), comb(total, 4_200)) for count in counts)
    assert expected_distinct(counts, 4_200) == pytest.approx(float(exact), rel=1e-9)
    # A single code of many, so that what is asked for isn't lost beside 1.
    counts = np.array([10, 50_000, 45_000])
    exact = sum(1 - Fraction(comb(95_010 - int(count), 9_000), comb(95_010, 9_000)) for count in counts)
    assert expected_distinct(counts, 9_000) == pytest.approx(float(exact), rel=1e-9)
    # A common code and a rare one, of which any may be missed, by logarithms of the gamma function.
    counts = np.array([5_000, 19_995_000])
    exact = 2 - Fraction(comb(19_995_000, 5_000), comb(20_000_000, 5_000))
    assert 1.7 < exact < 1.8
    assert expected_distinct(counts, 5_000) == pytest.approx(float(exact), rel=1e-7)


def test_more_tokens_than_counted_are_refused() -> None:
    with pytest.raises(ValueError, match="can't be drawn"):
        expected_distinct(np.array([3, 4]), 8)


@given(COUNTS)
def test_the_adaptive_code_never_beats_the_known_table(counts: list[int]) -> None:
    array = np.array(counts)
    assert adaptive_code_bits(array) >= array.sum() * entropy_bits(array) - 1e-9


def test_the_adaptive_code_is_that_of_its_predictions() -> None:
    sequence, seen, probability = [0, 2, 2, 1, 2, 0], np.zeros(4), 1.0
    for code in sequence:
        probability *= (seen[code] + 0.5) / (seen.sum() + 2)
        seen[code] += 1
    assert adaptive_code_bits(seen) == pytest.approx(-np.log2(probability), rel=1e-12)


def test_corrected_entropy_is_capped() -> None:
    assert corrected_entropy_bits(np.ones(4, dtype=int)) == 2
    assert corrected_entropy_bits(np.zeros(4, dtype=int)) == 0
    generator = np.random.default_rng(0)
    counts = np.bincount(generator.integers(0, 4096, 4096), minlength=4096)
    assert (entropy_bits(counts), corrected_entropy_bits(counts)) == pytest.approx((11.17, 11.63), abs=0.02)
