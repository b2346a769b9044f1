"""The VidTok decoder: from latents to a clip."""

from __future__ import annotations

from torch import Tensor, nn

from .ablations import parts_of
from .blocks import run_block
from .config import VidTokConfig
from .context import TimeContext
from .layers import convolve_normalized, make_norm, temporal_conv3d
from .resampling import SpatialUpsample, TimeUpsample


class DecoderLevel(nn.Module):
    """The blocks of one resolution, spatial or temporal, and the upsampling behind them."""

    def __init__(self, blocks: list[nn.Module], upsample: nn.Module | None):
        super().__init__()
        self.block = nn.ModuleList(blocks)
        self.upsample = upsample


class Decoder(nn.Module):
    """A middle block, and levels of spatial and temporal residual blocks from coarse to fine (level 0)."""

    def __init__(self, config: VidTokConfig):
        super().__init__()
        self.config = config
        parts = parts_of(config)
        widths = config.widths
        self.conv_in = temporal_conv3d(config.z_channels, widths[-1], 3, config.causal)
        self.mid = parts.middle(widths[-1])
        self.up = nn.ModuleList()
        self.up_temporal = nn.ModuleList()
        for level, width in enumerate(widths):
            previous = widths[min(level + 1, len(widths) - 1)]
            inputs = [previous] + [width] * config.num_res_blocks
            doubles_space = level in config.spatial_us
            doubles_time = level in config.tempo_us
            self.up.append(
                DecoderLevel(
                    [parts.spatial_block(channels, width) for channels in inputs],
                    parts.spatial_upsample(width) if doubles_space else None,
                )
            )
            self.up_temporal.append(
                DecoderLevel(
                    [parts.temporal_block(width) for _ in inputs],
                    parts.time_upsample(width, doubles_time) if doubles_space or doubles_time else None,
                )
            )
        self.norm_out = make_norm(config.norm_type, widths[0], "frame" if config.causal else "clip")
        self.conv_out = temporal_conv3d(widths[0], config.out_ch, 3, config.causal)

    def forward(self, latents: Tensor, context: TimeContext) -> Tensor:
        """All frames (B, C, T, H, W) that latents (B, C, t, h, w) give; the caller drops those before the clip."""
        recompute = self.config.use_checkpoint and self.training
        x = self.conv_in(latents.permute(0, 2, 3, 4, 1).contiguous(), context)
        x = self.mid(x, context)
        for spatial, temporal in zip(reversed(self.up), reversed(self.up_temporal), strict=True):
            assert isinstance(spatial, DecoderLevel)
            assert isinstance(temporal, DecoderLevel)
            for spatial_block, temporal_block in zip(spatial.block, temporal.block, strict=True):
                x = run_block(spatial_block, x, context, recompute)
                x = run_block(temporal_block, x, context, recompute)
            if isinstance(spatial.upsample, SpatialUpsample) and isinstance(temporal.upsample, TimeUpsample):
                x = temporal.upsample.after(spatial.upsample, x, context)
            elif spatial.upsample is not None:
                x = spatial.upsample(x)
                x = x if temporal.upsample is None else temporal.upsample(x, context)
        x = convolve_normalized(self.conv_out, self.norm_out, x, context)
        return x.permute(0, 4, 1, 2, 3)
