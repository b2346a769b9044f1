"""Ranks of the figures of a table, from paired differences on shared windows.

A family is one column of one group: tokenizers that are ranked together, by one metric, on one dataset, under one
protocol. All its pairs are judged by one critical value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..catalog.broken_metric import guarded
from ..metrics.interface import MeasuredWindow, Metric, Unavailable
from ..statistics.ranks import Ranking, rank_family
from ..statistics.ratios import MIN_SOURCES
from .cell_results import CellResults
from .shared_windows import Contestant, SharedWindows, share_for_ranks


@dataclass(frozen=True)
class FigureRank:
    """What a table says of a figure's rank."""

    rank: str = ""
    """``best``, ``second`` or nothing."""
    rank_low: int = 0
    """The best rank that it may have, from 1; 0 where it isn't ranked."""
    rank_high: int = 0
    """The worst rank that it may have."""
    family: str = ""
    """What it was ranked among: ``8 systems, 28 pairs, 12 videos, 240 shared windows, c 3.41``; or why it wasn't."""


@dataclass(frozen=True)
class RankedColumn:
    """A family with its ranks."""

    shared: SharedWindows
    ranking: Ranking | None
    """``None`` where the metric has no ranks, or nothing is left to rank."""
    figures: tuple[FigureRank, ...] = field(default=())
    """One for each tokenizer that was given."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What each tokenizer was ranked by, where that isn't its own figure; one for each that was given."""
        found = [""] * len(self.figures)
        if self.ranking is not None and self.ranking.family.notes:
            for member, note in zip(self.shared.members, self.ranking.family.notes, strict=True):
                found[member] = note
        return tuple(found)


def rank_column(
    results: Sequence[CellResults], metric: Metric, windows: Sequence[Sequence[MeasuredWindow]] | None = None
) -> RankedColumn:
    """Rank tokenizers of one group by one metric, on one dataset under one protocol.

    Args:
        results: their cells.
        metric: one with a direction.
        windows: the metric's windows of each, where they were already read.
    """
    read = windows if windows is not None else [result.windows(metric) for result in results]
    contestants = [Contestant.of(result, metric, of) for result, of in zip(results, read, strict=True)]
    shared = share_for_ranks(contestants)
    ranking, why_not = None, ""
    if len(shared.members) > 1:
        family = guarded(metric, "compare_systems", lambda: metric.compare_systems(shared.windows))
        if isinstance(family, Unavailable):
            # A caption says where videos are too few, and it is so for every metric.
            why_not = family.reason if shared.num_sources >= MIN_SOURCES else ""
        else:
            ranking = rank_family(family, higher_is_better=metric.direction == "higher")
    figures = _figure_ranks(contestants, shared, ranking, why_not)
    for index, result in enumerate(results):
        if metric.name in result.stated:
            figures[index] = FigureRank(family=f"not ranked: {result.lacks_windows(metric)}")
    return RankedColumn(shared, ranking, tuple(figures))


def _figure_ranks(
    contestants: Sequence[Contestant], shared: SharedWindows, ranking: Ranking | None, why_not: str
) -> list[FigureRank]:
    """``why_not``: why the members can't be ranked, if so."""
    ranks = [FigureRank() for _ in contestants]
    for member in shared.members if why_not else ():
        ranks[member] = FigureRank(family=f"not ranked: {why_not}")
    if ranking is None or not ranking.ranks_low:
        return ranks
    text = family_text(shared, ranking)
    for place, member in enumerate(shared.members):
        name = "best" if place in ranking.best else "second" if place in ranking.second else ""
        ranks[member] = FigureRank(name, ranking.ranks_low[place], ranking.ranks_high[place], text)
    for index, contestant in enumerate(contestants):
        if index not in shared.members:
            own = f"not ranked: {contestant.num_sources} videos, while the others share {shared.num_sources}"
            ranks[index] = FigureRank(family=own)
    return ranks


def family_text(shared: SharedWindows, ranking: Ranking) -> str:
    """What ranks rest on, in words."""
    pairs = len(ranking.family.differences)
    parts = [
        f"{len(shared.members)} systems",
        f"{pairs} pair{'s' if pairs > 1 else ''}",
        f"{shared.num_sources:,} videos",
        f"{shared.num_windows:,} windows" + ("" if shared.same_cut else " paired by video"),
    ]
    if ranking.critical_value is not None:
        parts.append(f"c {ranking.critical_value:.2f}")
    return ", ".join(parts)
