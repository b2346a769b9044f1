"""TAEHV's networks, and what happens to a clip's frames before the encoder and behind the decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import (
    Decoder,
    MemoryBlock,
    NearestUpsampling,
    SoftClamp,
    TimeFirstConv2d,
    TimeGrow,
    TimePool,
    memory_block,
    super_memory_block,
    wide_memory_block,
)
from .config import H3_BLACK_FRAMES, H3_CHUNK, H3_SPARE_FRAMES, H3_SPARE_LATENTS, NUM_STAGES, TAEHVConfig

BLOCKS_A_STAGE = 3


def encoder(config: TAEHVConfig) -> nn.Sequential:
    """Patches (B, T, 3 p², H, W) to latents (B, T / f, C, H / 8, W / 8)."""
    width = config.encoder_width
    layers: list[nn.Module] = [TimeFirstConv2d(3 * config.patch_size**2, width, 3, padding=1), nn.ReLU()]
    for joins in config.encoder_time_downscale:
        layers += [TimePool(width, 1 + joins), TimeFirstConv2d(width, width, 3, stride=2, padding=1, bias=False)]
        layers += [memory_block(width) for _ in range(BLOCKS_A_STAGE)]
    return nn.Sequential(*layers, TimeFirstConv2d(width, config.latent_channels, 3, padding=1))


def decoder(config: TAEHVConfig) -> Decoder:
    """Latents (B, t, C, h, w) to patches (B, f t, 3 p², 8 h, 8 w)."""
    if config.variant == "super":
        return _super_decoder(config)
    widths = config.decoder_widths
    layers: list[nn.Module] = [SoftClamp(), TimeFirstConv2d(config.latent_channels, widths[0], 3, padding=1), nn.ReLU()]
    for stage in range(NUM_STAGES):
        layers += [_block(config, widths[stage]) for _ in range(BLOCKS_A_STAGE)]
        layers += [NearestUpsampling(), TimeGrow(widths[stage], 1 + config.decoder_time_upscale[stage])]
        layers.append(TimeFirstConv2d(widths[stage], widths[stage + 1], 3, padding=1, bias=False))
    return Decoder(*layers, nn.ReLU(), TimeFirstConv2d(widths[-1], 3 * config.patch_size**2, 3, padding=1))


def _block(config: TAEHVConfig, channels: int) -> MemoryBlock:
    if config.variant == "wide":
        return wide_memory_block(channels, config.group_width)
    return memory_block(channels)


def _super_decoder(config: TAEHVConfig) -> Decoder:
    widths = config.decoder_widths
    layers: list[nn.Module] = [TimeFirstConv2d(config.latent_channels, widths[0], 1, bias=False)]
    for stage in range(NUM_STAGES):
        layers += [super_memory_block(widths[stage]) for _ in range(BLOCKS_A_STAGE)]
        layers += [TimeFirstConv2d(widths[stage], 4 * widths[stage + 1], 3, padding=1), nn.ReLU(), nn.PixelShuffle(2)]
        layers.append(TimeGrow(widths[stage + 1], 1 + config.decoder_time_upscale[stage]))
    return Decoder(*layers, TimeFirstConv2d(widths[-1], 3 * config.patch_size**2, 3, padding=1))


class TAEHVModel(nn.Module):
    """Encoder and decoder; pixels are in [0, 1]."""

    def __init__(self, config: TAEHVConfig):
        super().__init__()
        self.config = config
        self.encoder = encoder(config)
        self.decoder = decoder(config)

    def encode(self, video: Tensor) -> Tensor:
        """Latents (B, C, t, h, w) of a clip (B, 3, T, H, W), whose last frame is repeated up to a whole latent."""
        frames = video.transpose(1, 2)
        missing = self.config.num_encoded(frames.shape[1]) - frames.shape[1]
        frames = torch.cat([frames, frames[:, -1:].expand(-1, missing, -1, -1, -1)], 1)
        if self.config.variant != "h3":
            return self._encode_patches(frames).transpose(1, 2)
        black = torch.zeros_like(frames[:, :H3_BLACK_FRAMES])
        chunks = [self._encode_patches(torch.cat([black, chunk], 1)) for chunk in frames.split(H3_CHUNK, 1)]
        return torch.cat(chunks, 1)[:, :-H3_SPARE_LATENTS].transpose(1, 2)

    def _encode_patches(self, frames: Tensor) -> Tensor:
        return self.encoder(F.pixel_unshuffle(frames, self.config.patch_size))

    def decode_patches(self, latents: Tensor) -> Tensor:
        """What the decoder gives for latents (B, C, t, h, w): patches (B, 3 p², f t, H / p, W / p)."""
        return self.decoder(latents.transpose(1, 2)).transpose(1, 2)

    def decode(self, latents: Tensor) -> Tensor:
        """A clip (B, 3, T, H, W) from latents (B, C, t, h, w), clamped."""
        patches = self.decode_patches(latents).transpose(1, 2)
        if self.config.variant == "h3":
            patches = _without_black_frames(patches)
        elif not (self.config.variant == "cogvideox" and latents.shape[2] % 2 == 0):
            patches = patches[:, self.config.time_upscale - 1 :]
        return F.pixel_shuffle(patches, self.config.patch_size).clamp(0, 1).transpose(1, 2)


def _without_black_frames(frames: Tensor) -> Tensor:
    """Frames (B, T, C, H, W) of all chunks of ``h3``, without those before each chunk and at the end."""
    length = H3_CHUNK + H3_BLACK_FRAMES
    missing = -frames.shape[1] % length
    filled = F.pad(frames, (0, 0, 0, 0, 0, 0, 0, missing))
    return filled.unflatten(1, (-1, length))[:, :, H3_BLACK_FRAMES:].flatten(1, 2)[:, :-H3_SPARE_FRAMES]
