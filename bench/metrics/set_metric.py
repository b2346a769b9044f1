"""Metrics that are a distance between the features of all reconstructions and of all references."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from ..statistics.extrapolation import sample_sizes
from ..statistics.families import Family, Pair
from ..statistics.intervals import Interval
from ..statistics.jackknife import compare_sets, jackknife_interval
from ..statistics.ratios import MIN_SOURCES
from .extrapolation import can_extrapolate, extrapolate, extrapolate_without
from .feature_set import FeatureSet
from .interface import Arrays, Estimate, MeasuredWindow, Metric, Unavailable, WindowBatch
from .set_distance import SetDistance
from .window_columns import WindowColumns

MAX_GROWTH = 1.1
"""How much greater the value may be at half the features before a note says so."""


class SetMetric(Metric):
    """``distance`` of the arrays ``features`` of reconstructions and references."""

    direction = "lower"
    needs = "features"
    has_limit = True
    distance: SetDistance
    feature_size: int
    """Numbers in a feature; with no more features than that the value is inflated."""
    quantity: str = "FVD"
    """What the distance is, in words."""
    small_sample: str = "the covariance is singular and the value inflated"
    """What a sample of at most ``feature_size`` does to the value."""
    is_inflated: bool = True
    """Whether the value falls as the sample grows, so that it depends on N."""

    @abstractmethod
    def measure_video(self, video: Tensor) -> list[Arrays]:
        """``features``, (d,) float32, of each video of a batch (B, 3, T, H, W) in [-1, 1]."""

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """The features of the reconstruction."""
        return self.measure_video(batch.reconstruction)

    def measure_reference(self, reference: Tensor) -> list[Arrays]:
        """The features of the reference."""
        return self.measure_video(reference)

    def join(self, pieces: Sequence[Arrays]) -> Arrays:
        """One row of features for each clip of a window."""
        return {"features": np.concatenate([np.atleast_2d(piece["features"]) for piece in pieces])}

    def usable(self, windows: Sequence[MeasuredWindow]) -> Sequence[MeasuredWindow]:
        """Windows with features of their reference."""
        if isinstance(windows, WindowColumns):
            return windows.with_reference("features")
        return [window for window in windows if "features" in window.reference_arrays]

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """The distance between all reconstructions and all references, with the interval of it at this N.

        ``details``: ``value_at_half``, the mean over two halves of the features, of ``half_count`` each, which shows
        how much the sample's size inflates the value.
        """
        if lacking := len(windows) - len(self.usable(windows)):
            return Unavailable(f"features of {lacking} of {len(windows)} references are missing", "run the suite again")
        features = FeatureSet.of(windows, self.distance) if windows else None
        if features is None or len(features) < 2:
            return Unavailable(f"{self.quantity} takes at least 2 windows, not {len(windows)}", "measure more windows")
        value, sources = features.distance(), sorted(set(features.sources))
        notes, details = self._notes(features, value)
        interval = Interval(value, len(sources))
        if len(sources) >= MIN_SOURCES:
            left_out = features.distances_without(sources)
            interval = jackknife_interval(value, left_out, len(sources), lowest=self.distance.lowest)
        interval_note = ""
        if interval.low is not None:
            interval_note = f"the interval is of {self.quantity} at N = {len(features):,}, not of {self.quantity}"
        return Estimate(
            value=value,
            count=len(features),
            counted=features.counted,
            low=interval.low,
            high=interval.high,
            note="; ".join(notes),
            details=details,
            num_sources=len(sources),
            interval_note=interval_note,
        )

    def extrapolated(self, windows: Sequence[MeasuredWindow], *, with_interval: bool) -> Estimate | None:
        """FVD∞ of large sets; see :mod:`.extrapolation`."""
        if not self.has_limit or not windows or len(self.usable(windows)) < len(windows):
            return None
        features = FeatureSet.of(windows, self.distance)
        if not can_extrapolate(features):
            return None
        value, sources, count = extrapolate(features), sorted(set(features.sources)), len(features)
        interval, interval_note = Interval(value, len(sources)), ""
        if with_interval and len(sources) >= MIN_SOURCES:
            left_out = extrapolate_without(features, sources)
            interval = jackknife_interval(value, left_out, len(sources), lowest=self.distance.lowest)
            interval_note = f"the interval is of the extrapolation from N = {count:,}"
        return Estimate(
            value=value,
            count=count,
            counted=features.counted,
            low=interval.low,
            high=interval.high,
            note=f"extrapolated to infinitely many {features.counted} from N = {sample_sizes(count)[0]:,} to {count:,}",
            num_sources=len(sources),
            interval_note=interval_note,
        )

    def _notes(self, features: FeatureSet, value: float) -> tuple[list[str], dict[str, float]]:
        """What the size of the sample does to the value, in words and as details."""
        count, notes = len(features), []
        if not self.is_inflated:
            return [], {}
        is_small = count <= self.feature_size
        if is_small:
            notes.append(f"N = {count:,} ≤ {self.feature_size:,}: {self.small_sample}")
        if count < 4:
            return notes, {}
        half = math.fsum(part.distance() for part in features.halves()) / 2
        if half > MAX_GROWTH * value or is_small:
            digits = f",.{self.decimals}f"
            notes.append(f"{value:{digits}} at N = {count:,}, {half:{digits}} at N = {count // 2:,}")
        return notes, {"value_at_half": half, "half_count": float(count // 2)}

    def compare_systems(
        self, systems: Sequence[Sequence[MeasuredWindow]], pairs: Sequence[Pair] | None = None
    ) -> Family | Unavailable:
        """By leaving out groups of videos, at equal N; larger sets are replaced by parts of them."""
        sets = [FeatureSet.of(windows, self.distance) for windows in systems]
        sources = sorted(set(sets[0].sources))
        parts = [features.subsamples(min(map(len, sets))) for features in sets]
        if len(sources) < MIN_SOURCES or min(map(len, sets)) < 2:
            return Unavailable(f"{len(sources)} videos are too few to tell distances apart", "measure more videos")
        each = [[part.distance() for part in system] for system in parts]
        values = np.array([math.fsum(system) / len(system) for system in each])
        left_out = np.stack([np.mean([part.distances_without(sources) for part in system], axis=0) for system in parts])
        notes = tuple(
            self._equal_size_note(system, len(system_parts[0]))
            for system, system_parts in zip(each, parts, strict=True)
        )
        return replace(compare_sets(values, left_out, len(sources), pairs), notes=notes)

    def _equal_size_note(self, values: Sequence[float], size: int) -> str:
        """What a set's values are that was brought down to the size of another one; empty where it wasn't."""
        if len(values) == 1:
            return ""
        ends = (math.fsum(values) / len(values), min(values), max(values))
        mean, low, high = (f"{value:,.{self.decimals}f}" for value in ends)
        return f"compared at N = {size:,}: {mean}, the mean of {len(values)} parts from {low} to {high}"
