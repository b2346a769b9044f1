"""Kernels of 2-D convolutions in the layout that oneDNN computes in, for inference on CPUs.

Given kernels in another layout, torch has them brought into that one at every call.
"""

from __future__ import annotations

import platform

import torch
from torch import Tensor
from torch.nn import functional as F

from .inference import infers_on_cpu

UNIT = (1, 1)
NO_PADDING = (0, 0)
"""What kernels are packed for; they fit any other padding, too."""


def pack_kernel(kernel: Tensor) -> Tensor:
    """A kernel (O, I, kh, kw), of stride 1, for :func:`convolve`: opaque where oneDNN takes it, else channels last."""
    if not (infers_on_cpu(kernel) and _is_packable(kernel.dtype)):
        return kernel.contiguous(memory_format=torch.channels_last)
    return torch.ops.mkldnn._reorder_convolution_weight(kernel.contiguous(), NO_PADDING, UNIT, UNIT, 1)


def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None, padding: tuple[int, int] = NO_PADDING) -> Tensor:
    """2-D convolution of (N, H, W, I) to (N, H', W', O), of a kernel that may be packed."""
    pictures = x.permute(0, 3, 1, 2)
    if kernel.is_mkldnn:
        y = torch.ops.mkldnn._convolution_pointwise(pictures, kernel, bias, padding, UNIT, UNIT, 1, "none", [], "")
    else:
        y = F.conv2d(pictures, kernel, bias, padding=padding)
    return y.permute(0, 2, 3, 1)


def _is_packable(dtype: torch.dtype) -> bool:
    # On other processors, torch has oneDNN call libraries that pack kernels in ways of their own.
    if not torch.backends.mkldnn.is_available() or platform.machine() not in ("x86_64", "AMD64"):
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())
