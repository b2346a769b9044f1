"""Closed-form fits of layers to activations, for trainings that start from a linear transform of the clip.

Activations are (B, T, H, W, C). Fits are computed in float64 on positions drawn at random with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_POSITIONS = 20_000
"""Positions that a fit takes at most."""
RIDGE = 1e-4
"""Of the mean variance of the features, added to each of their variances."""

DEVIATION = 2.0
"""Standard deviation of the first component, as features are scaled."""

LOG_VARIANCE = -8.0
"""Of a fitted posterior: 0.02 standard deviations of the first latent."""


def set_zero(module: nn.Module) -> None:
    """Make all weights of a layer zero."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)


def latent_rows(axes: Tensor, variances: Tensor, number: int) -> Tensor:
    """Rows (Z, C) from centred components to latents, whose variances fall as the components' deviations do."""
    deviations = variances[:number, None].sqrt()
    return axes[:number] / (deviations * deviations[0]).sqrt()


def space_time_blocks(x: Tensor, num_frames: int, side: int) -> Tensor:
    """Blocks as channels: (B, T, H, W, C) to (B, T/f, H/s, W/s, f · s² · C), the channel index of ``x`` fastest."""
    B, T, H, W, C = x.shape
    blocks = x.reshape(B, T // num_frames, num_frames, H // side, side, W // side, side, C)
    return blocks.permute(0, 1, 3, 5, 2, 4, 6, 7).flatten(4)


def draw_positions(x: Tensor) -> tuple[Tensor, ...]:
    """Indices (b, t, h, w) of at most :data:`MAX_POSITIONS` positions of (B, T, H, W, C)."""
    generator = torch.Generator().manual_seed(0)
    flat = torch.randperm(x.shape[:4].numel(), generator=generator)[:MAX_POSITIONS]
    return torch.unravel_index(flat, x.shape[:4])


def neighbourhoods(x: Tensor, kernel: Sequence[int], num_past: int, positions: tuple[Tensor, ...]) -> Tensor:
    """What a convolution reads at some positions: (N, C · kt · kh · kw), in the order of its weight.

    Args:
        x: the convolution's input, with zeros around it.
        kernel: kt, kh and kw; kh and kw are odd and centred.
        num_past: taps before the present frame.
        positions: as :func:`draw_positions` gives them.
    """
    frames, rows, columns = kernel
    edges = (0, 0, columns // 2, columns // 2, rows // 2, rows // 2, num_past, frames - 1 - num_past)
    windows = F.pad(x, edges).unfold(1, frames, 1).unfold(2, rows, 1).unfold(3, columns, 1)
    return windows[positions].flatten(1)


def ridge(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Weight (O, F) and bias (O,), float32, of the linear map from features (N, F) to targets (N, O).

    Ridge regression, Hoerl and Kennard 1970, of centred features: (XᵀX + λI)⁻¹ XᵀY.
    """
    x, y = features.double(), targets.double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    gram = x.T @ x
    penalty = RIDGE * gram.diagonal().mean() + torch.finfo(torch.float32).eps
    weight = torch.linalg.solve(gram + penalty * torch.eye(len(gram), dtype=gram.dtype), x.T @ y).T
    return weight.float(), (y_mean - weight @ x_mean).float()


def principal_axes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal axes of greatest variance of (N, C), as rows (C, C), greatest first, and their variances (C,)."""
    variances, axes = torch.linalg.eigh(torch.cov(x.double().T))
    return axes.T.flip(0).float(), variances.flip(0).clamp(min=0).float()


def component_rows(blocks: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (C, N · C) from N positions of C channels to their leading principal components, as features.

    ``scale`` (C,) is what the channels were multiplied by before; components are those without it. Also returned: what
    the new channels are multiplied by.
    """
    factors = scale.repeat(blocks.shape[-1] // len(scale))
    axes, variances = principal_axes(blocks[draw_positions(blocks)] / factors)
    rows, scale = scaled_axes(axes, variances, len(scale))
    return rows / factors, scale


def leading_component_rows(blocks: Tensor, number: int) -> Tensor:
    """Rows (at most ``number``, C) from blocks (B, T, H, W, C) to their leading components, see :func:`scaled_axes`."""
    return scaled_axes(*principal_axes(blocks[draw_positions(blocks)]), number)[0]


def scaled_axes(axes: Tensor, variances: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """At most ``number`` leading axes, so scaled that the first component has :data:`DEVIATION`; and their scales."""
    scale = (DEVIATION / variances[0].sqrt()).expand(min(number, len(axes)))
    return axes[:number] * scale[:, None], scale
