"""The Cosmos network: encoder and decoder of diffusers' ``AutoencoderKLCosmos`` around the official bottleneck."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...networks.quantizers.fsq import FSQuantizer
from ...networks.quantizers.identity import IdentityQuantizer
from ...networks.quantizers.interface import Quantizer
from ..from_diffusers import diffusers_module
from .config import CosmosConfig

HAAR = 0.5**0.5
"""Both taps of the Haar wavelet's low-pass filter."""


class CosmosModel(nn.Module):
    """Encoder, bottleneck and decoder, on videos (B, 3, T, H, W) in [-1, 1].

    Raises:
        TokenizerError: if diffusers isn't installed.
    """

    def __init__(self, config: CosmosConfig):
        super().__init__()
        self.config = config
        module = diffusers_module("diffusers.models.autoencoders.autoencoder_kl_cosmos", "Cosmos")
        autoencoder = module.AutoencoderKLCosmos(
            latent_channels=config.z_channels,
            encoder_block_out_channels=(config.channels, *config.widths),
            decode_block_out_channels=(*config.widths, config.widths[-1]),
            attention_resolutions=config.attn_resolutions,
            resolution=config.resolution,
            num_layers=config.num_res_blocks,
            patch_size=config.patch_size,
            spatial_compression_ratio=config.spatial_compression,
            temporal_compression_ratio=config.temporal_compression,
            latents_mean=None,
            latents_std=None,
        )
        self.encoder: nn.Module = autoencoder.encoder
        self.decoder: nn.Module = autoencoder.decoder
        self.quant_conv = nn.Conv3d(config.z_channels, config.latent_channels, 1)
        self.post_quant_conv = nn.Conv3d(config.latent_channels, config.z_channels, 1)
        self.quantizer: Quantizer = FSQuantizer(config.levels) if config.levels else IdentityQuantizer()
        self.place_wavelets()

    def place_wavelets(self) -> None:
        """Put the wavelet filters, which no checkpoint brings, where the weights are."""
        device = self.quant_conv.weight.device
        for patches in (self.encoder.patch_embed, self.decoder.unpatch_embed):
            assert isinstance(patches, nn.Module)
            patches.register_buffer("wavelets", torch.full((2,), HAAR, device=device), persistent=False)
            patches.register_buffer("_arange", torch.arange(2, device=device), persistent=False)

    def encode(self, video: Tensor) -> Tensor:
        """Features before the quantizer: (B, 3, T, H, W) to (B, C, t, h, w)."""
        return self.quant_conv(self.encoder(video))

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, t, h, w) to (B, 3, T, H, W)."""
        return self.decoder(self.post_quant_conv(latents))
