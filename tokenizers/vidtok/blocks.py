"""The residual blocks and the attention of a VidTok network, on (B, T, H, W, C)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ..networks.kernels.inference import infers_on_cpu
from ..networks.kernels.strips import PaddedFrames
from .config import VidTokConfig
from .context import TimeContext
from .layers import (
    CentredConv3d,
    NormScope,
    SpatialConv,
    activate,
    make_norm,
    norm_strips,
    temporal_conv1d,
    temporal_conv3d,
)

FRAME_GROUP_VALUES = 2**21
"""Numbers in the frames that a spatial block takes at once: 8 MiB in float32."""


class SpatialResnetBlock(nn.Module):
    """Two 3×3 convolutions within each frame, each after norm and SiLU, around a shortcut."""

    def __init__(self, config: VidTokConfig, in_channels: int, out_channels: int):
        super().__init__()
        self.norm1 = make_norm(config.norm_type, in_channels, "frame")
        self.conv1 = SpatialConv(in_channels, out_channels, 3)
        self.norm2 = make_norm(config.norm_type, out_channels, "frame")
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = SpatialConv(out_channels, out_channels, 3)
        self.nin_shortcut = SpatialConv(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, I) to (B, T, H, W, O); overwrites ``x`` in inference on a CPU, where I = O."""
        if self.training or not infers_on_cpu(x):
            return self._shortcut(x) + self._branch(x)
        num_frames = max(1, FRAME_GROUP_VALUES // x[0, 0].numel())
        frames = x.flatten(0, 1)
        out = frames if self.nin_shortcut is None else x.new_empty(*frames.shape[:3], self.conv1.out_channels)
        for group, result in zip(frames.split(num_frames), out.split(num_frames), strict=True):
            h = torch.empty_like(result)
            for rows in norm_strips(group, self.norm1):
                self.conv1.rows_of_activated(group, self.norm1, rows, h[:, rows])
            for rows in norm_strips(h, self.norm2):
                if self.nin_shortcut is not None:
                    result[:, rows] = self.nin_shortcut(group[None, :, rows])[0]
                result[:, rows] += self.conv2.rows_of_activated(h, self.norm2, rows)
        return out.unflatten(0, x.shape[:2])

    def _shortcut(self, x: Tensor) -> Tensor:
        return x if self.nin_shortcut is None else self.nin_shortcut(x)

    def _branch(self, x: Tensor) -> Tensor:
        h = self.conv1(activate(self.norm1(x)))
        return self.conv2(self.dropout(activate(self.norm2(h))))


class TimeResnetBlock(nn.Module):
    """Two convolutions that look along time, each after norm and SiLU, around an identity shortcut.

    ``spatial``: 3×3×3 convolutions; otherwise 3 frames of each pixel, and the second convolution starts at zero.
    """

    def __init__(self, config: VidTokConfig, channels: int, spatial: bool):
        super().__init__()
        self.spatial = spatial
        scope: NormScope
        if spatial:
            scope = "frame" if config.causal else "clip"
            convs = [temporal_conv3d(channels, channels, 3, config.causal) for _ in range(2)]
        else:
            scope = "vector" if config.causal else "pixel"
            convs = [temporal_conv1d(channels, config.causal) for _ in range(2)]
            for parameter in convs[1].parameters():
                nn.init.zeros_(parameter)
        self.norm1 = make_norm(config.norm_type, channels, scope)
        self.conv1 = convs[0]
        self.norm2 = make_norm(config.norm_type, channels, scope)
        self.dropout = nn.Dropout(config.dropout)
        self.conv2 = convs[1]

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to the same shape; overwrites ``x`` in inference on a CPU, where convolutions are 1-D."""
        if self.spatial or self.training or not infers_on_cpu(x):
            return x + self._branch(x, context)
        assert not isinstance(self.conv1, CentredConv3d)
        assert not isinstance(self.conv2, CentredConv3d)
        B, T, H, W, C = x.shape
        pixels = x.view(B, T, 1, H * W, C)
        width = context.strip_width(T, C)
        memory = PaddedFrames()
        for clip in range(B):
            for start in range(0, H * W, width):
                part = (slice(clip, clip + 1), slice(None), slice(None), slice(start, start + width))
                context.strip = (clip, start)
                strip = pixels[part]
                h = self.conv1.of_activated(self.norm1(strip), context, memory)
                strip += self.conv2.of_activated(self.norm2(h), context, memory)
        context.strip = None
        return x

    def _branch(self, x: Tensor, context: TimeContext) -> Tensor:
        h = self.conv1(activate(self.norm1(x)), context)
        return self.conv2(self.dropout(activate(self.norm2(h))), context)


class SpatialAttention(nn.Module):
    """Single-head attention among the positions of each frame, around an identity shortcut."""

    def __init__(self, config: VidTokConfig, channels: int):
        super().__init__()
        self.norm = make_norm(config.norm_type, channels, "frame" if config.causal else "clip")
        self.q = temporal_conv3d(channels, channels, 1, config.causal)
        self.k = temporal_conv3d(channels, channels, 1, config.causal)
        self.v = temporal_conv3d(channels, channels, 1, config.causal)
        self.proj_out = temporal_conv3d(channels, channels, 1, config.causal)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to the same shape."""
        B, T, H, W, C = x.shape
        h = self.norm(x)
        q, k, v = (layer(h, context).reshape(B * T, 1, H * W, C) for layer in (self.q, self.k, self.v))
        attended = F.scaled_dot_product_attention(q, k, v).view(x.shape)
        return x + self.proj_out(attended, context)


class MiddleBlock(nn.Module):
    """What stands at the coarsest resolution: residual block, attention, residual block."""

    def __init__(self, config: VidTokConfig, channels: int, make_block: Callable[[int], nn.Module]):
        super().__init__()
        self.block_1 = make_block(channels)
        self.attn_1 = SpatialAttention(config, channels)
        self.block_2 = make_block(channels)

    def forward(self, x: Tensor, context: TimeContext) -> Tensor:
        """(B, T, H, W, C) to the same shape."""
        return self.block_2(self.attn_1(self.block_1(x, context), context), context)


def run_block(block: nn.Module, x: Tensor, context: TimeContext, recompute: bool) -> Tensor:
    """``block(x, context)``; with ``recompute`` its activations are computed anew in the backward pass."""
    if recompute and torch.is_grad_enabled():
        return checkpoint(block, x, context, use_reentrant=False)
    return block(x, context)
