"""Finite scalar quantization (Mentzer et al. 2024, arXiv:2309.15505): every latent channel rounded to a few levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from .interface import straight_through
from .product import ProductLosses, ProductQuantizer, digits_to_indices, indices_to_digits

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
    return straight_through(bounded, bounded.round()) / _per_dimension([level // 2 for level in levels], features)


def codes_to_indices(codes: Tensor, levels: Sequence[int]) -> Tensor:
    """Index in [0, Π levels) of each code (…, D) in [-1, 1], int64; the first dimension is the least significant."""
    half = torch.tensor([level // 2 for level in levels], device=codes.device)
    return digits_to_indices((codes * half).round().long() + half, levels)


def indices_to_codes(indices: Tensor, levels: Sequence[int]) -> Tensor:
    """Inverse of :func:`codes_to_indices`: indices (…) to codes (…, D), float32."""
    half = torch.tensor([level // 2 for level in levels], device=indices.device)
    return (indices_to_digits(indices, levels) - half) / half.float()


class FSQuantizer(ProductQuantizer):
    """Rounds each dimension to one of its levels; arguments as :class:`ProductQuantizer`.

    The defaults are those VidTok was trained with.

    Raises:
        ValueError: if a dimension has fewer than 2 levels.
    """

    def __init__(self, levels: Sequence[int], dim: int | None = None, **losses: Unpack[ProductLosses]):
        if not levels or min(levels) < 2:
            raise ValueError(f"FSQ needs at least 2 levels in every dimension, not {list(levels)}")
        super().__init__(levels, dim, **losses)

    def quantize(self, features: Tensor) -> Tensor:
        """Codes in [-1, 1], see :func:`quantize`."""
        return quantize(features, self.levels)

    def indices_of(self, codes: Tensor) -> Tensor:
        """Indices, see :func:`codes_to_indices`."""
        return codes_to_indices(codes, self.levels)

    def codes_of(self, indices: Tensor) -> Tensor:
        """Codes, see :func:`indices_to_codes`."""
        return indices_to_codes(indices, self.levels)

    def values(self, device: torch.device) -> list[Tensor]:
        """(digit − level // 2) / (level // 2) for every digit."""
        return [(torch.arange(level, device=device) - level // 2) / float(level // 2) for level in self.levels]
