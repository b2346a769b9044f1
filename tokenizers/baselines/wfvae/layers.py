"""WF-VAE's layers, on (B, C, T, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...networks.ldm.layers import CausalConv3d, FrameAttention, FrameConv2d, FrameGroupNorm, NestedConv, ResidualBlock
from ...networks.memory import Memory, Remembering
from .config import WFVAEConfig

EPSILON = 1e-6


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each position."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same."""
        return self.norm(x.movedim(1, -1)).movedim(-1, 1)


def norm(config: WFVAEConfig, channels: int, *, by_frame: bool = False) -> nn.Module:
    """The network's norm; group norms take the statistics of a clip, or of each frame."""
    if config.norm_type == "layernorm":
        return ChannelNorm(channels)
    return (FrameGroupNorm if by_frame else nn.GroupNorm)(config.num_groups, channels, EPSILON)


def causal_conv(in_channels: int, out_channels: int, kernel: int) -> NestedConv:
    """A causal convolution under its official name."""
    return NestedConv(CausalConv3d(in_channels, out_channels, kernel))


def block_2d(config: WFVAEConfig, channels: int) -> ResidualBlock:
    """A residual block that works frame by frame."""
    return ResidualBlock(
        norm(config, channels, by_frame=True),
        FrameConv2d(channels, channels, 3, padding=1),
        norm(config, channels, by_frame=True),
        FrameConv2d(channels, channels, 3, padding=1),
        None,
    )


def block_3d(config: WFVAEConfig, in_channels: int, out_channels: int) -> ResidualBlock:
    """A causal residual block."""
    return ResidualBlock(
        norm(config, in_channels),
        causal_conv(in_channels, out_channels, 3),
        norm(config, out_channels),
        causal_conv(out_channels, out_channels, 3),
        None if in_channels == out_channels else causal_conv(in_channels, out_channels, 1),
    )


def attention(config: WFVAEConfig, channels: int) -> FrameAttention:
    """Attention among the positions of each frame."""
    q, k, v, out = (causal_conv(channels, channels, 1) for _ in range(4))
    return FrameAttention(norm(config, channels), (q, k, v, out))


class SpatialUpsampling(nn.Module):
    """Doubles height and width of every frame by repetition, then convolves it."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = FrameConv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C, T, 2 H, 2 W)."""
        return self.conv(F.interpolate(x, scale_factor=(1, 2, 2), mode="nearest"))


class SpatioTemporalUpsampling(Remembering, nn.Module):
    """Doubles height and width linearly, and time too but for the first frame, then convolves.

    Args:
        channels: that come in and go out.
        interpolation: of time, ``trilinear`` or ``nearest``.
    """

    def __init__(self, channels: int, interpolation: str):
        super().__init__()
        self.conv = causal_conv(channels, channels, 3)
        self._interpolation = interpolation

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, C, T, H, W) to (B, C, 2 T − 1, 2 H, 2 W).

        Of a clip in pieces, the last frame of each waits where it depends on the piece to come.
        """
        doubled = self._doubled(x, memory)
        return self.conv(F.interpolate(doubled, scale_factor=(1, 2, 2), mode="trilinear"), memory)

    def _doubled(self, x: Tensor, memory: Memory | None) -> Tensor:
        num_single = 1 if memory is None or memory.starts else 0
        first, rest = x[:, :, :num_single], x[:, :, num_single:]
        past = None if memory is None else memory.held(self)
        if past is not None:
            rest = torch.cat([past, rest], 2)
        if not rest.shape[2]:
            return first
        doubled = F.interpolate(rest, scale_factor=(2, 1, 1), mode=self._interpolation)
        if memory is not None and self._interpolation == "trilinear":
            memory.hold(self, rest[:, :, -1:])
            # Of the past frame's two, the second is seen only now; that of the last one will be later.
            doubled = doubled[:, :, (past is not None) : None if memory.ends else -1]
        return torch.cat([first, doubled], 2)
