"""CV-VAE's network: a causal encoder, and a decoder that looks as far ahead as back."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...networks.ldm.layers import CausalConv3d, FrameAttention, FrameConv2d, FrameGroupNorm, PaddingMode, ResidualBlock
from ...networks.ldm.levels import Level, Middle
from .config import CVVAEConfig, Variant

EPSILON = {"sd": 1e-5, "sd3": 1e-6}
"""Added to the variance in group norms, by variant."""
PADDING_MODE: dict[str, PaddingMode] = {"sd": "zeros", "sd3": "replicate"}
"""What 3-D convolutions see around frames, by variant; 2-D ones see zeros."""


class SpatioTemporalAttention(FrameAttention):
    """Attention among the positions of each frame, then among the frames at each position; one residual around both."""

    def __init__(self, channels: int, num_groups: int, epsilon: float):
        super().__init__(FrameGroupNorm(num_groups, channels, epsilon), _projections(channels))
        self.norm_t = nn.LayerNorm(channels)
        self.q_t = nn.Linear(channels, channels)
        self.k_t = nn.Linear(channels, channels)
        self.v_t = nn.Linear(channels, channels)
        self.proj_out_t = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same."""
        spatial = self.proj_out(self.attended(x))
        # (B, H, W, T, C): frames are the sequence.
        sequences = self.norm_t(spatial.permute(0, 3, 4, 2, 1))
        q, k, v = (project(sequences).flatten(0, 2).unsqueeze(1) for project in (self.q_t, self.k_t, self.v_t))
        temporal = self.proj_out_t(F.scaled_dot_product_attention(q, k, v).view(sequences.shape))
        return x + temporal.permute(0, 4, 3, 1, 2)


class Downsampling(nn.Module):
    """Halves height and width, and time too where ``temporal``."""

    def __init__(self, channels: int, temporal: bool, variant: Variant):
        super().__init__()
        # The variant sd pads the right and lower sides alone.
        self.one_sided = variant == "sd"
        self.conv = CausalConv3d(
            channels,
            channels,
            3,
            (2 if temporal else 1, 2, 2),
            spatial_padding=0 if self.one_sided else 1,
            padding_mode=PADDING_MODE[variant],
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C, T', H / 2, W / 2); T' is (T + 1) / 2 or T."""
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.one_sided else x)


class Upsampling(nn.Module):
    """Doubles height and width, and time too where ``temporal``; the first frame stays one frame."""

    def __init__(self, channels: int, temporal: bool, variant: Variant):
        super().__init__()
        self.temporal = temporal
        out_channels = channels * (2 if temporal else 1)
        self.conv = nn.Conv3d(channels, out_channels, 3, padding=(0, 1, 1), padding_mode=PADDING_MODE[variant])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C, T', 2 H, 2 W); T' is 2 T − 1 or T."""
        x = F.interpolate(x, scale_factor=(1, 2, 2), mode="nearest")
        x = self.conv(torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2))
        if not self.temporal:
            return x
        B, C, T, H, W = x.shape
        # Channel s · C / 2 + c becomes frame 2 t + s of channel c.
        frames = x.view(B, 2, C // 2, T, H, W).permute(0, 2, 3, 1, 4, 5).reshape(B, C // 2, 2 * T, H, W)
        return frames[:, :, 1:]


class Encoder(nn.Module):
    """A clip (B, 3, 1 + f n, H, W) to moments (B, 2 C, 1 + n, h, w)."""

    def __init__(self, config: CVVAEConfig):
        super().__init__()
        widths, groups, epsilon = config.widths, config.num_groups, EPSILON[config.variant]
        self.conv_in = _conv(3, widths[0], config, causal=True)
        self.down = nn.ModuleList()
        for index, (before, width) in enumerate(zip((widths[0], *widths), widths, strict=False)):
            blocks = _blocks(before, width, config.num_res_blocks, config, causal=True)
            is_last = index == config.num_levels - 1
            halving = None if is_last else Downsampling(width, index in config.temporal_levels, config.variant)
            self.down.append(Level(blocks, "downsample", halving))
        attention = FrameAttention(FrameGroupNorm(groups, widths[-1], epsilon), _projections(widths[-1]))
        self.mid = _middle(widths[-1], attention, config, causal=True)
        self.norm_out = nn.GroupNorm(groups, widths[-1], epsilon)
        self.conv_out = _conv(widths[-1], 2 * config.z_channels, config, causal=True)

    def forward(self, video: Tensor) -> Tensor:
        """Encode one chunk."""
        x = self.conv_in(video)
        for level in self.down:
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    """Latents (B, C, 1 + n, h, w) to a clip (B, 3, 1 + f n, H, W)."""

    def __init__(self, config: CVVAEConfig):
        super().__init__()
        widths, groups, epsilon = config.widths, config.num_groups, EPSILON[config.variant]
        self.conv_in = _conv(config.z_channels, widths[-1], config, causal=False)
        if config.variant == "sd":
            attention = SpatioTemporalAttention(widths[-1], groups, epsilon)
        else:
            attention = FrameAttention(FrameGroupNorm(groups, widths[-1], epsilon), _projections(widths[-1]))
        self.mid = _middle(widths[-1], attention, config, causal=False)
        self.up = nn.ModuleList()
        for index, (before, width) in enumerate(zip((*widths[1:], widths[-1]), widths, strict=True)):
            blocks = _blocks(before, width, config.num_res_blocks + 1, config, causal=False)
            temporal = config.num_levels - 1 - index in config.temporal_levels
            self.up.append(Level(blocks, "upsample", Upsampling(width, temporal, config.variant) if index else None))
        self.norm_out = nn.GroupNorm(groups, widths[0], epsilon)
        self.conv_out = _conv(widths[0], 3, config, causal=False)

    def forward(self, latents: Tensor) -> Tensor:
        """Decode one chunk."""
        x = self.mid(self.conv_in(latents))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class CVVAEModel(nn.Module):
    """Encoder and decoder, under the names of the variant ``sd``."""

    def __init__(self, config: CVVAEConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def encode(self, video: Tensor) -> Tensor:
        """Moments of one chunk, tile by tile where its frames are large."""
        tiling = self.config.tiling(*video.shape[3:], decodes=False)
        return self.encoder(video) if tiling is None else tiling.run(self.encoder, video)

    def decode(self, latents: Tensor) -> Tensor:
        """The clip of one chunk, tile by tile where its frames are large."""
        height, width = (side * self.config.spatial_compression for side in latents.shape[3:])
        tiling = self.config.tiling(height, width, decodes=True)
        return self.decoder(latents) if tiling is None else tiling.run(self.decoder, latents)


def _conv(in_channels: int, out_channels: int, config: CVVAEConfig, *, causal: bool) -> nn.Conv3d:
    padding_mode = PADDING_MODE[config.variant]
    if causal:
        return CausalConv3d(in_channels, out_channels, 3, padding_mode=padding_mode)
    return nn.Conv3d(in_channels, out_channels, 3, padding=1, padding_mode=padding_mode)


def _blocks(before: int, width: int, count: int, config: CVVAEConfig, *, causal: bool) -> list[ResidualBlock]:
    widths = [before] + [width] * count
    return [_block(i, o, config, causal=causal) for i, o in pairwise(widths)]


def _block(in_channels: int, out_channels: int, config: CVVAEConfig, *, causal: bool) -> ResidualBlock:
    groups, epsilon = config.num_groups, EPSILON[config.variant]
    return ResidualBlock(
        nn.GroupNorm(groups, in_channels, epsilon),
        _conv(in_channels, out_channels, config, causal=causal),
        nn.GroupNorm(groups, out_channels, epsilon),
        FrameConv2d(out_channels, out_channels, 3, padding=1),
        None if in_channels == out_channels else nn.Conv3d(in_channels, out_channels, 1),
    )


def _middle(width: int, attention: nn.Module, config: CVVAEConfig, *, causal: bool) -> Middle:
    return Middle(_block(width, width, config, causal=causal), attention, _block(width, width, config, causal=causal))


def _projections(channels: int) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
    q, k, v, proj_out = (FrameConv2d(channels, channels, 1) for _ in range(4))
    return q, k, v, proj_out
