"""A CDT network: compressor and denoiser, under the official names."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from .cache import FeatureCache
from .compressor import Compressor
from .config import CDTConfig
from .denoiser import Denoiser


class CDTModel(nn.Module):
    """The two networks of CDT; its state dict has the official names."""

    def __init__(self, config: CDTConfig):
        super().__init__()
        self.config = config
        self.model = nn.ModuleDict({"denoise_fn": Denoiser(config), "context_fn": Compressor(config)})

    @property
    def denoiser(self) -> Denoiser:
        """Noisy frames to clean ones."""
        return cast(Denoiser, self.model["denoise_fn"])

    @property
    def compressor(self) -> Compressor:
        """Frames to moments, latents to condition maps."""
        return cast(Compressor, self.model["context_fn"])

    def moments(self, video: Tensor, cache: FeatureCache | None = None) -> Tensor:
        """Mean and log-variance (B, 2C, t, h, w), float32, of (B, 3, T, H, W)."""
        cache = cache or FeatureCache()
        hidden = self.compressor.hidden(channels_last(video), cache)
        return channels_first(self.compressor.moments(hidden, cache))

    def set_precision(self, dtype: torch.dtype) -> None:
        """Compute in ``dtype``, but for the layers next to the latent and the time embedding: those stay in float32."""
        kept = {p for part in (*self.compressor.float32_parts, *self.denoiser.float32_parts) for p in part.parameters()}
        for parameter in self.parameters():
            if parameter not in kept:
                parameter.data = parameter.data.to(dtype)


def channels_last(x: Tensor) -> Tensor:
    """(B, C, T, H, W) as contiguous (B, T, H, W, C)."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


def channels_first(x: Tensor) -> Tensor:
    """(B, T, H, W, C) as contiguous (B, C, T, H, W)."""
    return x.permute(0, 4, 1, 2, 3).contiguous()
