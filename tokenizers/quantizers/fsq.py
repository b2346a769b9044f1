"""Finite scalar quantization (Mentzer et al. 2024, arXiv:2309.15505): every latent channel rounded to a few levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from .interface import Quantization, Quantizer

BOUND_MARGIN = 1e-3
"""The bound reaches this fraction beyond the outermost level, so that the outermost levels keep a finite pre-image."""


def _per_dimension(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=like.device)


def bound(features: Tensor, levels: Sequence[int]) -> Tensor:
    """Squash features (…, D) with tanh into the range that rounds to ``levels``; even level counts are shifted by ½."""
    half_range = [(level - 1) * (1 + BOUND_MARGIN) / 2 for level in levels]
    offset = [0.5 if level % 2 == 0 else 0.0 for level in levels]
    shift = [math.atanh(o / h) for o, h in zip(offset, half_range, strict=True)]
    squashed = torch.tanh(features + _per_dimension(shift, features))
    return squashed * _per_dimension(half_range, features) - _per_dimension(offset, features)


def quantize(features: Tensor, levels: Sequence[int]) -> Tensor:
    """Codes in [-1, 1] of features (…, D): the bounded value rounded half to even, divided by ``level // 2``.

    Gradients pass straight through the rounding.
    """
    bounded = bound(features, levels)
    rounded = bounded + (bounded.round() - bounded).detach() if bounded.requires_grad else bounded.round()
    return rounded / _per_dimension([level // 2 for level in levels], features)


def codes_to_indices(codes: Tensor, levels: Sequence[int]) -> Tensor:
    """Index in [0, Π levels) of each code (…, D) in [-1, 1], int64; the first dimension is the least significant."""
    half = torch.tensor([level // 2 for level in levels], device=codes.device)
    digits = (codes * half).round().long() + half
    return (digits * _basis(levels, codes)).sum(-1)


def indices_to_codes(indices: Tensor, levels: Sequence[int]) -> Tensor:
    """Inverse of :func:`codes_to_indices`: indices (…) to codes (…, D), float32."""
    counts = torch.tensor(tuple(levels), device=indices.device)
    digits = indices.long().unsqueeze(-1) // _basis(levels, indices) % counts
    return (digits - counts // 2) / (counts // 2).float()


def _basis(levels: Sequence[int], like: Tensor) -> Tensor:
    return torch.tensor([math.prod(levels[:d]) for d in range(len(levels))], device=like.device)


class FSQuantizer(Quantizer):
    """Discrete latents, one of Π ``levels`` codes a position; computed in float32 whatever the features' type.

    Where ``dim`` (channels of the features) differs from the number of levels, linear layers ``project_in`` and
    ``project_out`` stand before and after.
    """

    def __init__(self, levels: Sequence[int], dim: int | None = None):
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(f"FSQ needs at least 2 levels in every dimension, not {list(levels)}")
        self.levels = tuple(levels)
        self.codebook_sizes = (math.prod(self.levels),)
        channels = len(self.levels) if dim is None else dim
        projected = channels != len(self.levels)
        self.project_in = nn.Linear(channels, len(self.levels)) if projected else nn.Identity()
        self.project_out = nn.Linear(len(self.levels), channels) if projected else nn.Identity()

    def forward(self, features: Tensor, noise: Tensor | None = None) -> Quantization:
        """Quantize features (B, dim, t, h, w); ``noise`` has no effect."""
        with _without_autocast(features):
            codes = quantize(self._projected(features), self.levels)
            indices = codes_to_indices(codes.detach(), self.levels)
            return Quantization(self._unprojected(codes).to(features.dtype), (indices,))

    def latents_of(self, codes: Sequence[Tensor]) -> Tensor:
        """Latents (B, dim, t, h, w), float32, of one tensor of indices (B, t, h, w)."""
        (indices,) = codes
        return self._unprojected(indices_to_codes(indices, self.levels)).float()

    def loss_terms(self, features: Tensor, quantization: Quantization) -> dict[str, Tensor]:
        """``commitment``: the mean squared distance of the unbounded features to their codes."""
        with _without_autocast(features):
            codes = indices_to_codes(quantization.codes[0], self.levels)
            return {"commitment": (self._projected(features) - codes).square().mean()}

    def _projected(self, features: Tensor) -> Tensor:
        return _apply(self.project_in, features.movedim(1, -1)).float()

    def _unprojected(self, codes: Tensor) -> Tensor:
        return _apply(self.project_out, codes).movedim(-1, 1)


def _without_autocast(x: Tensor) -> AbstractContextManager[object]:
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


def _apply(projection: nn.Module, values: Tensor) -> Tensor:
    """Apply a projection in its own data type, which need not be float32."""
    return projection(values.to(projection.weight.dtype) if isinstance(projection, nn.Linear) else values)
