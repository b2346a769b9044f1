"""Lookup-free quantization (Yu et al. 2023, arXiv:2310.05737): the sign of every latent channel is one bit."""

from __future__ import annotations

from typing import Literal, Unpack, get_args

import torch
from torch import Tensor

from .interface import straight_through
from .product import ProductLosses, ProductQuantizer, digits_to_indices, indices_to_digits

Gradient = Literal["identity", "tanh"]


class LFQuantizer(ProductQuantizer):
    """Codes in {-1, 1}^bits; the index has bit d set where dimension d is positive. A zero counts as negative.

    Args:
        num_bits: dimensions; the codebook has 2^num_bits codes, in [1, 62].
        dim: channels of the features where they differ.
        gradient: what the sign counts as for gradients. The official code takes the identity; ``tanh`` passes nothing
            to features far from 0, whose bit no small step would change (after Hubara et al. 2016, Binarized Neural
            Networks, arXiv:1602.02830, equation 4).
        losses: as :class:`ProductQuantizer`; the defaults are MAGVIT-v2's form with VidTok's weights.

    Raises:
        ValueError: on an illegal number of bits, or an unknown gradient.
    """

    def __init__(
        self,
        num_bits: int,
        dim: int | None = None,
        gradient: Gradient = "identity",
        **losses: Unpack[ProductLosses],
    ):
        if not 1 <= num_bits <= 62:
            raise ValueError(f"LFQ indices hold 1 to 62 bits, not {num_bits}")
        if gradient not in get_args(Gradient):
            raise ValueError(f"gradient is one of {', '.join(get_args(Gradient))}, not {gradient!r}")
        super().__init__([2] * num_bits, dim, **losses)
        self.gradient = gradient

    def quantize(self, features: Tensor) -> Tensor:
        """1 where a feature is positive, else -1."""
        positive = torch.ones_like(features)
        values = torch.tanh(features) if self.gradient == "tanh" else features
        return straight_through(values, torch.where(features > 0, positive, -positive))

    def indices_of(self, codes: Tensor) -> Tensor:
        """Σ 2^d over the positive dimensions."""
        return digits_to_indices((codes > 0).long(), self.levels)

    def codes_of(self, indices: Tensor) -> Tensor:
        """-1 or 1 for every bit."""
        return indices_to_digits(indices, self.levels).float() * 2 - 1

    def values(self, device: torch.device) -> list[Tensor]:
        """-1 and 1 in every dimension."""
        return [torch.tensor([-1.0, 1.0], device=device) for _ in self.levels]
