"""Downsampling layers of causal video autoencoders, on (B, C, T, H, W)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..memory import Memory, Remembering
from .layers import CausalConv3d, FrameConv2d, NestedConv


class SpatialDownsampling(nn.Module):
    """Halves height and width of every frame; zeros stand right of and below it."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = FrameConv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C, T, H / 2, W / 2)."""
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class SpatioTemporalDownsampling(Remembering, nn.Module):
    """Halves time, height and width; zeros stand right of and below each frame."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = NestedConv(CausalConv3d(channels, channels, 3, 2, spatial_padding=0))

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, C, T, H, W) to (B, C, (T + 1) / 2, H / 2, W / 2), for odd T; of later pieces with even T to T / 2."""
        return self.conv(F.pad(x, (0, 1, 0, 1)), memory)
