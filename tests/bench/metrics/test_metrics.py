"""What holds for every metric: its description, and that merging and order change nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from columns_of_windows import columns_of
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_windows import feature_window, make_metric, window_of
from toklab.bench.conformance.metric_checks import CHECKS, run_checks
from toklab.bench.metrics import METRICS, fvd
from toklab.bench.metrics.fvd import FvdCrop, FvdSquash
from toklab.bench.metrics.interface import Accumulator, Estimate, MeasuredWindow
from toklab.bench.metrics.repetitions import Repetitions
from toklab.bench.metrics.set_distance import FrechetDistance

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=5)
WINDOWS = st.lists(VALUES, min_size=1, max_size=12)

DECLARED = {
    "psnr": ("higher", "dB", 0.0, 80.0, 20.0, 40.0, 2, True),
    "ssim": ("higher", "", -1.0, 1.0, 0.6, 1.0, 4, True),
    "lpips": ("lower", "", 0.0, 10.0, 0.5, 0.0, 4, True),
    "fvd": ("lower", "", 0.0, math.inf, 500.0, 0.0, 1, False),
    "jedi": ("lower", "", 0.0, math.inf, 2.0, 0.0, 4, False),
    "flicker": ("lower", "", 0.0, 2.0, 0.05, 0.0, 4, False),
    "vmaf": ("higher", "", 0.0, 100.0, 20.0, 100.0, 2, False),
    "bpp": ("none", "bit/px", 0.0, math.inf, 1.0, 0.0, 4, True),
    "codebook-utilization": ("higher", "%", 0.0, 100.0, 0.0, 100.0, 1, True),
    "codebook-perplexity": ("higher", "", 1.0, math.inf, 1.0, 2.0**18, 0, True),
    "params": ("none", "M", 0.0, math.inf, 400.0, 0.0, 1, False),
    "macs": ("none", "T", 0.0, math.inf, 20.0, 0.0, 2, False),
    "flops": ("none", "T", 0.0, math.inf, 40.0, 0.0, 2, False),
    "throughput": ("higher", "frames/s", 0.0, math.inf, 1.0, 10_000.0, 1, False),
    "latency": ("lower", "s", 0.0, math.inf, 10.0, 0.0, 3, False),
    "peak-memory": ("lower", "MiB", 0.0, math.inf, 16_384.0, 0.0, 0, False),
}
"""By the beginning of a metric's name: direction, unit, the lowest and highest figure, the ends of the axis of
radar charts, decimals, and whether a long window is measured in pieces."""
RANGES = {
    "psnr-cap100": (0.0, 100.0),
    # Of identical clips, by TokenBench's formula: 20 log10(255 / 1.19e-7).
    "psnr-tokenbench": (0.0, 186.61),
    # Without its term of equal samples, an unbiased estimate may fall below zero.
    "jedi-paired": (-math.inf, math.inf),
}


def _windows(name: str, values: list[list[float]]) -> list[MeasuredWindow]:
    """Windows of seven sources with arrays that the metric reads, made from ``values``."""
    made = []
    for index, row in enumerate(values):
        source = "abcdefg"[index % 7]
        if name.startswith(("fvd", "jedi")):
            features = np.resize(np.array(row), 12) + np.arange(12) * index
            made.append(feature_window(source, index, features, np.flip(features) * (1 + row[0])))
        elif name.startswith(("codebook", "bpp-order0", "bpp-kt")):
            codes, counts = np.unique([int(15 * value) for value in row], return_counts=True)
            made.append(
                window_of(source, index, sizes=[16], levels=[4, 4], codes_0=codes, counts_0=counts, pixels=[100])
            )
        else:
            arrays = dict.fromkeys(("mse", "ssim", "lpips", "errors", "vmaf", "bits"), row)
            made.append(window_of(source, index, **arrays, pixels=[100], convention=[0]))
    return made


MEASURING = [name for name in METRICS if make_metric(name).needs not in ("timing", "model")]


@pytest.mark.parametrize("name", MEASURING)
@settings(max_examples=10)
@given(values=WINDOWS)
def test_columns_give_the_figures_of_the_objects(name: str, values: list[list[float]]) -> None:
    metric, windows = make_metric(name), _windows(name, values)
    found, expected = metric.aggregate(columns_of(windows), {}), metric.aggregate(windows, {})
    if not isinstance(found, Estimate) or not isinstance(expected, Estimate):
        assert found == expected
        return
    one, other = (np.array([each.value, each.low, each.high], np.float64) for each in (found, expected))
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    assert found.details == pytest.approx(expected.details, rel=1e-12)
    assert replace(found, value=0, low=0, high=0, details={}) == replace(expected, value=0, low=0, high=0, details={})


@pytest.mark.parametrize("name", MEASURING)
@settings(max_examples=15)
@given(values=WINDOWS, data=st.data())
def test_any_split_merges_to_the_whole_bit_for_bit(name: str, values: list[list[float]], data: st.DataObject) -> None:
    metric = make_metric(name)
    windows = _windows(name, values)
    whole, first, second = Accumulator(metric), Accumulator(metric), Accumulator(metric)
    for window in windows:
        whole.accumulate(window)
    for window in data.draw(st.permutations(windows)):
        (first if data.draw(st.booleans()) else second).accumulate(window)
    expected = whole.finalize()
    assert first.merge(second).finalize() == expected
    assert second.merge(first).finalize() == expected


@pytest.mark.parametrize("name", ["psnr", "ssim", "flicker", "vmaf", "lpips-vgg"])
@settings(max_examples=25)
@given(values=WINDOWS)
def test_means_lie_in_their_interval_and_between_extremes(name: str, values: list[list[float]]) -> None:
    metric = make_metric(name)
    outcome = metric.aggregate(_windows(name, values), {})
    assert isinstance(outcome, Estimate)
    assert outcome.count == sum(map(len, values))
    num_sources = len({window.source for window in _windows(name, values)})
    assert outcome.num_sources == num_sources
    assert (outcome.low is None) == (num_sources < 5)
    if outcome.low is not None and outcome.high is not None:
        assert outcome.low <= outcome.high
    if name != "psnr":
        assert min(map(min, values)) <= outcome.value <= max(map(max, values))


def test_a_window_is_accumulated_once() -> None:
    accumulator = Accumulator(make_metric("psnr"))
    window = window_of("a", 0, mse=[0.1])
    accumulator.accumulate(window)
    with pytest.raises(ValueError, match="twice"):
        accumulator.accumulate(window)


@pytest.mark.parametrize("num_pieces", [1, 3])
def test_pieces_of_a_window_are_joined_frame_by_frame(num_pieces: int) -> None:
    pieces = [{"mse": np.array([0.1 * number])} for number in range(num_pieces)]
    joined = make_metric("psnr").join(pieces)
    assert {name: array.tolist() for name, array in joined.items()} == {"mse": [0.1 * n for n in range(num_pieces)]}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_describes_itself(name: str) -> None:
    metric = make_metric(name)
    assert metric.name == name
    assert metric.title
    assert metric.convention
    assert metric.direction in ("higher", "lower", "none")
    worst, best = metric.display_range
    assert worst != best
    assert metric.direction == "none" or (best > worst) == (metric.direction == "higher")
    assert all(metric.range[0] <= end <= metric.range[1] for end in (worst, best))
    assert not math.isnan(metric.decimals)


@pytest.mark.parametrize("name", METRICS)
def test_what_a_metric_declares_is_what_its_figure_can_be(name: str) -> None:
    metric = make_metric(name)
    metric.unavailable()
    kind = next(kind for kind in DECLARED if name.startswith(kind))
    direction, unit, lowest, highest, worst, best, decimals, piecewise = DECLARED[kind]
    assert (metric.direction, metric.unit) == (direction, unit)
    assert metric.range == (RANGES.get(name) or (lowest, highest))
    assert metric.display_range == (worst, best)
    assert (metric.decimals, metric.piecewise) == (decimals, piecewise)
    # VMAF, SSIM: figures crowd towards a best value, and BD-rates must know it.
    assert metric.saturates_at == (highest if kind in ("ssim", "vmaf") else None)
    assert metric.has_limit == name.startswith("fvd")
    assert metric.has_equal_size == (name == "codebook-utilization")
    assert metric.clip_frames == (16 if name.startswith(("jedi", "fvd-videomae")) else None)


def test_every_check_passes_or_says_why_it_cannot_run() -> None:
    lines = list(run_checks())
    assert [line for line, passed in lines if not passed] == []
    assert len(lines) == len(CHECKS)
    assert all(line.endswith("ok") or "toklab weights pull" in line for line, _ in lines)


def test_every_metric_has_a_check() -> None:
    checked = {check.name.split()[0] for check in CHECKS}
    assert [name for name in METRICS if name not in checked] == []


@pytest.mark.parametrize("name", ["throughput-encode", "throughput-decode", "latency"])
def test_checks_of_speed_take_the_way_of_a_new_run(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (check,) = (check for check in CHECKS if check.name.startswith(name))
    measured, expected, tolerance = check.compute()
    assert abs(measured - expected) <= tolerance
    seconds = Repetitions.seconds
    monkeypatch.setattr(Repetitions, "seconds", lambda self, figure: 1000 * seconds(self, figure))
    measured, expected, tolerance = check.compute()
    assert abs(measured - expected) > tolerance


def test_checks_of_fvd_tell_its_conventions_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> set[str]:
        checks = [check for check in CHECKS if check.name.startswith("fvd-i3d") and not check.metric]
        found = {check.name: check.compute() for check in checks}
        return {name for name, (measured, expected, tolerance) in found.items() if abs(measured - expected) > tolerance}

    assert failing() == set()
    monkeypatch.setattr(FvdSquash, "distance", FrechetDistance(ddof=1))
    monkeypatch.setattr(FvdCrop, "distance", FrechetDistance(ddof=0))
    monkeypatch.setattr(fvd, "crop_to_input", lambda video: video)
    assert failing() == {
        "fvd-i3d of tripled features",
        "fvd-i3d-crop of tripled features",
        "fvd-i3d-crop of a clip with other sides",
    }
