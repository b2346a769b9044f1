"""Metrics that are a ratio of sums over windows: means over frames, over clips, bits over pixels."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..statistics.families import Family, Pair, compare_ratios
from ..statistics.intervals import ratio_interval
from ..statistics.ratios import IDENTITY, Link
from .interface import Estimate, MeasuredWindow, Metric, Unavailable
from .sources import sorted_windows, source_names, windows_by_source
from .window_columns import WindowColumns

NOTHING_MEASURED = Unavailable("no window was measured", "run the suite: only what is missing is computed")
"""What every metric that reads windows says of none."""


class RatioMetric(Metric):
    """``link`` of Σ ``numerators`` / Σ ``denominator`` over all windows."""

    counted: str = "frames"
    """What the denominator counts, in words."""
    link: Link = IDENTITY
    """From the ratio to the figure."""
    takes_stacks: bool = False
    """Whether ``numerators`` reads nothing but a window's arrays, and takes them with an axis of windows in front as
    well: then many windows cost little more than one. A metric with a ``denominator`` of its own has to write
    ``denominators`` too, or its windows are asked one by one."""

    @abstractmethod
    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """The window's addends to the numerator, 1-D."""

    def denominator(self, window: MeasuredWindow) -> float:
        """The window's addend to the denominator; the number of numerators makes the ratio a mean.

        It is given a single window. :meth:`denominators` is the same for many.
        """
        return float(len(self.numerators(window)))

    def denominators(self, window: MeasuredWindow) -> np.ndarray:
        """(n,) the denominators of n windows, whose arrays have an axis of windows in front."""
        numerators = self.numerators(window)
        return np.full(len(numerators), float(numerators.shape[1]))

    def note(self, windows: Sequence[MeasuredWindow]) -> str:
        """A warning or remark that goes with the figure."""
        return ""

    def count(self, windows: Sequence[MeasuredWindow]) -> int:
        """How many of ``counted`` the figure rests on."""
        if (summary := self._summary(windows)) is not None:
            return int(math.fsum(summary.weights.tolist()))
        return int(math.fsum(map(self.denominator, windows)))

    def usable(self, windows: Sequence[MeasuredWindow]) -> Sequence[MeasuredWindow]:
        """Windows with finite values and a weight."""
        if isinstance(windows, WindowColumns) and (summary := self._summary(windows)) is not None:
            return windows.kept(("usable", self.name), lambda: windows.take(np.flatnonzero(summary.is_usable)))
        return [w for w in windows if np.isfinite(self.numerators(w)).all() and self.denominator(w) > 0]

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """The ratio with its interval; windows whose values aren't finite are left out and counted in the note."""
        finite = self.usable(windows)
        if not isinstance(finite, WindowColumns):
            finite = sorted_windows(finite)
        if not finite:
            return NOTHING_MEASURED if not windows else Unavailable("no window has a finite value", "")
        interval = ratio_interval(*self.source_sums(finite), link=self.link)
        notes = [self.note(finite)]
        num_weighted = self._num_weighted(windows)
        if len(finite) < num_weighted:
            notes.append(f"{len(finite):,} of {num_weighted:,} windows have a finite value")
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
        names = source_names(windows)
        sums, weights = self.source_sums(windows)
        return dict(zip(names, self.link.value(sums / weights).tolist(), strict=True))

    def source_sums(self, windows: Sequence[MeasuredWindow]) -> tuple[np.ndarray, np.ndarray]:
        """Numerators and weights of usable windows summed by source, (sources,) each, sources sorted."""
        if (summary := self._summary(windows)) is not None:
            return summary.sums, summary.source_weights
        sources = windows_by_source(windows)
        totals = [math.fsum(v for window in source for v in self.numerators(window).tolist()) for source in sources]
        return np.array(totals), np.array([math.fsum(map(self.denominator, source)) for source in sources])

    def window_sums(self, windows: Sequence[MeasuredWindow]) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Numerator and weight of each usable window, (n,) each, and the source of each."""
        if isinstance(windows, WindowColumns) and (addends := self._addends(windows)) is not None:
            codes, names = windows.sources
            starts = np.cumsum(addends.lengths) - addends.lengths
            listed, each = addends.values.tolist(), zip(starts.tolist(), addends.lengths.tolist(), strict=True)
            sums = np.array([math.fsum(listed[start : start + length]) for start, length in each])
            return sums, addends.weights, [names[code] for code in codes.tolist()]
        sums = np.array([math.fsum(self.numerators(window).tolist()) for window in windows])
        return sums, np.array([self.denominator(w) for w in windows]), [window.source for window in windows]

    def _num_weighted(self, windows: Sequence[MeasuredWindow]) -> int:
        if (summary := self._summary(windows)) is not None:
            return int(np.count_nonzero(summary.weights > 0))
        return sum(self.denominator(window) > 0 for window in windows)

    def _addends(self, windows: Sequence[MeasuredWindow]) -> Addends | None:
        """What windows that are columns add; ``None`` where each has to be asked."""
        if not isinstance(windows, WindowColumns) or not _takes_stacks(type(self)):
            return None
        return Addends.of(windows, self)

    def _summary(self, windows: Sequence[MeasuredWindow]) -> Summary | None:
        """What is kept of :meth:`_addends`."""
        if not isinstance(windows, WindowColumns) or not _takes_stacks(type(self)):
            return None
        return windows.kept(("summary", self.name), lambda: Addends.of(windows, self).summary(*windows.sources))


@functools.cache
def _takes_stacks(metric: type[RatioMetric]) -> bool:
    """Whether the class that says that stacks are taken is the one, or a child of the one, that reads them.

    What a plugin's metric inherits says nothing of the methods that it writes anew, and a denominator of its own says
    nothing of those of stacks.
    """
    first = next(each for each in metric.__mro__ if {"denominator", "denominators"} & set(vars(each)))
    if "denominators" not in vars(first):
        return False
    for each in metric.__mro__:
        if "takes_stacks" in vars(each):
            return each.takes_stacks
        if {"numerators", "denominator", "denominators"} & set(vars(each)):
            return False
    return False


@dataclass(frozen=True, eq=False)
class Addends:
    """What windows add to a ratio."""

    values: np.ndarray
    """Numerators of all windows, one window after the other."""
    lengths: np.ndarray
    """(n,) numerators of each window."""
    weights: np.ndarray
    """(n,) denominators."""

    @classmethod
    def of(cls, windows: WindowColumns, metric: RatioMetric) -> Addends:
        """Of windows whose metric takes stacks."""
        weights, lengths = np.zeros(len(windows)), np.zeros(len(windows), np.int64)
        blocks: list[tuple[np.ndarray, np.ndarray]] = []
        for stack in windows.stacks():
            together = MeasuredWindow("", -1, stack.num_frames, stack.arrays)
            values = np.asarray(metric.numerators(together), np.float64)
            weights[stack.places], lengths[stack.places] = metric.denominators(together), values.shape[1]
            blocks.append((stack.places, values))
        if len(blocks) == 1 and len(blocks[0][0]) == len(windows):
            return cls(blocks[0][1].ravel(), lengths, weights)
        starts = np.cumsum(lengths) - lengths
        values = np.zeros(int(lengths.sum()))
        for places, block in blocks:
            values[starts[places][:, None] + np.arange(block.shape[1])] = block
        return cls(values, lengths, weights)

    @property
    def is_finite(self) -> np.ndarray:
        """(n,) bool, whether all numerators of a window are finite."""
        bad = np.repeat(np.arange(len(self.lengths)), self.lengths)[~np.isfinite(self.values)]
        found = np.ones(len(self.lengths), bool)
        found[bad] = False
        return found

    def summary(self, codes: np.ndarray, names: Sequence[str]) -> Summary:
        """What they come to.

        Sums are exact before they are rounded, so they don't depend on an order.

        Args:
            codes: (n,) the source of each window.
            names: of the sources.
        """
        sums = _exact_sums(self.values, np.repeat(codes, self.lengths), len(names))
        weights = _exact_sums(self.weights, codes, len(names))
        return Summary(self.is_finite & (self.weights > 0), self.weights, sums, weights)


@dataclass(frozen=True, eq=False)
class Summary:
    """What windows add to a ratio, without the numerators of each."""

    is_usable: np.ndarray
    """(n,) bool, windows with finite numerators and a weight."""
    weights: np.ndarray
    """(n,) denominators."""
    sums: np.ndarray
    """(sources,) numerators summed by source, sources sorted."""
    source_weights: np.ndarray
    """(sources,) denominators summed by source."""


def _exact_sums(values: np.ndarray, codes: np.ndarray, num_sources: int) -> np.ndarray:
    if (np.diff(codes) < 0).any():
        order = np.argsort(codes, kind="stable")
        values, codes = values[order], codes[order]
    ends = np.searchsorted(codes, np.arange(num_sources), side="right").tolist()
    listed, start, sums = values.tolist(), 0, []
    for end in ends:
        sums.append(_exact_sum(listed[start:end]))
        start = end
    return np.array(sums)


def _exact_sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # infinities of both signs; such windows aren't usable
        return math.nan
