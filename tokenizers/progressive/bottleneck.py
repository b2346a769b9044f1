"""The bottleneck of a level: 1×1×1 convolutions from features to a Gaussian posterior, and from latents to features."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .config import ProgressiveConfig


class Bottleneck(nn.Module):
    """Norm, SiLU and convolution to mean and log-variance; a convolution from the latent."""

    def __init__(self, config: ProgressiveConfig):
        super().__init__()
        self.norm = config.make_norm(config.width)
        self.to_moments = nn.Conv3d(config.width, 2 * config.z_channels, 1)
        self.from_latents = nn.Conv3d(config.z_channels, config.width, 1)

    def moments(self, features: Tensor) -> Tensor:
        """(B, C, t, h, w) to (B, 2 Z, t, h, w): mean, then log-variance."""
        return self.to_moments(F.silu(self.norm(features)))

    def features(self, latents: Tensor) -> Tensor:
        """(B, Z, t, h, w) to (B, C, t, h, w)."""
        return self.from_latents(latents)
