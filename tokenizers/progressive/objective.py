"""What a progressive tokenizer is trained on: reconstruction and the divergence of its posterior."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..training.objective import Objective, PerceptualLoss
from .model import LevelledModel


class ProgressiveObjective(Objective):
    """Mean absolute error plus the KL divergence of the posterior, and a perceptual term if one is given.

    Of a grown model the last level alone is trained; those below stay as they are, in evaluation mode. Where neither
    weights nor input need a gradient, as in the passes of the frozen encoder, torch keeps no activations.

    Args:
        model: of either architecture and any ratio.
        kl_weight: weight of the divergence, in nats averaged over the latent's values.
        perceptual: added to the absolute error, if given.
        perceptual_weight: its weight.
    """

    model: LevelledModel

    def __init__(
        self,
        model: LevelledModel,
        *,
        kl_weight: float = 1e-6,
        perceptual: PerceptualLoss | None = None,
        perceptual_weight: float = 0.1,
    ):
        super().__init__()
        self.model = model
        self.kl_weight = kl_weight
        self._perceptual = perceptual
        self.perceptual_weight = perceptual_weight
        for module in model.frozen_modules():
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> ProgressiveObjective:
        """As torch's, but frozen levels stay in evaluation mode."""
        super().train(mode)
        for module in self.model.frozen_modules():
            module.eval()
        return self

    def forward(self, clip: Tensor, step: int) -> Mapping[str, Tensor]:
        """``total``, ``l1``, ``kl`` and ``perceptual`` of (B, 3, 1 + n · ratio, H, W); see :class:`Objective`.

        Latents are drawn from the posterior.
        """
        moments = self.model.moments(clip)
        noise = torch.randn_like(moments.chunk(2, dim=1)[0])
        quantization = self.model.regularization(moments, noise)
        assert quantization.kl_nats is not None
        reconstruction = self.model.decode(quantization.latents)
        terms = {
            "l1": (reconstruction - clip).abs().mean(),
            "kl": quantization.kl_nats.mean() / quantization.latents[0].numel(),
        }
        total = terms["l1"] + self.kl_weight * terms["kl"]
        if self._perceptual is not None:
            terms["perceptual"] = self._perceptual(reconstruction, clip)
            total = total + self.perceptual_weight * terms["perceptual"]
        return {"total": total} | {name: term.detach() for name, term in terms.items()}
