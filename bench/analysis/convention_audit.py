"""The convention audit: how far each figure of a run moves when only the convention does, from its kept rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...reports.identity import identify
from ...reports.schema import Figure
from ...reports.tables.convention_audit import COLUMNS, condition_audit_table, convention_audit_table
from ...reports.tables.named import NamedTable
from ..catalog.broken_metric import find_metric
from ..metrics.interface import Metric
from ..metrics.ratio import RatioMetric
from .cell_results import CellResults
from .condition_switches import OF_WINDOWS, Difference, difference
from .conventions import FAMILIES, Reading, Sums, family_of, interval_of, ratio_sums, readings
from .places import Place, places_of
from .shared_windows import Contestant, SharedWindows, share_windows

OPTIONS = {
    "float or 8 bits": "--set-protocol round_to_uint8=true",
    "crop": "--set-protocol crop=top-left",
    "rate": "--set-protocol subsampling=2",
    "resize filter": "--set-protocol resize_filter=bicubic",
}
"""What the rows of one protocol can't tell → an option of `toklab run` that measures it."""

Values = dict[tuple[str, str, str, str], float]
"""Measured figures by label, dataset, hash of the protocol and metric."""


def audit_tables(results: Sequence[CellResults], figures: Sequence[Figure] | None = None) -> list[NamedTable]:
    """A table for each dataset and protocol, and one of what protocols and settings move, where a run has several.

    Args:
        results: cells with their windows.
        figures: of these cells, from which distances of sets and the names in a report are taken; ``None``: distances
            are computed, and tokenizers have their labels.
    """
    values: Values | None = None
    names: dict[str, str] = {}
    if figures is not None:
        names = {label: identity.short for label, identity in identify(figures).items()}
        measured = [figure for figure in figures if figure.origin == "measured"]
        values = {(f.label, f.dataset, f.protocol_hash, f.metric): f.value for f in measured}
    conditions = [row for group in _groups(results) for row in _condition_rows(group)]
    covered = {switch for row in conditions for switch in row["switch"].split(" and ")}
    tables = []
    for place in places_of([result for result in results if result.num_scored]):
        rows, notes = [], []
        for result in place.results:
            rows += _rows(place, result, values, names.get(result.label, result.label), notes)
        if rows:
            tables.append(_convention_table(place, rows, [*notes, *_not_covered(place, covered)], names))
    if conditions:
        frame = pd.DataFrame(conditions, columns=pd.Index(COLUMNS))
        caption = (
            "Convention audit: how far figures move when only conditions do, over the windows that both cells have; "
            "where rate or frames are turned, over the videos that both have whole. Value: of the tokenizer's first "
            "cell on the dataset."
        )
        tables.append(NamedTable("condition_audit", caption, condition_audit_table(frame, names), frame))
    return tables


def _convention_table(
    place: Place, rows: Sequence[dict[str, Any]], notes: Sequence[str], names: Mapping[str, str]
) -> NamedTable:
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    caption = (
        f"Convention audit: how far each figure moves when only the convention does, {place.words}. Same "
        "reconstructions; a number in brackets is a switch, explained below."
    )
    table = convention_audit_table(frame, notes, names)
    return NamedTable(f"convention_audit{place.suffix}", caption, table, frame)


def _bases(result: CellResults) -> list[Metric]:
    """The metric of each family that the cell's other conventions are compared with."""
    found: dict[str, Metric] = {}
    for name in result.cell.metrics:
        metric = find_metric(name)
        family = family_of(name)
        if name not in {one.metric for one in family}:
            continue
        of_frames = isinstance(metric, RatioMetric) and metric.needs == "pairs"
        if of_frames or metric.needs == "features":
            first = next(one.metric for one in family if one.metric in result.cell.metrics)
            found.setdefault(first, find_metric(first))
    return list(found.values())


@dataclass(frozen=True)
class _Both:
    """A figure, and what it is with a switch turned, over the windows that were measured both ways."""

    value: float
    """NaN where these windows give none."""
    other: float
    num_sources: int
    num_windows: int
    most_windows: int
    """Of the way that was measured on more."""

    @classmethod
    def of(cls, ours: Sums | None, theirs: Sums | None, *counts: int) -> _Both:
        """Of ratios of sums; ``counts`` as the fields have them."""
        return cls(ours.value if ours else math.nan, theirs.value if theirs else math.nan, *counts)


def _rows(
    place: Place, result: CellResults, values: Values | None, name: str, notes: list[str]
) -> Iterator[dict[str, Any]]:
    """Every move of a cell's figures; ``notes`` takes sentences that call it ``name``, on moves over some windows."""
    at = (place.dataset, place.protocol, place.protocol_hash, result.label)
    for metric in _bases(result):
        for reading in readings(result, metric.name):
            both = _both(result, metric, reading, values)
            is_there = math.isfinite(both.value) and math.isfinite(both.other)
            if both.num_windows < both.most_windows:
                over = f"there the figure is {both.value:,.{metric.decimals}f}" if is_there else "so no move is given"
                notes.append(
                    f"{metric.title} of {name}, {reading.switch}: {reading.words}: only {both.num_windows:,} of "
                    f"{both.most_windows:,} windows were measured both ways; {over}"
                )
            if is_there:
                yield _row(at, metric, (reading.switch, reading.words), both)


def _both(result: CellResults, metric: Metric, reading: Reading, values: Values | None) -> _Both:
    """A metric's figure and a reading of it."""
    own = Contestant.of(result, metric)
    if not reading.metric:
        return _Both.of(ratio_sums(result, metric), reading.sums, own.num_sources, len(own.windows), len(own.windows))
    turned = find_metric(reading.metric)
    other = Contestant.of(result, turned)
    shared = share_windows((own, other), (0, 1))
    counts = shared.num_sources, shared.num_windows, max(len(own.windows), len(other.windows))
    if reading.sums is not None:
        ours, theirs = (ratio_sums(result, *each) for each in zip((metric, turned), shared.windows, strict=True))
        return _Both.of(ours, theirs, *counts)
    # The distance of some of the windows is no part of that of all.
    if shared.num_windows < counts[2]:
        return _Both(math.nan, math.nan, *counts)
    return _Both(_of_set(metric.name, result, values), _of_set(turned.name, result, values), *counts)


def _of_set(metric: str, result: CellResults, values: Values | None) -> float:
    """The figure of a metric that is a distance of sets."""
    if values is not None:
        return values.get((result.label, result.dataset, result.cell.protocol_hash, metric), math.nan)
    return interval_of(result.evaluate(find_metric(metric))).value


def _row(place: tuple[str, str, str, str], metric: Metric, turn: tuple[str, str], both: _Both) -> dict[str, Any]:
    described = (metric.name, metric.title, metric.unit, metric.decimals)
    moved = (both.value, *turn, both.other, both.other - both.value, both.num_sources, both.num_windows)
    return dict(zip(COLUMNS, (*place, *described, *moved), strict=True))


def _not_covered(place: Place, covered: Collection[str]) -> Iterator[str]:
    """What these rows can't tell, with what would; ``covered`` are switches that other cells of the run have turned."""
    measured = {name for result in place.results for name in result.cell.metrics}
    for family in FAMILIES.values():
        asked = [one for one in family if one.metric in measured]
        lacking = [one for one in family if one.metric not in measured and not _reads_the_same(one.metric, measured)]
        if asked and lacking:
            named = "; ".join(f"{one.words} (-m {one.metric})" for one in lacking)
            title = find_metric(asked[0].metric).title
            yield f"{title} by other conventions needs the command of the run once more with: {named}"
    if needed := [f"{switch} ({option})" for switch, option in OPTIONS.items() if switch not in covered]:
        yield f"The rows of one protocol can't tell these, which need a run each: {', '.join(needed)}"


def _reads_the_same(name: str, measured: set[str]) -> bool:
    """Whether a metric reads what another one has measured."""
    key = find_metric(name).measurement_key
    return any(find_metric(other).measurement_key == key for other in measured if other in _IN_FAMILIES)


_IN_FAMILIES = {one.metric for family in FAMILIES.values() for one in family}


def _groups(results: Sequence[CellResults]) -> list[list[CellResults]]:
    """Cells of one tokenizer, with the same weights, on one dataset; those of several."""
    groups: dict[tuple[str, str, str], list[CellResults]] = {}
    for result in results:
        if result.num_scored:
            groups.setdefault((result.cell.tokenizer, result.cell.weights, result.cell.dataset), []).append(result)
    return [group for group in groups.values() if len(group) > 1]


def _condition_rows(group: Sequence[CellResults]) -> Iterator[dict[str, Any]]:
    first, *others = group
    place = (first.dataset, first.cell.protocol["name"], first.cell.protocol_hash, first.label)
    for other in others:
        turned = difference(first.cell, other.cell)
        if not turned.switches:
            continue
        for metric in _bases(first):
            shared = _share(first, other, metric, turned)
            pair = zip((first, other), shared.windows, strict=True)
            ours, theirs = (ratio_sums(result, metric, windows) for result, windows in pair)
            if ours and theirs:
                counts = shared.num_sources, shared.num_windows, max(map(len, shared.windows))
                both = _Both.of(ours, theirs, *counts)
                yield _row(place, metric, (turned.switch, turned.words), both)


def _share(one: CellResults, other: CellResults, metric: Metric, turned: Difference) -> SharedWindows:
    """What two cells share by a metric: windows, or whole videos where the very windows are what is turned."""
    sides = [Contestant.of(result, metric) for result in (one, other)]
    if OF_WINDOWS.isdisjoint(turned.switches):
        return share_windows(sides, (0, 1))
    return share_windows([side.of_whole_videos() for side in sides], (0, 1), by_video=True)
