"""CausalVAE's network: causal in its convolutions, while the group norms of 3-D blocks see the whole clip."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...networks.ldm.layers import CausalConv3d, FrameAttention, FrameConv2d, FrameGroupNorm, NestedConv, ResidualBlock
from ...networks.ldm.levels import Level, Middle, ResamplingName
from ...networks.ldm.resampling import SpatialDownsampling, SpatioTemporalDownsampling
from .config import CausalVAEConfig

NUM_GROUPS = 32
EPSILON = 1e-6


class SpatialUpsampling(nn.Module):
    """Doubles height and width of every frame by repetition, then convolves it."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = NestedConv(CausalConv3d(channels, channels, (1, 3, 3)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C, T, 2 H, 2 W)."""
        return self.conv(F.interpolate(x, scale_factor=(1, 2, 2), mode="nearest"))


class SpatioTemporalUpsampling(nn.Module):
    """Doubles height and width linearly, and time too but for the first frame, then convolves."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = NestedConv(CausalConv3d(channels, channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C, 2 T − 1, 2 H, 2 W)."""
        first, rest = x[:, :, :1], x[:, :, 1:]
        y = F.interpolate(first, scale_factor=(1, 2, 2), mode="trilinear")
        if rest.shape[2]:
            y = torch.cat([y, F.interpolate(rest, scale_factor=(2, 2, 2), mode="trilinear")], 2)
        return self.conv(y)


_RESAMPLINGS: dict[str, type[nn.Module]] = {
    "Downsample": SpatialDownsampling,
    "Spatial2xTime2x3DDownsample": SpatioTemporalDownsampling,
    "SpatialUpsample2x": SpatialUpsampling,
    "Spatial2xTime2x3DUpsample": SpatioTemporalUpsampling,
}


class Encoder(nn.Module):
    """A clip (B, 3, 1 + f n, H, W) to features (B, 2 C, 1 + n, h, w)."""

    def __init__(self, config: CausalVAEConfig):
        super().__init__()
        widths = config.widths
        self.conv_in = FrameConv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            _level(before, width, config.num_res_blocks, kind, "downsample", resampling)
            for before, width, kind, resampling in zip(
                (widths[0], *widths[:-1]),
                widths,
                config.encoder_resnet_blocks,
                config.encoder_spatial_downsample,
                strict=True,
            )
        )
        self.mid = _middle(widths[-1])
        self.norm_out = _norm(widths[-1])
        self.conv_out = NestedConv(CausalConv3d(widths[-1], 2 * config.z_channels, 3))

    def forward(self, video: Tensor) -> Tensor:
        """Encode a clip."""
        x = self.conv_in(video)
        for level in self.down:
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    """Features (B, C, 1 + n, h, w) to a clip (B, 3, 1 + f n, H, W)."""

    def __init__(self, config: CausalVAEConfig):
        super().__init__()
        widths = config.widths
        self.conv_in = NestedConv(CausalConv3d(config.z_channels, widths[-1], 3))
        self.mid = _middle(widths[-1])
        self.up = nn.ModuleList(
            _level(before, width, config.num_res_blocks + 1, kind, "upsample", resampling)
            for before, width, kind, resampling in zip(
                (*widths[1:], widths[-1]),
                widths,
                config.decoder_resnet_blocks,
                config.decoder_spatial_upsample,
                strict=True,
            )
        )
        self.norm_out = _norm(widths[0])
        self.conv_out = NestedConv(CausalConv3d(widths[0], 3, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Decode features."""
        x = self.mid(self.conv_in(features))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class CausalVAEModel(nn.Module):
    """Encoder, decoder and the convolutions of one position on both sides of the latent."""

    def __init__(self, config: CausalVAEConfig):
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = NestedConv(CausalConv3d(2 * config.z_channels, 2 * config.embed_dim, 1))
        self.post_quant_conv = NestedConv(CausalConv3d(config.embed_dim, config.z_channels, 1))

    def encode(self, video: Tensor) -> Tensor:
        """Moments (B, 2 C, 1 + n, h, w) of a clip (B, 3, 1 + f n, H, W)."""
        return self.quant_conv(self.encoder(video))

    def decode(self, latents: Tensor) -> Tensor:
        """A clip (B, 3, 1 + f n, H, W) from its latents (B, C, 1 + n, h, w)."""
        return self.decoder(self.post_quant_conv(latents))


def _norm(channels: int, kind: str = "ResnetBlock3D") -> nn.GroupNorm:
    norm = FrameGroupNorm if kind == "ResnetBlock2D" else nn.GroupNorm
    return norm(NUM_GROUPS, channels, EPSILON)


def _conv(in_channels: int, out_channels: int, kernel: int, kind: str) -> nn.Module:
    if kind == "ResnetBlock2D":
        return FrameConv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    return NestedConv(CausalConv3d(in_channels, out_channels, kernel))


def _block(in_channels: int, out_channels: int, kind: str) -> ResidualBlock:
    return ResidualBlock(
        _norm(in_channels, kind),
        _conv(in_channels, out_channels, 3, kind),
        _norm(out_channels, kind),
        _conv(out_channels, out_channels, 3, kind),
        None if in_channels == out_channels else _conv(in_channels, out_channels, 1, kind),
    )


def _level(before: int, width: int, count: int, kind: str, name: ResamplingName, resampling: str) -> Level:
    widths = [before] + [width] * count
    blocks = [_block(i, o, kind) for i, o in pairwise(widths)]
    return Level(blocks, name, _RESAMPLINGS[resampling](width) if resampling else None)


def _middle(width: int) -> Middle:
    q, k, v, proj_out = (NestedConv(CausalConv3d(width, width, 1)) for _ in range(4))
    return Middle(
        _block(width, width, "ResnetBlock3D"),
        FrameAttention(_norm(width), (q, k, v, proj_out)),
        _block(width, width, "ResnetBlock3D"),
    )
