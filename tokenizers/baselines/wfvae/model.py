"""WF-VAE's networks: wavelet bands of the clip join the encoder at each level, and leave the decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...networks.ldm.layers import FrameConv2d
from ...networks.ldm.resampling import SpatialDownsampling, SpatioTemporalDownsampling
from ...networks.memory import Memory, RememberingSequential
from .config import WFVAEConfig
from .layers import (
    SpatialUpsampling,
    SpatioTemporalUpsampling,
    attention,
    block_2d,
    block_3d,
    causal_conv,
    norm,
)
from .wavelets import COLOURS, HaarWavelets, HaarWavelets2D, HaarWavelets3D


@dataclass(frozen=True)
class Coefficients:
    """Wavelet bands of both levels, (B, 12 or 24, T', H', W')."""

    level_1: Tensor
    level_2: Tensor


class Encoder(nn.Module):
    """A clip (B, 3, 1 + f n, H, W) to moments (B, 2 C, 1 + n, H / 8, W / 8)."""

    def __init__(self, config: WFVAEConfig):
        super().__init__()
        width, flow, count = config.base_channels, config.encoder_energy_flow_hidden_size, config.encoder_num_resblocks
        halving = SpatioTemporalDownsampling if config.halves_time_at_level_1 else SpatialDownsampling
        self.wavelet_transform_in = HaarWavelets3D(nested=True)
        self.wavelet_transform_l1 = _level_1(config, nested=True)
        self.wavelet_transform_l2 = HaarWavelets3D(nested=True)
        num_bands = COLOURS * HaarWavelets3D.num_bands
        self.connect_l1 = FrameConv2d(COLOURS * self.wavelet_transform_l1.num_bands, flow, 3, padding=1)
        self.connect_l2 = FrameConv2d(num_bands, flow, 3, padding=1)
        self.down1 = RememberingSequential(
            FrameConv2d(num_bands, width, 3, padding=1),
            *(block_2d(config, width) for _ in range(count)),
            halving(width),
        )
        self.down2 = RememberingSequential(
            FrameConv2d(width + flow, 2 * width, 3, padding=1),
            *(block_3d(config, 2 * width, 2 * width) for _ in range(count)),
            SpatioTemporalDownsampling(2 * width),
        )
        self.mid = RememberingSequential(
            block_3d(config, 2 * width + flow, 4 * width),
            attention(config, 4 * width),
            block_3d(config, 4 * width, 4 * width),
        )
        self.norm_out = norm(config, 4 * width)
        self.conv_out = causal_conv(4 * width, 2 * config.latent_dim, 3)

    def coefficients(self, bands: Tensor, *, starts: bool = True) -> Coefficients:
        """Bands of both levels from those of the clip (B, 24, T', H / 2, W / 2)."""
        level_1 = self.wavelet_transform_l1.transform(bands[:, :COLOURS], starts=starts)
        return Coefficients(level_1, self.wavelet_transform_l2.transform(level_1[:, :COLOURS], starts=starts))

    def forward(self, video: Tensor, memory: Memory | None = None) -> Tensor:
        """Encode a clip, or a piece of one with what was remembered: the first of 1 + f n frames, others of f n."""
        starts = memory is None or memory.starts
        bands = self.wavelet_transform_in.transform(video, starts=starts)
        coefficients = self.coefficients(bands, starts=starts)
        x = torch.cat([self.down1(bands, memory), self.connect_l1(coefficients.level_1)], 1)
        x = torch.cat([self.down2(x, memory), self.connect_l2(coefficients.level_2)], 1)
        return self.conv_out(F.silu(self.norm_out(self.mid(x, memory))), memory)


class Decoder(nn.Module):
    """Latents (B, C, 1 + n, h, w) to a clip (B, 3, 1 + f n, 8 h, 8 w)."""

    def __init__(self, config: WFVAEConfig):
        super().__init__()
        width, flow, count = config.base_channels, config.decoder_energy_flow_hidden_size, config.decoder_num_resblocks
        interpolation = config.t_interpolation
        num_bands = COLOURS * HaarWavelets3D.num_bands
        self._flow = flow
        self.conv_in = causal_conv(config.latent_dim, 4 * width, 3)
        self.mid = RememberingSequential(
            block_3d(config, 4 * width, 4 * width),
            attention(config, 4 * width),
            block_3d(config, 4 * width, 4 * width + flow),
        )
        self.up2 = RememberingSequential(
            *(block_3d(config, 4 * width, 4 * width) for _ in range(count)),
            SpatioTemporalUpsampling(4 * width, interpolation),
            block_3d(config, 4 * width, 4 * width + flow),
        )
        self.up1 = RememberingSequential(
            *(block_3d(config, (2 if i else 4) * width, 2 * width) for i in range(count)),
            SpatioTemporalUpsampling(2 * width, interpolation)
            if config.halves_time_at_level_1
            else SpatialUpsampling(2 * width),
            block_3d(config, 2 * width, 2 * width),
        )
        self.layer = RememberingSequential(block_3d(config, 2 * width, width), block_3d(config, width, width))
        self.inverse_wavelet_transform_out = HaarWavelets3D(nested=False)
        self.inverse_wavelet_transform_l1 = _level_1(config, nested=False)
        self.inverse_wavelet_transform_l2 = HaarWavelets3D(nested=False)
        self.connect_l1 = _to_bands(config, COLOURS * self.inverse_wavelet_transform_l1.num_bands)
        self.connect_l2 = _to_bands(config, num_bands)
        self.norm_out = norm(config, width)
        self.conv_out = FrameConv2d(width, num_bands, 3, padding=1)

    def forward(self, latents: Tensor, memory: Memory | None = None) -> Tensor:
        """Decode latents of a clip, or of a piece with what was remembered."""
        return self.decode(latents, memory)[0]

    def decode(self, latents: Tensor, memory: Memory | None = None) -> tuple[Tensor, Coefficients]:
        """The clip, and the bands on the way; those of level 1 have the low band of level 2 in them."""
        starts = memory is None or memory.starts
        x = self.mid(self.conv_in(latents, memory), memory)
        x, energy = x[:, : -self._flow], x[:, -self._flow :]
        level_2 = self.connect_l2(energy, memory)
        x = self.up2(x, memory)
        x, energy = x[:, : -self._flow], x[:, -self._flow :]
        level_1 = self.connect_l1(energy, memory)
        low = self.inverse_wavelet_transform_l2.inverse(level_2, starts=starts)
        level_1 = self._with_low(level_1, low, self.inverse_wavelet_transform_l2, memory)
        x = self.layer(self.up1(x, memory), memory)
        bands = self.conv_out(F.silu(self.norm_out(x)))
        low = self.inverse_wavelet_transform_l1.inverse(level_1, starts=starts)
        bands = self._with_low(bands, low, self.inverse_wavelet_transform_l1, memory)
        return self.inverse_wavelet_transform_out.inverse(bands, starts=starts), Coefficients(level_1, level_2)

    @staticmethod
    def _with_low(bands: Tensor, low: Tensor, source: HaarWavelets, memory: Memory | None) -> Tensor:
        """Bands with ``low`` (B, 3, …), which ``source`` made, added to the low one.

        Of a clip in pieces, bands may lag behind what is added to them: see :class:`SpatioTemporalUpsampling`.
        """
        if memory is not None:
            low = memory.in_turn(source, low, bands.shape[2])
        return torch.cat([bands[:, :COLOURS] + low, bands[:, COLOURS:]], 1)


class WFVAEModel(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: WFVAEConfig):
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def encode(self, video: Tensor, memory: Memory | None = None) -> Tensor:
        """Moments (B, 2 C, 1 + n, h, w) of a clip (B, 3, 1 + f n, H, W), or of a piece of one."""
        return self.encoder(video, memory)

    def decode(self, latents: Tensor, memory: Memory | None = None) -> Tensor:
        """A clip (B, 3, 1 + f n, H, W) from its latents (B, C, 1 + n, h, w), or a piece of one."""
        return self.decoder(latents, memory)


def _level_1(config: WFVAEConfig, *, nested: bool) -> HaarWavelets:
    return HaarWavelets3D(nested=nested) if config.halves_time_at_level_1 else HaarWavelets2D()


def _to_bands(config: WFVAEConfig, num_bands: int) -> RememberingSequential:
    flow = config.decoder_energy_flow_hidden_size
    blocks = (block_3d(config, flow, flow) for _ in range(config.connect_res_layer_num))
    return RememberingSequential(*blocks, FrameConv2d(flow, num_bands, 3, padding=1))
