"""Codebook use against counts by hand and closed forms."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from columns_of_windows import columns_of
from hypothesis import given
from hypothesis import strategies as st
from metric_windows import SPEC, estimate, make_batch, make_metric, random_video, refusal, window_of
from toklab.bench.metrics.code_counts import marginals, total_counts
from toklab.bench.metrics.interface import MeasuredWindow, MetricError, WindowBatch
from toklab.bench.statistics.codes import entropy_bits, expected_distinct
from toklab.tokenizers.interface import Encoded, TokenizerSpec


def _windows(*codes: list[list[int]], sizes: tuple[int, ...], levels: tuple[int, ...] = ()) -> list[MeasuredWindow]:
    """One window for each argument: a list of codes for each codebook."""
    spec = TokenizerSpec(**{**vars(SPEC), "codebook_size": sizes[0], "codebook_levels": levels})
    video = random_video(0, (1, 3, 1, 4, 4))
    made = []
    for index, books in enumerate(codes):
        tensors = tuple(torch.tensor(book).view(1, 1, 1, -1) for book in books)
        batch = WindowBatch(video, video, Encoded(codes=tensors, codebook_sizes=sizes), spec)
        made.append(MeasuredWindow("a", index, 1, make_metric("codebook-utilization").measure(batch)[0]))
    return made


def test_union_over_windows() -> None:
    windows = _windows([[0, 1, 1]], [[1, 2, 2]], sizes=(10,))
    outcome = estimate(make_metric("codebook-utilization"), windows)
    assert outcome.value == pytest.approx(30)
    assert (outcome.count, outcome.counted) == (6, "tokens")
    assert outcome.details["bound"] == pytest.approx(60)
    assert outcome.details["utilization_at_1/2"] == pytest.approx(20)
    assert outcome.details["tokens_at_1/2"] == 3
    assert outcome.note == "6 tokens allow at most 60.0 %"


def test_perplexity_of_known_shares() -> None:
    windows = _windows([[0, 0, 1, 2]], sizes=(8,))
    outcome = estimate(make_metric("codebook-perplexity"), windows)
    assert outcome.details["entropy_bits"] == pytest.approx(1.5)
    assert outcome.value == pytest.approx(2**1.5)


def test_several_codebooks() -> None:
    windows = _windows([[0, 1, 2, 3], [0, 0, 0, 0]], sizes=(4, 16))
    outcome = estimate(make_metric("codebook-utilization"), windows)
    assert outcome.value == pytest.approx(100 * 5 / 20)
    assert outcome.details["utilization[0]"] == pytest.approx(100)
    assert outcome.details["utilization[1]"] == pytest.approx(100 / 16)
    assert outcome.details["bound"] == pytest.approx(100 * 8 / 20)
    assert estimate(make_metric("codebook-perplexity"), windows).value == pytest.approx((4 + 1) / 2)


def test_marginals_take_the_first_dimension_as_least_significant() -> None:
    windows = _windows([[0, 1, 2, 3]], sizes=(12,), levels=(3, 4))
    details = estimate(make_metric("codebook-utilization"), windows).details
    assert [details[f"marginal[0][{level}]"] for level in range(3)] == [0.5, 0.25, 0.25]
    assert [details[f"marginal[1][{level}]"] for level in range(4)] == [0.75, 0.25, 0, 0]


@given(st.integers(1, 64))
def test_entropy_of_uniform_codes(size: int) -> None:
    assert entropy_bits(np.full(size, 7)) == pytest.approx(np.log2(size), abs=1e-12)


def test_codes_out_of_the_codebook_are_refused() -> None:
    with pytest.raises(MetricError, match=r"not in 0\.\.3"):
        _windows([[0, 4]], sizes=(4,))


def test_a_tokenizer_without_codes_is_refused() -> None:
    video = random_video(0)
    assert not make_metric("codebook-utilization").applies_to(SPEC)
    with pytest.raises(MetricError, match="no codes"):
        make_metric("codebook-utilization").measure(make_batch(video, video))


def test_codebooks_of_different_sizes_are_not_added_up() -> None:
    one, other = _windows([[0, 1]], sizes=(4,))[0], replace(_windows([[0, 4]], sizes=(5,))[0], window=1)
    for windows in ([one, other], columns_of([one, other])):
        with pytest.raises(MetricError, match=r"different sizes: \[\(4,\), \(5,\)\]"):
            make_metric("codebook-utilization").aggregate(windows, {})
    several = replace(_windows([[0, 1]], sizes=(6,))[0], window=2)
    with pytest.raises(MetricError, match=r"different sizes: \[\(4,\), \(5,\)"):
        make_metric("codebook-utilization").aggregate(columns_of([one, other, several]), {})
    with pytest.raises(MetricError, match="no window has codes"):
        total_counts(columns_of([replace(one, arrays={})]))


def test_shares_of_the_windows_are_chosen_by_a_hash_and_hold_the_smaller_ones() -> None:
    windows = _windows(*([[code, code + 1]] for code in range(17)), sizes=(40,))
    order = sorted(windows, key=lambda window: hashlib.sha256(repr(window.key).encode()).digest())
    for kind in (windows, columns_of(windows)):
        details = estimate(make_metric("codebook-utilization"), kind).details
        for share, number in (("1/8", 2), ("1/4", 4), ("1/2", 8)):
            used = {code for window in order[:number] for code in window.arrays["codes_0"].tolist()}
            assert details[f"tokens_at_{share}"] == 2 * number
            assert details[f"utilization_at_{share}"] == pytest.approx(100 * len(used) / 40)
    few = estimate(make_metric("codebook-utilization"), windows[:4]).details
    assert ("tokens_at_1/8" in few, "tokens_at_1/4" in few) == (False, True)


def test_no_windows() -> None:
    assert "no window" in refusal(make_metric("codebook-utilization"), []).reason


def test_several_codebooks_have_marginals_and_perplexity_each() -> None:
    windows = _windows([[0, 1, 2, 3], [5, 5, 5, 5]], sizes=(6, 6), levels=(2, 3))
    details = estimate(make_metric("codebook-utilization"), windows).details
    assert [details[f"marginal[0][0][{level}]"] for level in range(2)] == [0.5, 0.5]
    assert [details[f"marginal[0][1][{level}]"] for level in range(3)] == [0.5, 0.5, 0]
    assert [details[f"marginal[1][1][{level}]"] for level in range(3)] == [0, 0, 1]
    assert details["perplexity[0]"] == pytest.approx(4)
    assert details["perplexity[1]"] == pytest.approx(1)
    assert marginals(_windows([[0], [0]], sizes=(6, 7), levels=(2, 3)))[1] == []


def _counted(counts: list[int], *, source: str = "a", pixels: int = 1000) -> MeasuredWindow:
    used = np.flatnonzero(counts)
    arrays = {"sizes": [len(counts)], "levels": [], "codes_0": used, "counts_0": np.array(counts)[used]}
    return window_of(source, 0, **arrays, pixels=[pixels])


def test_utilization_at_equal_tokens() -> None:
    many, few = [_counted([50, 20, 10, 0, 5, 1])], [_counted([10, 10, 1, 1, 1, 0])]
    metric = make_metric("codebook-utilization")
    found = metric.at_equal_size([many, few])
    assert found is not None
    note, values = found
    assert note == "expected among 23 tokens of each tokenizer"
    expected = 100 * expected_distinct(np.array([50, 20, 10, 0, 5, 1]), 23) / 6
    assert values == pytest.approx([expected, 100 * 5 / 6])
    assert estimate(metric, many).value == pytest.approx(100 * 5 / 6)
    assert metric.at_equal_size([few, few]) is None


@pytest.mark.parametrize(
    ("per_entry", "note"),
    [(0.5, "8 tokens allow at most 8, so it can't be compared"), (2, "32 tokens for 16 entries: too low"), (4, "")],
)
def test_perplexity_of_few_tokens_says_so(per_entry: float, note: str) -> None:
    counts = [int(per_entry)] * 16 if per_entry >= 1 else [1] * 8 + [0] * 8
    outcome = estimate(make_metric("codebook-perplexity"), [_counted(counts)])
    assert outcome.note.startswith(note)
    assert bool(outcome.note) == bool(note)
    assert outcome.details["bound"] == min(16, sum(counts))
    assert outcome.details["corrected_entropy_bits"] >= outcome.details["entropy_bits"]


@pytest.mark.goldens
def test_rates_against_goldens(shared: Path) -> None:
    cases = json.loads((shared / "goldens/statistics/counts.json").read_text())["codebook"]
    checked = [case for case in cases if case["pixels"]]
    assert checked
    for case in checked:
        counts = case["counts"] + [0] * (case["codebook_size"] - len(case["counts"]))
        windows = [_counted(counts, pixels=case["pixels"])]
        for name in ("order0", "kt"):
            outcome = estimate(make_metric(f"bpp-{name}"), windows)
            assert outcome.value == pytest.approx(case[f"bpp_{name}"], rel=1e-9)
            assert outcome.details["fixed_bits_per_token"] == pytest.approx(case["fixed_bits_per_token"])


def test_rates_of_pieces_add_up() -> None:
    metric = make_metric("bpp-kt")
    whole, parts = _counted([3, 2, 5], pixels=30), [_counted([3, 0, 1], pixels=10), _counted([0, 2, 4], pixels=20)]
    joined = metric.join([dict(part.arrays) for part in parts])
    assert {name: array.tolist() for name, array in joined.items()} == {
        name: array.tolist() for name, array in whole.arrays.items()
    }
