"""The VidTok encoder: from a clip to the features that the regularizer reads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .ablations import parts_of
from .blocks import run_block
from .config import InitPadMode, VidTokConfig
from .context import TimeContext
from .layers import convolve_normalized, make_norm, temporal_conv3d


class EncoderLevel(nn.Module):
    """The blocks of one resolution, spatial or temporal, and the downsampling behind them."""

    def __init__(self, blocks: list[nn.Module], downsample: nn.Module | None):
        super().__init__()
        self.block = nn.ModuleList(blocks)
        self.downsample = downsample


class Encoder(nn.Module):
    """Levels of spatial and temporal residual blocks, from fine to coarse, and a middle block."""

    def __init__(self, config: VidTokConfig):
        super().__init__()
        self.config = config
        parts = parts_of(config)
        widths = config.widths
        self.conv_in = temporal_conv3d(config.in_channels, config.ch, 3, config.causal)
        self.down = nn.ModuleList()
        self.down_temporal = nn.ModuleList()
        previous = config.ch
        for level, width in enumerate(widths):
            inputs = [previous] + [width] * (config.num_res_blocks - 1)
            halves_space = level in config.spatial_ds
            halves_time = level in config.tempo_ds
            self.down.append(
                EncoderLevel(
                    [parts.spatial_block(channels, width) for channels in inputs],
                    parts.spatial_downsample(width) if halves_space else None,
                )
            )
            self.down_temporal.append(
                EncoderLevel(
                    [parts.temporal_block(width) for _ in inputs],
                    parts.time_downsample(width, halves_time) if halves_space else None,
                )
            )
            previous = width
        self.mid = parts.middle(widths[-1])
        self.norm_out = make_norm(config.norm_type, widths[-1], "frame" if config.causal else "clip")
        out_channels = config.z_channels * (2 if config.double_z else 1)
        self.conv_out = temporal_conv3d(widths[-1], out_channels, 3, config.causal)

    def forward(self, video: Tensor, context: TimeContext) -> Tensor:
        """Features (B, F, t, h, w) of a clip (B, C, T, H, W) that needs no more frames before it."""
        x = convolve_normalized(self.conv_out, self.norm_out, self.trunk(video, context), context)
        return x.permute(0, 4, 1, 2, 3).contiguous()

    def trunk(self, video: Tensor, context: TimeContext) -> Tensor:
        """All layers but the last norm and convolution: to (B, t, h, w, C)."""
        recompute = self.config.use_checkpoint and self.training
        x = self.conv_in(video.permute(0, 2, 3, 4, 1).contiguous(), context)
        for spatial, temporal in zip(self.down, self.down_temporal, strict=True):
            assert isinstance(spatial, EncoderLevel)
            assert isinstance(temporal, EncoderLevel)
            for spatial_block, temporal_block in zip(spatial.block, temporal.block, strict=True):
                x = run_block(spatial_block, x, context, recompute)
                x = run_block(temporal_block, x, context, recompute)
            if spatial.downsample is not None:
                x = spatial.downsample(x)
            if temporal.downsample is not None:
                x = temporal.downsample(x, context)
        return self.mid(x, context)


def pad_start(video: Tensor, num_frames: int, mode: InitPadMode) -> Tensor:
    """(B, C, T, H, W) with ``num_frames`` frames before it: the first one repeated, zeros, or the mirrored start."""
    if mode == "replicate":
        start = video[:, :, :1].expand(-1, -1, num_frames, -1, -1)
    elif mode == "constant":
        start = torch.zeros_like(video[:, :, :1]).expand(-1, -1, num_frames, -1, -1)
    else:
        start = video[:, :, 1 : num_frames + 1].flip(2)
    return torch.cat([start, video], 2)
