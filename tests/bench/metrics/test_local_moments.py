"""Moments around each position against scipy's filters, and how they may depend on their surroundings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from toklab.bench.metrics.local_moments import STRIP_ROWS, LocalMoments, Moments
from torch import Tensor

TAPS = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1], dtype=torch.float64)


def _pictures(height: int, width: int, num_channels: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    x, y = torch.rand(2, num_channels, height, width, generator=generator) * 2 - 1
    return x, y


def _whole(moments: Moments, num_channels: int) -> np.ndarray:
    parts = (moments.sums, moments.differences, moments.squared_sums, moments.squared_differences)
    # (columns, channels, rows) to (channels, rows, columns).
    return np.stack([part.unflatten(1, (num_channels, -1)).permute(1, 2, 0).numpy().copy() for part in parts])


@pytest.mark.parametrize("size", [(5, 5), (6, 40), (STRIP_ROWS + 4, 12), (3 * STRIP_ROWS + 1, 21), (33, 19)])
@pytest.mark.parametrize("num_channels", [1, 3])
def test_equals_scipy(size: tuple[int, int], num_channels: int) -> None:
    x, y = _pictures(*size, num_channels)
    moments = LocalMoments(TAPS, num_channels, *size)
    found = np.concatenate([_whole(strip, num_channels) for strip in moments.strips(x, y)], axis=2)
    a, b = (picture.double().numpy() + 1 for picture in (x, y))
    expected = np.stack([a + b, a - b, (a + b) ** 2, (a - b) ** 2])
    for axis in (2, 3):
        expected = correlate1d(expected, TAPS.numpy(), axis=axis)
    np.testing.assert_allclose(found, expected[:, :, 2:-2, 2:-2], rtol=1e-13, atol=1e-15)
    assert found.shape[1:] == (num_channels, size[0] - 4, size[1] - 4)
    assert moments.num_positions == (size[0] - 4) * (size[1] - 4)


def test_few_of_the_multiplied_numbers_are_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def counted(product: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def multiply(a: Tensor, b: Tensor, *, out: Tensor) -> Tensor:
            counts.append(a.numel() * b.shape[-1])
            return product(a, b, out=out)

        return multiply

    monkeypatch.setattr(torch, "mm", counted(torch.mm))
    monkeypatch.setattr(torch, "bmm", counted(torch.bmm))
    x, y = _pictures(128, 128)
    list(LocalMoments(torch.full((11,), 1 / 11, dtype=torch.float64), 3, 128, 128).strips(x, y))
    # Four moments, three channels, 118 rows of 128 columns and then of 118, 11 taps.
    needed = 4 * 3 * 118 * (128 + 118) * 11
    assert needed < sum(counts) < 2 * needed
