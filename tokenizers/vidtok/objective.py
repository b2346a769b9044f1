"""What a VidTok is trained on: reconstruction, a perceptual term, and the loss of its regularizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from ..networks.quantizers.interface import Quantization
from ..networks.quantizers.kl import KLQuantizer, posterior_noise
from ..training.objective import AdversarialLoss, Objective, PerceptualLoss
from ..training.reconstruction import ReconstructionForm, ReconstructionLoss
from .layers import CausalConv
from .model import VidTokModel


class VidTokObjective(Objective[VidTokModel]):
    """Absolute error, a perceptual and an adversarial loss, and KL, FSQ, LFQ or VQ regularization.

    Latents of a KL model are drawn from the posterior.

    Args:
        model: every parameter of which is trained, but for the encoder where that is fixed.
        reconstruction: ``mean``: errors are averaged over all values, and weights are to be read accordingly;
            ``likelihood``: they are summed over the values of a frame under a learned variance, as in the official
            code. See :class:`ReconstructionLoss`.
        perceptual: added to the absolute error, if given.
        perceptual_weight: its weight.
        adversarial: added to the reconstruction loss, if given; it brings its weight.
        regularization_weight: multiplies the regularizer's own loss, whose terms it weights itself.
        train_encoder: ``False`` in the second of VidTok's two stages, where the decoder alone learns.
    """

    takes_adversarial = True

    def __init__(
        self,
        model: VidTokModel,
        *,
        reconstruction: ReconstructionForm = "mean",
        perceptual: PerceptualLoss | None = None,
        perceptual_weight: float = 1.0,
        adversarial: AdversarialLoss | None = None,
        regularization_weight: float = 1.0,
        train_encoder: bool = True,
    ):
        super().__init__()
        self.model = model
        self.reconstruction_loss = ReconstructionLoss(
            reconstruction, perceptual=perceptual, perceptual_weight=perceptual_weight, adversarial=adversarial
        )
        self.regularization_weight = regularization_weight
        self.train_encoder = train_encoder
        model.encoder.requires_grad_(train_encoder)
        # Codes that moved would no longer be those that the fixed encoder aims at.
        model.regularization.requires_grad_(train_encoder)
        self._seen: list[tuple[Tensor, Quantization]] = []

    def forward(self, clip: Tensor, step: int) -> Mapping[str, Tensor]:
        """The terms of :class:`ReconstructionLoss`, and ``regularization``, of (B, 3, T, H, W).

        See :class:`Objective`.
        """
        regularizer = self.model.regularization
        with nullcontext() if self.train_encoder else torch.no_grad():
            features = self.model.encode(clip)
            noise = None
            if isinstance(regularizer, KLQuantizer):
                noise = posterior_noise(features.chunk(2, dim=1)[0])
            quantization = regularizer(features, noise)
        reconstruction = self.model.decode(quantization.latents)
        terms = self.reconstruction_loss(reconstruction, clip, self.last_layer())
        total = terms.pop("total")
        if self.train_encoder:
            terms["regularization"] = regularizer.loss(features, quantization, step)
            total = total + self.regularization_weight * terms["regularization"]
            kept = Quantization(quantization.latents.detach(), quantization.codes)
            self._seen.append((features.detach(), kept))
        return {"total": total} | {name: term.detach() for name, term in terms.items()}

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        """Those of the model that require a gradient, and the learned variance."""
        yield from super().trained_parameters()
        yield from self.reconstruction_loss.parameters()

    def last_layer(self) -> Tensor:
        """Of the decoder."""
        last = self.model.decoder.conv_out
        return last.conv.weight if isinstance(last, CausalConv) else last.weight

    def compiled_modules(self) -> Iterable[nn.Module]:
        """Encoder and decoder, as in the official code."""
        return self.model.encoder, self.model.decoder

    def after_step(self, step: int) -> None:
        """Move the codebook by all batches of the step, where it learns from moving averages."""
        if self._seen:
            features, quantizations = zip(*self._seen, strict=True)
            latents = torch.cat([one.latents for one in quantizations])
            codes = tuple(map(torch.cat, zip(*(one.codes for one in quantizations), strict=True)))
            self.model.regularization.update(torch.cat(features), Quantization(latents, codes))
            self._seen = []
