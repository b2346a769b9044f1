"""Halving and doubling of space and of time, on (B, T, H, W, C)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import VidTokConfig
from .context import TimeContext
from .layers import CausalConv, SpatialConv, conv2d, conv3d, prepend, temporal_conv3d

INITIAL_MIX_FACTOR = 2.0
"""The blend starts at sigmoid(2) = 0.88 for the branch without weights."""


class SpatialDownsample(nn.Module):
    """A 3×3 convolution of stride 2 on each frame, one row and column of zeros beyond its last ones."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, H, W, C) to (B, T, ⌊H/2⌋, ⌊W/2⌋, C)."""
        return conv2d(F.pad(x, (0, 0, 0, 1, 0, 1)), self.conv.weight, self.conv.bias, stride=2)


class SpatialUpsample(nn.Module):
    """Every pixel repeated to 2×2, then a 3×3 convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = SpatialConv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, H, W, C) to (B, T, 2H, 2W, C)."""
        B, T, H, W, C = x.shape
        repeated = x[:, :, :, None, :, None].expand(B, T, H, 2, W, 2, C).reshape(B, T, 2 * H, 2 * W, C)
        return self.conv(repeated)


class TimeDownsample(nn.Module):
    """Time halved by an average of three frames, blended with a 3×3×3 convolution of stride 2."""

    def __init__(self, config: VidTokConfig, channels: int):
        super().__init__()
        self.mix_factor = nn.Parameter(torch.tensor([INITIAL_MIX_FACTOR]))
        conv = nn.Conv3d(channels, channels, 3, stride=(2, 1, 1))
        self.conv = CausalConv(conv) if config.causal else conv

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to (B, ⌊T/2⌋, H, W, C); a merged pass takes an odd T to (T + 1) / 2."""
        if isinstance(self.conv, CausalConv):
            conv = self.conv.conv
            num_past = context.downsampling_overlap
            x = prepend(context.past(self, x, num_past), x, num_past)
        else:
            conv = self.conv
            x = F.pad(x, (0, 0, 0, 0, 0, 0, 0, 1))
        convolved = conv3d(x, conv.weight, conv.bias, 2, (0, 1, 1))
        num_frames = convolved.shape[1]
        taps = (x[:, tap : tap + 2 * num_frames - 1 : 2] for tap in range(3))
        average = sum(taps, start=torch.zeros((), dtype=x.dtype, device=x.device)) / 3
        return torch.lerp(convolved, average, torch.sigmoid(self.mix_factor))


class TimeUpsample(nn.Module):
    """Time doubled by repetition or interpolation, blended with a 3×3×3 convolution of the result."""

    def __init__(self, config: VidTokConfig, channels: int):
        super().__init__()
        self.linear = config.variant == "causal_v1_1" and config.interpolation_mode == "trilinear"
        self.mix_factor = nn.Parameter(torch.tensor([INITIAL_MIX_FACTOR]))
        self.conv = temporal_conv3d(channels, channels, 3, config.causal)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to (B, 2T, H, W, C); a merged pass gives 2T − 1 frames."""
        doubled = context.interpolate(self, x) if self.linear else context.repeat(x)
        return torch.lerp(self.conv(doubled, context), doubled, torch.sigmoid(self.mix_factor))
