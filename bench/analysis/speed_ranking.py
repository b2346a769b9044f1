"""Ranks of speeds, from ratios within rounds: only under the same conditions, and only where timed in turn.

A family is the largest set of tokenizers of one group and column that were timed in turn under the same conditions. The
others are not ranked, and say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..metrics.repetitions import Repetitions
from ..metrics.throughput import SpeedMetric
from ..statistics.paired_speeds import SpeedFamily, compare_speeds, rank_speeds
from .cell_results import CellResults
from .conditions import cell_repetitions, conditions_of
from .ranking import FigureRank

NOT_IN_TURN = "not ranked: not timed in turn with the others"
CORRELATED = "not ranked: its ratios to the best one are correlated from one repetition to the next"


@dataclass(frozen=True)
class RankedSpeeds:
    """Tokenizers that were timed in turn, with their ranks."""

    members: tuple[int, ...]
    """Their places among those that were given."""
    family: SpeedFamily


@dataclass(frozen=True)
class RankedSpeedColumn:
    """The speeds of one group with their ranks."""

    families: tuple[RankedSpeeds, ...]
    """At most one under the same conditions."""
    figures: tuple[FigureRank, ...] = field(default=())
    """One for each tokenizer that was given."""

    def family(self, one: int, other: int) -> SpeedFamily | None:
        """The family that judges two tokenizers together, by their places."""
        return next((r.family for r in self.families if {one, other} <= set(r.members)), None)


def rank_speed_column(results: Sequence[CellResults], metric: SpeedMetric) -> RankedSpeedColumn:
    """Rank tokenizers of one group by a speed, on one dataset under one protocol.

    Args:
        results: their cells.
        metric: the speed.
    """
    ranks = [FigureRank() for _ in results]
    families: list[RankedSpeeds] = []
    timed = {place: found[0] for place, r in enumerate(results) if len(found := cell_repetitions(r, metric)) == 1}
    conditions: dict[str, list[int]] = {}
    for place in timed:
        conditions.setdefault(conditions_of(results[place], metric), []).append(place)
    for places in conditions.values():
        members = max(sets_in_turn([timed[place] for place in places]), key=len)
        chosen = tuple(places[index] for index in members)
        if len(chosen) < 2:
            continue
        speeds = np.stack([metric.per_repetition(timed[place]) for place in chosen], axis=1)
        ranked = RankedSpeeds(chosen, compare_speeds(speeds))
        families.append(ranked)
        _fill_ranks(ranked, metric, ranks)
        for place in set(places) - set(chosen):
            why = timed[place].why_alone
            ranks[place] = FigureRank(family=f"not ranked: {why}" if why else NOT_IN_TURN)
    return RankedSpeedColumn(tuple(families), tuple(ranks))


def sets_in_turn(repeated: Sequence[Repetitions]) -> list[list[int]]:
    """Repetitions by what was timed in turn with what: their places, each in one of the sets."""
    sets: list[list[int]] = []
    for place, one in enumerate(repeated):
        home = next((found for found in sets if all(one.is_interleaved_with(repeated[p]) for p in found)), None)
        if home is None:
            sets.append([place])
        else:
            home.append(place)
    return sets


def _fill_ranks(ranked: RankedSpeeds, metric: SpeedMetric, ranks: list[FigureRank]) -> None:
    family, members = ranked.family, ranked.members
    outcome = rank_speeds(family, higher_is_better=metric.direction == "higher")
    if outcome is None:
        systems, rounds = len(members), family.num_rounds
        why = f"not ranked: {rounds} repetitions in turn, and {systems} systems take {family.num_needed}"
        for place in members:
            ranks[place] = FigureRank(family=why)
        return
    places, is_ranked = outcome
    text = family_text(family)
    for index, place in enumerate(members):
        if is_ranked[index]:
            name = "best" if index in places.best else "second" if index in places.second else ""
            ranks[place] = FigureRank(name, places.ranks_low[index], places.ranks_high[index], text)
        else:
            ranks[place] = FigureRank(family=CORRELATED)


def family_text(family: SpeedFamily) -> str:
    """What ranks of speeds rest on, in words."""
    pairs = len(family.ratios)
    parts = [
        f"{len(family.medians)} systems",
        f"{pairs} pair{'s' if pairs > 1 else ''}",
        f"{family.num_rounds} repetitions in turn",
    ]
    if family.num_correlated:
        parts.append(f"{family.num_correlated} without an interval")
    return ", ".join(parts)
