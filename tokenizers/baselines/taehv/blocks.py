"""Blocks of TAEHV: 2-D convolutions of frames, which see the frame before through a concatenation.

Tensors are (B, T, C, H, W), so that frames are folded into the batch without a copy.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TimeFirstConv2d(nn.Conv2d):
    """2-D convolution of every frame, of videos with time before channels."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, T, I, H, W) to (B, T, O, H', W')."""
        return super().forward(input.flatten(0, 1)).unflatten(0, input.shape[:2])


class MemoryBlock(nn.Module):
    """A residual block that sees each frame beside the one before; before the first frame there are zeros.

    Args:
        convolutions: of 2 C channels, the present frame's before the past one's, to C.
        activates: whether a ReLU ends it.
    """

    def __init__(self, convolutions: nn.Sequential, *, activates: bool = True):
        super().__init__()
        self.conv = convolutions
        self._activates = activates

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, H, W) to the same."""
        past = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)
        y = self.conv(torch.cat([x, past], 2)) + x
        return y.relu() if self._activates else y


def memory_block(channels: int) -> MemoryBlock:
    """The usual block: three convolutions of 3 × 3 positions."""
    return MemoryBlock(
        nn.Sequential(
            TimeFirstConv2d(2 * channels, channels, 3, padding=1),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 3, padding=1),
        )
    )


def wide_memory_block(channels: int, group_width: int) -> MemoryBlock:
    """The block of ``wide``: convolutions of one position, and of 3 × 3 in groups of channels."""
    groups = max(1, channels // group_width)
    return MemoryBlock(
        nn.Sequential(
            TimeFirstConv2d(2 * channels, channels, 1),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 3, padding=1, groups=groups),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 1),
            nn.ReLU(),
            TimeFirstConv2d(channels, channels, 3, padding=1, groups=groups),
        )
    )


def super_memory_block(channels: int) -> MemoryBlock:
    """The block of ``super``: 7 × 7 positions of each channel alone, then two convolutions of one position."""
    return MemoryBlock(
        nn.Sequential(
            TimeFirstConv2d(2 * channels, 2 * channels, 7, padding=3, groups=2 * channels, bias=False),
            TimeFirstConv2d(2 * channels, 4 * channels, 1),
            nn.ReLU(),
            TimeFirstConv2d(4 * channels, channels, 1, bias=False),
        ),
        activates=False,
    )


class TimePool(nn.Module):
    """Joins so many frames to one by a convolution of one position, the earlier frame's channels first."""

    def __init__(self, channels: int, factor: int):
        super().__init__()
        self.conv = TimeFirstConv2d(factor * channels, channels, 1, bias=False)
        self._factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, H, W) to (B, T / factor, C, H, W)."""
        return self.conv(x.unflatten(1, (-1, self._factor)).flatten(2, 3))


class TimeGrow(nn.Module):
    """Makes so many frames of each by a convolution of one position, the earlier frame from the first channels."""

    def __init__(self, channels: int, factor: int):
        super().__init__()
        self.conv = TimeFirstConv2d(channels, factor * channels, 1, bias=False)
        self._factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, H, W) to (B, factor · T, C, H, W)."""
        return self.conv(x).unflatten(2, (self._factor, -1)).flatten(1, 2)


class SoftClamp(nn.Module):
    """x ↦ 3 tanh(x / 3)."""

    def forward(self, x: Tensor) -> Tensor:
        """Values to the same shape, within ±3."""
        return torch.tanh(x / 3) * 3


class NearestUpsampling(nn.Module):
    """Doubles height and width by repetition."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, H, W) to (B, T, C, 2 H, 2 W)."""
        return F.interpolate(x.flatten(0, 1), scale_factor=2, mode="nearest").unflatten(0, x.shape[:2])
