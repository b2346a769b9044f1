"""The plain autoencoder: continuous latents without any regularization."""

from __future__ import annotations

from torch import Tensor

from .interface import Quantization, Quantizer


class IdentityQuantizer(Quantizer):
    """Latents are the features; there are no loss terms."""

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Quantization:
        """Pass features (B, C, t, h, w) on; ``noise`` has no effect."""
        return Quantization(features)
