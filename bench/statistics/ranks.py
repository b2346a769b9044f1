"""Ranks of several systems, from paired differences.

The intervals of the ranks hold for all systems at once: Mogstad, Romano, Shaikh and Wilhelm, *Inference for ranks with
applications to mobility across neighbourhoods and academic achievement across countries*, Review of Economic Studies 91
(2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .draws import NUM_DRAWS, SEED
from .families import Family, compare_ratios
from .ratios import IDENTITY, MIN_SOURCES, Link


@dataclass(frozen=True)
class Ranking:
    """Systems in order of a figure, as far as they can be told apart."""

    family: Family
    best: tuple[int, ...] = ()
    """The best system, and every one that can't be told from it; empty where there is no verdict."""
    second: tuple[int, ...] = ()
    """The best of the rest, and what can't be told from it there, if all of them are worse than every best one."""
    ranks_low: tuple[int, ...] = ()
    """The best rank that each system may have, from 1; empty where there is no verdict."""
    ranks_high: tuple[int, ...] = ()
    """The worst rank that each system may have."""

    @property
    def critical_value(self) -> float | None:
        """See :class:`~.families.Family`."""
        return self.family.critical_value

    @property
    def num_sources(self) -> int:
        """Videos that all systems share."""
        return self.family.num_sources


def rank_systems(
    sums: np.ndarray,
    weights: np.ndarray,
    *,
    higher_is_better: bool,
    link: Link = IDENTITY,
    draws: int = NUM_DRAWS,
    seed: int = SEED,
) -> Ranking:
    """Rank systems whose figures are ratios of sums; arguments as :func:`~.families.compare_ratios` takes them."""
    family = compare_ratios(sums, weights, link=link, draws=draws, seed=seed)
    return rank_family(family, higher_is_better=higher_is_better)


def rank_family(family: Family, *, higher_is_better: bool) -> Ranking:
    """Rank the systems of a family that holds all their pairs."""
    num_systems = len(family.values)
    judged = [difference.separable is not None for difference in family.differences]
    if num_systems < 2 or family.num_sources < MIN_SOURCES or not all(judged):
        return Ranking(family)
    sign = 1 if higher_is_better else -1
    beats = np.zeros((num_systems, num_systems), dtype=bool)
    for difference in family.differences:
        if difference.separable:
            ahead, behind = difference.pair if sign * difference.statistic > 0 else difference.pair[::-1]
            beats[ahead, behind] = True
    places = find_places(sign * np.array(family.values), beats)
    return Ranking(family, places.best, places.second, places.ranks_low, places.ranks_high)


class Places(NamedTuple):
    """Where systems stand; see :class:`Ranking`."""

    best: tuple[int, ...]
    second: tuple[int, ...]
    ranks_low: tuple[int, ...]
    ranks_high: tuple[int, ...]


def find_places(values: np.ndarray, beats: np.ndarray, judged: np.ndarray | None = None) -> Places:
    """Where systems stand that were compared in pairs.

    Args:
        values: (systems,) their figures; the larger one is the better one.
        beats: (systems, systems) bool: whether the first is told apart from the second, and better.
        judged: (systems, systems) bool: whether there is a verdict on the two, true of each with itself; ``None`` if
            there is one on all. What has no verdict against the best one, or the best of the rest, doesn't stand
            beside it.
    """
    num_systems = len(values)
    judged = np.ones((num_systems, num_systems), dtype=bool) if judged is None else judged
    best = _leaders(values, beats, judged, np.ones(num_systems, dtype=bool))
    # What has no verdict against the best one may be as good: it is no second either.
    rest = ~best & judged[values == values.max()].any(axis=0)
    second = _leaders(values, beats, judged, rest) if rest.any() else rest
    if not beats[np.ix_(best, second)].all():
        second = np.zeros_like(rest)
    low = 1 + beats.sum(axis=0)
    high = num_systems - beats.sum(axis=1)
    return Places(
        tuple(np.flatnonzero(best).tolist()),
        tuple(np.flatnonzero(second).tolist()),
        tuple(low.tolist()),
        tuple(high.tolist()),
    )


def _leaders(values: np.ndarray, beats: np.ndarray, judged: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The best of some systems and those of them that it doesn't beat: (systems,) bool."""
    top = among & (values == values[among].max())
    return among & ~beats[top].all(axis=0) & judged[top].any(axis=0)
