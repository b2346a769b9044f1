"""Comparing tokenizers on the windows they share, within a run or between runs.

All pairs that are compared on one dataset, under one protocol and by one metric are judged together, with one critical
value. Without chosen pairs the families, the windows and the verdicts are those of the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...reports.tables.comparison import COLUMNS, LEFT_OUT
from ..catalog.broken_metric import BrokenMetric, find_metric, guarded
from ..metrics.interface import Estimate, Metric, Unavailable
from ..metrics.sources import source_files
from ..metrics.throughput import SpeedMetric, timed_machines
from ..statistics.families import Difference, Family
from ..statistics.power import detectable_difference
from ..statistics.wins import Wins, count_wins
from .cell_results import CellResults, measures_anything_of
from .compared_pairs import ComparisonError, Pairs, Side, pairs_between_runs, pairs_in_run, pairs_of_table, place_of
from .opening import open_results
from .ranking import RankedColumn, rank_column
from .shared_windows import Contestant, SharedWindows, share_for_ranks, share_windows
from .speed_comparison import TableSpeeds, compare_speed_pairs

NUM_FURTHEST = 3
"""Videos that are named on each side of a difference."""

_PAIR = "pair"


def compare_items(items: Sequence[str], run: Path | None, metric_names: Sequence[str] | None) -> pd.DataFrame:
    """Compare the first of ``items`` with each of the others.

    Args:
        items: labels (or names) of tokenizers in ``run``; without it, run folders or result
            records, whose equal labels are compared.
            None at all, with ``run``: all pairs that the run's table ranks together.
        run: run folder, or result record.
        metric_names: only these; ``None``: all that both sides have.

    Returns:
        One row a pair, dataset, protocol and metric; columns as :mod:`toklab.reports.tables.comparison` takes them.
        ``attrs["left_out"]`` says what has no counterpart, and timings of two machines.

    Raises:
        ComparisonError: on an unknown label, or where nothing can be compared, such as figures of two protocols.
    """
    if run is not None:
        return compare_labels(open_results([run]).results, items, metric_names, str(run))
    if len(items) < 2:
        raise ComparisonError("name at least two tokenizers (with --run RUN) or two run folders")
    return _differences(pairs_between_runs([Path(item) for item in items]), metric_names, None)


def compare_labels(
    results: Sequence[CellResults], labels: Sequence[str], metric_names: Sequence[str] | None, run: str
) -> pd.DataFrame:
    """Compare the first of some tokenizers of one run with each of the others; as :func:`compare_items`.

    Args:
        results: every cell of the run.
        labels: labels, or names of tokenizers; at least two, or none for all pairs that the table ranks together.
        metric_names: only these; ``None``: all that both sides have.
        run: what errors call the run.
    """
    if len(labels) == 1:
        raise ComparisonError("name at least two tokenizers, or none for all that the table ranks together")
    if not labels:
        return _differences(pairs_of_table(results), metric_names, results, is_table=True)
    return _differences(pairs_in_run(results, labels, run), metric_names, results)


def compare_pairs(pairs: Pairs, metric_names: Sequence[str], *, is_table: bool = False) -> pd.DataFrame:
    """Compare chosen pairs, without what the table says of them; as :func:`compare_items`.

    Args:
        pairs: what is compared.
        metric_names: only these.
        is_table: whether windows and families are those of the table, for pairs of :func:`pairs_of_table`.
    """
    return _differences(pairs, metric_names, None, is_table=is_table)


def _differences(
    pairs: Pairs,
    metric_names: Sequence[str] | None,
    table: Sequence[CellResults] | None,
    *,
    is_table: bool = False,
) -> pd.DataFrame:
    """The frame of :func:`compare_items`.

    Args:
        pairs: what is compared.
        metric_names: only these.
        table: cells of the table whose verdicts are printed, too; ``None`` for none.
        is_table: whether windows and families are those of the table.
    """
    left_out = list(pairs.left_out)
    families: dict[tuple[str, ...], list[tuple[Side, Side]]] = {}
    for one, other in pairs.sides:
        place = place_of(one.results)
        families.setdefault((*place, one.results.group) if is_table else place, []).append((one, other))
    rows = [
        row
        for sides in families.values()
        for row in _compare_family(sides, metric_names, left_out, table, is_table=is_table)
    ]
    order = {_id_of(pair): number for number, pair in enumerate(pairs.sides)}
    rows.sort(key=lambda row: order[str(row[_PAIR])])
    if not rows:
        reasons = "".join(f"; {reason}" for reason in dict.fromkeys(left_out))
        raise ComparisonError(f"nothing can be compared{reasons}; `toklab report RUN` shows what each has")
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    frame.attrs[LEFT_OUT] = list(dict.fromkeys(left_out))
    return frame


def _id_of(pair: tuple[Side, Side]) -> str:
    """Identity of a pair."""
    return repr([(side.name, *place_of(side.results)) for side in pair])


def _compare_family(
    sides: Sequence[tuple[Side, Side]],
    names: Sequence[str] | None,
    left_out: list[str],
    table: Sequence[CellResults] | None,
    *,
    is_table: bool,
) -> Iterator[dict[str, object]]:
    """Every metric of pairs on one dataset under one protocol."""
    everyone = [side for pair in sides for side in pair]
    for name in dict.fromkeys(name for side in everyone for name in side.results.cell.metrics):
        metric = find_metric(name)
        if metric.needs == "model" or (names and name not in names):
            continue
        if isinstance(metric, BrokenMetric):
            left_out.append(f"{name} on {everyone[0].results.dataset}: {metric.why.reason}")
            continue
        able = [pair for pair in sides if _has_both(pair, metric, left_out)]
        if isinstance(metric, SpeedMetric):
            speeds = TableSpeeds(metric, table) if table is not None else None
            rows = compare_speed_pairs(metric, able, left_out, speeds, is_table=is_table)
            yield from ({**row, _PAIR: _id_of(pair)} for pair, row in rows)
        elif able:
            yield from _compare_by(metric, able, left_out, table, is_table=is_table)


def _has_both(pair: tuple[Side, Side], metric: Metric, left_out: list[str]) -> bool:
    place = f"{metric.name} on {pair[0].results.dataset}"
    if not any(measures_anything_of(metric, side.results.cell) for side in pair):
        return False
    if lacking := [side.name for side in pair if metric.name not in side.results.cell.metrics]:
        if len(lacking) < 2:
            left_out.append(f"{place}: not measured for {', '.join(lacking)}")
        return False
    if whys := [why for side in pair if (why := side.results.lacks_windows(metric))]:
        left_out.append(f"{place}: {whys[0]}; compare the run folders")
        return False
    if metric.needs == "timing":
        machines = sorted({name for side in pair for name in timed_machines(side.results.windows(metric))})
        if len(machines) > 1:
            left_out.append(f"{place}: timings of several machines can't be compared: {'; '.join(machines)}")
            return False
    return True


@dataclass(frozen=True)
class _Contest:
    """One metric of several tokenizers on what they share."""

    shared: SharedWindows
    estimates: Sequence[Estimate | Unavailable]
    """Of the members."""
    family: Family | Unavailable
    means: Sequence[dict[str, float]]
    """The members' figures of each video alone."""


def _compare_by(
    metric: Metric,
    pairs: Sequence[tuple[Side, Side]],
    left_out: list[str],
    table: Sequence[CellResults] | None,
    *,
    is_table: bool,
) -> Iterator[dict[str, object]]:
    sides = list({id(side.results): side for pair in pairs for side in pair}.values())
    index = {id(side.results): number for number, side in enumerate(sides)}
    contestants = [Contestant.of(side.results, metric) for side in sides]
    shared = share_for_ranks(contestants) if is_table else share_windows(contestants, range(len(sides)))
    place = {member: number for number, member in enumerate(shared.members)}
    asked: list[tuple[tuple[Side, Side], tuple[int, int]]] = []
    for pair in pairs:
        first, second = (index[id(side.results)] for side in pair)
        if first in place and second in place and shared.num_windows:
            asked.append((pair, (place[first], place[second])))
        else:
            why = "too few videos are shared" if shared.num_windows else "no measured window is shared"
            left_out.append(f"{metric.name} on {pair[0].results.dataset} of {pair[0].name} and {pair[1].name}: {why}")
    if not asked:
        return
    asked_pairs = [pair for _, pair in asked]
    family = guarded(metric, "compare_systems", lambda: metric.compare_systems(shared.windows, asked_pairs))
    means = guarded(metric, "source_means", lambda: [metric.source_means(windows) for windows in shared.windows])
    for outcome in (family, means):
        if isinstance(outcome, Unavailable) and outcome.is_broken:
            left_out.append(f"{metric.name} on {sides[0].results.dataset}: {outcome.reason}")
            return
    contest = _Contest(
        shared,
        [
            sides[member].results.evaluate_on(metric, windows)
            for member, windows in zip(shared.members, shared.windows, strict=True)
        ],
        family,
        [{} for _ in shared.windows] if isinstance(means, Unavailable) else means,
    )
    columns: dict[str, _TableColumn] = {}
    for number, (pair, members) in enumerate(asked):
        if reasons := [e.reason for e in (contest.estimates[m] for m in members) if isinstance(e, Unavailable)]:
            left_out.append(
                f"{metric.name} on {pair[0].results.dataset} of {pair[0].name} and {pair[1].name}: {reasons[0]}"
            )
            continue
        row = _row(metric, pair, members, number, contest)
        yield {**row, "table_verdict": _table_verdict(metric, pair, table, columns), _PAIR: _id_of(pair)}


def _row(
    metric: Metric, pair: tuple[Side, Side], members: tuple[int, int], number: int, contest: _Contest
) -> dict[str, object]:
    one, other = pair
    estimates = [estimate for estimate in (contest.estimates[m] for m in members) if isinstance(estimate, Estimate)]
    family = contest.family
    outcome = None if isinstance(family, Unavailable) else family.differences[number]
    values = [estimate.value for estimate in estimates]
    if not isinstance(family, Unavailable):
        values = [family.values[member] for member in members]
    notes = [estimate.note for estimate in estimates]
    if not isinstance(family, Unavailable) and family.notes:
        notes += [family.notes[member] for member in members]
    if outcome is not None:
        notes.append(outcome.interval.note)
    wins = _wins(metric, [contest.means[member] for member in members])
    verdict = _verdict(metric, outcome)
    if wins is not None and wins.interval and verdict in "AB" and _disagree(verdict, wins.interval):
        notes.append(f"{'A' if verdict == 'B' else 'B'} does better in most videos")
    if not contest.shared.same_cut:
        notes.append("windows differ in length and are paired by video")
    interval = None if outcome is None else outcome.interval
    return {
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
        "low": math.nan if interval is None or interval.low is None else interval.low,
        "high": math.nan if interval is None or interval.high is None else interval.high,
        "windows_shared": contest.shared.num_windows,
        "count": contest.shared.num_sources,
        "num_pairs": 0 if isinstance(family, Unavailable) else len(family.differences),
        "critical_value": math.nan if isinstance(family, Unavailable) else family.critical_value or math.nan,
        "better": {"A": one.name, "B": other.name}.get(verdict, ""),
        "verdict": verdict,
        "detectable": _detectable(outcome, None if isinstance(family, Unavailable) else family.critical_value),
        "wins": 0 if wins is None else wins.wins,
        "ties": 0 if wins is None else wins.ties,
        "losses": 0 if wins is None else wins.losses,
        "wins_low": math.nan if wins is None or not wins.interval else wins.interval[0],
        "wins_high": math.nan if wins is None or not wins.interval else wins.interval[1],
        "furthest": _furthest(metric, members, contest),
        "note": "; ".join(dict.fromkeys(filter(None, notes))),
    }


def _verdict(metric: Metric, outcome: Difference | None) -> str:
    """``A``, ``B`` or ``not separable``; of metrics without direction ``differs`` or ``not shown``; ``no verdict``."""
    if outcome is None or outcome.separable is None:
        return "no verdict"
    if metric.direction == "none":
        return "differs" if outcome.separable else "not shown"
    if not outcome.separable:
        return "not separable"
    return "A" if (outcome.statistic > 0) == (metric.direction == "higher") else "B"


def _detectable(outcome: Difference | None, critical_value: float | None) -> float:
    """About the difference that would have been found; NaN where one was found, or none could be."""
    if outcome is None or outcome.separable is not False:
        return math.nan
    interval = outcome.interval
    if not interval.standard_error or interval.freedom is None:
        return math.nan
    return detectable_difference(interval.standard_error, interval.freedom, critical_value)


def _wins(metric: Metric, means: Sequence[dict[str, float]]) -> Wins | None:
    if metric.direction == "none" or not means[0]:
        return None
    sources = sorted(means[0].keys() & means[1].keys())
    first, second = (np.array([of[source] for source in sources]) for of in means)
    return count_wins(first, second, higher_is_better=metric.direction == "higher")


def _disagree(verdict: str, interval: tuple[float, float]) -> bool:
    return interval[1] < 0.5 if verdict == "A" else interval[0] > 0.5


def _furthest(metric: Metric, members: tuple[int, int], contest: _Contest) -> str:
    """The videos that differ most, both ways: ``+2.10 a.mp4, +1.50 b.mp4; −0.30 c.mp4``."""
    first, second = (contest.means[member] for member in members)
    names = {source: files[-1] for source, files in source_files(contest.shared.windows[members[0]]).items()}
    apart = sorted((first[source] - second[source], names[source]) for source in first.keys() & second.keys())
    ends = (
        [(value, name) for value, name in reversed(apart) if value > 0][:NUM_FURTHEST],
        [(value, name) for value, name in apart if value < 0][:NUM_FURTHEST],
    )
    return "; ".join(", ".join(f"{value:+,.{metric.decimals}f} {name}" for value, name in end) for end in ends if end)


def _table_verdict(
    metric: Metric, pair: tuple[Side, Side], table: Sequence[CellResults] | None, columns: dict[str, _TableColumn]
) -> str:
    """What the run's table says of a pair; empty where it doesn't rank the two together."""
    one, other = (side.results for side in pair)
    group = one.group
    if table is None or group != other.group or metric.direction == "none":
        return ""
    if group not in columns:
        columns[group] = _TableColumn.of(metric, (group, *place_of(one)), table)
    return columns[group].verdict(metric, one, other)


@dataclass(frozen=True)
class _TableColumn:
    """A column of one group of the run's table."""

    cells: Sequence[CellResults]
    column: RankedColumn

    @classmethod
    def of(cls, metric: Metric, family: tuple[str, ...], table: Sequence[CellResults]) -> _TableColumn:
        peers = {
            result.label: result
            for result in table
            if (result.group, *place_of(result)) == family
            and result.cell.status != "failed"
            and metric.name in result.cell.metrics
            and isinstance(result.evaluate(metric), Estimate)
        }
        return cls(list(peers.values()), rank_column(list(peers.values()), metric))

    def verdict(self, metric: Metric, one: CellResults, other: CellResults) -> str:
        places = [next((n for n, cell in enumerate(self.cells) if cell is side), -1) for side in (one, other)]
        members = self.column.shared.members
        if self.column.ranking is None or not all(place in members for place in places):
            return ""
        pair = (members.index(places[0]), members.index(places[1]))
        family = self.column.ranking.family
        for difference in family.differences:
            if difference.pair == pair:
                return _verdict(metric, difference)
            if difference.pair == pair[::-1]:
                return {"A": "B", "B": "A"}.get(found := _verdict(metric, difference), found)
        return ""
