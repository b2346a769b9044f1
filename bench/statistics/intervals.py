"""95 % intervals of figures that are ratios of sums, from the differences between source videos.

From 8 videos on by bootstrap-t: Davison and Hinkley, *Bootstrap Methods and their Application* (1997), section 5.2.
With 5 to 7 videos by Student's t. With fewer there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from .draws import NUM_DRAWS, SEED, draw_counts
from .ratios import IDENTITY, MIN_SOURCES, Freedom, Link, Ratio

TAIL = 0.025
"""Share of the distribution beyond each end."""
MIN_BOOTSTRAP_SOURCES = 8
"""Videos from which on the bootstrap is used."""
MIN_EVENNESS = 0.9
"""Effective over actual videos below which weights are so unequal that each end is the outer one of both methods."""

NO_VARIATION = "the videos do not vary"
FEW_CARRY = "carried by few videos"


@dataclass(frozen=True)
class Interval:
    """A figure, or the difference of two, with its 95 % interval."""

    value: float
    num_sources: int
    """Videos that it rests on."""
    low: float | None = None
    """Ends of the interval; ``None`` where there is none."""
    high: float | None = None
    standard_error: float | None = None
    """Of ``value``, to first order, before ``freedom.scale``; ``None`` with fewer than two videos."""
    freedom: Freedom | None = None
    note: str = ""
    """What the reader must know of the interval."""

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval and zero lies outside of it."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def ratio_interval(
    sums: np.ndarray, weights: np.ndarray, *, link: Link = IDENTITY, draws: int = NUM_DRAWS, seed: int = SEED
) -> Interval:
    """The figure ``link(Σ sums / Σ weights)`` with its interval.

    Args:
        sums: numerators summed by video, (sources,); finite.
        weights: weights summed by video, (sources,); above zero.
        link: from the ratio to the figure; the ends of the interval are transformed.
        draws: bootstrap draws.
        seed: of the draws.
    """
    ratio = Ratio.of(sums, weights)
    statistics = None
    if ratio.num_sources >= MIN_BOOTSTRAP_SOURCES and _varies(ratio):
        statistics = ratio_statistics(ratio, draws, seed)
    return _interval_of(ratio, link, statistics)


def _interval_of(ratio: Ratio, link: Link, statistics: np.ndarray | None) -> Interval:
    value = float(link.value(np.asarray(ratio.value)))
    if ratio.num_sources < 2:
        return Interval(value, ratio.num_sources)
    error = ratio.standard_error * abs(float(link.slope(np.asarray(ratio.value))))
    if ratio.num_sources < MIN_SOURCES:
        return Interval(value, ratio.num_sources, standard_error=error, freedom=ratio.freedom)
    if not _varies(ratio):
        return Interval(value, ratio.num_sources, value, value, error, ratio.freedom, NO_VARIATION)
    low, high, few = interval_ends(
        ratio.value, ratio.standard_error, ratio.freedom, ratio.effective_sources, statistics, ratio.num_sources
    )
    few = few or carried_by_few(ratio.residuals)
    low, high = sorted(float(link.value(np.asarray(max(end, link.lowest)))) for end in (low, high))
    return Interval(value, ratio.num_sources, low, high, error, ratio.freedom, FEW_CARRY if few else "")


def ratio_intervals(
    sums: np.ndarray, weights: np.ndarray, *, draws: int = NUM_DRAWS, seed: int = SEED
) -> list[Interval]:
    """The ratio of each column with its interval, as :func:`ratio_interval`; many columns cost little more than one.

    Args:
        sums: numerators summed by video, (sources, columns).
        weights: weights summed by video, (sources, columns); videos of weight 0 play no part in a column, and each
            column has at least one other.
        draws: bootstrap draws.
        seed: of the draws.
    """
    reached = weights > 0
    columns = [Ratio.of(sums[own, place], weights[own, place]) for place, own in enumerate(reached.T)]
    statistics: dict[int, np.ndarray] = {}
    for num_sources in sorted({ratio.num_sources for ratio in columns}):
        alike = [place for place, ratio in enumerate(columns) if ratio.num_sources == num_sources]
        if num_sources >= MIN_BOOTSTRAP_SOURCES:
            varying = [place for place in alike if _varies(columns[place])]
            found = _joint_statistics([columns[place] for place in varying], draws, seed) if varying else []
            statistics |= dict(zip(varying, found, strict=True))
    return [_interval_of(ratio, IDENTITY, statistics.get(place)) for place, ratio in enumerate(columns)]


def _varies(ratio: Ratio) -> bool:
    return ratio.standard_error > 1e-12 * abs(ratio.value)


def _joint_statistics(ratios: list[Ratio], draws: int, seed: int) -> list[np.ndarray]:
    """:func:`ratio_statistics` of ratios of as many videos, in one pass over the draws."""
    blocks = [np.stack([r.residuals, r.residuals * r.shares, r.shares, r.shares**2, r.residuals**2]) for r in ratios]
    columns = np.concatenate(blocks).T
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    num_sources = ratios[0].num_sources
    for counts in draw_counts(num_sources, draws, seed):
        drawn = (counts @ columns).reshape(len(counts), len(ratios), 5)
        parts.append(_deviations(np.moveaxis(drawn, -1, 0), num_sources))
    deviations, errors = (np.concatenate(each) for each in zip(*parts, strict=True))
    return [studentised(deviations[:, k], errors[:, k], ratio.standard_error) for k, ratio in enumerate(ratios)]


def ratio_statistics(ratio: Ratio, draws: int = NUM_DRAWS, seed: int = SEED) -> np.ndarray:
    """Studentised deviations of the ratio in every draw, with a standard error of the draw's own: (draws,)."""
    found = [ratio_deviations(ratio, counts) for counts in draw_counts(ratio.num_sources, draws, seed)]
    deviations, errors = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return studentised(deviations, errors, ratio.standard_error)


def ratio_deviations(ratio: Ratio, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the ratio of each draw is from that of the whole, and the draw's standard error: (draws,) each.

    Args:
        ratio: the ratio of the whole.
        counts: how often each video is drawn, (draws, sources) float64.
    """
    residuals, shares = ratio.residuals, ratio.shares
    columns = np.stack([residuals, residuals * shares, shares, shares**2, residuals**2], axis=1)
    return _deviations((counts @ columns).T, ratio.num_sources)


def _deviations(sums: np.ndarray, num_sources: int) -> tuple[np.ndarray, np.ndarray]:
    """See :func:`ratio_deviations`; of sums over the videos of each draw, (5, draws, …) in the order of its columns."""
    drawn, crossed, weight, weight_squares, squares = sums
    deviations = drawn / weight
    variation = clear_of_rounding(
        squares - 2 * deviations * crossed + deviations**2 * weight_squares, squares + deviations**2 * weight_squares
    )
    return deviations, np.sqrt(num_sources / (num_sources - 1) * variation) / weight


def studentised(deviations: np.ndarray, errors: np.ndarray, error: float | np.ndarray) -> np.ndarray:
    """Deviations over the errors of their draws; infinite where a draw has no variation but deviates.

    Args:
        deviations: of the draws from the whole.
        errors: standard errors of the draws, the same shape.
        error: standard error of the whole.
    """
    empty, still = errors <= 1e-9 * error, np.abs(deviations) <= 1e-12 * error
    ratios = deviations / np.where(empty, 1.0, errors)
    return np.where(empty, np.where(still, 0.0, np.copysign(np.inf, deviations)), ratios)


def clear_of_rounding(variation: np.ndarray, size: np.ndarray) -> np.ndarray:
    """``variation``, and 0 where it is no more than the rounding of its terms, whose size is ``size``."""
    return np.where(variation > 1e-14 * size, variation, 0.0)


def interval_ends(
    value: float,
    error: float,
    freedom: Freedom,
    effective_sources: float,
    statistics: np.ndarray | None,
    num_sources: int,
) -> tuple[float, float, bool]:
    """Both ends, and whether the bootstrap gave none because few videos carry all variation.

    Args:
        value: the figure.
        error: its standard error.
        freedom: scale and degrees of freedom of that.
        effective_sources: 1 / Σ shares² of the weights.
        statistics: studentised deviations of the draws, (draws,); ``None`` for the interval by Student's t.
        num_sources: videos.
    """
    half = freedom.scale * student_quantile(1 - TAIL, freedom.degrees) * error
    low, high = value - half, value + half
    if statistics is None:
        return low, high, False
    # The upper quantile makes the lower end: where draws come out high, the figure itself may be too high.
    drawn_low, drawn_high = value - quantile(statistics, 1 - TAIL) * error, value - quantile(statistics, TAIL) * error
    if not (math.isfinite(drawn_low) and math.isfinite(drawn_high)):
        return low, high, True
    if effective_sources < MIN_EVENNESS * num_sources:
        return min(low, drawn_low), max(high, drawn_high), False
    return drawn_low, drawn_high, False


def quantile(values: np.ndarray, share: float) -> float:
    """The value of rank ``share`` times (number + 1), from 1, of values that may be infinite."""
    rank = round(share * (len(values) + 1))
    index = min(max(rank, 1), len(values)) - 1
    return float(np.partition(values, index)[index])


def student_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t."""
    return float(stdtrit(degrees, probability))


def carried_by_few(influences: np.ndarray) -> bool:
    """Whether fewer than three videos make up all variation."""
    sizes = np.abs(influences)
    return int((sizes > 1e-9 * sizes.sum()).sum()) < 3
