"""Peak signal-to-noise ratio by four conventions; all read the mean squared error of each frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..statistics.families import paired_interval
from ..statistics.intervals import Interval, ratio_intervals
from ..statistics.ratios import Link
from .frame_errors import frame_errors
from .interface import Arrays, MeasuredWindow, WindowBatch
from .ratio import RatioMetric
from .sources import windows_by_source
from .window_columns import WindowColumns

MSE_FLOOR = 1e-8
"""Added to every mean squared error, as VidTok's script does, so that identical frames have 80 dB."""

CAP = 100.0
"""Decibels that CDT's script gives to frames whose mean squared error is under :data:`CAPPED_MSE`."""
CAPPED_MSE = 1e-10
"""Where it caps; the formula alone reaches 100 dB just there."""


def frame_mse(reference: Tensor, reconstruction: Tensor) -> Tensor:
    """Mean squared error of each frame over channels, rows and columns, on the scale [0, 1].

    Args:
        reference: (B, C, T, H, W) in [-1, 1].
        reconstruction: the same shape and range.

    Returns:
        (B, T) float64.
    """
    return frame_errors(reference, reconstruction).squared


def decibels(mse: np.ndarray) -> np.ndarray:
    """−10 log10(MSE + 1e-8), elementwise, for a peak of 1."""
    return -10 * np.log10(np.asarray(mse, dtype=np.float64) + MSE_FLOOR)


def decibels_slope(mse: np.ndarray) -> np.ndarray:
    """The derivative of :func:`decibels`, elementwise."""
    return -10 / math.log(10) / (np.asarray(mse, dtype=np.float64) + MSE_FLOOR)


def capped_decibels(mse: np.ndarray) -> np.ndarray:
    """20 log10(1 / √MSE), elementwise, for a peak of 1; 100 where the MSE is under 1e-10."""
    mse = np.asarray(mse, dtype=np.float64)
    return np.where(mse < CAPPED_MSE, CAP, -10 * np.log10(np.maximum(mse, CAPPED_MSE)))


class _Psnr(RatioMetric):
    title = "PSNR"
    direction = "higher"
    unit = "dB"
    range = (0.0, 80.0)
    display_range = (20.0, 40.0)
    decimals = 2
    needs = "pairs"
    piecewise = True
    measurement = "frame-mse"

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """``mse``: (T,) float64."""
        return [{"mse": mse} for mse in batch.once(frame_errors).squared.cpu().numpy()]


class FramePsnr(_Psnr):
    """PSNR of each frame, averaged over all frames: VidTok's."""

    name = "psnr"
    takes_stacks = True
    convention = "per frame −10·log10(MSE + 1e-8) over (C, H, W) on [0, 1]; mean of dB over all frames (VidTok)"

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The dB of each frame."""
        return decibels(window.arrays["mse"])


class CappedPsnr(_Psnr):
    """PSNR of each frame, capped, averaged over all frames: CDT's."""

    name = "psnr-cap100"
    takes_stacks = True
    title = "PSNR (cap 100)"
    range = (0.0, CAP)
    convention = "per frame 20·log10(1/√MSE) over (C, H, W) on [0, 1], 100 dB if MSE < 1e-10; mean of dB (CDT)"

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The dB of each frame."""
        return capped_decibels(window.arrays["mse"])


class ClipPsnr(_Psnr):
    """PSNR of each clip, averaged over clips."""

    name = "psnr-clip"
    takes_stacks = True
    title = "PSNR (clip)"
    convention = "per clip −10·log10(MSE + 1e-8), MSE over the whole clip on [0, 1]; mean of dB over clips"
    counted = "clips"

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The dB of the clip's mean squared error."""
        return decibels(np.mean(window.arrays["mse"], axis=-1, keepdims=True))


class PooledPsnr(_Psnr):
    """PSNR of the mean squared error over everything."""

    name = "psnr-pooled"
    takes_stacks = True
    title = "PSNR (pooled)"
    convention = "−10·log10(MSE + 1e-8) of the mean MSE over all frames on [0, 1]"
    link = Link(decibels, decibels_slope, lowest=0.0)

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The mean squared error of each frame."""
        return np.asarray(window.arrays["mse"])


@dataclass(frozen=True)
class PositionCurve:
    """PSNR by a frame's position in its window; every array has one entry a position, from 0."""

    psnr: np.ndarray
    """Mean of dB over the windows that reach the position."""
    low: np.ndarray
    """Ends of the 95 % interval; NaN where fewer than five source videos reach the position."""
    high: np.ndarray
    count: np.ndarray
    """Windows that reach the position."""


@dataclass(frozen=True)
class PositionDifference:
    """Difference of PSNR at one position of a window, in dB."""

    position: int
    """From 0."""
    interval: Interval
    """No ends where fewer than five source videos reach the position."""
    count: int
    """Windows of the first system that reach the position."""


def psnr_by_position(windows: Sequence[MeasuredWindow]) -> PositionCurve:
    """PSNR of the first, second, … frame of the windows, from the arrays of measurement ``frame-mse``."""
    totals, counts = _position_sums(windows)
    length = totals.shape[1]
    low, high = np.full(length, np.nan), np.full(length, np.nan)
    for position, interval in enumerate(ratio_intervals(totals, counts)):
        if interval.low is not None:
            low[position], high[position] = interval.low, interval.high
    return PositionCurve(totals.sum(0) / counts.sum(0), low, high, counts.sum(0).astype(np.int64))


def psnr_difference_by_position(
    ones: Sequence[MeasuredWindow], others: Sequence[MeasuredWindow]
) -> list[PositionDifference]:
    """Paired differences of two systems at the positions that windows of both reach, the first minus the second.

    Args:
        ones: windows of the first system, with the arrays of measurement ``frame-mse``.
        others: those of the second, of the same source videos.
    """
    (totals, counts), (other_totals, other_counts) = _position_sums(ones), _position_sums(others)
    found = []
    for position in range(min(totals.shape[1], other_totals.shape[1])):
        reached = (counts[:, position] > 0) & (other_counts[:, position] > 0)
        if reached.any():
            sums = (part[reached, position] for part in (totals, counts, other_totals, other_counts))
            found.append(PositionDifference(position, paired_interval(*sums), int(counts[reached, position].sum())))
    return found


def _position_sums(windows: Sequence[MeasuredWindow]) -> tuple[np.ndarray, np.ndarray]:
    """Sums of dB and numbers of windows, (sources, positions) each, sources sorted."""
    if isinstance(windows, WindowColumns):
        return _position_sums_of_columns(windows)
    sources = windows_by_source(windows)
    length = max((len(window.arrays["mse"]) for window in windows), default=0)
    totals, counts = np.zeros((len(sources), length)), np.zeros((len(sources), length))
    for index, source in enumerate(sources):
        for window in source:
            values = decibels(window.arrays["mse"])
            totals[index, : len(values)] += values
            counts[index, : len(values)] += 1
    return totals, counts


def _position_sums_of_columns(windows: WindowColumns) -> tuple[np.ndarray, np.ndarray]:
    codes, names = windows.sources
    stacks = list(windows.stacks())
    length = max((stack.arrays["mse"].shape[1] for stack in stacks), default=0)
    totals, counts = np.zeros((len(names), length)), np.zeros((len(names), length))
    for stack in stacks:
        values, of = decibels(stack.arrays["mse"]), codes[stack.places]
        for position in range(values.shape[1]):
            totals[:, position] += np.bincount(of, values[:, position], len(names))
            counts[:, position] += np.bincount(of, minlength=len(names))
    return totals, counts
