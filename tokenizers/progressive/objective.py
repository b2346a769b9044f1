"""What a progressive tokenizer is trained on: reconstruction and the divergence of its posterior."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..training.objective import Objective, PerceptualLoss
from .model import LevelledModel


class ProgressiveObjective(Objective):
    """Mean absolute error plus the KL divergence of the posterior, and a perceptual term if one is given.

    Of a grown model the last level alone is trained, unless ``train_base``; those below stay as they are, in evaluation
    mode. Where neither weights nor input need a gradient, as in the passes of the frozen encoder, torch keeps no
    activations.

    Args:
        model: of either architecture and any ratio.
        kl_weight: weight of the divergence, in nats averaged over the latent's values.
        perceptual: added to the absolute error, if given.
        perceptual_weight: its weight.
        train_base: whether the levels below the last are trained too, an ablation. Their own bottlenecks, which the
            last level doesn't use, stay; lower ratios of the weights are then of no use.
    """

    model: LevelledModel

    def __init__(
        self,
        model: LevelledModel,
        *,
        kl_weight: float = 1e-6,
        perceptual: PerceptualLoss | None = None,
        perceptual_weight: float = 0.1,
        train_base: bool = False,
    ):
        super().__init__()
        self.model = model
        self.kl_weight = kl_weight
        self._perceptual = perceptual
        self.perceptual_weight = perceptual_weight
        self._frozen = list(model.lower_bottlenecks() if train_base else model.frozen_modules())
        for module in self._frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> ProgressiveObjective:
        """As torch's, but frozen levels stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen:
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
