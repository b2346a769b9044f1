"""Speeds of several systems that were repeated in turn: judged together, and ranked, by ratios within each round.

What slows the machine down slows all systems of a round, and leaves their ratios as they are. The interval of a pair is
that of the median of its ratios, between two of them. All intervals hold at once, at 95 %, by Šidák's level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .families import Pair, all_pairs
from .order_statistics import MedianInterval, min_repetitions, ratio_of_medians, sidak_level
from .ranks import Places, find_places


@dataclass(frozen=True)
class SpeedRatio:
    """What is known of a pair of systems: the first over the second."""

    pair: Pair
    interval: MedianInterval
    """Ratio of the medians, with the interval of the median of paired ratios."""
    separable: bool | None
    """Whether the interval excludes one, on the side of the ratio of medians; ``None`` where there is none."""


@dataclass(frozen=True)
class SpeedFamily:
    """Pairs of systems that are judged together."""

    medians: tuple[float, ...]
    ratios: tuple[SpeedRatio, ...]
    num_rounds: int
    """Repetitions of each system."""
    num_judged: int
    """Pairs that are judged together."""

    @property
    def num_correlated(self) -> int:
        """Pairs without an interval although there are rounds enough: neighbouring ratios are correlated."""
        return sum(ratio.separable is None for ratio in self.ratios) if self.num_rounds >= self.num_needed else 0

    @property
    def num_needed(self) -> int:
        """Rounds from which on so many pairs have intervals."""
        return rounds_needed(self.num_judged)


def rounds_needed(num_pairs: int) -> int:
    """Rounds from which on so many pairs of systems have intervals that hold at once."""
    return min_repetitions(sidak_level(max(1, num_pairs)))


def compare_speeds(
    speeds: np.ndarray, pairs: Sequence[Pair] | None = None, *, num_judged: int | None = None
) -> SpeedFamily:
    """Judge pairs of systems.

    Args:
        speeds: (rounds, systems) what was measured of each system in each round, in order of time, above zero.
        pairs: those that are asked about; ``None`` for all.
        num_judged: so many pairs are judged together, where there are more than ``pairs``.

    Raises:
        ValueError: if a value isn't above zero.
    """
    speeds = np.asarray(speeds, np.float64)
    pairs = all_pairs(speeds.shape[1]) if pairs is None else list(pairs)
    num_judged = max(1, len(pairs)) if num_judged is None else num_judged
    level = sidak_level(num_judged)
    intervals = [ratio_of_medians(speeds[:, first], speeds[:, second], level) for first, second in pairs]
    ratios = [SpeedRatio(pair, found, _excludes_one(found)) for pair, found in zip(pairs, intervals, strict=True)]
    return SpeedFamily(tuple(np.median(speeds, axis=0).tolist()), tuple(ratios), len(speeds), num_judged)


def rank_speeds(family: SpeedFamily, *, higher_is_better: bool) -> tuple[Places, tuple[bool, ...]] | None:
    """Rank the systems of a family that holds all their pairs; ``None`` with too few rounds.

    A pair without an interval, whose ratios are correlated with the next ones, isn't told apart.

    Returns:
        Where the systems stand, and whether each is ranked: it isn't without a verdict against the best one.
    """
    if family.num_rounds < family.num_needed:
        return None
    num_systems = len(family.medians)
    beats = np.zeros((num_systems, num_systems), dtype=bool)
    judged = np.eye(num_systems, dtype=bool)
    for ratio in family.ratios:
        first, second = ratio.pair
        judged[first, second] = judged[second, first] = ratio.separable is not None
        if ratio.separable:
            first_is_ahead = (ratio.interval.value > 1) == higher_is_better
            beats[ratio.pair if first_is_ahead else ratio.pair[::-1]] = True
    values = (1 if higher_is_better else -1) * np.array(family.medians)
    is_ranked = np.asarray(judged[values == values.max()].any(axis=0))
    return find_places(values, beats, judged), tuple(is_ranked.tolist())


def _excludes_one(interval: MedianInterval) -> bool | None:
    if interval.low is None or interval.high is None:
        return None
    # The ratio of medians and the median of ratios may fall on two sides of one: then nothing is shown.
    return (interval.low > 1 and interval.value > 1) or (interval.high < 1 and interval.value < 1)
