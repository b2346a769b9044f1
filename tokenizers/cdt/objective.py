"""What a CDT is trained on: the denoiser's error, a perceptual term, and the divergence of the posterior."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from ..networks.quantizers.kl import gaussian_kl, split_moments
from ..training.objective import Objective, PerceptualLoss
from .cache import FeatureCache
from .model import CDTModel, channels_first, channels_last
from .schedule import signal_shares


class CDTObjective(Objective):
    """Mean squared error of the clean clip predicted from a noisy one, KL divergence, and a perceptual loss.

    Each clip gets one step n of the noise schedule, drawn evenly, and becomes √ᾱₙ · clip + √(1 − ᾱₙ) · noise (Ho et al.
    2020, arXiv:2006.11239, eq. 4). The condition comes from latents drawn from the posterior. The authors haven't said
    their weights of the terms.

    Args:
        model: every parameter of which is trained.
        kl_weight: of the divergence, in nats a value of the latent.
        perceptual: added to the squared error, if given.
        perceptual_weight: its weight.
    """

    def __init__(
        self,
        model: CDTModel,
        *,
        kl_weight: float,
        perceptual: PerceptualLoss | None = None,
        perceptual_weight: float = 1.0,
    ):
        super().__init__()
        self.model = model
        self.kl_weight = kl_weight
        self._perceptual = perceptual
        self.perceptual_weight = perceptual_weight

    def forward(self, clip: Tensor, step: int) -> Mapping[str, Tensor]:
        """``total``, ``mse``, ``kl`` and, if given, ``perceptual`` of (B, 3, T, H, W); see :class:`Objective`."""
        config = self.model.config
        mean, log_variance = split_moments(self.model.moments(clip))
        latents = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        conditions = self.model.compressor.conditions(channels_last(latents), FeatureCache())
        indices = torch.randint(config.num_timesteps, (clip.shape[0],), device=clip.device)
        shares = signal_shares(config.num_timesteps).to(clip)[indices].view(-1, 1, 1, 1, 1)
        noisy = shares.sqrt() * clip + (1 - shares).sqrt() * torch.randn_like(clip)
        time = (indices.float() / config.num_timesteps)[:, None]
        predicted = channels_first(self.model.denoiser(channels_last(noisy), time, conditions, FeatureCache()))
        terms = {
            "mse": F.mse_loss(predicted, clip.float()),
            "kl": gaussian_kl(mean, log_variance).mean() / mean[0].numel(),
        }
        total = terms["mse"] + self.kl_weight * terms["kl"]
        if self._perceptual is not None:
            terms["perceptual"] = self._perceptual(predicted, clip)
            total = total + self.perceptual_weight * terms["perceptual"]
        return {"total": total, **terms}
