"""What every regularizer of a latent is: encoder features in; latents, codes and, in training, loss terms out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Quantization:
    """What a regularizer makes of encoder features."""

    latents: Tensor
    """(B, C, t, h, w): what the decoder receives, in the features' data type."""
    codes: tuple[Tensor, ...] = ()
    """One int64 tensor (B, t, h, w) a codebook; empty for continuous latents."""
    kl_nats: Tensor | None = None
    """KL(q ‖ N(0, 1)) of each clip, (B,), in nats; ``None`` for regularizers without a posterior."""


class Quantizer(nn.Module, ABC):
    """A regularizer.

    ``forward`` is free of losses and changes nothing. A training step asks for :meth:`loss` (or for the single
    :meth:`loss_terms`), and calls :meth:`update` once when it is done.
    """

    codebook_sizes: tuple[int, ...] = ()
    """Codes a codebook; empty for continuous latents."""

    @abstractmethod
    def forward(self, features: Tensor, noise: Tensor | None = None) -> Quantization:
        """Regularize encoder features (B, F, t, h, w).

        Args:
            features: the encoder's output.
            noise: standard normal, of the latents' shape, for regularizers that draw from a posterior; ``None`` takes
                the posterior's mode. Regularizers without a posterior ignore it.
        """

    def latents_of(self, codes: Sequence[Tensor]) -> Tensor:
        """The latents (B, C, t, h, w), float32, that integer codes (B, t, h, w) stand for.

        Raises:
            TypeError: if the regularizer is continuous.
        """
        raise TypeError(f"{type(self).__name__} has no codes")

    def loss_terms(self, features: Tensor, quantization: Quantization) -> dict[str, Tensor]:
        """The regularization losses by name: unweighted float32 scalars with gradients to ``features``.

        Empty in evaluation mode, where nothing is computed.

        Args:
            features: what :meth:`forward` was given.
            quantization: what it returned for them.
        """
        return self._loss_terms(features, quantization) if self.training else {}

    def loss_weights(self, step: int) -> dict[str, float]:
        """Weight of each loss term after ``step`` batches of training; a term without a weight here isn't counted."""
        return {}

    def loss(self, features: Tensor, quantization: Quantization, step: int) -> Tensor:
        """The weighted sum of the loss terms after ``step`` batches: a float32 scalar, zero in evaluation mode."""
        total = torch.zeros((), device=features.device)
        weights = self.loss_weights(step)
        for name, term in self.loss_terms(features, quantization).items():
            total = total + weights.get(name, 0.0) * term
        return total

    @torch.no_grad()
    def update(self, features: Tensor, quantization: Quantization, generator: torch.Generator | None = None) -> None:
        """Move what isn't learned by gradients (moving averages, dead codes) after a training step.

        Without effect in evaluation mode, and for regularizers that have nothing of the kind.

        Args:
            features: what :meth:`forward` was given.
            quantization: what it returned for them.
            generator: a CPU generator for random choices; ``None`` takes torch's default.
        """
        if self.training:
            self._update(features, quantization, generator)

    def _loss_terms(self, features: Tensor, quantization: Quantization) -> dict[str, Tensor]:
        return {}

    def _update(self, features: Tensor, quantization: Quantization, generator: torch.Generator | None) -> None:
        return


def straight_through(values: Tensor, quantized: Tensor) -> Tensor:
    """``quantized``, exactly, with the gradient passed to ``values`` as if it were they (Bengio et al. 2013)."""
    return quantized.detach() + (values - values.detach()) if values.requires_grad else quantized
