"""What quantizers share whose codebook is a product: every dimension takes one of a few values on its own."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import TypedDict, Unpack

import torch
from torch import Tensor, nn

from ..autocast import without_autocast
from .entropy import INVERSE_TEMPERATURE, product_entropies
from .interface import Quantization, Quantizer


def digits_to_indices(digits: Tensor, levels: Sequence[int]) -> Tensor:
    """Index in [0, Π levels), (…) int64, of digits (…, D) in [0, levels[d]); the first is least significant."""
    return (digits * _basis(levels, digits)).sum(-1)


def indices_to_digits(indices: Tensor, levels: Sequence[int]) -> Tensor:
    """Inverse of :func:`digits_to_indices`: indices (…) to digits (…, D), int64."""
    counts = torch.tensor(tuple(levels), device=indices.device)
    return indices.long().unsqueeze(-1) // _basis(levels, indices) % counts


def _basis(levels: Sequence[int], like: Tensor) -> Tensor:
    return torch.tensor([math.prod(levels[:d]) for d in range(len(levels))], device=like.device)


class ProductLosses(TypedDict, total=False):
    """How the losses of a product quantizer are weighted, under VidTok's names; the defaults are VidTok's too."""

    entropy_loss_weight: float
    """Final weight of the entropy terms, by default 0.1; 0 leaves them out."""
    entropy_loss_annealing_steps: int
    """Batches over which that weight falls linearly to its final value, by default 2000."""
    entropy_loss_annealing_factor: float
    """Its first value in multiples of the final one, by default 3."""
    diversity_gamma: float
    """Weight of the codebook's entropy against the positions', by default 1."""
    commitment_loss_weight: float
    """Weight of the commitment term, by default 0.25."""
    inverse_temperature: float
    """β of the soft assignment in the entropy terms, by default 100."""


class ProductQuantizer(Quantizer):
    """Discrete latents, one of Π ``levels`` codes a position; computed in float32 whatever the features' type.

    Where ``dim`` (channels of the features) differs from the number of levels, linear layers ``project_in`` and
    ``project_out`` stand before and after; only then the state dict has keys, those of the two layers.

    Args:
        levels: values each dimension can take.
        dim: channels of the features; ``None``: as many as levels.
        losses: see :class:`ProductLosses`.
    """

    def __init__(self, levels: Sequence[int], dim: int | None = None, **losses: Unpack[ProductLosses]):
        super().__init__()
        unknown = sorted(set(losses) - set(ProductLosses.__annotations__))
        if unknown:
            raise TypeError(f"unknown {', '.join(unknown)}; there are: {', '.join(ProductLosses.__annotations__)}")
        self.levels = tuple(levels)
        self.codebook_sizes = (math.prod(self.levels),)
        self.entropy_loss_weight = losses.get("entropy_loss_weight", 0.1)
        self.entropy_loss_annealing_steps = losses.get("entropy_loss_annealing_steps", 2000)
        self.entropy_loss_annealing_factor = losses.get("entropy_loss_annealing_factor", 3.0)
        self.diversity_gamma = losses.get("diversity_gamma", 1.0)
        self.commitment_loss_weight = losses.get("commitment_loss_weight", 0.25)
        self.inverse_temperature = losses.get("inverse_temperature", INVERSE_TEMPERATURE)
        channels = len(self.levels) if dim is None else dim
        projected = channels != len(self.levels)
        self.project_in = nn.Linear(channels, len(self.levels)) if projected else nn.Identity()
        self.project_out = nn.Linear(len(self.levels), channels) if projected else nn.Identity()

    @abstractmethod
    def quantize(self, features: Tensor) -> Tensor:
        """Codes (…, D) of projected features (…, D), float32; gradients pass straight through."""

    @abstractmethod
    def indices_of(self, codes: Tensor) -> Tensor:
        """Indices (…), int64, of codes (…, D)."""

    @abstractmethod
    def codes_of(self, indices: Tensor) -> Tensor:
        """Codes (…, D), float32, of indices (…)."""

    @abstractmethod
    def values(self, device: torch.device) -> list[Tensor]:
        """The values of each dimension in ascending order, float32 (levels[d],)."""

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Quantization:
        """Quantize features (B, dim, t, h, w); ``noise`` has no effect."""
        with without_autocast(features):
            codes = self.quantize(self._projected(features))
            indices = self.indices_of(codes.detach())
            return Quantization(self._unprojected(codes).to(features.dtype), (indices,))

    def latents_of(self, codes: Sequence[Tensor]) -> Tensor:
        """Latents (B, dim, t, h, w), float32, of one tensor of indices (B, t, h, w)."""
        (indices,) = codes
        return self._unprojected(self.codes_of(indices)).float()

    def loss_weights(self, step: int) -> dict[str, float]:
        """The entropy terms' weight falls linearly over the annealing steps; the other is constant."""
        remaining = max(0.0, 1.0 - step / self.entropy_loss_annealing_steps) if self.entropy_loss_annealing_steps else 0
        entropy = self.entropy_loss_weight * (1.0 + (self.entropy_loss_annealing_factor - 1.0) * remaining)
        return {
            "per_sample_entropy": entropy,
            "codebook_entropy": -entropy * self.diversity_gamma,
            "commitment": self.commitment_loss_weight,
        }

    def _loss_terms(self, features: Tensor, quantization: Quantization) -> dict[str, Tensor]:
        """``per_sample_entropy``, ``codebook_entropy`` (nats) and ``commitment``.

        The last is the mean squared distance of the unbounded features to their codes.
        """
        with without_autocast(features):
            projected = self._projected(features)
            terms = {"commitment": (projected - self.codes_of(quantization.codes[0])).square().mean()}
            if self.entropy_loss_weight > 0:
                entropies = product_entropies(
                    projected.flatten(0, -2), self.values(features.device), self.inverse_temperature
                )
                terms |= {"per_sample_entropy": entropies.per_sample, "codebook_entropy": entropies.codebook}
            return terms

    def _projected(self, features: Tensor) -> Tensor:
        return _apply(self.project_in, features.movedim(1, -1)).float()

    def _unprojected(self, codes: Tensor) -> Tensor:
        return _apply(self.project_out, codes).movedim(-1, 1)


def _apply(projection: nn.Module, values: Tensor) -> Tensor:
    """Apply a projection in its own data type, which need not be float32."""
    return projection(values.to(projection.weight.dtype) if isinstance(projection, nn.Linear) else values)
