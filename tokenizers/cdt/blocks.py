"""The residual block and the attention of a CDT network, on (B, T, H, W, C)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cache import FeatureCache
from .layers import CausalConv, ChannelLayerNorm, PointwiseConv, runs_fast

WIDE_KERNEL = 7
"""Side of the first kernel of blocks that see pixels."""
NEGATIVE_SLOPE = 0.2
"""Of the activation of the time embedding."""


class Block(nn.Module):
    """Causal convolution, norm, ReLU; ``block`` is the official name of the list."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, replicates: bool):
        super().__init__()
        self.block = nn.ModuleList(
            [CausalConv(in_channels, out_channels, kernel, replicates), ChannelLayerNorm(out_channels)]
        )

    def forward(
        self, x: Tensor, cache: FeatureCache, shift: Tensor | None = None, residual: Tensor | None = None
    ) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O), plus ``shift`` (B, O) and ``residual`` of the result's shape."""
        return cast(ChannelLayerNorm, self.block[1]).rectified(self.block[0](x, cache), shift, residual)


class ResnetBlock(nn.Module):
    """Two blocks around a shortcut.

    Args:
        in_channels: I.
        out_channels: O.
        replicates: see :class:`CausalConv`.
        time_channels: of the time embedding; 0 where there is none.
        kernel: side of the first convolution's kernel.
    """

    def __init__(
        self, in_channels: int, out_channels: int, replicates: bool, *, time_channels: int = 0, kernel: int = 3
    ):
        super().__init__()
        self.mlp = nn.ModuleDict({"1": nn.Linear(time_channels, out_channels)}) if time_channels else None
        self.block1 = Block(in_channels, out_channels, kernel, replicates)
        self.block2 = Block(out_channels, out_channels, 3, replicates)
        self.res_conv = PointwiseConv(in_channels, out_channels) if in_channels != out_channels else None

    def forward(self, x: Tensor, cache: FeatureCache, time: Tensor | None = None) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O); ``time`` is (B, time_channels).

        ``x`` is taken in the precision of the weights.
        """
        shift = None
        if self.mlp is not None and time is not None:
            layer = cast(nn.Linear, self.mlp["1"])
            shift = layer(F.leaky_relu(time, NEGATIVE_SLOPE).to(layer.weight.dtype))
        h = self.block1(x, cache, shift)
        return self.block2(h, cache, None, x if self.res_conv is None else self.res_conv(x))


class LinearAttention(nn.Module):
    """Attention among the positions of each frame whose cost is linear in their number; a single head."""

    def __init__(self, channels: int):
        super().__init__()
        self.to_qkv = PointwiseConv(channels, 3 * channels, bias=False)
        self.to_out = PointwiseConv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) of N frames to the same shape."""
        N, H, W, C = x.shape
        q, k, v = self.to_qkv(x).view(N, H * W, 3, C).unbind(2)
        q = q.softmax(-1) * C**-0.5
        context = k.softmax(1).transpose(1, 2) @ v
        return self.to_out((q @ context).view(x.shape))


class PreNorm(nn.Module):
    """A norm, then the attention."""

    def __init__(self, channels: int):
        super().__init__()
        self.fn = LinearAttention(channels)
        self.norm = ChannelLayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) to the same shape."""
        return self.fn(self.norm(x))


class AttentionBlock(nn.Module):
    """Linear attention within each frame around a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.fn = PreNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, H, W, C) to the same shape; without gradients ``x`` is overwritten."""
        if x.device.type != "cpu" or not runs_fast(x):
            return x + self.fn(x.flatten(0, 1)).view(x.shape)
        # Frame by frame, the queries, keys and values of one stay in the processor's cache.
        for frame in x.flatten(0, 1).split(1):
            frame += self.fn(frame)
        return x


def match_size(x: Tensor, like: Tensor) -> Tensor:
    """(B, T, H, W, C) in the height and width of ``like``, by nearest neighbours."""
    if x.shape[2:4] == like.shape[2:4]:
        return x
    resized = F.interpolate(x.flatten(0, 1).permute(0, 3, 1, 2), size=list(like.shape[2:4]), mode="nearest")
    return resized.permute(0, 2, 3, 1).unflatten(0, x.shape[:2]).contiguous()


def concatenate(x: Tensor, y: Tensor) -> Tensor:
    """The channels of both, ``x``'s first."""
    return torch.cat([x, y.to(x.dtype)], -1)
