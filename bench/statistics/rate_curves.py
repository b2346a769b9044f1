"""Bjøntegaard deltas: how much rate a system saves at equal quality, or gains in quality at equal rate.

Bjøntegaard, *Calculation of average PSNR differences between RD-curves*, VCEG-M33 (2001). Curves are interpolated by
Akima's splines: Herglotz et al., *Beyond Bjøntegaard: limits of video compression performance comparisons*,
arXiv:2202.12565. The ``bjontegaard`` package does the interpolation and the integrals.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as student_t

Interpolation = Literal["akima", "pchip"]

MIN_OVERLAP = 0.5
"""Overlap of two curves below which no delta is given."""
GOOD_OVERLAP = 0.75
"""Overlap below which a delta carries a note."""
MIN_POINTS = 2
GOOD_POINTS = 4
"""Points of a curve below which a delta carries a note."""
MAX_INTERPOLATION_GAP = 1.0
"""Percentage points between two interpolations above which a delta of rate carries a note."""
MIN_SOURCES = 5
"""Videos below which there is no interval."""


class RateCurveError(ValueError):
    """Curves that give no delta: too few points, too little overlap, or quality that doesn't rise with the rate."""


@dataclass(frozen=True)
class BjontegaardDelta:
    """Mean distance between two rate curves over the range that they share."""

    value: float
    """Percent of rate (negative: the tested system needs less), or units of quality (positive: it is better)."""
    overlap: float
    """Length of the shared range over that of both ranges together, 0 to 1."""
    notes: tuple[str, ...]
    """What weakens the value: little overlap, few points, a value that depends on the interpolation."""
    low: float | None = None
    """Ends of the 95 % interval; ``None`` where there is none."""
    high: float | None = None
    num_sources: int = 0
    """Videos that the interval rests on."""


def bd_rate(
    anchor_rates: np.ndarray,
    anchor_qualities: np.ndarray,
    rates: np.ndarray,
    qualities: np.ndarray,
    *,
    interpolation: Interpolation = "akima",
    min_overlap: float = MIN_OVERLAP,
) -> BjontegaardDelta:
    """Mean difference of rate at equal quality, in percent of the anchor's.

    Args:
        anchor_rates: (points,), above 0, in any order.
        anchor_qualities: (points,), higher is better; rises with the rate.
        rates: the tested system's, (other points,).
        qualities: the tested system's.
        interpolation: through the logarithms of the rates.
        min_overlap: of the ranges of quality.

    Raises:
        RateCurveError: if the curves give no delta.
    """
    anchor, test = _sorted_curve(anchor_rates, anchor_qualities), _sorted_curve(rates, qualities)
    overlap = _checked_overlap(anchor[1], test[1], min_overlap, "quality")
    value = _delta("bd_rate", anchor, test, interpolation)
    gap = _delta("bd_rate", anchor, test, "pchip") - _delta("bd_rate", anchor, test, "akima")
    notes = _notes(anchor, test, overlap)
    if abs(gap) > MAX_INTERPOLATION_GAP:
        notes = (*notes, f"depends on the interpolation: pchip − akima = {gap:+.1f} points")
    return BjontegaardDelta(value, overlap, notes)


def bd_quality(
    anchor_rates: np.ndarray,
    anchor_qualities: np.ndarray,
    rates: np.ndarray,
    qualities: np.ndarray,
    *,
    interpolation: Interpolation = "akima",
    min_overlap: float = MIN_OVERLAP,
) -> BjontegaardDelta:
    """Mean difference of quality at equal rate, in units of quality; of PSNR this is BD-PSNR.

    As :func:`bd_rate`, but that ``min_overlap`` is of the ranges of the rates' logarithms.
    """
    anchor, test = _sorted_curve(anchor_rates, anchor_qualities), _sorted_curve(rates, qualities)
    overlap = _checked_overlap(np.log10(anchor[0]), np.log10(test[0]), min_overlap, "rate")
    return BjontegaardDelta(_delta("bd_psnr", anchor, test, interpolation), overlap, _notes(anchor, test, overlap))


@dataclass(frozen=True)
class SourceCurves:
    """A system's rates and qualities by video: the mean curve is that of the sums over the videos."""

    rate_sums: np.ndarray
    """(sources, points): numerators of the rate."""
    rate_weights: np.ndarray
    """(sources, points): denominators of the rate."""
    quality_sums: np.ndarray
    """(sources, points): numerators of the quality."""
    quality_weights: np.ndarray
    """(sources, points): denominators of the quality."""

    @property
    def num_sources(self) -> int:
        """Videos."""
        return len(self.rate_sums)

    def without(self, source: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rates and qualities of the mean curve, (points,) each, without one of the videos if it is given."""
        kept = np.arange(self.num_sources) != (-1 if source is None else source)
        rates = self.rate_sums[kept].sum(axis=0) / self.rate_weights[kept].sum(axis=0)
        return rates, self.quality_sums[kept].sum(axis=0) / self.quality_weights[kept].sum(axis=0)


def delta_of_sources(
    delta: Callable[..., BjontegaardDelta], anchor: SourceCurves, test: SourceCurves
) -> BjontegaardDelta:
    """A delta of the mean curves, with the jackknife's 95 % interval over the videos.

    Each video is left out once: value ± t(0.975, S − 1) · √((S − 1)/S · Σ(v₋ₛ − mean)²); Efron and Stein, *The
    jackknife estimate of variance*, Annals of Statistics 9 (1981). There is no interval below 5 videos, nor where the
    curves without one of the videos give no delta.

    Args:
        delta: :func:`bd_rate` or :func:`bd_quality`.
        anchor: of the same videos as ``test``, in the same order.
        test: the tested system's.

    Raises:
        RateCurveError: if the mean curves give no delta.
    """
    if anchor.num_sources != test.num_sources:
        raise ValueError(f"the curves rest on {anchor.num_sources} and {test.num_sources} videos; pair them first")
    num_sources = anchor.num_sources
    found = delta(*anchor.without(), *test.without())
    if num_sources < MIN_SOURCES:
        notes = (*found.notes, f"S = {num_sources}, no interval")
        return BjontegaardDelta(found.value, found.overlap, notes, num_sources=num_sources)
    try:
        left_out = np.array([delta(*anchor.without(s), *test.without(s)).value for s in range(num_sources)])
    except RateCurveError as error:
        notes = (*found.notes, f"no interval: without one of the videos {error}")
        return BjontegaardDelta(found.value, found.overlap, notes, num_sources=num_sources)
    spread = math.sqrt((num_sources - 1) / num_sources * float(np.square(left_out - left_out.mean()).sum()))
    reach = float(student_t.ppf(0.975, num_sources - 1)) * spread
    return BjontegaardDelta(
        found.value, found.overlap, found.notes, found.value - reach, found.value + reach, num_sources
    )


def _sorted_curve(rates: np.ndarray, qualities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both by rising rate, checked."""
    rates, qualities = np.asarray(rates, np.float64), np.asarray(qualities, np.float64)
    if rates.shape != qualities.shape or rates.ndim != 1:
        raise ValueError(f"a curve has one quality for each rate, not {qualities.shape} for {rates.shape}")
    if len(rates) < MIN_POINTS:
        raise RateCurveError(f"a curve takes at least {MIN_POINTS} rates, not {len(rates)}")
    if not (np.isfinite(rates) & np.isfinite(qualities)).all() or (rates <= 0).any():
        raise RateCurveError("a curve takes finite qualities and finite rates above 0")
    order = np.argsort(rates, kind="stable")
    rates, qualities = rates[order], qualities[order]
    for index in range(len(rates) - 1):
        if rates[index] == rates[index + 1] or qualities[index] >= qualities[index + 1]:
            raise RateCurveError(
                "quality doesn't rise with the rate from "
                f"({rates[index]:.6g}, {qualities[index]:.6g}) to ({rates[index + 1]:.6g}, {qualities[index + 1]:.6g})"
            )
    return rates, qualities


def _checked_overlap(one: np.ndarray, other: np.ndarray, least: float, axis: str) -> float:
    """Overlap of the ranges of two rising sequences, 0 to 1."""
    shared = min(one[-1], other[-1]) - max(one[0], other[0])
    overlap = max(0.0, float(shared / (max(one[-1], other[-1]) - min(one[0], other[0]))))
    if overlap == 0:
        raise RateCurveError(f"the curves share nothing of their range of {axis}")
    if overlap < least:
        raise RateCurveError(f"the curves share {overlap:.0%} of their range of {axis}; {least:.0%} are needed")
    return overlap


def _notes(
    anchor: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], overlap: float
) -> tuple[str, ...]:
    notes = []
    if overlap < GOOD_OVERLAP:
        notes.append(f"the curves share only {overlap:.0%} of their range")
    if (fewest := min(len(anchor[0]), len(test[0]))) < GOOD_POINTS:
        notes.append(f"a curve has only {fewest} points")
    return tuple(notes)


def _delta(
    name: Literal["bd_rate", "bd_psnr"],
    anchor: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    interpolation: Interpolation,
) -> float:
    import bjontegaard

    with warnings.catch_warnings():
        # Overlap is checked before; the package warns of the same.
        warnings.simplefilter("ignore")
        value = getattr(bjontegaard, name)(*anchor, *test, method=interpolation, require_matching_points=False)
    return float(value)
