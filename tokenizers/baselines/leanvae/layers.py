"""LeanVAE's layers, on features (B, t, h, w, D)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...networks.feed_forward import feed_forward
from ...networks.memory import Memory, join_past

PAST = 2
"""Positions in time that a convolution sees before the present one."""


class CausalDepthwise(nn.Module):
    """Convolution of each channel over 3 × 3 × 3 positions: the present and two before, with zeros around."""

    def __init__(self, channels: int):
        super().__init__()
        self.ds_conv = nn.Conv3d(channels, channels, 3, groups=channels)

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, t, h, w, D) to the same; ``memory`` holds what came before, and takes what comes after."""
        zeros = torch.zeros_like(x[:, :1]).expand(-1, PAST, -1, -1, -1)
        joined = join_past(self, x, zeros, PAST, memory, 1)
        return self.ds_conv(F.pad(joined.permute(0, 4, 1, 2, 3), (1, 1, 1, 1))).permute(0, 2, 3, 4, 1)


class LayerStack(nn.Module):
    """Depth-wise convolutions and feed-forward layers in turn, with or without residual connections."""

    def __init__(self, num_layers: int, channels: int, *, residual: bool = True):
        super().__init__()
        self.dconv_layer = nn.ModuleList(CausalDepthwise(channels) for _ in range(num_layers))
        self.ffd_layer = nn.ModuleList(feed_forward(channels) for _ in range(num_layers))
        self._residual = residual

    def forward(self, x: Tensor, memory: Memory | None = None) -> Tensor:
        """(B, t, h, w, D) to the same, of a clip, or of a piece with what was remembered."""
        for convolution, feed in zip(self.dconv_layer, self.ffd_layer, strict=True):
            x = convolution(x, memory) + x if self._residual else convolution(x, memory)
            x = feed(x) + x if self._residual else feed(x)
        return x
