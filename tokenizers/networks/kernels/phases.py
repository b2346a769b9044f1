"""Upsampling convolutions as one small convolution for each of the four phases of the doubled grid.

Output pixels of one phase (row and column even or odd) see the same taps of a kernel on the same input pixels, so
that neither repeated pixels nor zeros between pixels are multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from .folding import fold_taps

PhaseKernels = Sequence[tuple[int, int, Tensor]]
"""For phases (0, 0), (0, 1), (1, 0), (1, 1): offsets of the first row and column from the pixel, and (O, I, kh, kw)."""

_TRANSPOSED_TAPS = ((4, 2, 0), (3, 1))
"""Taps of the transposed kernel in the order of the input pixels they meet, for even and odd outputs."""
_TRANSPOSED_OFFSETS = (-1, 0)


def repeated_pixel_kernels(weight: Tensor) -> PhaseKernels:
    """Kernels of each phase for a convolution (O, I, k, k) of an image with every pixel repeated 2×2.

    k is 3 or 5, and the image is padded by k // 2.
    """
    side = weight.shape[2] // 2
    # Where output 2 n + phase has its taps: at these input pixels from n on, each as often as it is repeated.
    pixels = [[(phase + tap - side) // 2 for tap in range(2 * side + 1)] for phase in range(2)]
    phases = tuple(
        tuple(tuple(tap for tap, met in enumerate(row) if met == pixel) for pixel in sorted(set(row))) for row in pixels
    )
    return [
        (pixels[row][0], pixels[column][0], kernel)
        for row, of_rows in enumerate(fold_taps(weight, 2, phases))
        for column, kernel in enumerate(fold_taps(of_rows, 3, phases))
    ]


def transposed_kernels(weight: Tensor) -> PhaseKernels:
    """Kernels of each phase for a transposed convolution (I, O, 5, 5) of stride 2, padding 2, output padding 1."""
    swapped = weight.transpose(0, 1)
    return [
        (
            _TRANSPOSED_OFFSETS[row],
            _TRANSPOSED_OFFSETS[column],
            swapped[:, :, list(_TRANSPOSED_TAPS[row])][:, :, :, list(_TRANSPOSED_TAPS[column])],
        )
        for row in range(2)
        for column in range(2)
    ]


def phase_upsample(x: Tensor, kernels: PhaseKernels, bias: Tensor | None) -> Tensor:
    """Convolve (B, T, H, W, I), zeros around it, with the kernels of each phase, to (B, T, 2H, 2W, O)."""
    B, T, H, W, _ = x.shape
    padded = F.pad(x, (0, 0, 1, 1, 1, 1)).flatten(0, 1).permute(0, 3, 1, 2)
    y = x.new_empty(B * T, H, 2, W, 2, kernels[0][2].shape[0])
    for phase, (top, left, kernel) in enumerate(kernels):
        rows = slice(1 + top, 1 + top + H + kernel.shape[2] - 1)
        columns = slice(1 + left, 1 + left + W + kernel.shape[3] - 1)
        part = F.conv2d(padded[:, :, rows, columns], kernel, bias)
        y[:, :, phase // 2, :, phase % 2] = part.permute(0, 2, 3, 1)
    return y.view(B, T, 2 * H, 2 * W, -1)
