"""Structural similarity by three conventions: a Gaussian window as VidTok and CDT take it, and scikit-image's default.

Wang, Bovik, Sheikh and Simoncelli, *Image quality assessment: from error visibility to structural similarity*, IEEE
Transactions on Image Processing 13 (2004), equation 13, with K1 = 0.01, K2 = 0.03 and a data range of 1.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .interface import Arrays, MeasuredWindow, MetricError, WindowBatch
from .ratio import RatioMetric

LUMINANCE_CONSTANT = 0.01**2
CONTRAST_CONSTANT = 0.03**2
GAUSSIAN_TAPS = 11
GAUSSIAN_SIGMA = 1.5
UNIFORM_TAPS = 7
POOLING_SIDE = 256
"""VidTok pools frames until their short side is about this."""


def gaussian_ssim(reference: Tensor, reconstruction: Tensor, *, pooled: bool = True) -> Tensor:
    """SSIM of each frame under an 11×11 Gaussian window of σ 1.5, valid positions only, biased moments.

    Each channel on its own, then the mean over channels.

    Args:
        reference: (B, C, T, H, W) in [-1, 1].
        reconstruction: the same shape and range.
        pooled: Whether frames are first average-pooled by round(min(H, W) / 256) where that is over 1; halves round
            to even.

    Returns:
        (B, T) float64.

    Raises:
        MetricError: if a side is under 11 pixels.
    """
    _require_side(reference, GAUSSIAN_TAPS)
    factor = max(1, round(min(reference.shape[-2:]) / POOLING_SIDE)) if pooled else 1
    positions = torch.arange(GAUSSIAN_TAPS, dtype=torch.float64, device=reference.device) - GAUSSIAN_TAPS // 2
    taps = torch.exp(-positions.square() / (2 * GAUSSIAN_SIGMA**2))
    taps = taps / taps.sum()
    height, width = (side // factor for side in reference.shape[-2:])
    rows, columns = _valid_filter_matrix(taps, height), _valid_filter_matrix(taps, width).T

    def frame_ssim(x: Tensor, y: Tensor) -> Tensor:
        if factor > 1:
            x, y = F.avg_pool2d(x, factor), F.avg_pool2d(y, factor)
        return _mean_ssim(x, y, lambda image: rows @ image @ columns, moment_scale=1)

    return _by_frame(reference, reconstruction, frame_ssim)


def uniform_ssim(reference: Tensor, reconstruction: Tensor) -> Tensor:
    """SSIM of each frame as scikit-image's ``structural_similarity`` computes it by default.

    A 7×7 uniform window, valid positions only, sample (co)variances, each channel on its own.

    Args:
        reference: (B, C, T, H, W) in [-1, 1].
        reconstruction: the same shape and range.

    Returns:
        (B, T) float64.

    Raises:
        MetricError: if a side is under 7 pixels.
    """
    _require_side(reference, UNIFORM_TAPS)
    samples = UNIFORM_TAPS**2

    def average(image: Tensor) -> Tensor:
        return F.avg_pool2d(F.avg_pool2d(image, (UNIFORM_TAPS, 1), stride=1), (1, UNIFORM_TAPS), stride=1)

    def frame_ssim(x: Tensor, y: Tensor) -> Tensor:
        return _mean_ssim(x, y, average, moment_scale=samples / (samples - 1))

    return _by_frame(reference, reconstruction, frame_ssim)


def _require_side(video: Tensor, side: int) -> None:
    height, width = video.shape[-2:]
    if min(height, width) < side:
        raise MetricError(f"frames of {height}×{width} pixels are smaller than the {side}×{side} window of SSIM")


def _valid_filter_matrix(taps: Tensor, length: int) -> Tensor:
    """(length − taps + 1, length): a banded matrix; two products filter faster than a convolution in float64."""
    matrix = taps.new_zeros(length - len(taps) + 1, length)
    for offset, tap in enumerate(taps):
        matrix.diagonal(offset).fill_(tap)
    return matrix


def _by_frame(reference: Tensor, reconstruction: Tensor, frame_ssim: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    frames = zip(reference.unbind(2), reconstruction.unbind(2), strict=True)
    # Float64 because E[x²] − E[x]² cancels where frames are smooth; frame by frame to bound the memory it takes.
    return torch.stack([frame_ssim((x.double() + 1) / 2, (y.double() + 1) / 2) for x, y in frames], dim=1)


def _mean_ssim(x: Tensor, y: Tensor, local_mean: Callable[[Tensor], Tensor], moment_scale: float) -> Tensor:
    """Mean SSIM of pictures (B, C, H, W) on [0, 1] over channels and positions, (B,)."""
    mean_x, mean_y = local_mean(x), local_mean(y)
    variances = moment_scale * (local_mean(x * x + y * y) - mean_x.square() - mean_y.square())
    covariance = moment_scale * (local_mean(x * y) - mean_x * mean_y)
    luminance = (2 * mean_x * mean_y + LUMINANCE_CONSTANT) / (mean_x.square() + mean_y.square() + LUMINANCE_CONSTANT)
    contrast = (2 * covariance + CONTRAST_CONSTANT) / (variances + CONTRAST_CONSTANT)
    return (luminance * contrast).flatten(1).mean(1)


class _Ssim(RatioMetric):
    title = "SSIM"
    direction = "higher"
    range = (-1.0, 1.0)
    display_range = (0.6, 1.0)
    decimals = 4
    saturates_at = 1.0
    needs = "pairs"
    takes_stacks = True
    piecewise = True

    @staticmethod
    @abstractmethod
    def frame_ssim(reference: Tensor, reconstruction: Tensor) -> Tensor:
        """The pure function behind the metric."""

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """``ssim``: (T,) float64."""
        return [{"ssim": row} for row in self.frame_ssim(batch.reference, batch.reconstruction).cpu().numpy()]

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The SSIM of each frame."""
        return np.asarray(window.arrays["ssim"])


class GaussianSsim(_Ssim):
    """SSIM under a Gaussian window: VidTok's."""

    name = "ssim"
    convention = (
        "11×11 Gaussian window, σ 1.5, no padding, biased moments, on [0, 1]; RGB channels apart, then their mean; "
        "frames pooled first by round(min(H, W)/256) if over 1; mean over all frames (VidTok)"
    )
    measurement = "frame-ssim-gauss11"
    frame_ssim = staticmethod(gaussian_ssim)


class UnpooledGaussianSsim(_Ssim):
    """SSIM under a Gaussian window at the frames' own size: CDT's; equal to VidTok's on frames that aren't pooled."""

    name = "ssim-gauss11"
    title = "SSIM (unpooled)"
    convention = (
        "11×11 Gaussian window, σ 1.5, no padding, biased moments, on [0, 1]; RGB channels apart, then their mean; "
        "frames at their own size; mean over all frames (CDT)"
    )
    measurement = "frame-ssim-gauss11-unpooled"

    @staticmethod
    def frame_ssim(reference: Tensor, reconstruction: Tensor) -> Tensor:
        """SSIM without pooling."""
        return gaussian_ssim(reference, reconstruction, pooled=False)


class UniformSsim(_Ssim):
    """SSIM under a uniform window: scikit-image's default."""

    name = "ssim-skimage"
    title = "SSIM (skimage)"
    convention = (
        "7×7 uniform window, no padding, sample covariance, data range 1; RGB channels apart, then their mean; "
        "mean over all frames (scikit-image's default)"
    )
    measurement = "frame-ssim-uniform7"
    frame_ssim = staticmethod(uniform_ssim)
