"""PSNR and SSIM of one 8-bit frame, for the captions of strips."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..metrics.interface import MetricError
from ..metrics.psnr import decibels
from ..metrics.ssim import gaussian_ssim


def frame_psnr(reference: np.ndarray, frame: np.ndarray) -> float:
    """Decibels of (H, W, 3) uint8."""
    return decibels(np.mean(((frame.astype(np.float64) - reference) / 255) ** 2, keepdims=True)).item()


def frame_ssim(reference: np.ndarray, frame: np.ndarray) -> float:
    """SSIM of (H, W, 3) uint8; NaN where the frame is too small for it."""
    try:
        return float(gaussian_ssim(_video(reference), _video(frame))[0, 0])
    except MetricError:
        return math.nan


def _video(frame: np.ndarray) -> Tensor:
    """A frame (H, W, 3) as (1, 3, 1, H, W) in [-1, 1]."""
    return torch.from_numpy(frame.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None, :, None]
