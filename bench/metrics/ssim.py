"""Structural similarity by three conventions: a Gaussian window as VidTok and CDT take it, and scikit-image's default.

Wang, Bovik, Sheikh and Simoncelli, *Image quality assessment: from error visibility to structural similarity*, IEEE
Transactions on Image Processing 13 (2004), equation 13, with K1 = 0.01, K2 = 0.03 and a data range of 1.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .interface import Arrays, MeasuredWindow, MetricError, WindowBatch
from .local_moments import LocalMoments, Moments
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
    return _by_frame(reference, reconstruction, taps / taps.sum(), factor=factor, moment_scale=1)


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
    taps = torch.full((UNIFORM_TAPS,), 1 / UNIFORM_TAPS, dtype=torch.float64, device=reference.device)
    samples = UNIFORM_TAPS**2
    return _by_frame(reference, reconstruction, taps, factor=1, moment_scale=samples / (samples - 1))


def _require_side(video: Tensor, side: int) -> None:
    height, width = video.shape[-2:]
    if min(height, width) < side:
        raise MetricError(f"frames of {height}×{width} pixels are smaller than the {side}×{side} window of SSIM")


def _by_frame(reference: Tensor, reconstruction: Tensor, taps: Tensor, *, factor: int, moment_scale: float) -> Tensor:
    """SSIM of each frame, (B, T) float64, pooled by a factor before; moments are multiplied by their scale."""
    height, width = (side // factor for side in reference.shape[-2:])
    moments = LocalMoments(taps, reference.shape[1], height, width)

    def frame_ssim(x: Tensor, y: Tensor) -> Tensor:
        if factor > 1:
            x, y = F.avg_pool2d(x.double(), factor), F.avg_pool2d(y.double(), factor)
        sums = torch.stack([_sum_of_quarters(strip, moment_scale) for strip in moments.strips(x, y)])
        return 4 * sums.sum() / (x.shape[0] * moments.num_positions)

    # Float64 because E[x²] − E[x]² cancels where frames are smooth; frame by frame, so that no value depends on what
    # else is in the batch.
    windows = zip(reference, reconstruction, strict=True)
    frames = [[frame_ssim(x[:, t], y[:, t]) for t in range(x.shape[1])] for x, y in windows]
    return torch.stack([torch.stack(values) for values in frames])


def _sum_of_quarters(moments: Moments, scale: float) -> Tensor:
    """The sum of a quarter of the SSIM over a strip of pictures on [0, 2], whose moments are overwritten."""
    mean_x, mean_y = moments.mean_x, moments.mean_y
    product = mean_y * mean_y
    squares = (mean_x * mean_x).add_(product)
    torch.mul(mean_x, mean_y, out=product)
    covariance = moments.mean_product.sub_(product)
    variances = moments.mean_squares.sub_(squares)
    if scale != 1:
        covariance, variances = covariance.mul_(scale), variances.mul_(scale)
    # Pictures on [0, 2] have four times the constants; the two factors 2 of the numerator are left to the quarter.
    numerator = product.add_(2 * LUMINANCE_CONSTANT).mul_(covariance.add_(2 * CONTRAST_CONSTANT))
    denominator = squares.add_(4 * LUMINANCE_CONSTANT).mul_(variances.add_(4 * CONTRAST_CONSTANT))
    # First along rows: the order of a sum over everything would depend on the number of threads.
    return numerator.div_(denominator).sum(1).sum()


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
