"""Structural similarity by three conventions: a Gaussian window as VidTok and CDT take it, and scikit-image's default.

Wang, Bovik, Sheikh and Simoncelli, *Image quality assessment: from error visibility to structural similarity*, IEEE
Transactions on Image Processing 13 (2004), equation 13, with K1 = 0.01, K2 = 0.03 and a data range of 1.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .frame_threads import in_threads
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

    def part_ssim(frames: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        moments = LocalMoments(taps, reference.shape[1], height, width)
        return torch.stack([_frame_ssim(x, y, moments, factor, moment_scale) for x, y in frames])

    # Frame by frame, so that no value depends on what else is in the batch.
    frames = list(zip(_frames(reference), _frames(reconstruction), strict=True))
    on_cpu = reference.device.type == "cpu"
    num_parts = min(torch.get_num_threads(), len(frames)) if on_cpu else 1
    size = -(-len(frames) // num_parts)
    parts = [frames[start : start + size] for start in range(0, len(frames), size)]
    return torch.cat(in_threads(part_ssim, parts) if on_cpu else [part_ssim(frames)]).view(len(reference), -1)


def _frames(videos: Tensor) -> list[Tensor]:
    """Frames (C, H, W) of videos (B, C, T, H, W), video after video."""
    return [frame for video in videos for frame in video.unbind(1)]


def _frame_ssim(x: Tensor, y: Tensor, moments: LocalMoments, factor: int, moment_scale: float) -> Tensor:
    # Float64 because E[x²] − E[x]² cancels where frames are smooth.
    if factor > 1:
        x, y = F.avg_pool2d(x.double(), factor), F.avg_pool2d(y.double(), factor)
    sums = torch.stack([_sum(strip, moment_scale) for strip in moments.strips(x, y)])
    return sums.sum() / (x.shape[0] * moments.num_positions)


def _sum(moments: Moments, scale: float) -> Tensor:
    """The sum of SSIM over a strip of pictures on [0, 2], whose moments are overwritten."""
    # μx² + μy² and σx² + σy², times 2, are sums of these; 2 μx μy and 2 σxy, times 2, are their differences.
    squares, other_squares = moments.spare
    torch.mul(moments.sums, moments.sums, out=squares)
    torch.mul(moments.differences, moments.differences, out=other_squares)
    variances = moments.squared_sums.sub_(squares)
    other_variances = moments.squared_differences.sub_(other_squares)
    if scale != 1:
        variances, other_variances = variances.mul_(scale), other_variances.mul_(scale)
    # On [0, 2], the constants are four times as large.
    squares.add_(8 * LUMINANCE_CONSTANT)
    variances.add_(8 * CONTRAST_CONSTANT)
    numerator = torch.sub(squares, other_squares, out=moments.sums)
    numerator.mul_(torch.sub(variances, other_variances, out=moments.differences))
    denominator = squares.add_(other_squares).mul_(variances.add_(other_variances))
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
