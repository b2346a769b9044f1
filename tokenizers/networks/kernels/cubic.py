"""3-D convolutions of (B, T, H, W, C), with half the multiplications where that is faster."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .winograd import DerivedWeight, convolve_rows, suits


def conv3d(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: tuple[int, int, int]) -> Tensor:
    """3-D convolution; ``stride`` is that of time."""
    y = F.conv3d(x.permute(0, 4, 1, 2, 3), weight, bias, (stride, 1, 1), padding)
    return y.permute(0, 2, 3, 4, 1)


def cubic_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    kernels: DerivedWeight[list[Tensor]],
    stride: int = 1,
) -> Tensor:
    """3-D convolution (B, T, H, W, I) to (B, T', H, W, O), zeros around each frame and none before or after the clip.

    Args:
        x: the frames.
        weight: (O, I, K, 3, 3).
        bias: (O,).
        kernels: derives :func:`~.winograd.transform_kernel`'s kernels from ``weight``.
        stride: that of time.
    """
    if not suits(x, weight.shape[1], weight.shape[0]):
        return conv3d(x, weight, bias, stride, (0, 1, 1))

    def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        return conv3d(x, kernel, bias, stride, (0, 1, 0))

    return convolve_rows(x, kernels(weight), bias, convolve)
