"""One cell's figure by other conventions, as far as its rows tell it: other averages, networks, frames and weights.

A switch is one thing that evaluation scripts do differently: the average of PSNR, the backbone of LPIPS, whether
repeated frames count. Each reading here turns one switch, and leaves the others as the metric has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ..catalog.broken_metric import find_metric, guarded
from ..metrics.interface import Estimate, MeasuredWindow, Metric, Unavailable
from ..metrics.ratio import RatioMetric
from ..metrics.sources import source_names
from ..metrics.window_columns import WindowColumns
from ..statistics.intervals import Interval, ratio_interval
from ..statistics.ratios import IDENTITY, Link
from .cell_results import CellResults

T = TypeVar("T")


@dataclass(frozen=True)
class Convention:
    """A metric of a family, as what its switch is turned to."""

    metric: str
    switch: str
    words: str


PSNR_AVERAGE, LPIPS_BACKBONE, SSIM_WINDOW = "PSNR average", "LPIPS backbone", "SSIM window"
FRAMES, WEIGHT = "frames", "weight"

FAMILIES: dict[str, tuple[Convention, ...]] = {
    "psnr": (
        Convention("psnr", PSNR_AVERAGE, "mean of dB over frames"),
        Convention("psnr-clip", PSNR_AVERAGE, "dB of each window's mean squared error, then their mean"),
        Convention("psnr-pooled", PSNR_AVERAGE, "dB of the mean squared error of all frames"),
        Convention("psnr-cap100", "PSNR of perfect frames", "without 1e-8 beside the error, and at most 100 dB"),
    ),
    "ssim": (
        Convention("ssim", SSIM_WINDOW, "11×11 Gaussian, large frames pooled first"),
        Convention("ssim-gauss11", "SSIM pooling", "11×11 Gaussian at the frames' own size"),
        Convention("ssim-skimage", SSIM_WINDOW, "7×7 uniform, scikit-image's default"),
    ),
    "lpips": (
        Convention("lpips-vgg", LPIPS_BACKBONE, "VGG-16"),
        Convention("lpips-alex", LPIPS_BACKBONE, "AlexNet"),
        Convention("lpips-alex-spatial", LPIPS_BACKBONE, "AlexNet, distances upsampled before the mean"),
    ),
    "fvd": (
        Convention("fvd-i3d", "FVD resize", "whole windows squashed, covariance over N"),
        Convention("fvd-i3d-crop", "FVD resize", "short side and crop, covariance over N − 1"),
        Convention("fvd-videomae-g-ssv2", "FVD network", "VideoMAE"),
    ),
}
"""Metrics of one quantity that differ in convention alone, by the first part of their names; the usual one first."""


@dataclass(frozen=True)
class Sums:
    """A figure as a ratio of sums over videos."""

    sums: np.ndarray
    """(videos,)"""
    weights: np.ndarray
    """(videos,)"""
    link: Link = IDENTITY
    sources: tuple[str, ...] = ()
    """Identities of the videos, sorted."""

    @property
    def value(self) -> float:
        """The figure."""
        return float(self.link.value(np.asarray(math.fsum(self.sums) / math.fsum(self.weights))))

    def interval(self) -> Interval:
        """The figure with its interval."""
        return ratio_interval(self.sums, self.weights, link=self.link)


@dataclass(frozen=True)
class Reading:
    """A cell's figure with one switch turned."""

    switch: str
    words: str
    """What it is turned to."""
    sums: Sums | None = None
    """What the figure is made of; ``None`` for distances of sets."""
    metric: str = ""
    """The metric that has this convention, where one has."""

    def interval(self, result: CellResults) -> Interval:
        """The figure with its interval; NaN where it couldn't be computed."""
        if self.sums is not None:
            return self.sums.interval()
        return interval_of(result.evaluate(find_metric(self.metric)))


def interval_of(outcome: Estimate | Unavailable) -> Interval:
    """A figure with its interval; NaN where there is none."""
    if isinstance(outcome, Unavailable):
        return Interval(math.nan, 0)
    return Interval(outcome.value, outcome.num_sources, outcome.low, outcome.high)


def family_of(metric: str) -> tuple[Convention, ...]:
    """The conventions of the quantity that a metric measures, measured or published; its own alone of other metrics.

    ``psnr-unstated`` belongs to the family of ``psnr``.
    """
    return FAMILIES.get(metric.partition("-")[0], (Convention(metric, metric, metric),))


def ratio_sums(result: CellResults, metric: Metric, windows: Sequence[MeasuredWindow] | None = None) -> Sums | None:
    """What a metric's figure over a cell is made of; ``None`` where it is no ratio, or nothing was measured."""
    if not isinstance(metric, RatioMetric):
        return None
    read = result.windows(metric) if windows is None else windows
    return _made(metric, lambda: _sums_of(metric, metric.usable(read)))


def own_reading(result: CellResults, convention: Convention) -> Reading | None:
    """The figure by a metric of the family, if the rows have what it takes."""
    metric = find_metric(convention.metric)
    if (sums := ratio_sums(result, metric)) is not None:
        return Reading(convention.switch, convention.words, sums, convention.metric)
    if isinstance(metric, RatioMetric) or metric.needs != "features" or not result.windows(metric):
        return None
    return Reading(convention.switch, convention.words, None, convention.metric)


def readings(result: CellResults, base: str) -> list[Reading]:
    """The cell's figure with one switch turned after the other, those of the family first.

    Args:
        result: the cell.
        base: name of the metric whose switches are turned.
    """
    found = [own_reading(result, one) for one in family_of(base) if one.metric != base]
    listed = [_renamed(reading, base) for reading in found if reading is not None]
    metric = find_metric(base)
    if isinstance(metric, RatioMetric) and metric.needs == "pairs":
        windows = result.windows(metric)
        listed += (
            _made(metric, lambda: [*_other_weights(metric, windows), *_other_frames(result, metric, windows)]) or []
        )
    return listed


def _renamed(reading: Reading, base: str) -> Reading:
    """The switch between two metrics is that of the one which isn't the family's first."""
    own = next((one for one in family_of(base) if one.metric == base), None)
    is_first = reading.metric == family_of(base)[0].metric
    return replace(reading, switch=own.switch) if is_first and own is not None else reading


def _sums_of(metric: RatioMetric, windows: Sequence[MeasuredWindow]) -> Sums | None:
    if not windows:
        return None
    sums, weights = metric.source_sums(windows)
    return Sums(sums, weights, metric.link, tuple(source_names(windows)))


def _other_frames(result: CellResults, metric: RatioMetric, windows: Sequence[MeasuredWindow]) -> Iterator[Reading]:
    usable = metric.usable(windows)
    if isinstance(usable, WindowColumns):
        yield from _other_frames_of_columns(metric, usable)
        return
    frames = {row.key: row.frame_ids for row in result.scored()}
    per_frame = all(len(array) == w.num_frames for w in usable for array in w.arrays.values() if array.ndim)
    if per_frame and any(_num_distinct(frames[window.key]) < window.num_frames for window in usable):
        shorter = [_without_repeats(window, frames[window.key]) for window in usable]
        yield Reading(FRAMES, "repeated last frames not counted", _sums_of(metric, shorter))
    first: dict[str, MeasuredWindow] = {}
    for window in sorted(usable, key=lambda window: (window.window, window.key)):
        first.setdefault(window.source, window)
    if len(first) < len(usable):
        yield Reading(FRAMES, "the first window of each video alone", _sums_of(metric, list(first.values())))


def _other_frames_of_columns(metric: RatioMetric, usable: WindowColumns) -> Iterator[Reading]:
    """:func:`_other_frames` without an object for each window."""
    distinct, frames = usable.rows.num_distinct_frames[usable.row_places], usable.num_frames
    per_frame = all(
        array.ndim < 2 or array.shape[1] == stack.num_frames
        for stack in usable.stacks()
        for array in stack.arrays.values()
    )
    repeating = distinct < frames
    if per_frame and repeating.any():
        frame_ids = usable.rows.frame_ids
        shorter = [
            _without_repeats(window, frame_ids(int(row)))
            for window, row in zip(usable.take(np.flatnonzero(repeating)), usable.row_places[repeating], strict=True)
        ]
        whole = usable.take(np.flatnonzero(~repeating))
        yield Reading(FRAMES, "repeated last frames not counted", _joined_sums(metric, whole, shorter))
    sources, _ = usable.sources
    order = np.lexsort((usable.row_places, usable.rows.window[usable.row_places], sources))
    _, first = np.unique(sources[order], return_index=True)
    if len(first) < len(usable):
        chosen = usable.take(np.sort(order[first]))
        yield Reading(FRAMES, "the first window of each video alone", _sums_of(metric, chosen))


def _joined_sums(
    metric: RatioMetric, whole: Sequence[MeasuredWindow], shorter: Sequence[MeasuredWindow]
) -> Sums | None:
    """The sums of both together."""
    parts = [sums for sums in (_sums_of(metric, whole), _sums_of(metric, shorter)) if sums is not None]
    names = tuple(sorted({source for part in parts for source in part.sources}))
    places = {name: place for place, name in enumerate(names)}
    sums, weights = np.zeros(len(names)), np.zeros(len(names))
    for part in parts:
        own = [places[source] for source in part.sources]
        sums[own] += part.sums
        weights[own] += part.weights
    return Sums(sums, weights, metric.link, names) if parts else None


def _num_distinct(frame_ids: Sequence[int]) -> int:
    return len(set(frame_ids))


def _without_repeats(window: MeasuredWindow, frame_ids: Sequence[int]) -> MeasuredWindow:
    """The window without the frames that repeat its last one."""
    kept = _num_distinct(frame_ids)
    arrays = {name: array[:kept] if array.ndim else array for name, array in window.arrays.items()}
    return replace(window, arrays=arrays, num_frames=kept)


def _other_weights(metric: RatioMetric, windows: Sequence[MeasuredWindow]) -> Iterator[Reading]:
    usable = metric.usable(windows)
    if not usable:
        return
    sums, weights = metric.source_sums(usable)
    names = tuple(source_names(usable))
    if np.ptp(weights) > 0:
        means = metric.link.value(sums / weights)
        yield Reading(WEIGHT, "each video alike", Sums(means, np.ones(len(means)), IDENTITY, names))
    sums_of, weights_of, of_sources = metric.window_sums(usable)
    if len(set(weights_of.tolist())) > 1:
        values = metric.link.value(sums_of / weights_of).tolist()
        by_source: dict[str, list[float]] = {name: [] for name in names}
        for source, value in zip(of_sources, values, strict=True):
            by_source[source].append(value)
        totals = np.array([math.fsum(by_source[name]) for name in names])
        counts = np.array([float(len(by_source[name])) for name in names])
        yield Reading(WEIGHT, "each window alike", Sums(totals, counts, IDENTITY, names))
    if metric.name == "psnr" and len(usable) > len(names):
        pooled = find_metric("psnr-pooled")
        if isinstance(pooled, RatioMetric):
            errors, counts = pooled.source_sums(usable)
            decibels = pooled.link.value(errors / counts)
            words = "dB of each video's mean squared error, then their mean"
            yield Reading(PSNR_AVERAGE, words, Sums(decibels, np.ones(len(names)), IDENTITY, names))


def _made(metric: Metric, make: Callable[[], T]) -> T | None:
    """What the metric's code gives; nothing where it fails, as the table of figures says why."""
    found = guarded(metric, "source_sums", make)
    return None if isinstance(found, Unavailable) else found
