"""What a CDT is trained on: the denoiser's error, a perceptual term, and the divergence of the posterior."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import TokenizerError
from ..networks.quantizers.kl import gaussian_kl, posterior_noise, split_moments
from ..training.objective import Objective, PerceptualLoss
from .cache import FeatureCache
from .model import CDTModel, channels_first, channels_last
from .schedule import signal_shares

SNR_WEIGHTINGS = ("none", "min-snr")


def timestep_weights(num_timesteps: int, weighting: str, low: float, high: float) -> Tensor:
    """Weight of the squared error at each step of the noise schedule, (N,), of mean 1.

    ``none`` weighs all alike. ``min-snr`` takes the ratio of signal to noise, ᾱ / (1 − ᾱ): at most ``high``, as Hang et
    al. 2023 (arXiv:2303.09556) do for a network that predicts the clean clip, and at least ``low``, as Salimans and Ho
    2022 (arXiv:2202.00512) do. Without the lower limit, pure noise would count for nothing, and one step starts there.

    Raises:
        TokenizerError: if there is no such weighting, or the limits aren't 0 < low ≤ high.
    """
    if weighting not in SNR_WEIGHTINGS:
        raise TokenizerError(f"snr_weighting must be one of {', '.join(SNR_WEIGHTINGS)}, not {weighting!r}")
    if not 0 < low <= high:
        raise TokenizerError(f"snr_low and snr_high must be 0 < low ≤ high, but are {low} and {high}")
    shares = signal_shares(num_timesteps).double()
    weights = torch.ones_like(shares) if weighting == "none" else (shares / (1 - shares)).clamp(low, high)
    return (weights / weights.mean()).float()


class CDTObjective(Objective):
    """Mean squared error of the clean clip predicted from a noisy one, KL divergence, and a perceptual loss.

    Each clip gets one step n of the noise schedule, drawn evenly, and becomes √ᾱₙ · clip + √(1 − ᾱₙ) · noise (Ho et al.
    2020, arXiv:2006.11239, eq. 4). The condition comes from latents drawn from the posterior. The authors haven't said
    their weights of the terms, nor whether they weigh the squared error by the noise.

    Args:
        model: every parameter of which is trained.
        kl_weight: of the divergence, in nats a value of the latent.
        snr_weighting: of the squared error by the step, see :func:`timestep_weights`.
        snr_low: smallest weight before they are brought to a mean of 1.
        snr_high: largest weight before that.
        perceptual: of every predicted clip, whatever its noise; added to the squared error, if given.
        perceptual_weight: its weight.

    Raises:
        TokenizerError: if the weighting or its limits can't be used.
    """

    def __init__(
        self,
        model: CDTModel,
        *,
        kl_weight: float,
        snr_weighting: str = "none",
        snr_low: float = 1.0,
        snr_high: float = 5.0,
        perceptual: PerceptualLoss | None = None,
        perceptual_weight: float = 1.0,
    ):
        super().__init__()
        self.model = model
        self.kl_weight = kl_weight
        self.timestep_weights = timestep_weights(model.config.num_timesteps, snr_weighting, snr_low, snr_high)
        self._perceptual = perceptual
        self.perceptual_weight = perceptual_weight

    def forward(self, clip: Tensor, step: int) -> Mapping[str, Tensor]:
        """``total``, ``mse``, ``kl`` and, if given, ``perceptual`` of (B, 3, T, H, W); see :class:`Objective`.

        ``mse`` is weighted by the step of the noise schedule.
        """
        config = self.model.config
        mean, log_variance = split_moments(self.model.moments(clip))
        latents = mean + torch.exp(0.5 * log_variance) * posterior_noise(mean)
        conditions = self.model.compressor.conditions(channels_last(latents), FeatureCache())
        indices = torch.randint(config.num_timesteps, (clip.shape[0],), device=clip.device)
        shares = signal_shares(config.num_timesteps).to(clip)[indices].view(-1, 1, 1, 1, 1)
        noisy = shares.sqrt() * clip + (1 - shares).sqrt() * torch.randn_like(clip)
        time = (indices.float() / config.num_timesteps)[:, None]
        predicted = channels_first(self.model.denoiser(channels_last(noisy), time, conditions, FeatureCache()))
        errors = (predicted - clip.float()).square().flatten(1).mean(1)
        terms = {
            "mse": (self.timestep_weights.to(errors)[indices] * errors).mean(),
            "kl": gaussian_kl(mean, log_variance).mean() / mean[0].numel(),
        }
        total = terms["mse"] + self.kl_weight * terms["kl"]
        if self._perceptual is not None:
            terms["perceptual"] = self._perceptual(predicted, clip)
            total = total + self.perceptual_weight * terms["perceptual"]
        return {"total": total, **terms}
