"""Open-Sora's video autoencoder: diffusers' ``AutoencoderKL`` for every frame, then the one over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import TokenizerError
from ..from_diffusers import diffusers_module
from .config import OpenSoraConfig
from .temporal import TemporalAutoencoder

SPATIAL_BATCH = 4
"""Frames that go through the image autoencoder at once, as officially."""


class _Wrapped(nn.Module):
    """Gives the image autoencoder's tensors their official prefix."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module


class OpenSoraModel(nn.Module):
    """Both autoencoders under the official state-dict names.

    Raises:
        TokenizerError: if diffusers isn't installed, or refuses the spatial parameters.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, config: OpenSoraConfig):
        super().__init__()
        self.config = config
        self.spatial_vae = _Wrapped(_build_image_autoencoder(config))
        self.temporal_vae = TemporalAutoencoder(config.temporal)
        self.register_buffer("scale", torch.tensor(config.scale).view(1, -1, 1, 1, 1))
        self.register_buffer("shift", torch.tensor(config.shift).view(1, -1, 1, 1, 1))

    @property
    def _image_autoencoder(self) -> Any:
        return self.spatial_vae.module

    def roles(self) -> dict[str, nn.Module]:
        """What encodes and what decodes."""
        spatial, temporal = self._image_autoencoder, self.temporal_vae
        return {
            "encoder": nn.ModuleList([spatial.encoder, spatial.quant_conv, temporal.encoder, temporal.quant_conv]),
            "decoder": nn.ModuleList(
                [spatial.decoder, spatial.post_quant_conv, temporal.decoder, temporal.post_quant_conv]
            ),
        }

    def spatial_moments(self, video: Tensor) -> Tensor:
        """Moments (B, 2 C, T, h, w) of the image latents of a clip (B, 3, T, H, W)."""
        spatial = self._image_autoencoder
        return _by_frame(lambda x: spatial.quant_conv(spatial.encoder(x)), video)

    def spatial_decode(self, latents: Tensor) -> Tensor:
        """A clip (B, 3, T, H, W) from its image latents (B, C, T, h, w)."""
        spatial = self._image_autoencoder
        return _by_frame(lambda z: spatial.decoder(spatial.post_quant_conv(z)), latents)

    def temporal_moments(self, image_latents: Tensor) -> Tensor:
        """Moments (B, 2 C', t, h, w) of one chunk of image latents."""
        return self.temporal_vae.encode(image_latents * self.config.spatial_latent_factor)

    def normalize(self, latents: Tensor) -> Tensor:
        """Latents of the autoencoder over time to those that are handed out."""
        return (latents - self.shift) / self.scale

    def decode(self, latents: Tensor, num_frames: int) -> Tensor:
        """One chunk (B, C', t, h, w) to its clip (B, 3, num_frames, H, W)."""
        image_latents = self.temporal_vae.decode(latents * self.scale + self.shift, num_frames)
        return self.spatial_decode(image_latents / self.config.spatial_latent_factor)


def _build_image_autoencoder(config: OpenSoraConfig) -> nn.Module:
    module = diffusers_module("diffusers.models.autoencoders.autoencoder_kl", "Open-Sora")
    try:
        return module.AutoencoderKL(**config.spatial)
    except (TypeError, ValueError) as error:
        raise TokenizerError(f"Open-Sora parameters: AutoencoderKL refuses the spatial ones: {error}") from error


def _by_frame(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    frames = x.transpose(1, 2).flatten(0, 1)
    y = torch.cat([run(batch) for batch in frames.split(SPATIAL_BATCH)])
    return y.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)
