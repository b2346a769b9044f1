"""Comparing tokenizers on the windows they share, within a run or between runs.

All pairs that are compared on one dataset, under one protocol and by one metric are judged together, with one critical
value. Without chosen pairs the families, the windows and the verdicts are those of the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from ...reports.tables.comparison import COLUMNS, LEFT_OUT, WITHOUT_PAIR
from ..catalog.broken_metric import BrokenMetric, find_metric, guarded
from ..metrics.interface import Metric, Unavailable
from ..metrics.throughput import SpeedMetric, timed_machines
from .cell_results import CellResults, measures_anything_of
from .compared_pairs import (
    ComparisonError,
    Pairs,
    Side,
    SidePair,
    named_pair,
    pairs_between_runs,
    pairs_in_run,
    pairs_of_table,
    place_of,
)
from .comparison_row import ComparedPair, Contest, verdict_of
from .opening import open_results
from .ranking import RankedColumn, rank_column
from .shared_windows import Contestant, SharedWindows, share_for_ranks, share_windows
from .speed_comparison import TableSpeeds, compare_speed_pairs
from .table_columns import cells_of_column, place_among, table_family


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
        ``attrs["left_out"]`` says what was not compared, and ``attrs["without_pair"]`` which of this is a tokenizer
        that failed, has no counterpart or was refused.

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
    families: dict[tuple[str, ...], list[SidePair]] = {}
    for pair in pairs.sides:
        one = pair[0].results
        families.setdefault((*place_of(one), one.group) if is_table else place_of(one), []).append(pair)
    compared = [
        found
        for family in families.values()
        for found in _compare_family(family, metric_names, left_out, table, is_table=is_table)
    ]
    order = {id(pair): number for number, pair in enumerate(pairs.sides)}
    rows = [row for pair, row in sorted(compared, key=lambda found: order[id(found[0])])]
    if not rows:
        reasons = "".join(f"; {reason}" for reason in dict.fromkeys(left_out))
        raise ComparisonError(f"nothing can be compared{reasons}; `toklab report RUN` shows what each has")
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    frame.attrs |= {LEFT_OUT: list(dict.fromkeys(left_out)), WITHOUT_PAIR: list(dict.fromkeys(pairs.left_out))}
    return frame


def _compare_family(
    pairs: Sequence[SidePair],
    names: Sequence[str] | None,
    left_out: list[str],
    table: Sequence[CellResults] | None,
    *,
    is_table: bool,
) -> Iterator[ComparedPair]:
    """Every metric of pairs on one dataset under one protocol."""
    everyone = [side for pair in pairs for side in pair]
    for name in dict.fromkeys(name for side in everyone for name in side.results.cell.metrics):
        metric = find_metric(name)
        if metric.needs == "model" or (names and name not in names):
            continue
        if isinstance(metric, BrokenMetric):
            left_out.append(f"{name} on {everyone[0].results.dataset}: {metric.why.reason}")
            continue
        able = [pair for pair in pairs if _has_both(pair, metric, left_out)]
        if is_table:
            able = [pair for pair in able if _both_have_figures(pair, metric, left_out)]
        if isinstance(metric, SpeedMetric):
            speeds = TableSpeeds(metric, table) if table is not None else None
            yield from compare_speed_pairs(metric, able, left_out, speeds, is_table=is_table)
        elif able:
            verdicts = TableVerdicts(metric, table) if table is not None else None
            yield from _compare_by(metric, able, left_out, verdicts, is_table=is_table)


def _has_both(pair: SidePair, metric: Metric, left_out: list[str]) -> bool:
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


def _both_have_figures(pair: SidePair, metric: Metric, left_out: list[str]) -> bool:
    """Whether the table has a figure of both: others it doesn't rank, though they may share windows."""
    outcomes = [side.results.evaluate(metric) for side in pair]
    whys = [outcome.reason for outcome in outcomes if isinstance(outcome, Unavailable)]
    left_out += [f"{named_pair(metric, pair)}: {why}" for why in whys[:1]]
    return not whys


def _compare_by(
    metric: Metric,
    pairs: Sequence[SidePair],
    left_out: list[str],
    table: TableVerdicts | None,
    *,
    is_table: bool,
) -> Iterator[ComparedPair]:
    sides = list({id(side.results): side for pair in pairs for side in pair}.values())
    contestants = [Contestant.of(side.results, metric) for side in sides]
    shared = share_for_ranks(contestants) if is_table else share_windows(contestants, range(len(sides)))
    members = {id(sides[index].results): number for number, index in enumerate(shared.members)}
    asked: list[tuple[SidePair, tuple[int, int]]] = []
    for pair in pairs:
        one, other = (members.get(id(side.results)) for side in pair)
        if one is not None and other is not None and shared.num_windows:
            asked.append((pair, (one, other)))
        else:
            why = "too few videos are shared" if shared.num_windows else "no measured window is shared"
            left_out.append(f"{named_pair(metric, pair)}: {why}")
    if not asked:
        return
    contest = _contest(metric, sides, shared, [between for _, between in asked])
    if isinstance(contest, Unavailable):
        left_out.append(f"{metric.name} on {sides[0].results.dataset}: {contest.reason}")
        return
    for number, (pair, between) in enumerate(asked):
        reasons = [e.reason for e in (contest.estimates[m] for m in between) if isinstance(e, Unavailable)]
        if reasons:
            left_out.append(f"{named_pair(metric, pair)}: {reasons[0]}")
            continue
        row = contest.row(pair, between, number)
        yield pair, row if table is None else {**row, "table_verdict": table.verdict(pair)}


def _contest(
    metric: Metric, sides: Sequence[Side], shared: SharedWindows, pairs: Sequence[tuple[int, int]]
) -> Contest | Unavailable:
    """Judge pairs of members; what the metric's code raised, where it fails."""
    family = guarded(metric, "compare_systems", lambda: metric.compare_systems(shared.windows, pairs))
    means = guarded(metric, "source_means", lambda: [metric.source_means(windows) for windows in shared.windows])
    for outcome in (family, means):
        if isinstance(outcome, Unavailable) and outcome.is_broken:
            return outcome
    return Contest(
        metric,
        shared,
        [
            sides[member].results.evaluate_on(metric, windows)
            for member, windows in zip(shared.members, shared.windows, strict=True)
        ],
        None if isinstance(family, Unavailable) else family,
        [{} for _ in shared.windows] if isinstance(means, Unavailable) else means,
    )


class TableVerdicts:
    """What a run's table says of pairs by a metric, each group ranked once."""

    def __init__(self, metric: Metric, table: Sequence[CellResults]):
        """``table``: every cell of the table."""
        self._metric = metric
        self._table = table
        self._columns: dict[tuple[str, ...], tuple[list[CellResults], RankedColumn]] = {}

    def verdict(self, pair: SidePair) -> str:
        """As :func:`~.comparison_row.verdict_of`; empty where the table doesn't rank the two together."""
        family = table_family(pair)
        if family is None or self._metric.direction == "none":
            return ""
        if family not in self._columns:
            cells = cells_of_column(self._table, family, self._metric)
            self._columns[family] = (cells, rank_column(cells, self._metric))
        cells, column = self._columns[family]
        places = [place_among(cells, side) for side in pair]
        members = column.shared.members
        if column.ranking is None or not all(place in members for place in places):
            return ""
        wanted = (members.index(places[0]), members.index(places[1]))
        for difference in column.ranking.family.differences:
            if difference.pair == wanted:
                return verdict_of(self._metric, difference)
            if difference.pair == wanted[::-1]:
                found = verdict_of(self._metric, difference)
                return {"A": "B", "B": "A"}.get(found, found)
        return ""
