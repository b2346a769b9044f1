"""What every regularizer of a latent is: encoder features in; latents, codes and, in training, loss terms out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

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
    """A regularizer. ``forward`` is free of losses; training asks for them with :meth:`loss_terms`."""

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

    @abstractmethod
    def loss_terms(self, features: Tensor, quantization: Quantization) -> dict[str, Tensor]:
        """The regularization losses by name, unweighted scalars with gradients to ``features``."""
