"""3×3 convolutions of frames (N, C, H, W) whose channels are last in memory, in the form that is fastest on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from .packing import convolve, pack_kernel
from .strips import strip_kernels
from .winograd import DerivedWeight, convolve_rows, suits

MIN_ROW_CHANNELS = 128
"""Of whole frames: below this, the form with half the multiplications waits for memory."""


class FrameKernels:
    """What convolutions of one weight (O, I, 3, 3) take in its place."""

    def __init__(self) -> None:
        self._of_rows = DerivedWeight(strip_kernels)
        self._packed = DerivedWeight(pack_kernel)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve (N, I, H, W) on a CPU, zeros around it, to (N, O, H, W), channels last in memory."""
        frames = x.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
        out_channels, in_channels = weight.shape[:2]
        if min(out_channels, in_channels) >= MIN_ROW_CHANNELS and suits(x, in_channels, out_channels):
            y = convolve_rows(frames, self._of_rows(weight), bias, _convolve_columns)
        else:
            y = convolve(frames, self._packed(weight), bias, (1, 1))
        return y.permute(0, 3, 1, 2)


def _convolve_columns(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    return convolve(x, kernel, bias, (1, 0))
