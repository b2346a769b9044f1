"""Convolutions of 3×3 pixels with two thirds of the multiplications, for bfloat16 inference on CPUs.

Winograd's minimal filtering F(2, 3) gives two neighbouring rows from four products where the definition takes six. It
is that of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), §4.1. Rounding errors are two to
three times those of the definition; those of :mod:`.winograd`'s F(4, 3) would be too large in bfloat16.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .inference import infers_on_cpu
from .packing import convolve

MIN_CHANNELS = 64
"""Below this, the additions cost more than the products they replace."""


def suits_pairs(x: Tensor, in_channels: int, out_channels: int) -> bool:
    """Whether the fast form is faster for ``x``: bfloat16 on a CPU, without gradients."""
    return x.dtype == torch.bfloat16 and min(in_channels, out_channels) >= MIN_CHANNELS and infers_on_cpu(x)


def transform_kernel_rows(weight: Tensor) -> list[Tensor]:
    """The four kernels (O, I, 1, 3) that stand for ``weight`` (O, I, 3, 3)."""
    first, second, third = weight.double().unbind(2)
    kernels = (first, (first + second + third) / 2, (first - second + third) / 2, third)
    return [kernel[:, :, None].to(weight.dtype) for kernel in kernels]


def convolve_row_pairs(
    padded: Tensor, kernels: Sequence[Tensor], bias: Tensor | None, out: Tensor | None = None
) -> Tensor:
    """Convolve frames (N, 2 n + 2, W, I), zeros beyond both ends of each row, to rows (N, 2 n, W, O).

    They are written to ``out``, if that is given.
    """
    above, upper, lower, below = padded[:, :-2:2], padded[:, 1:-1:2], padded[:, 2::2], padded[:, 3::2]
    product = _convolve_within_rows(above - lower, kernels[0], None)
    # The second product is the one that both rows contain with the same sign.
    total = _convolve_within_rows(upper + lower, kernels[1], bias)
    difference = _convolve_within_rows(lower - upper, kernels[2], None)
    if out is None:
        N, num_pairs, *position = product.shape
        out = padded.new_empty(N, 2 * num_pairs, *position)
    torch.add(product.add_(total), difference, out=out[:, ::2])
    product = _convolve_within_rows(upper - below, kernels[3], None)
    torch.sub(total.sub_(difference), product, out=out[:, 1::2])
    return out


def _convolve_within_rows(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    return convolve(x, kernel, bias, (0, 1))
