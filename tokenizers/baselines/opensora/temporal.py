"""Open-Sora's causal autoencoder over time, whose input are image latents."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from ...networks.ldm.layers import CausalConv3d, NestedConv, ResidualBlock, pad_past
from .config import TemporalConfig


class _ResidualBlock(ResidualBlock):
    shortcut_name: ClassVar[str] = "conv3"

    def __init__(self, in_channels: int, out_channels: int, num_groups: int):
        super().__init__(
            nn.GroupNorm(num_groups, in_channels),
            _conv(in_channels, out_channels, bias=False),
            nn.GroupNorm(num_groups, out_channels),
            _conv(out_channels, out_channels, bias=False),
            None if in_channels == out_channels else _conv(in_channels, out_channels, kernel=1, bias=False),
        )


class TemporalEncoder(nn.Module):
    """Image latents (B, C, T, h, w), T a multiple of the temporal compression, to moments, before ``quant_conv``."""

    def __init__(self, config: TemporalConfig):
        super().__init__()
        widths, groups = config.widths, config.num_groups
        self.conv_in = _conv(config.in_out_channels, widths[0], bias=False)
        self.block_res_blocks = nn.ModuleList(
            _blocks(before, width, config) for before, width in zip((widths[0], *widths), widths, strict=False)
        )
        self.conv_blocks = nn.ModuleList(
            _halving(width) if halves else nn.Identity()
            for width, halves in zip(widths, config.temporal_downsample, strict=False)
        )
        self.res_blocks = _blocks(widths[-1], widths[-1], config)
        self.norm1 = nn.GroupNorm(groups, widths[-1])
        self.conv2 = _conv(widths[-1], 2 * config.latent_embed_dim, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, h, w) to (B, 2 C', t, h, w)."""
        x = self.conv_in(x)
        for blocks, conv in zip(self.block_res_blocks, [*self.conv_blocks, nn.Identity()], strict=True):
            x = conv(blocks(x))
        return self.conv2(F.silu(self.norm1(self.res_blocks(x))))


class TemporalDecoder(nn.Module):
    """Latents, behind ``post_quant_conv``, to image latents of as many frames as the temporal compression says."""

    def __init__(self, config: TemporalConfig):
        super().__init__()
        widths = config.widths
        self.conv1 = _conv(config.latent_embed_dim, widths[-1])
        self.res_blocks = _blocks(widths[-1], widths[-1], config)
        self.block_res_blocks = nn.ModuleList(
            _blocks(before, width, config) for before, width in zip((*widths[1:], widths[-1]), widths, strict=True)
        )
        self.conv_blocks = nn.ModuleList(
            _conv(width, 2 * width) if doubles else nn.Identity()
            for width, doubles in zip(widths[1:], config.temporal_downsample, strict=True)
        )
        self.norm1 = nn.GroupNorm(config.num_groups, widths[0])
        self.conv_out = _conv(widths[0], config.in_out_channels)

    def forward(self, z: Tensor) -> Tensor:
        """(B, C', t, h, w) to (B, C, T, h, w)."""
        x = self.res_blocks(self.conv1(z))
        for level in reversed(range(len(self.block_res_blocks))):
            x = self.block_res_blocks[level](x)
            if level:
                conv = self.conv_blocks[level - 1]
                x = x if isinstance(conv, nn.Identity) else _time_from_channels(conv(x))
        return self.conv_out(F.silu(self.norm1(x)))


class TemporalAutoencoder(nn.Module):
    """Encoder, decoder and the convolutions of one position on both sides of the latent."""

    def __init__(self, config: TemporalConfig):
        super().__init__()
        self.config = config
        self.encoder = TemporalEncoder(config)
        self.decoder = TemporalDecoder(config)
        self.quant_conv = _conv(2 * config.latent_embed_dim, 2 * config.embed_dim, kernel=1)
        self.post_quant_conv = _conv(config.embed_dim, config.latent_embed_dim, kernel=1)

    def encode(self, x: Tensor) -> Tensor:
        """Moments (B, 2 C', ⌈T / f⌉, h, w) of image latents (B, C, T, h, w), with zeros before them up to a legal T."""
        x = pad_past(x, -x.shape[2] % self.config.temporal_compression, "zeros")
        return self.quant_conv(self.encoder(x))

    def decode(self, z: Tensor, num_frames: int) -> Tensor:
        """The last ``num_frames`` image latents that (B, C', t, h, w) give."""
        x = self.decoder(self.post_quant_conv(z))
        return x[:, :, x.shape[2] - num_frames :]


def _conv(in_channels: int, out_channels: int, kernel: int = 3, *, bias: bool = True) -> NestedConv:
    return NestedConv(CausalConv3d(in_channels, out_channels, kernel, time_padding="zeros", bias=bias))


def _halving(channels: int) -> NestedConv:
    return NestedConv(CausalConv3d(channels, channels, 3, (2, 1, 1), time_padding="zeros", num_past=1))


def _blocks(in_channels: int, out_channels: int, config: TemporalConfig) -> nn.Sequential:
    widths = [in_channels] + [out_channels] * config.num_res_blocks
    return nn.Sequential(*(_ResidualBlock(before, after, config.num_groups) for before, after in pairwise(widths)))


def _time_from_channels(x: Tensor) -> Tensor:
    """(B, 2 C, T, H, W) to (B, C, 2 T, H, W): channel 2 c + s becomes frame 2 t + s of channel c."""
    B, C, T, H, W = x.shape
    return x.view(B, C // 2, 2, T, H, W).transpose(2, 3).reshape(B, C // 2, 2 * T, H, W)
