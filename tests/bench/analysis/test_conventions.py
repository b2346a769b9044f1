"""One cell's figure by other conventions, against plain sums over its frames."""

from __future__ import annotations

import numpy as np
import pytest
from released_cells import random_windows, released_cell, scaled
from toklab.bench.analysis.conventions import Reading, family_of, readings
from toklab.bench.metrics.psnr import decibels


def by_words(found: list[Reading]) -> dict[tuple[str, str], float]:
    return {(one.switch, one.words): one.sums.value for one in found if one.sums is not None}


def test_the_averages_of_psnr_are_those_of_the_frames() -> None:
    windows = random_windows(0)
    found = by_words(readings(released_cell(windows), "psnr"))
    of_windows = np.array([np.mean(errors) for of in windows.values() for errors in of])
    of_videos = np.array([np.mean(of) for of in windows.values()])
    of_first = np.array([of[0] for of in windows.values()])
    average = "PSNR average"
    expected = {
        (average, "dB of each window's mean squared error, then their mean"): decibels(of_windows).mean(),
        (average, "dB of the mean squared error of all frames"): decibels(of_windows.mean()),
        (average, "dB of each video's mean squared error, then their mean"): decibels(of_videos).mean(),
        ("frames", "the first window of each video alone"): decibels(of_first).mean(),
    }
    assert {key: found[key] for key in expected} == pytest.approx(expected)
    assert set(found) - set(expected) == {
        ("PSNR of perfect frames", "without 1e-8 beside the error, and at most 100 dB")
    }


def test_repeated_last_frames_can_be_left_out() -> None:
    windows = random_windows(1, num_windows=1, num_frames=6)
    for of in windows.values():
        of[0][-2:] = [of[0][3]] * 2
    found = by_words(readings(released_cell(windows, repeats=2), "psnr"))
    expected = decibels(np.array([of[0][:4] for of in windows.values()])).mean()
    assert found["frames", "repeated last frames not counted"] == pytest.approx(expected)
    assert ("frames", "repeated last frames not counted") not in by_words(readings(released_cell(windows), "psnr"))


def test_videos_and_windows_of_unequal_length_can_weigh_alike() -> None:
    windows = {f"v{n}": [[0.5] * (n + 1), [0.25 * n / 8] * 2] for n in range(8)}
    ssim = {name: [[1 - error for error in window] for window in of] for name, of in windows.items()}
    found = by_words(readings(released_cell(windows, ssim=ssim), "ssim"))
    videos = np.mean([np.mean(np.concatenate(of)) for of in ssim.values()])
    alike = np.mean([np.mean(window) for of in ssim.values() for window in of])
    assert found["weight", "each video alike"] == pytest.approx(videos)
    assert found["weight", "each window alike"] == pytest.approx(alike)
    equal = by_words(readings(released_cell(random_windows(0)), "psnr"))
    assert not any(switch == "weight" for switch, _ in equal)


def test_a_backbone_is_a_switch_where_both_were_measured() -> None:
    windows = random_windows(2)
    cell = released_cell(windows, lpips_vgg=scaled(windows, 100), lpips_alex=scaled(windows, 20))
    from_vgg, from_alex = (by_words(readings(cell, name)) for name in ("lpips-vgg", "lpips-alex"))
    mean = np.mean(list(windows.values()))
    assert from_vgg["LPIPS backbone", "AlexNet"] == pytest.approx(20 * mean)
    assert from_alex["LPIPS backbone", "VGG-16"] == pytest.approx(100 * mean)
    alone = released_cell(windows, lpips_vgg=scaled(windows, 100))
    assert not any(switch == "LPIPS backbone" for switch, _ in by_words(readings(alone, "lpips-vgg")))


def test_a_figure_without_a_convention_belongs_to_its_family() -> None:
    assert family_of("psnr-unstated") == family_of("psnr")
    assert [one.metric for one in family_of("vmaf")] == ["vmaf"]


def test_a_cell_without_measurements_has_no_readings() -> None:
    assert readings(released_cell({}), "psnr") == []
    assert readings(released_cell(random_windows(0)), "lpips-vgg") == []
