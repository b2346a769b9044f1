"""Metrics that are a ratio of sums over windows: means over frames, over clips, bits over pixels."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from ..statistics.families import Family, Pair, compare_ratios
from ..statistics.intervals import ratio_interval
from ..statistics.ratios import IDENTITY, Link
from .interface import Estimate, MeasuredWindow, Metric, Unavailable
from .sources import sorted_windows, windows_by_source

NOTHING_MEASURED = Unavailable("no window was measured", "run the suite: only what is missing is computed")
"""What every metric that reads windows says of none."""


class RatioMetric(Metric):
    """``link`` of Σ ``numerators`` / Σ ``denominator`` over all windows."""

    counted: str = "frames"
    """What the denominator counts, in words."""
    link: Link = IDENTITY
    """From the ratio to the figure."""

    @abstractmethod
    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The window's addends to the numerator, 1-D."""

    def denominator(self, window: MeasuredWindow) -> float:
        """The window's addend to the denominator; the number of numerators makes the ratio a mean."""
        return float(len(self.numerators(window)))

    def note(self, windows: Sequence[MeasuredWindow]) -> str:
        """A warning or remark that goes with the figure."""
        return ""

    def count(self, windows: Sequence[MeasuredWindow]) -> int:
        """How many of ``counted`` the figure rests on."""
        return int(math.fsum(map(self.denominator, windows)))

    def usable(self, windows: Sequence[MeasuredWindow]) -> list[MeasuredWindow]:
        """Windows with finite values and a weight."""
        return [w for w in windows if np.isfinite(self.numerators(w)).all() and self.denominator(w) > 0]

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """The ratio with its interval; windows whose values aren't finite are left out and counted in the note."""
        finite = sorted_windows(self.usable(windows))
        if not finite:
            return NOTHING_MEASURED if not windows else Unavailable("no window has a finite value", "")
        interval = ratio_interval(*self.source_sums(finite), link=self.link)
        notes = [self.note(finite)]
        weighted = [window for window in windows if self.denominator(window) > 0]
        if len(finite) < len(weighted):
            notes.append(f"{len(finite):,} of {len(weighted):,} windows have a finite value")
        return Estimate(
            value=interval.value,
            count=self.count(finite),
            counted=self.counted,
            low=interval.low,
            high=interval.high,
            note="; ".join(filter(None, notes)),
            num_sources=interval.num_sources,
            interval_note=interval.note,
        )

    def compare_systems(
        self, systems: Sequence[Sequence[MeasuredWindow]], pairs: Sequence[Pair] | None = None
    ) -> Family | Unavailable:
        """By the differences in each video."""
        sums, weights = zip(*map(self.source_sums, systems), strict=True)
        return compare_ratios(np.stack(sums, axis=1), np.stack(weights, axis=1), pairs, link=self.link)

    def source_means(self, windows: Sequence[MeasuredWindow]) -> dict[str, float]:
        """The figure of each source alone."""
        names = sorted({window.source for window in windows})
        sums, weights = self.source_sums(windows)
        return dict(zip(names, self.link.value(sums / weights).tolist(), strict=True))

    def source_sums(self, windows: Sequence[MeasuredWindow]) -> tuple[np.ndarray, np.ndarray]:
        """Numerators and weights of usable windows summed by source, (sources,) each, sources sorted."""
        sources = windows_by_source(windows)
        totals = [math.fsum(v for window in source for v in self.numerators(window).tolist()) for source in sources]
        return np.array(totals), np.array([math.fsum(map(self.denominator, source)) for source in sources])
