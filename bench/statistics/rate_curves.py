"""Bjøntegaard deltas: how much rate a system saves at equal quality, or gains in quality at equal rate.

Bjøntegaard, *Calculation of average PSNR differences between RD-curves*, VCEG-M33 (2001). Curves are interpolated by
Akima's splines: Herglotz et al., *Beyond Bjøntegaard: limits of video compression performance comparisons*,
arXiv:2202.12565. The ``bjontegaard`` package does the interpolation and the integrals.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

import numpy as np

from .intervals import TAIL, student_quantile
from .jackknife import jackknife_error
from .ratios import MIN_SOURCES

Interpolation = Literal["akima", "pchip"]
Axis = Literal["rate", "quality"]
"""What a delta is the distance in: rate at equal quality, or quality at equal rate."""

MIN_OVERLAP = 0.5
"""Overlap of two curves below which no delta is given."""
GOOD_OVERLAP = 0.75
"""Overlap below which a delta carries a note."""
MIN_POINTS = 2
GOOD_POINTS = 4
"""Points of a curve below which a delta carries a note."""
MAX_INTERPOLATION_GAP = 1.0
"""Percentage points between two interpolations above which a delta of rate carries a note."""

_SHARED: dict[Axis, str] = {"rate": "quality", "quality": "rate"}
"""What the curves are equal in where a delta is taken along the axis."""


class RateCurveError(ValueError):
    """Curves that give no delta: too few points, too little overlap, or quality that doesn't rise with the rate."""


def _unchanged(figures: np.ndarray) -> np.ndarray:
    return figures


@dataclass(frozen=True)
class RateCurve:
    """Qualities at several rates, of rising rate and rising quality; made by :meth:`of`, which checks them."""

    rates: np.ndarray
    """(points,), above 0."""
    qualities: np.ndarray
    """(points,), higher is better."""

    @classmethod
    def of(cls, rates: np.ndarray, qualities: np.ndarray, names: Sequence[str] = ()) -> Self:
        """A curve of points in any order.

        Args:
            rates: (points,), above 0.
            qualities: (points,), higher is better.
            names: of the points, for what is said of them; may be empty.

        Raises:
            RateCurveError: if there are too few points, a value is out of range, or quality doesn't rise with the rate.
        """
        rates, qualities = np.asarray(rates, np.float64), np.asarray(qualities, np.float64)
        if rates.shape != qualities.shape or rates.ndim != 1:
            raise ValueError(f"a curve has one quality for each rate, not {qualities.shape} for {rates.shape}")
        if len(rates) < MIN_POINTS:
            raise RateCurveError(f"a curve takes at least {MIN_POINTS} rates, not {len(rates)}")
        order = np.argsort(rates, kind="stable")
        rates, qualities = rates[order], qualities[order]
        named = [f"{names[index]} " for index in order] if names else [""] * len(rates)
        points = [
            f"{name}({rate:.6g}, {quality:.6g})" for name, rate, quality in zip(named, rates, qualities, strict=True)
        ]
        sound = np.isfinite(rates) & np.isfinite(qualities) & (rates > 0)
        if not sound.all():
            unsound = ", ".join(point for point, is_sound in zip(points, sound, strict=True) if not is_sound)
            raise RateCurveError(f"a curve takes finite qualities and finite rates above 0, not {unsound}")
        for index in range(len(rates) - 1):
            if rates[index] == rates[index + 1] or qualities[index] >= qualities[index + 1]:
                raise RateCurveError(f"quality doesn't rise with the rate from {points[index]} to {points[index + 1]}")
        return cls(rates, qualities)


@dataclass(frozen=True)
class BjontegaardDelta:
    """Mean distance between two rate curves over the range that they share."""

    value: float
    """Percent of rate (negative: the tested system needs less), or units of quality (positive: it is better)."""
    overlap: float
    """Length of the shared range over that of both ranges together, 0 to 1."""
    interpolation_gap: float
    """The value by pchip minus the value by Akima's splines."""
    notes: tuple[str, ...]
    """What weakens the value: little overlap, few points, a value that depends on the interpolation."""
    low: float | None = None
    """Ends of the 95 % interval; ``None`` where there is none."""
    high: float | None = None
    num_sources: int = 0
    """Videos that the interval rests on."""


def bd_rate(
    anchor: RateCurve, test: RateCurve, *, interpolation: Interpolation = "akima", min_overlap: float = MIN_OVERLAP
) -> BjontegaardDelta:
    """Mean difference of rate at equal quality, in percent of the anchor's.

    Args:
        anchor: what the tested system is compared with.
        test: the tested system's curve.
        interpolation: through the logarithms of the rates.
        min_overlap: of the ranges of quality.

    Raises:
        RateCurveError: if the curves share too little.
    """
    return _delta("rate", anchor, test, interpolation, min_overlap)


def bd_quality(
    anchor: RateCurve, test: RateCurve, *, interpolation: Interpolation = "akima", min_overlap: float = MIN_OVERLAP
) -> BjontegaardDelta:
    """Mean difference of quality at equal rate, in units of quality; of PSNR this is BD-PSNR.

    As :func:`bd_rate`, but that ``min_overlap`` is of the ranges of the rates' logarithms.
    """
    return _delta("quality", anchor, test, interpolation, min_overlap)


@dataclass(frozen=True)
class SourceCurves:
    """A system's rates and qualities by video: the mean curve is that of the sums over the videos."""

    rate_sums: np.ndarray
    """(sources, points): numerators of the rate."""
    rate_weights: np.ndarray
    """(sources, points): denominators of the rate."""
    quality_sums: np.ndarray
    """(sources, points): numerators of the figure of quality."""
    quality_weights: np.ndarray
    """(sources, points): denominators of the figure of quality."""
    names: tuple[str, ...] = ()
    """Of the points, for what is said of them."""
    scale: Callable[[np.ndarray], np.ndarray] = _unchanged
    """From mean figures to qualities, of which higher ones are better, elementwise."""

    @property
    def num_sources(self) -> int:
        """Videos."""
        return len(self.rate_sums)

    def mean_curve(self, without: int | None = None) -> RateCurve:
        """The mean curve, without one of the videos if it is given.

        Raises:
            RateCurveError: see :meth:`RateCurve.of`.
        """
        kept = np.arange(self.num_sources) != (-1 if without is None else without)
        rates = self.rate_sums[kept].sum(axis=0) / self.rate_weights[kept].sum(axis=0)
        figures = self.quality_sums[kept].sum(axis=0) / self.quality_weights[kept].sum(axis=0)
        return RateCurve.of(rates, self.scale(figures), self.names)


def delta_of_sources(axis: Axis, anchor: SourceCurves, test: SourceCurves) -> BjontegaardDelta:
    """A delta of the mean curves, with the jackknife's 95 % interval over the videos.

    Each video is left out once: value ± t(0.975, S − 1) · √((S − 1)/S · Σ(v₋ₛ − mean)²); Efron and Stein, *The
    jackknife estimate of variance*, Annals of Statistics 9 (1981). There is no interval below 5 videos, nor where the
    curves without one of the videos give no delta.

    Args:
        axis: ``rate`` for :func:`bd_rate`, ``quality`` for :func:`bd_quality`.
        anchor: of the same videos as ``test``, in the same order.
        test: the tested system's.

    Raises:
        RateCurveError: if the mean curves give no delta.
    """
    if anchor.num_sources != test.num_sources:
        raise ValueError(f"the curves rest on {anchor.num_sources} and {test.num_sources} videos; pair them first")
    num_sources = anchor.num_sources
    delta = {"rate": bd_rate, "quality": bd_quality}[axis]
    found = replace(delta(anchor.mean_curve(), test.mean_curve()), num_sources=num_sources)
    if num_sources < MIN_SOURCES:
        return replace(found, notes=(*found.notes, f"S = {num_sources}, no interval"))
    left_out = np.empty(num_sources)
    try:
        for source in range(num_sources):
            curves = anchor.mean_curve(source), test.mean_curve(source)
            _checked_overlap(axis, *curves, MIN_OVERLAP)
            left_out[source] = _value(axis, *curves, "akima")
    except RateCurveError as error:
        return replace(found, notes=(*found.notes, f"no interval: without one of the videos {error}"))
    reach = student_quantile(1 - TAIL, num_sources - 1) * jackknife_error(left_out)
    return replace(found, low=found.value - reach, high=found.value + reach)


def _delta(
    axis: Axis, anchor: RateCurve, test: RateCurve, interpolation: Interpolation, min_overlap: float
) -> BjontegaardDelta:
    overlap = _checked_overlap(axis, anchor, test, min_overlap)
    values = {method: _value(axis, anchor, test, method) for method in get_args(Interpolation)}
    gap = values["pchip"] - values["akima"]
    notes = []
    if overlap < GOOD_OVERLAP:
        notes.append(f"the curves share only {overlap:.0%} of their range of {_SHARED[axis]}")
    if (fewest := min(len(anchor.rates), len(test.rates))) < GOOD_POINTS:
        notes.append(f"a curve has only {fewest} points")
    if axis == "rate" and abs(gap) > MAX_INTERPOLATION_GAP:
        notes.append(f"depends on the interpolation: pchip − akima = {gap:+.1f} points")
    return BjontegaardDelta(values[interpolation], overlap, gap, tuple(notes))


def _checked_overlap(axis: Axis, anchor: RateCurve, test: RateCurve, least: float) -> float:
    """Shared part of the curves' ranges of what they are equal in, 0 to 1."""
    if axis == "rate":
        one, other = anchor.qualities, test.qualities
    else:
        one, other = np.log10(anchor.rates), np.log10(test.rates)
    shared = min(one[-1], other[-1]) - max(one[0], other[0])
    overlap = max(0.0, float(shared / (max(one[-1], other[-1]) - min(one[0], other[0]))))
    if overlap == 0:
        raise RateCurveError(f"the curves share nothing of their range of {_SHARED[axis]}")
    if overlap < least:
        raise RateCurveError(f"the curves share {overlap:.0%} of their range of {_SHARED[axis]}, less than {least:.0%}")
    return overlap


def _value(axis: Axis, anchor: RateCurve, test: RateCurve, interpolation: Interpolation) -> float:
    import bjontegaard

    delta = getattr(bjontegaard, {"rate": "bd_rate", "quality": "bd_psnr"}[axis])
    curves = (anchor.rates, anchor.qualities, test.rates, test.qualities)
    with warnings.catch_warnings():
        # Overlap is checked before; the package warns of the same.
        warnings.simplefilter("ignore")
        value = float(delta(*curves, method=interpolation, require_matching_points=False))
    if not math.isfinite(value):
        raise RateCurveError(f"interpolation by {interpolation} gives no finite value")
    return value
