"""Speed and memory from known timings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from metric_windows import estimate, make_metric, refusal
from toklab.bench.metrics.interface import MeasuredWindow
from toklab.bench.metrics.throughput import COLD_NOTE


def _window(index: int, encode_s: float, *, warm: int = 1, machine: str = "cpu") -> MeasuredWindow:
    timing = {
        "encode_s": encode_s,
        "decode_s": 2 * encode_s,
        "batch_size": 4.0,
        "warm": float(warm),
        "peak_bytes": (index + 1) * 2.0**20,
        "num_tokens": 100.0,
    }
    return MeasuredWindow("a", index, 17, {}, timing=timing, machine=machine)


def test_median_and_quartiles_of_warm_windows() -> None:
    windows = [_window(0, 100.0, warm=0), *(_window(i, 1 / i) for i in range(1, 6))]
    outcome = estimate(make_metric("throughput-encode"), windows)
    assert outcome.value == pytest.approx(3 * 4 * 17)
    assert outcome.details["lower_quartile"] == pytest.approx(2 * 4 * 17)
    assert outcome.details["upper_quartile"] == pytest.approx(4 * 4 * 17)
    assert outcome.details["tokens_per_second"] == pytest.approx(3 * 4 * 100)
    assert (outcome.count, outcome.note) == (5, "")
    assert estimate(make_metric("throughput-decode"), windows).value == pytest.approx(3 * 4 * 17 / 2)


def test_figures_that_are_no_whole_numbers_stay_so() -> None:
    windows = [_window(0, 3.0), _window(1, 3.0)]
    assert estimate(make_metric("throughput-encode"), windows).value == pytest.approx(4 / 3 * 17)
    assert estimate(make_metric("throughput-decode"), windows).value == pytest.approx(4 / 6 * 17)
    alone = replace(windows[0], timing={"encode_s": 3.0, "decode_s": 6.0, "warm": 1.0})
    assert estimate(make_metric("throughput-encode"), [alone]).value == pytest.approx(17 / 3)
    assert estimate(make_metric("latency"), [alone]).details["largest_batch_size"] == 1


def test_latency_is_the_median_of_encode_plus_decode() -> None:
    outcome = estimate(make_metric("latency"), [_window(0, 100.0, warm=0), *(_window(i, 1 / i) for i in range(1, 6))])
    assert outcome.value == pytest.approx(3 / 3)
    assert outcome.details["largest_batch_size"] == 4


def test_cold_windows_count_only_alone() -> None:
    outcome = estimate(make_metric("throughput-encode"), [_window(0, 1.0, warm=0)])
    assert outcome.value == pytest.approx(68)
    assert outcome.note == COLD_NOTE


def test_peak_is_over_all_windows() -> None:
    assert estimate(make_metric("peak-memory"), [_window(6, 1.0, warm=0), _window(1, 1.0)]).value == 7


@pytest.mark.parametrize("name", ["throughput-encode", "throughput-decode", "latency", "peak-memory"])
def test_machines_are_not_mixed(name: str) -> None:
    windows = [_window(0, 1.0, machine="one"), _window(1, 1.0, machine="two")]
    assert "several machines: one; two" in refusal(make_metric(name), windows).reason


@pytest.mark.parametrize("name", ["throughput-encode", "throughput-decode", "latency", "peak-memory"])
def test_without_timings(name: str) -> None:
    assert "no window has a timing" in refusal(make_metric(name), [MeasuredWindow("a", 0, 17, {})]).reason
