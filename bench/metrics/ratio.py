"""Metrics that are a ratio of sums over windows: means over frames, over clips, bits over pixels."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from ..statistics.intervals import resampled_ratio
from .interface import Estimate, MeasuredWindow, Metric, Unavailable
from .sources import bootstrap_interval, sorted_windows, windows_by_source

NOTHING_MEASURED = Unavailable("no window was measured", "run the suite: only what is missing is computed")
"""What every metric that reads windows says of none."""


class RatioMetric(Metric):
    """Σ ``numerators`` / Σ ``denominator`` over all windows, then ``finish``."""

    counted: str = "frames"
    """What the denominator counts, in words."""

    @abstractmethod
    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The window's addends to the numerator, 1-D."""

    def denominator(self, window: MeasuredWindow) -> float:
        """The window's addend to the denominator; the number of numerators makes the ratio a mean."""
        return float(len(self.numerators(window)))

    def finish(self, ratios: np.ndarray) -> np.ndarray:
        """Turn ratios into figures, elementwise."""
        return ratios

    def note(self, windows: Sequence[MeasuredWindow]) -> str:
        """A warning or remark that goes with the figure."""
        return ""

    def count(self, windows: Sequence[MeasuredWindow]) -> int:
        """How many of ``counted`` the figure rests on."""
        return int(math.fsum(map(self.denominator, windows)))

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """The ratio with its bootstrap interval."""
        windows = sorted_windows(windows)
        weight = math.fsum(map(self.denominator, windows))
        if weight == 0:
            return NOTHING_MEASURED
        total = _exact_sum(self, windows)
        low, high = bootstrap_interval(self, windows)
        return Estimate(
            value=float(self.finish(np.asarray(total / weight))),
            count=self.count(windows),
            counted=self.counted,
            low=low,
            high=high,
            note=self.note(windows),
        )

    def resample(self, windows: Sequence[MeasuredWindow], counts: np.ndarray) -> np.ndarray:
        """The ratio of the drawn sources' sums."""
        sources = windows_by_source(windows)
        totals = np.array([_exact_sum(self, source) for source in sources])
        weights = np.array([math.fsum(map(self.denominator, source)) for source in sources])
        return self.finish(resampled_ratio(totals, weights, counts))


def _exact_sum(metric: RatioMetric, windows: Sequence[MeasuredWindow]) -> float:
    return math.fsum(value for window in windows for value in metric.numerators(window).tolist())
