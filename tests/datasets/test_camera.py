"""The virtual camera in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.datasets.camera import CameraPath, film


def _ramp(height: int, width: int) -> np.ndarray:
    """A photograph whose first channel is the column and whose second is the row, as shares of the side."""
    columns = np.broadcast_to((np.arange(width) + 0.5) / width, (height, width))
    rows = np.broadcast_to(((np.arange(height) + 0.5) / height)[:, None], (height, width))
    return np.stack([columns, rows, np.ones((height, width))], axis=-1)


def test_the_full_view_of_a_photograph_of_the_clips_size_is_the_photograph() -> None:
    photograph = np.random.default_rng(0).random((24, 32, 3))
    (frame,) = film(photograph, CameraPath.of(1, coverage=1.0), (24, 32))
    np.testing.assert_allclose(frame, photograph, atol=1e-5)


@pytest.mark.parametrize(("x", "left"), [(-1.0, 0.0), (0.0, 0.25), (1.0, 0.5)])
def test_positions_reach_from_border_to_border(x: float, left: float) -> None:
    (frame,) = film(_ramp(64, 64), CameraPath.of(1, x=x, coverage=0.5), (32, 32))
    inner = frame[2:-2, 2:-2]
    expected = left + (np.arange(32) + 0.5) / 64
    np.testing.assert_allclose(inner[..., 0], np.broadcast_to(expected[2:-2], inner.shape[:2]), atol=1e-4)


def test_a_quarter_turn_exchanges_rows_and_columns() -> None:
    (frame,) = film(_ramp(32, 32), CameraPath.of(1, coverage=1.0, angle=math.pi / 2), (32, 32))
    upright = _ramp(32, 32)
    np.testing.assert_allclose(frame[4:-4, 4:-4, 0], 1 - upright[4:-4, 4:-4, 1], atol=1e-3)
    np.testing.assert_allclose(frame[4:-4, 4:-4, 1], upright[4:-4, 4:-4, 0], atol=1e-3)


def test_fine_detail_averages_out_instead_of_aliasing() -> None:
    checkers = np.indices((128, 128)).sum(axis=0) % 2
    photograph = np.repeat(checkers[..., None], 3, axis=-1).astype(float)
    (frame,) = film(photograph, CameraPath.of(1, coverage=1.0), (32, 32))
    np.testing.assert_allclose(frame[2:-2, 2:-2], 0.5, atol=0.02)


@settings(max_examples=30)
@given(
    st.tuples(st.integers(20, 70), st.integers(20, 70)),
    *(st.lists(st.floats(low, high), min_size=3, max_size=3) for low, high in ((-2, 2), (-2, 2), (0.3, 1), (-3, 3))),
)
def test_nothing_outside_the_photograph_is_ever_seen(
    photo_size: tuple[int, int], x: list[float], y: list[float], coverage: list[float], angle: list[float]
) -> None:
    """On a ramp, a view past the border would show a plateau: the corners stay inside, so the ramp stays exact."""
    path = CameraPath.of(3, x=np.array(x), y=np.array(y), coverage=np.array(coverage), angle=np.array(angle))
    frames = film(_ramp(*photo_size), path, (16, 20))
    assert frames.shape == (3, 16, 20, 3)
    gradient_x, gradient_y = (np.diff(frames[:, 3:-3, 3:-3, :2], axis=axis) for axis in (2, 1))
    for gradient in (gradient_x, gradient_y):
        spread = gradient.max(axis=(1, 2)) - gradient.min(axis=(1, 2))
        assert spread.max() < 2.5 / min(photo_size)
