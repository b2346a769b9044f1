"""Clips that a linear transform keeps, and how well something shows them."""

from __future__ import annotations

import torch
from torch import Tensor


def smooth_clips(number: int, num_frames: int = 9) -> Tensor:
    """(B, 3, T, 32, 32) in [-1, 1]: random corners, and everything between them interpolated."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(number, 3, 2, 2, 2, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (num_frames, 32, 32), mode="trilinear")


def psnr(reconstruction: Tensor, clips: Tensor) -> float:
    """In dB, of all clips together, for values in [-1, 1]."""
    return float(-10 * torch.log10((reconstruction - clips).square().mean() / 4))
