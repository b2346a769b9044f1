"""Convolutions in square tiles against torch's own in float64."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.networks.kernels import square_tiles
from toklab.tokenizers.networks.kernels.square_tiles import convolve_squares, suits_squares, transform_square_kernel
from torch.nn import functional as F


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (3, 6), (4, 4), (9, 13)])
@pytest.mark.parametrize("strip_tiles", [1, 2, 64])
def test_pictures_of_any_size_in_strips_of_any_size(monkeypatch, size: tuple[int, int], strip_tiles: int) -> None:
    monkeypatch.setattr(square_tiles, "MIN_STRIP_TILES", strip_tiles)
    monkeypatch.setattr(square_tiles, "STRIP_NUMBERS", 1)
    generator = torch.Generator().manual_seed(strip_tiles)
    x = torch.randn(3, *size, 24, generator=generator)
    weight, bias = torch.randn(40, 24, 3, 3, generator=generator) / 15, torch.randn(40, generator=generator)
    pictures = x.permute(0, 3, 1, 2).double()
    expected = F.conv2d(pictures, weight.double(), bias.double(), padding=1).relu()
    result = convolve_squares(x, transform_square_kernel(weight), bias).permute(0, 3, 1, 2)
    torch.testing.assert_close(result.double(), expected, atol=5e-5, rtol=0)
    assert (result == 0).any()


def test_few_channels_gradients_and_other_precisions_take_another_form() -> None:
    x = torch.zeros(1, 4, 4, 128)
    assert not suits_squares(x, 128, 128)
    with torch.no_grad():
        assert suits_squares(x, 128, 128)
        assert not suits_squares(x, 64, 128)
        assert not suits_squares(x.double(), 128, 128)
