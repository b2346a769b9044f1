"""What a decoder is trained on that isn't a diffusion model: errors of values, and how frames look."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from .objective import AdversarialLoss, PerceptualLoss

ReconstructionForm = Literal["mean", "likelihood"]


class ReconstructionLoss(nn.Module):
    """Absolute error, a perceptual loss, and an adversarial one.

    Args:
        form: ``mean``: the mean absolute error plus the perceptual loss. ``likelihood``: VidTok's negative
            log-likelihood Σ ((|x − x̂| + perceptual) / exp(s) + s) over the values of a frame, averaged over frames,
            with a learned scalar s that starts at 0, the state dict's ``log_variance``.
        perceptual: added to the absolute error of every value, if given.
        perceptual_weight: its weight.
        adversarial: added to the whole, if given; it brings its weight.
    """

    def __init__(
        self,
        form: ReconstructionForm = "mean",
        *,
        perceptual: PerceptualLoss | None = None,
        perceptual_weight: float = 1.0,
        adversarial: AdversarialLoss | None = None,
    ):
        super().__init__()
        self._perceptual = perceptual
        self.perceptual_weight = perceptual_weight
        self._adversarial = adversarial
        self.log_variance = nn.Parameter(torch.zeros(())) if form == "likelihood" else None

    def forward(self, reconstruction: Tensor, clip: Tensor, last_layer: Tensor) -> dict[str, Tensor]:
        """``total``, which is to be minimised, and what it is made of, of (B, 3, T, H, W) twice.

        That is ``l1``, ``perceptual`` and, as far as there are any, ``likelihood`` and ``log_variance``.

        Args:
            reconstruction: of any floating-point type; losses are in float32.
            clip: the same shape.
            last_layer: weight of the layer that made the reconstruction.
        """
        reconstruction, clip = reconstruction.float(), clip.float()
        terms = {"l1": (reconstruction - clip).abs().mean()}
        error = terms["l1"]
        if self._perceptual is not None:
            terms["perceptual"] = self._perceptual(reconstruction, clip)
            error = error + self.perceptual_weight * terms["perceptual"]
        if self.log_variance is not None:
            num_values = clip[0, :, 0].numel()
            error = num_values * (error * torch.exp(-self.log_variance) + self.log_variance)
            # A copy: the parameter itself moves before the figures are read.
            terms |= {"likelihood": error, "log_variance": self.log_variance.detach().clone()}
        total = error
        if self._adversarial is not None:
            total = total + self._adversarial(reconstruction, clip, error, last_layer)
        return {"total": total, **terms}
