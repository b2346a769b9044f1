"""Paired differences of systems, judged together: one critical value for all pairs that are asked about.

The critical value is the 95 % quantile of the largest studentised difference over all pairs. From 20 videos on it comes
from the bootstrap, below from Student's t with Šidák's correction: see Romano and Wolf, *Stepwise multiple testing as
formalized data snooping*, Econometrica 73 (2005).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .draws import NUM_DRAWS, SEED
from .intervals import (
    FEW_CARRY,
    MIN_BOOTSTRAP_SOURCES,
    Interval,
    carried_by_few,
    interval_ends,
    quantile,
    student_quantile,
)
from .order_statistics import LEVEL, sidak_level
from .pairs import PairedRatios, pair_statistics
from .ratios import IDENTITY, MIN_SOURCES, Freedom, Link

MIN_JOINT_BOOTSTRAP_SOURCES = 20
"""Videos from which on the critical value comes from the bootstrap; with fewer it explodes."""

EXACT = "exact: the difference is the same in every video"
STUDENT_STANDS_IN = "critical value from Student's t, as the bootstrap gives none"
"""Where more than one draw in twenty misses all variation of a difference."""

Pair = tuple[int, int]
"""Indices of two systems."""
Kind = Literal["varies", "exact", "tied"]
"""How a difference behaves: it varies between videos, is the same and not zero in all, or is zero in all."""


@dataclass(frozen=True)
class Difference:
    """What is known of a pair of systems: the first minus the second."""

    pair: Pair
    interval: Interval
    """Of the difference; simultaneous with those of the family's other pairs."""
    statistic: float
    """The difference over its standard error; infinite where that is zero and the difference isn't, 0 where both are.

    NaN with fewer than two videos.
    """
    separable: bool | None
    """Whether the interval excludes zero; ``None`` where there is none."""


@dataclass(frozen=True)
class Family:
    """Pairs of systems that are judged together."""

    values: tuple[float, ...]
    """Figures of the systems on what they share."""
    differences: tuple[Difference, ...]
    num_sources: int
    """Videos that all share."""
    critical_value: float | None = None
    """How many standard errors a difference must reach; ``None`` for a single pair, which has its own interval."""
    notes: tuple[str, ...] = ()
    """What a reader must know of each system's figure, if anything; empty, or one for each system."""


def all_pairs(num_systems: int) -> list[Pair]:
    """Each pair of systems once."""
    return list(itertools.combinations(range(num_systems), 2))


def compare_ratios(
    sums: np.ndarray,
    weights: np.ndarray,
    pairs: Sequence[Pair] | None = None,
    *,
    link: Link = IDENTITY,
    draws: int = NUM_DRAWS,
    seed: int = SEED,
) -> Family:
    """Judge pairs of systems whose figures are ratios of sums.

    Args:
        sums: numerators summed by video, (sources, systems); finite.
        weights: weights summed by video, (sources,) where all systems share them, else (sources, systems).
        pairs: those that are asked about; ``None`` for all.
        link: from a ratio to the figure.
        draws: bootstrap draws.
        seed: of the draws.
    """
    systems = PairedRatios.of(sums, weights, link)
    pairs = all_pairs(len(systems.values)) if pairs is None else list(pairs)
    values = tuple(systems.values.tolist())
    num_sources = systems.num_sources
    if num_sources < 2 or not pairs:
        return unjudged(values, pairs, num_sources)
    errors = systems.standard_errors(pairs)
    kinds: list[Kind] = [kind_of(values, pair, error) for pair, error in zip(pairs, errors, strict=True)]
    varying = [pair for pair, kind in zip(pairs, kinds, strict=True) if kind == "varies"]
    if len(pairs) == 1:
        outcome = _single(systems, pairs[0], errors[0], kinds[0], draws, seed)
        return Family(values, (outcome,), num_sources)
    critical = None
    if num_sources >= MIN_JOINT_BOOTSTRAP_SOURCES and varying:
        maxima = np.abs(pair_statistics(systems, varying, draws, seed)).max(axis=1)
        critical = quantile(maxima, LEVEL)
    freedoms = [systems.freedom(pair) for pair in pairs]
    stands_in = critical is not None and not math.isfinite(critical)
    if num_sources >= MIN_SOURCES and (critical is None or stands_in):
        # With weights that differ between systems each pair has a value of its own; the largest one holds for all.
        critical = max(sidak_critical_value(len(pairs), freedom) for freedom in freedoms)
    outcomes = [
        judge(pair, _difference(values, pair), error, kind, num_sources, freedom, critical)
        for pair, error, kind, freedom in zip(pairs, errors, kinds, freedoms, strict=True)
    ]
    noted = [
        _noted(outcome, systems, stands_in=stands_in) if kind == "varies" and outcome.separable is not None else outcome
        for outcome, kind in zip(outcomes, kinds, strict=True)
    ]
    return Family(values, tuple(noted), num_sources, critical)


def unjudged(values: Sequence[float], pairs: Sequence[Pair], num_sources: int) -> Family:
    """Pairs of figures on too few videos to say how precise a difference is."""
    unknown = (Difference(pair, Interval(_difference(values, pair), num_sources), math.nan, None) for pair in pairs)
    return Family(tuple(values), tuple(unknown), num_sources)


def paired_interval(
    sums_a: np.ndarray,
    weights_a: np.ndarray,
    sums_b: np.ndarray,
    weights_b: np.ndarray,
    *,
    link: Link = IDENTITY,
    draws: int = NUM_DRAWS,
    seed: int = SEED,
) -> Interval:
    """The difference of two systems' figures, A − B, with its interval; arrays have one entry a video."""
    sums, weights = np.stack([sums_a, sums_b], axis=1), np.stack([weights_a, weights_b], axis=1)
    return compare_ratios(sums, weights, link=link, draws=draws, seed=seed).differences[0].interval


def sidak_critical_value(num_pairs: int, freedom: Freedom) -> float:
    """Student's t for so many pairs, times the scale of the standard error."""
    tail = (1 - sidak_level(num_pairs)) / 2
    return freedom.scale * student_quantile(1 - tail, freedom.degrees)


def judge(
    pair: Pair,
    difference: float,
    error: float,
    kind: Kind,
    num_sources: int,
    freedom: Freedom,
    critical_value: float | None,
) -> Difference:
    """A pair by the critical value of its family.

    Args:
        pair: indices of the systems.
        difference: first minus second.
        error: its standard error.
        kind: see :func:`kind_of`.
        num_sources: videos.
        freedom: of the standard error.
        critical_value: of the family; ``None`` where there is no verdict.
    """
    if critical_value is None:
        statistic = difference / error if kind == "varies" else _constant_statistic(difference, kind)
        return Difference(pair, Interval(difference, num_sources, None, None, error, freedom), statistic, None)
    if kind != "varies":
        return _constant(pair, difference, kind, num_sources, freedom)
    half = critical_value * error
    interval = Interval(difference, num_sources, difference - half, difference + half, error, freedom)
    return Difference(pair, interval, difference / error, abs(difference / error) > critical_value)


def _single(systems: PairedRatios, pair: Pair, error: float, kind: Kind, draws: int, seed: int) -> Difference:
    """One pair alone: its own interval decides."""
    difference, freedom, num_sources = systems.difference(pair), systems.freedom(pair), systems.num_sources
    if num_sources < MIN_SOURCES:
        return judge(pair, difference, error, kind, num_sources, freedom, None)
    if kind != "varies":
        return _constant(pair, difference, kind, num_sources, freedom)
    statistics = None
    if num_sources >= MIN_BOOTSTRAP_SOURCES:
        statistics = pair_statistics(systems, [pair], draws, seed)[:, 0]
    low, high, few = interval_ends(difference, error, freedom, systems.effective_sources(pair), statistics, num_sources)
    few = few or carried_by_few(systems.influences(pair))
    interval = Interval(difference, num_sources, low, high, error, freedom, FEW_CARRY if few else "")
    return Difference(pair, interval, difference / error, interval.excludes_zero)


def _constant(pair: Pair, difference: float, kind: Kind, num_sources: int, freedom: Freedom) -> Difference:
    exact = kind == "exact"
    interval = Interval(difference, num_sources, difference, difference, 0.0, freedom, EXACT if exact else "")
    return Difference(pair, interval, _constant_statistic(difference, kind), exact)


def _constant_statistic(difference: float, kind: Kind) -> float:
    return math.copysign(math.inf, difference) if kind == "exact" else 0.0


def kind_of(values: Sequence[float], pair: Pair, error: float) -> Kind:
    """Whether a pair's difference varies between videos; if not, whether there is one at all, but for rounding."""
    smallest = 1e-12 * max(abs(values[pair[0]]), abs(values[pair[1]]))
    if error > smallest:
        return "varies"
    return "exact" if abs(_difference(values, pair)) > smallest else "tied"


def _difference(values: Sequence[float], pair: Pair) -> float:
    return values[pair[0]] - values[pair[1]]


def _noted(outcome: Difference, systems: PairedRatios, *, stands_in: bool) -> Difference:
    """With what a reader must know of its interval."""
    notes = [FEW_CARRY] if carried_by_few(systems.influences(outcome.pair)) else []
    notes += [STUDENT_STANDS_IN] if stands_in else []
    return replace(outcome, interval=replace(outcome.interval, note="; ".join(notes)))
