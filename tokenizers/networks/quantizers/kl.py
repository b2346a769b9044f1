"""The diagonal Gaussian posterior of a KL-regularized autoencoder."""

from __future__ import annotations

import torch
from torch import Tensor

from .interface import Quantization, Quantizer

LOG_VARIANCE_RANGE = (-30.0, 20.0)
"""The log-variance is clamped to this range before it is used."""


def split_moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and clamped log-variance: the halves of (B, 2C, …) along the channels, each (B, C, …)."""
    mean, log_variance = features.chunk(2, dim=1)
    return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) ‖ N(0, 1)) summed over all but the batch: (B,), float32, in nats.

    ½ Σ (μ² + σ² − 1 − ln σ²), Kingma and Welling 2014 (arXiv:1312.6114), appendix B.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).flatten(1).sum(1)


def posterior_noise(mean: Tensor) -> Tensor:
    """Standard normal noise of the shape, data type and device of ``mean``.

    It is drawn in float32 and then rounded, so that a seed gives the same noise at every precision. Older versions of
    torch draw other numbers in 16 bits.
    """
    return torch.randn_like(mean, dtype=torch.float32).to(mean.dtype)


class KLQuantizer(Quantizer):
    """Continuous latents with a Gaussian posterior; features (B, 2C, t, h, w) hold mean and log-variance.

    Args:
        kl_loss_weight: weight of the ``kl`` term; the default is VidTok's.
    """

    def __init__(self, kl_loss_weight: float = 1e-6):
        super().__init__()
        self.kl_loss_weight = kl_loss_weight

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Quantization:
        """Latents are the posterior's mean, or mean + σ · ``noise`` where noise (B, C, t, h, w) is given."""
        mean, log_variance = split_moments(features)
        latents = mean if noise is None else mean + torch.exp(0.5 * log_variance) * noise
        return Quantization(latents, kl_nats=gaussian_kl(mean, log_variance))

    def loss_weights(self, step: int) -> dict[str, float]:
        """Constant."""
        return {"kl": self.kl_loss_weight}

    def _loss_terms(self, features: Tensor, quantization: Quantization) -> dict[str, Tensor]:
        """``kl``: the KL divergence in nats, averaged over the batch."""
        return {"kl": gaussian_kl(*split_moments(features)).mean()}
