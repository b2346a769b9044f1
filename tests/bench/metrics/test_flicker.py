"""Flicker error against numpy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from metric_windows import estimate, make_batch, make_metric, random_video, refusal, window_of
from toklab.bench.metrics.flicker import transition_errors


def test_equals_numpy() -> None:
    x, y = random_video(0, (2, 3, 4, 8, 6)), random_video(1, (2, 3, 4, 8, 6))
    changes = [np.diff((video.double().numpy() + 1) / 2, axis=2) for video in (x, y)]
    expected = np.abs(changes[0] - changes[1]).mean(axis=(1, 3, 4))
    np.testing.assert_allclose(transition_errors(x, y).numpy(), expected, rtol=1e-12)


def test_a_constant_error_does_not_flicker() -> None:
    video = random_video(0) / 2
    assert transition_errors(video, video + 0.25).max().item() < 1e-7


def test_single_frames_have_no_transitions() -> None:
    video = random_video(0, (1, 3, 1, 8, 8))
    arrays = make_metric("flicker").measure(make_batch(video, video))[0]
    assert arrays["errors"].shape == (0,)
    windows = [window_of("a", 0, errors=arrays["errors"])]
    assert "no window" in refusal(make_metric("flicker"), windows).reason
    with_another = [*windows, window_of("a", 1, errors=[0.25, 0.75])]
    assert estimate(make_metric("flicker"), with_another).value == pytest.approx(0.5)
