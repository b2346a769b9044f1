"""Fixed scales of radar axes, stored with every chart.

A scale depends on the dataset and the metric alone, never on the figures that are drawn, so that a further model moves
nobody's polygon.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ..published.literature import vidtok_table1
from ..schema import Figure

WORST_POSITION = 0.2
"""Where on its axis the worst published figure stands: off its beginning, so that its polygon keeps an area."""

BEST_POSITION = 0.95
"""Where the best published figure stands: room is left for a better one."""

DECADES = 2
"""Powers of ten from one end of an axis to the other from which on it is logarithmic."""


@dataclass(frozen=True)
class AxisScale:
    """The two ends of an axis; better is always outward, so ``worst`` is the larger end where lower is better.

    An axis whose ends are positive and :data:`DECADES` apart, such as one of speeds, is logarithmic.
    """

    worst: float
    """Value where the axis begins."""
    best: float
    """Value at the rim."""
    source: str
    """Where the ends are from, in words."""

    @property
    def is_logarithmic(self) -> bool:
        """Whether equal steps are equal ratios."""
        low, high = sorted((self.worst, self.best))
        return low > 0 and high >= low * 10**DECADES


def axis_position(value: float, scale: AxisScale) -> float:
    """Distance from the worst end in lengths of the axis, in [0, 1]; beyond an end it is that end's, NaN stays NaN."""
    if math.isnan(value):
        return math.nan
    if is_clipped(value, scale):
        return 1.0 if (value > scale.worst) == (scale.best > scale.worst) else 0.0
    value, worst, best = (math.log(end) if scale.is_logarithmic else end for end in (value, scale.worst, scale.best))
    return min(1.0, max(0.0, (value - worst) / (best - worst)))


def is_clipped(value: float, scale: AxisScale) -> bool:
    """Whether a value lies beyond an end of the scale."""
    return not min(scale.worst, scale.best) <= value <= max(scale.worst, scale.best)


def axis_scales(figures: Iterable[Figure]) -> dict[tuple[str, str], AxisScale]:
    """Scales by (dataset, metric title), for all figures whose metric has a better end and a scale.

    The range of the VidTok paper's Table 1 for the dataset and title, over all groups, widened so that the worst and
    the best figure stand at :data:`WORST_POSITION` and :data:`BEST_POSITION`; otherwise the metric's display range.
    """
    published: dict[tuple[str, str], list[float]] = {}
    for figure in vidtok_table1():
        published.setdefault((figure.dataset, figure.title), []).append(figure.value)
    scales: dict[tuple[str, str], AxisScale] = {}
    for figure in figures:
        key = (figure.dataset, figure.title)
        if not figure.dataset or figure.direction == "none" or key in scales:
            continue
        if key in published:
            scales[key] = _widened(published[key], figure.direction == "higher")
        elif math.isfinite(figure.display_high - figure.display_low) and figure.display_low != figure.display_high:
            scales[key] = AxisScale(figure.display_low, figure.display_high, "display range of the metric")
    return scales


def published_titles() -> set[str]:
    """Titles of the metrics that Table 1 of the VidTok paper prints for its datasets."""
    return {figure.title for figure in vidtok_table1() if figure.dataset}


def _widened(values: list[float], higher_is_better: bool) -> AxisScale:
    worst, best = (min(values), max(values)) if higher_is_better else (max(values), min(values))
    length = (best - worst) / (BEST_POSITION - WORST_POSITION)
    inner = worst - WORST_POSITION * length
    # An error has no value below zero, and zero is its natural best end.
    outer = inner + length if higher_is_better else max(0.0, inner + length)
    return AxisScale(_rounded(inner, length), _rounded(outer, length), "range of Table 1 of the VidTok paper, widened")


def _rounded(value: float, length: float) -> float:
    """To two digits of the axis' length, so that the printed ends are short."""
    return round(value, 1 - math.floor(math.log10(abs(length))))
