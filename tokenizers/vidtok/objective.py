"""What a VidTok is trained on: reconstruction, a perceptual term, and the loss of its regularizer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor

from ..networks.quantizers.interface import Quantization
from ..networks.quantizers.kl import KLQuantizer
from ..training.objective import Objective, PerceptualLoss
from .model import VidTokModel


class VidTokObjective(Objective[VidTokModel]):
    """Mean absolute error, a perceptual loss, and KL, FSQ, LFQ or VQ regularization.

    Each is averaged over all values, where the official code sums the first two over the values of a frame; the weights
    here are to be read accordingly. Latents of a KL model are drawn from the posterior.

    Args:
        model: every parameter of which is trained, but for the encoder where that is fixed.
        perceptual: added to the absolute error, if given.
        perceptual_weight: its weight.
        regularization_weight: multiplies the regularizer's own loss, whose terms it weights itself.
        train_encoder: ``False`` in the second of VidTok's two stages, where the decoder alone learns.
    """

    def __init__(
        self,
        model: VidTokModel,
        *,
        perceptual: PerceptualLoss | None = None,
        perceptual_weight: float = 1.0,
        regularization_weight: float = 1.0,
        train_encoder: bool = True,
    ):
        super().__init__()
        self.model = model
        self._perceptual = perceptual
        self.perceptual_weight = perceptual_weight
        self.regularization_weight = regularization_weight
        self.train_encoder = train_encoder
        model.encoder.requires_grad_(train_encoder)
        # Codes that moved would no longer be those that the fixed encoder aims at.
        model.regularization.requires_grad_(train_encoder)
        self._last: tuple[Tensor, Quantization] | None = None

    def forward(self, clip: Tensor, step: int) -> Mapping[str, Tensor]:
        """``total``, ``l1``, ``perceptual`` and ``regularization`` of (B, 3, T, H, W); see :class:`Objective`."""
        regularizer = self.model.regularization
        with nullcontext() if self.train_encoder else torch.no_grad():
            features = self.model.encode(clip)
            noise = None
            if isinstance(regularizer, KLQuantizer):
                noise = torch.randn_like(features.chunk(2, dim=1)[0])
            quantization = regularizer(features, noise)
        reconstruction = self.model.decode(quantization.latents)
        terms = {"l1": (reconstruction - clip).abs().mean()}
        total = terms["l1"]
        if self._perceptual is not None:
            terms["perceptual"] = self._perceptual(reconstruction, clip)
            total = total + self.perceptual_weight * terms["perceptual"]
        if self.train_encoder:
            terms["regularization"] = regularizer.loss(features, quantization, step)
            total = total + self.regularization_weight * terms["regularization"]
            self._last = features.detach(), quantization
        return {"total": total} | {name: term.detach() for name, term in terms.items()}

    def after_step(self, step: int) -> None:
        """Move the codebook, where it learns from moving averages."""
        if self._last is not None:
            self.model.regularization.update(*self._last)
            self._last = None
