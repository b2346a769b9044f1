"""PSNR against VidTok's figures, closed forms and numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from metric_windows import estimate, make_batch, make_metric, random_video, window_of
from safetensors.torch import load_file
from toklab.bench.metrics.psnr import (
    capped_decibels,
    decibels,
    decibels_slope,
    frame_mse,
    psnr_by_position,
    psnr_difference_by_position,
)
from toklab.bench.statistics.families import paired_interval
from toklab.bench.statistics.intervals import ratio_interval

NAMES = ("psnr", "psnr-cap100", "psnr-clip", "psnr-pooled")


@pytest.mark.goldens
def test_equals_vidtok(shared: Path) -> None:
    tensors = load_file(shared / "goldens/metrics/vidtok_psnr_ssim.safetensors")
    cases = json.loads((shared / "goldens/metrics/vidtok_psnr_ssim.json").read_text())["cases"]
    for case, stored in cases.items():
        x, y = tensors[f"{case}.x"], tensors[f"{case}.y"]
        if x.ndim == 4:
            x, y = x.unsqueeze(2), y.unsqueeze(2)
        psnr = decibels(frame_mse(2 * x - 1, 2 * y - 1).numpy()).flatten()
        np.testing.assert_allclose(psnr, tensors[f"{case}.psnr_per_frame"], rtol=1e-5, atol=1e-5, err_msg=case)
        assert psnr.mean() == pytest.approx(stored["psnr_f64"], abs=1e-5), case


def test_mse_equals_numpy_in_float64() -> None:
    x, y = random_video(0, (2, 3, 4, 8, 6)), random_video(1, (2, 3, 4, 8, 6))
    expected = np.mean(((x.double() - y.double()).numpy() / 2) ** 2, axis=(1, 3, 4))
    np.testing.assert_allclose(frame_mse(x, y).numpy(), expected, rtol=1e-13)


def test_identical_frames_have_80_decibels() -> None:
    video = random_video(0)
    measured = make_metric("psnr").measure(make_batch(video, video))
    np.testing.assert_allclose(decibels(measured[0]["mse"]), 80.0, rtol=1e-14)


def test_the_three_averages_by_hand() -> None:
    windows = [window_of("a", 0, mse=[0.1, 0.01]), window_of("b", 0, mse=[0.001])]
    dB = {mse: -10 * np.log10(mse + 1e-8) for mse in (0.1, 0.01, 0.001, 0.055, 0.037)}
    frame, clip, pooled = (estimate(make_metric(name), windows) for name in ("psnr", "psnr-clip", "psnr-pooled"))
    assert frame.value == pytest.approx((dB[0.1] + dB[0.01] + dB[0.001]) / 3)
    assert clip.value == pytest.approx((dB[0.055] + dB[0.001]) / 2)
    assert pooled.value == pytest.approx(dB[0.037])
    assert (frame.count, frame.counted) == (3, "frames")
    assert (clip.count, clip.counted) == (2, "clips")


def test_the_cap_is_where_the_formula_reaches_100_decibels() -> None:
    mse = np.array([0.0, 0.99e-10, 1.01e-10, 1e-4, 1.0])
    expected = [100, 100, 20 * np.log10(1 / np.sqrt(1.01e-10)), 40, 0]
    np.testing.assert_allclose(capped_decibels(mse), expected, atol=1e-12)
    windows = [window_of("a", 0, mse=[0.0, 1e-4]), window_of("b", 0, mse=[1.0, 1e-4])]
    assert estimate(make_metric("psnr-cap100"), windows).value == pytest.approx((100 + 40 + 0 + 40) / 4)


def test_the_averages_share_one_measurement() -> None:
    assert len({make_metric(name).measurement_key for name in NAMES}) == 1


def test_by_position() -> None:
    windows = [window_of("a", 0, mse=[0.1, 0.01]), window_of("a", 1, mse=[0.001]), window_of("b", 0, mse=[0.1, 0.1])]
    curve = psnr_by_position(windows)
    expected = [np.mean(decibels(np.array([0.1, 0.001, 0.1]))), np.mean(decibels(np.array([0.01, 0.1])))]
    np.testing.assert_allclose(curve.psnr, expected)
    assert curve.count.tolist() == [3, 2]
    assert np.isnan(curve.low).all()


def test_by_position_has_the_interval_of_the_videos_that_reach_it() -> None:
    generator = np.random.default_rng(0)
    windows = [window_of(f"v{i}", 0, mse=generator.uniform(0.001, 0.1, 2 if i else 3)) for i in range(9)]
    curve = psnr_by_position(windows)
    for position in range(2):
        values = decibels(np.array([window.arrays["mse"][position] for window in windows]))
        expected = ratio_interval(values, np.ones(9))
        assert (curve.low[position], curve.high[position]) == pytest.approx((expected.low, expected.high))
    assert np.isnan(curve.high[2])


def test_differences_by_position_are_of_the_videos_that_both_reach() -> None:
    generator = np.random.default_rng(0)
    # The first system's windows of one video and the second's of two others are shorter.
    lengths = {f"v{source}": (2 if source == 0 else 3, 2 if source in (1, 2) else 3) for source in range(8)}
    one, other = (
        [
            window_of(source, index, mse=generator.uniform(0.001, 0.1, both[system]))
            for source, both in lengths.items()
            for index in range(2)
        ]
        for system in range(2)
    )
    found = psnr_difference_by_position(one, other)
    assert [(difference.position, difference.count) for difference in found] == [(0, 16), (1, 16), (2, 10)]
    for position, sources in ((1, list(lengths)), (2, list(lengths)[3:])):
        values = [
            decibels(np.array([window.arrays["mse"][position] for window in windows if window.source in sources]))
            for windows in (one, other)
        ]
        # Two windows of each source, one after the other.
        sums, weights = [part.reshape(-1, 2).sum(axis=1) for part in values], np.full(len(sources), 2.0)
        expected, interval = paired_interval(sums[0], weights, sums[1], weights), found[position].interval
        ends = pytest.approx((expected.value, expected.low, expected.high))
        assert (interval.value, interval.low, interval.high) == ends
    apart = psnr_difference_by_position([window_of("a", 0, mse=[0.1, 0.1])], [window_of("a", 0, mse=[0.01])])
    assert [(difference.interval.value, difference.interval.low) for difference in apart] == [
        (pytest.approx(-10, abs=1e-5), None)
    ]


def test_a_scale_has_its_own_slope() -> None:
    mse = np.array([1e-9, 1e-4, 0.3])
    step = 1e-6 * (mse + 1e-8)
    numerical = (decibels(mse + step) - decibels(mse - step)) / (2 * step)
    np.testing.assert_allclose(decibels_slope(mse), numerical, rtol=1e-6)
