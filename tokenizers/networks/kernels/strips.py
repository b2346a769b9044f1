"""3×3 convolutions strip by strip, for inference on CPUs.

A strip is some rows of some frames. Its norm, activation, border and convolution follow one another while it is in
the processor's caches, and no tensor of a clip's size is made on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from .packing import convolve, pack_kernel
from .row_pairs import convolve_row_pairs, suits_pairs, transform_kernel_rows
from .winograd import TILE, DerivedWeight, convolve_tiles, suits, transform_kernel

STRIP_BYTES = 2**21
"""Size of a strip."""

Fill = Callable[[Tensor, Tensor], object]
"""Writes to its first argument what it makes of the second, (N, R, W, C) both."""


def activate_into(out: Tensor, x: Tensor) -> Tensor:
    """SiLU of ``x``, written to ``out`` of the same shape."""
    return torch.ops.aten.silu.out(x, out=out)


def row_strips(x: Tensor, num_values: int | None = None) -> Iterator[slice]:
    """The rows of frames (N, H, W, C), strip after strip of so many numbers, ``STRIP_BYTES`` by default."""
    N, H, W, C = x.shape
    num_rows = max(1, (num_values or STRIP_BYTES // x.element_size()) // (N * W * C))
    num_strips = -(-H // num_rows)
    for strip in range(num_strips):
        yield slice(strip * H // num_strips, (strip + 1) * H // num_strips)


def strip_kernels(weight: Tensor) -> list[Tensor]:
    """What the fast forms of :func:`convolve_strip` take in the place of ``weight`` (O, I, 3, 3), by its type."""
    transform = transform_kernel_rows if weight.dtype == torch.bfloat16 else transform_kernel
    return [pack_kernel(kernel) for kernel in transform(weight)]


def convolve_strip(
    x: Tensor,
    rows: slice,
    weight: Tensor,
    bias: Tensor | None,
    kernels: DerivedWeight[list[Tensor]],
    fill: Fill = Tensor.copy_,
    out: Tensor | None = None,
) -> Tensor:
    """Rows of a convolution of 3×3 pixels that keeps the size of a picture, zeros around it.

    Args:
        x: frames (N, H, W, I).
        rows: those to compute.
        weight: (O, I, 3, 3).
        bias: (O,).
        kernels: derives :func:`strip_kernels` from ``weight``.
        fill: makes the convolution's input of rows of ``x``.
        out: (N, rows, W, O) to write to, if given.

    Returns:
        (N, rows, W, O).
    """
    W, num_rows = x.shape[2], rows.stop - rows.start
    if suits(x, weight.shape[1], weight.shape[0]):
        padded = _padded_rows(x, rows, fill, in_tiles=True)
        if W % TILE == 0:
            return convolve_tiles(padded, kernels(weight), bias, convolve, out)
        y = convolve_tiles(padded, kernels(weight), bias, convolve)[..., :W, :]
    elif suits_pairs(x, weight.shape[1], weight.shape[0]):
        padded = _padded_rows(x, rows, fill, num_surplus=num_rows % 2)
        if num_rows % 2 == 0:
            return convolve_row_pairs(padded, kernels(weight), bias, out)
        y = convolve_row_pairs(padded, kernels(weight), bias)[:, :num_rows]
    else:
        padded = _padded_rows(x, rows, fill).permute(0, 3, 1, 2)
        y = F.conv2d(padded, weight, bias, padding=(0, 1)).permute(0, 2, 3, 1)
    return y if out is None else out.copy_(y)


def _padded_rows(x: Tensor, rows: slice, fill: Fill, *, num_surplus: int = 0, in_tiles: bool = False) -> Tensor:
    """What a convolution reads for some rows of (N, H, W, I): those, the ones above and below, and surplus ones.

    Rows beyond the picture are zeros. ``in_tiles``: so are one position before each row and those behind it, up to the
    4 n + 4 positions of :func:`~.winograd.convolve_tiles`.
    """
    N, H, W, C = x.shape
    first, stop = max(rows.start - 1, 0), min(rows.stop + 1, H)
    width = TILE * (-(-W // TILE) + 1) if in_tiles else W
    padded = x.new_empty(N, rows.stop - rows.start + 2 + num_surplus, width, C)
    inside = padded[:, first - rows.start + 1 : stop - rows.start + 1]
    padded[:, : first - rows.start + 1] = 0
    padded[:, stop - rows.start + 1 :] = 0
    if in_tiles:
        inside[:, :, 0] = 0
        inside[:, :, W + 1 :] = 0
        inside = inside[:, :, 1 : W + 1]
    fill(inside, x[:, first:stop])
    return padded


class PaddedFrames:
    """Memory for strips with frames around them, shared by one strip after the other."""

    def __init__(self) -> None:
        self._padded: Tensor | None = None

    def around(self, x: Tensor, num_before: int, num_after: int) -> tuple[Tensor, Tensor]:
        """Memory like ``x`` (B, T, H, W, C) with frames around it, and the part of it in the place of ``x``.

        The frames around are zeros, or what was last written there for a strip of the same shape.
        """
        B, T, H, W, C = x.shape
        shape = (B, num_before + T + num_after, H, W, C)
        if self._padded is None or self._padded.shape != shape:
            self._padded = x.new_zeros(shape)
        return self._padded, self._padded[:, num_before : num_before + T]
