"""Convolutions of kernel 3 along one axis with half the multiplications, for float32 inference on CPUs.

Winograd's minimal filtering F(4, 3) gives four outputs from six products where the definition takes twelve. The
matrices are those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), §4.3. Rounding
errors are about three times those of the definition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from .inference import infers_on_cpu

Derived = TypeVar("Derived")

TILE = 4
"""Outputs computed together."""
MIN_CHANNELS = 64
"""Below this, the additions cost more than the products they replace."""

KERNEL_TRANSFORM = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
"""From three taps to the six factors of a tile."""


class DerivedWeight(Generic[Derived]):
    """What a function makes of parameters; computed anew only when one of them has changed."""

    def __init__(self, derive: Callable[..., Derived]):
        self._derive = derive
        self._held: tuple[list[tuple[Tensor, int]], Derived] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Copies of a model derive their own, as packed kernels can't be copied.
        return self.__dict__ | {"_held": None}

    def __call__(self, *weights: Tensor) -> Derived:
        """The function's value for ``weights``, differentiable where gradients are recorded."""
        first = weights[0]
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or first.is_meta or first.is_inference():
            return self._derive(*weights)
        if self._held is None or not all(map(_is_held, self._held[0], weights)):
            # Holding the memory that was read keeps its address from being given to another weight.
            self._held = [(weight.detach(), weight._version) for weight in weights], self._derive(*weights)
        return self._held[1]


def _is_held(held: tuple[Tensor, int], weight: Tensor) -> bool:
    return _same_memory(held[0], weight) and held[1] == weight._version


def _same_memory(held: Tensor, weight: Tensor) -> bool:
    return held.data_ptr() == weight.data_ptr() and held.dtype == weight.dtype and held.device == weight.device


def suits(x: Tensor, in_channels: int, out_channels: int) -> bool:
    """Whether the fast form is faster for ``x``, and exact enough: float32 on a CPU, without gradients."""
    return x.dtype == torch.float32 and min(in_channels, out_channels) >= MIN_CHANNELS and infers_on_cpu(x)


def transform_kernel(weight: Tensor) -> list[Tensor]:
    """The six kernels (O, I, …, 1), channels last, that stand for ``weight`` (O, I, …, 3)."""
    taps = weight.double().unbind(-1)
    last = torch.channels_last if weight.ndim == 4 else torch.channels_last_3d
    kernels = []
    for row in KERNEL_TRANSFORM:
        combined = sum((tap * factor for tap, factor in zip(taps, row, strict=True)), start=torch.zeros_like(taps[0]))
        kernels.append(combined.to(weight.dtype)[..., None].contiguous(memory_format=last))
    return kernels


def convolve_rows(
    x: Tensor,
    kernels: Sequence[Tensor],
    bias: Tensor | None,
    convolve: Callable[[Tensor, Tensor, Tensor | None], Tensor],
) -> Tensor:
    """Convolve (…, W, I) with zeros beyond both ends of each row, to (…, W, O).

    ``convolve(x, kernel, bias)`` is the convolution over the other axes, with a kernel of 1 along the rows.
    """
    W = x.shape[-2]
    padded = x.new_empty(*x.shape[:-2], TILE * (-(-W // TILE) + 1), x.shape[-1])
    padded[..., 0, :] = 0
    padded[..., 1 : W + 1, :] = x
    padded[..., W + 1 :, :] = 0
    return convolve_tiles(padded, kernels, bias, convolve)[..., :W, :]


def convolve_tiles(
    padded: Tensor,
    kernels: Sequence[Tensor],
    bias: Tensor | None,
    convolve: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    out: Tensor | None = None,
) -> Tensor:
    """As :func:`convolve_rows`, of rows (…, 4 n + 4, I) of which only the first 4 n + 2 positions are read, to 4 n.

    The result is written to ``out``, if that is given.
    """
    tiles = padded.unflatten(-2, (-1, TILE))
    inputs = [tiles[..., :-1, tap, :] for tap in range(TILE)] + [tiles[..., 1:, tap, :] for tap in range(2)]
    products: list[Tensor] = []
    for index, (factor, kernel) in enumerate(zip(transform_input(inputs), kernels, strict=True)):
        # The second product is the one that all outputs contain once.
        products.append(convolve(factor, kernel, bias if index == 1 else None))
    first = products[0]
    shape = (*first.shape[:-2], TILE * first.shape[-2], first.shape[-1])
    result = first.new_empty(shape) if out is None else out
    transform_output(products, result.unflatten(-2, (-1, TILE)).unbind(-2))
    return result


def transform_input(d: Sequence[Tensor], out: Sequence[Tensor] | None = None) -> list[Tensor]:
    """The six factors of a tile that six neighbouring inputs make, written to ``out`` if that is given."""
    first, second, third, fourth, fifth, last = out if out is not None else [torch.empty_like(d[0]) for _ in range(6)]
    torch.sub(d[4], d[2], alpha=4, out=second)
    torch.sub(d[3], d[1], alpha=4, out=fourth)
    torch.sub(second, d[2], out=first).add_(d[0], alpha=4)
    torch.sub(second, fourth, out=third)
    second.add_(fourth)
    torch.sub(d[5], d[3], alpha=5, out=last).add_(d[1], alpha=4)
    odd = d[3] - d[1]
    torch.sub(d[4], d[2], out=fifth)
    torch.add(fifth, odd, alpha=2, out=fourth)
    fifth.sub_(odd, alpha=2)
    return [first, second, third, fourth, fifth, last]


def transform_output(m: Sequence[Tensor], y: Sequence[Tensor]) -> None:
    """Write to four tensors the outputs that six products of their shape make; the products are overwritten."""
    near_sum, near_difference = m[1] + m[2], m[1].sub_(m[2])
    far_sum, far_difference = m[3] + m[4], m[3].sub_(m[4])
    torch.add(m[0].add_(near_sum), far_sum, out=y[0])
    torch.add(near_difference, far_difference, alpha=2, out=y[1])
    torch.add(near_sum, far_sum, alpha=4, out=y[2])
    torch.add(m[5].add_(near_difference), far_difference, alpha=8, out=y[3])
