"""Closed-form fits against layers whose weights are known."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.training.least_squares import (
    DEVIATION,
    component_rows,
    draw_positions,
    neighbourhoods,
    principal_axes,
    ridge,
    scaled_axes,
    space_time_blocks,
)
from torch.nn import functional as F


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (3, 1, 1)])
def test_the_weights_of_a_causal_convolution_are_found(kernel: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 8, 8, 3, generator=generator)
    weight = torch.randn(4, 3, *kernel, generator=generator)
    bias = torch.randn(4, generator=generator)
    padded = F.pad(x.permute(0, 4, 1, 2, 3), (0, 0, 0, 0, kernel[0] - 1, 0))
    y = F.conv3d(padded, weight, bias, padding=(0, kernel[1] // 2, kernel[2] // 2)).permute(0, 2, 3, 4, 1)
    positions = draw_positions(x)
    found, offset = ridge(neighbourhoods(x, kernel, kernel[0] - 1, positions), y[positions])
    torch.testing.assert_close(found.view_as(weight), weight, rtol=0, atol=2e-3)
    torch.testing.assert_close(offset, bias, rtol=0, atol=2e-3)


def test_blocks_hold_their_pixels_in_order() -> None:
    x = torch.arange(2 * 4 * 4 * 3).view(1, 2, 4, 4, 3)
    blocks = space_time_blocks(x, 2, 2)
    assert blocks.shape == (1, 1, 2, 2, 24)
    expected = torch.stack([x[0, t, 2 + row, column] for t in range(2) for row in range(2) for column in range(2)])
    assert torch.equal(blocks[0, 0, 1, 0], expected.flatten())


def test_axes_diagonalize_the_covariance() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1000, 5, generator=generator) @ torch.randn(5, 5, generator=generator)
    axes, variances = principal_axes(x)
    torch.testing.assert_close(torch.cov((x @ axes.T).T), torch.diag(variances), rtol=1e-4, atol=1e-4)
    assert torch.equal(variances, variances.sort(descending=True).values)
    rows, _ = scaled_axes(axes, variances, 2)
    expected = DEVIATION**2 * torch.diag(variances[:2] / variances[0])
    torch.testing.assert_close(torch.cov((x @ rows.T).T), expected, rtol=1e-3, atol=1e-3)


def test_components_do_not_depend_on_earlier_scales() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 4, 8, 8, 6, generator=generator) @ torch.randn(6, 6, generator=generator)
    scale = torch.tensor([0.1, 1.0, 10.0])
    rows, own = component_rows(x, torch.ones(3))
    scaled_rows, scaled_own = component_rows(x * scale.repeat(2), scale)
    components, scaled_components = x @ rows.T, (x * scale.repeat(2)) @ scaled_rows.T
    torch.testing.assert_close(scaled_components.abs(), components.abs(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(scaled_own, own, rtol=1e-4, atol=1e-4)
