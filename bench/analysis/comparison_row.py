"""One pair of tokenizers by one metric, as a row of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...reports.tables.comparison import EMPTY_ROW
from ..metrics.interface import Estimate, Metric, Unavailable
from ..metrics.sources import source_files
from ..statistics.families import Difference, Family
from ..statistics.power import detectable_difference
from ..statistics.wins import Wins, count_wins
from .compared_pairs import SidePair
from .shared_windows import SharedWindows

ComparedPair = tuple[SidePair, dict[str, Any]]
"""A pair and its row."""

NUM_FURTHEST = 3
"""Videos that are named on each side of a difference."""


@dataclass(frozen=True)
class Contest:
    """One metric of several tokenizers on what they share."""

    metric: Metric
    shared: SharedWindows
    estimates: Sequence[Estimate | Unavailable]
    """Of the members."""
    family: Family | None
    """``None`` where the metric has no way to tell tokenizers apart."""
    means: Sequence[Mapping[str, float]]
    """The members' figures of each video alone; empty where these mean nothing."""

    def row(self, pair: SidePair, members: tuple[int, int], number: int) -> dict[str, Any]:
        """A pair that has both figures.

        Args:
            pair: who is compared.
            members: which of the members they are.
            number: which of the family's differences is theirs.
        """
        found = [self.estimates[member] for member in members]
        estimates = [estimate for estimate in found if isinstance(estimate, Estimate)]
        values, notes = [estimate.value for estimate in estimates], [estimate.note for estimate in estimates]
        judged: dict[str, Any] = {}
        outcome = None
        if self.family is not None:
            outcome = self.family.differences[number]
            values = [self.family.values[member] for member in members]
            notes += [self.family.notes[member] for member in members] if self.family.notes else []
            notes.append(outcome.interval.note)
            judged = _judged(self.family, outcome)
        verdict = verdict_of(self.metric, outcome)
        wins = self._wins(members)
        if wins is not None and wins.interval and verdict in "AB" and _disagree(verdict, wins.interval):
            # By name, as charts show the difference of either to the other.
            worse, better = (side.name for side in (pair if verdict == "A" else pair[::-1]))
            notes.append(f"{better} does better than {worse} in most videos")
        notes.append(self.shared.note)
        return {
            **described_pair(self.metric, pair, values, verdict),
            **judged,
            **({} if wins is None else _counted(wins)),
            "windows_shared": self.shared.num_windows,
            "count": self.shared.num_sources,
            "furthest": self._furthest(members),
            "note": "; ".join(dict.fromkeys(filter(None, notes))),
        }

    def _wins(self, members: tuple[int, int]) -> Wins | None:
        one, other = (self.means[member] for member in members)
        if self.metric.direction == "none" or not one:
            return None
        sources = sorted(one.keys() & other.keys())
        first, second = (np.array([of[source] for source in sources]) for of in (one, other))
        return count_wins(first, second, higher_is_better=self.metric.direction == "higher")

    def _furthest(self, members: tuple[int, int]) -> str:
        """The videos that differ most, both ways: ``+2.10 a.mp4, +1.50 b.mp4; -0.30 c.mp4``."""
        first, second = (self.means[member] for member in members)
        names = {source: files[0] for source, files in source_files(self.shared.windows[members[0]]).items()}
        apart = sorted((first[source] - second[source], names[source]) for source in first.keys() & second.keys())
        ends = (
            [(value, name) for value, name in reversed(apart) if value > 0][:NUM_FURTHEST],
            [(value, name) for value, name in apart if value < 0][:NUM_FURTHEST],
        )
        decimals = self.metric.decimals
        return "; ".join(", ".join(f"{value:+,.{decimals}f} {name}" for value, name in end) for end in ends if end)


def described_pair(metric: Metric, pair: SidePair, values: Sequence[float], verdict: str) -> dict[str, Any]:
    """What every row of a comparison has; the rest is empty.

    Args:
        metric: what is compared.
        pair: who is compared.
        values: the figures of both.
        verdict: as :func:`verdict_of` gives it.
    """
    one, other = pair
    return {
        **EMPTY_ROW,
        "dataset": one.results.dataset,
        "metric": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "direction": metric.direction,
        "decimals": metric.decimals,
        "a": one.name,
        "b": other.name,
        "value_a": values[0],
        "value_b": values[1],
        "difference": values[0] - values[1],
        "better": {"A": one.name, "B": other.name}.get(verdict, ""),
        "verdict": verdict,
    }


def verdict_of(metric: Metric, outcome: Difference | None) -> str:
    """``A``, ``B`` or ``not separable``; of metrics without direction ``differs`` or ``not shown``; ``no verdict``."""
    if outcome is None or outcome.separable is None:
        return "no verdict"
    if metric.direction == "none":
        return "differs" if outcome.separable else "not shown"
    if not outcome.separable:
        return "not separable"
    return "A" if (outcome.statistic > 0) == (metric.direction == "higher") else "B"


def _judged(family: Family, outcome: Difference) -> dict[str, Any]:
    low, high = outcome.interval.low, outcome.interval.high
    return {
        "low": math.nan if low is None else low,
        "high": math.nan if high is None else high,
        "num_pairs": len(family.differences),
        "critical_value": math.nan if family.critical_value is None else family.critical_value,
        "detectable": _detectable(outcome, family.critical_value),
    }


def _detectable(outcome: Difference, critical_value: float | None) -> float:
    """About the difference that would have been found; NaN where one was found, or none could be."""
    interval = outcome.interval
    if outcome.separable is not False or not interval.standard_error or interval.freedom is None:
        return math.nan
    return detectable_difference(interval.standard_error, interval.freedom, critical_value)


def _counted(wins: Wins) -> dict[str, Any]:
    low, high = wins.interval or (math.nan, math.nan)
    return {"wins": wins.wins, "ties": wins.ties, "losses": wins.losses, "wins_low": low, "wins_high": high}


def _disagree(verdict: str, interval: tuple[float, float]) -> bool:
    """Whether the share of wins, by its whole interval, says the opposite of a verdict."""
    return interval[1] < 0.5 if verdict == "A" else interval[0] > 0.5
