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
    time_padding: int = 0,
) -> Tensor:
    """3-D convolution of 3×3 pixels, of a kernel from which ``kernels`` derives ``transform_kernel``'s."""
    if not suits(x, weight.shape[1], weight.shape[0]):
        return conv3d(x, weight, bias, stride, (time_padding, 1, 1))

    def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        return conv3d(x, kernel, bias, stride, (time_padding, 1, 0))

    return convolve_rows(x, kernels(weight), bias, convolve)
