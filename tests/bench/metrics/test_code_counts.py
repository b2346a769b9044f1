"""Counts of codes: what follows from them, against plain loops and closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.bench.metrics.code_counts import growth_curve, level_marginals
from toklab.bench.statistics.codes import expected_distinct


@given(st.lists(st.integers(0, 2 * 3 * 5 - 1), min_size=1, max_size=50))
def test_marginals_equal_digits(codes: list[int]) -> None:
    counts = np.bincount(codes, minlength=30)
    digits = [[c % 2 for c in codes], [c // 2 % 3 for c in codes], [c // 6 for c in codes]]
    for shares, digit, levels in zip(level_marginals(counts, (2, 3, 5)), digits, (2, 3, 5), strict=True):
        np.testing.assert_allclose(shares, np.bincount(digit, minlength=levels) / len(codes))


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 30), min_size=4, max_size=20).filter(any), min_size=1, max_size=3), st.data())
def test_growth_is_the_rarefaction_curve_up_to_all_tokens(books: list[list[int]], data: st.DataObject) -> None:
    totals = [np.array(book) for book in books]
    whole, entries = sum(map(sum, books)), sum(map(len, books))
    compared = data.draw(st.integers(1, whole))
    curve = growth_curve(totals, [compared])
    tokens = [point.tokens for point in curve]
    assert tokens == sorted(set(tokens))
    assert (tokens[0], tokens[-1]) == (min(compared, len(books), whole), whole)
    assert compared in tokens
    for point in curve:
        parts = [expected_distinct(total, point.tokens * int(total.sum()) // whole) for total in totals]
        assert point.utilization == pytest.approx(sum(parts) / entries, rel=1e-12)
        assert point.utilization <= point.bound + 1e-12
        assert point.bound <= min(1, point.tokens / entries)
    assert curve[-1].utilization == sum(map(np.count_nonzero, totals)) / entries
    for before, after in pairwise(curve):
        assert before.utilization <= after.utilization + 1e-12


def test_growth_of_one_codebook_lies_below_its_tokens_over_its_entries() -> None:
    curve = growth_curve([np.array([6, 3, 1, 0])])
    assert [point.tokens for point in curve] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert [point.bound for point in curve] == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1]
    # Among one token there is one code. Among two: two, but for both of one entry, 15 + 3 of 45 pairs.
    assert [4 * point.utilization for point in curve[:2]] == pytest.approx([1, 2 - 18 / 45])


def test_growth_begins_where_codes_begin_to_repeat() -> None:
    counts = np.full(64, 500)
    curve = growth_curve([counts, counts])
    # Tokens are spread evenly over both codebooks; the last point is all of them.
    assert (curve[0].tokens, curve[-1].tokens) == (64, 64_000)
    assert all(point.tokens % 2 == 0 for point in curve)


def test_growth_never_goes_beyond_what_was_counted() -> None:
    with pytest.raises(ValueError, match="11 of 10 tokens can't be drawn"):
        growth_curve([np.array([6, 3, 1, 0])], [11])
