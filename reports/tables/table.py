"""The printed table in the shape of Table 1 of the VidTok paper, before it is rendered.

Rows are grouped (discrete, continuous by channels); :mod:`.columns` says which figures share a column.

Figures come with their ranks, which are within a group and column. They are printed where a figure is of the column's
own protocol and metric.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..schema import MIN_VIDEOS, Figure, Rank, group_order, group_title, round_outwards
from ..text import one_line
from .columns import Column, ColumnGroup, arrange_columns
from .footnotes import Footnote, Footnotes
from .not_measured import leave_out_empty
from .plain import NONE
from .rows import ArrangedRow, arrange_rows, row_titles

Intervals = Literal["none", "half-width", "ends"]
"""How intervals are printed: not at all, as ``27.31 ±0.52`` (half the interval's width), or as ``[26.8, 27.9]``."""


@dataclass(frozen=True)
class Cell:
    """One printed figure."""

    text: str
    """The figure; ``n/a`` where it is unavailable, ``–`` where there is none."""
    interval: str = ""
    """Printed behind the figure."""
    rank: Rank = ""
    marks: tuple[str, ...] = ()
    """Marks of its footnotes."""
    figure: Figure | None = None
    """Where the text is from."""


@dataclass(frozen=True)
class Row:
    """One tokenizer under one setting."""

    title: str
    """System, with what distinguishes this row from others: weights, settings, protocol."""
    regularizer: str
    marks: tuple[str, ...]
    source: Figure
    """One of its figures, for the facts all of them share."""
    cells: tuple[Cell, ...]
    """One for each column."""


@dataclass(frozen=True)
class Section:
    """Rows that are ranked together."""

    title: str
    rows: tuple[Row, ...]


REPETITIONS = "repetitions"
"""What timings count: one with fewer of them than another lacks nothing. The caption says how many there are."""


@dataclass(frozen=True)
class ResultsTable:
    """A table ready to be rendered."""

    title: str
    caption: str
    """How many frames or windows the figures rest on, and what the marks mean."""
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    footnotes: tuple[Footnote, ...]
    not_measured: tuple[str, ...] = ()
    """Lines on the columns that were left out: what is missing, why, and what to do about it."""


def build_table(
    figures: Sequence[Figure],
    *,
    title: str = "",
    across_protocols: bool = False,
    intervals: Intervals = "none",
    without_empty: bool = False,
) -> ResultsTable:
    """Arrange figures for print.

    Args:
        figures: measured ones, published ones, or both; :func:`~..schema.check_figures` says what they must fulfil.
        title: printed above the table.
        across_protocols: put figures measured under other protocols into one column, marked.
        intervals: how the 95 % intervals are printed.
        without_empty: leave out columns without any figure, and say so below the table.
    """
    columns, places = arrange_columns(figures, across_protocols)
    drafts = arrange_rows(figures, places)
    not_measured: tuple[str, ...] = ()
    if without_empty:
        columns, drafts, not_measured = leave_out_empty(columns, drafts)
    notes = Footnotes()
    counts = _counts(drafts, columns)
    sections = []
    for group, members in itertools.groupby(
        sorted(drafts, key=lambda draft: (group_order(draft.source.group), draft.source.origin == "measured")),
        key=lambda draft: draft.source.group,
    ):
        rows = list(members)
        titles = row_titles(rows)
        printed = [
            Row(
                title=row_title,
                regularizer=row.source.regularizer,
                marks=_row_marks(row.source, notes),
                source=row.source,
                cells=tuple(
                    _cell(row.figures.get(i), column, counts[i], intervals, notes) for i, column in enumerate(columns)
                ),
            )
            for row, row_title in zip(rows, titles, strict=True)
        ]
        sections.append(Section(group_title(group), tuple(printed)))
    caption = _caption(columns, counts, sections, intervals)
    return ResultsTable(one_line(title), caption, columns, tuple(sections), notes.listed(), not_measured)


def _row_marks(source: Figure, notes: Footnotes) -> tuple[str, ...]:
    marks = []
    if source.origin == "published":
        marks.append(notes.provenance(f"published, not measured here: {source.citation}"))
    elif source.weights.startswith("random"):
        marks.append(
            notes.remark(f"weights: {source.weights}; the model is not trained and its figures test the harness only")
        )
    return tuple(marks)


def _cell(
    figure: Figure | None, column: Column, counts: dict[str, int], intervals: Intervals, notes: Footnotes
) -> Cell:
    if figure is None:
        return Cell(NONE)
    marks = []
    if not column.is_home(figure) and figure.protocol_key != (column.group.protocol, column.group.protocol_hash):
        named = f"{figure.protocol} ({figure.protocol_hash or 'no hash'})" if figure.protocol else "not stated"
        marks.append(notes.provenance(f"not comparable with the column's other figures: protocol {named}"))
    if figure.metric != column.metric:
        marks.append(notes.provenance(f"{column.title} as published: {figure.note or figure.metric}"))
    elif figure.is_available and figure.note:
        marks.append(notes.remark(f"{column.title}: {figure.note}"))
    if not figure.is_available:
        reason = figure.note or "could not be computed"
        hint = f"; to measure it: {figure.hint}" if figure.hint else ""
        marks.append(notes.remark(f"unavailable: {reason}{hint}"))
        return Cell("n/a", marks=tuple(marks), figure=figure)
    full = counts.get(figure.counted, 0)
    if figure.origin == "measured" and figure.count < full:
        marks.append(notes.remark(f"rests on {figure.count:,} of {full:,} {figure.counted}"))
    if intervals != "none" and figure.interval_note:
        marks.append(notes.remark(f"{column.title}: {figure.interval_note}"))
    rank = figure.rank if column.is_home(figure) else ""
    if column.is_home(figure) and figure.family and not figure.rank_low:
        marks.append(notes.remark(f"{column.title}: {figure.family}"))
    return Cell(format_value(figure), format_interval(figure, intervals), rank, tuple(dict.fromkeys(marks)), figure)


def is_timing(figure: Figure) -> bool:
    """Whether it is the median of repetitions, whose interval is over them and not over videos."""
    return figure.counted == REPETITIONS


def format_value(figure: Figure) -> str:
    """The figure's digits as printed, thousands apart by commas."""
    return f"{figure.value:,.{figure.decimals}f}"


def format_interval(figure: Figure, intervals: Intervals) -> str:
    """The figure's interval as printed, rounded outwards; empty where there is none, a point, or none wanted.

    Of a timing without one, its smallest and its largest repetition: ``(11.2 to 12.3)``.
    """
    if intervals != "none" and not figure.has_interval and math.isfinite(figure.lowest):
        return f"({figure.lowest:,.{figure.decimals}f} to {figure.highest:,.{figure.decimals}f})"
    if intervals == "none" or not figure.has_interval or figure.low == figure.high:
        return ""
    if intervals == "half-width":
        return f"±{round_outwards((figure.high - figure.low) / 2, figure.decimals, up=True):,.{figure.decimals}f}"
    low, high = round_outwards(figure.low, figure.decimals), round_outwards(figure.high, figure.decimals, up=True)
    return f"[{low:,.{figure.decimals}f}, {high:,.{figure.decimals}f}]"


def _counts(drafts: Iterable[ArrangedRow], columns: tuple[Column, ...]) -> list[dict[str, int]]:
    """For each column the largest number of each kind that a measured figure rests on."""
    counts: list[dict[str, int]] = [{} for _ in columns]
    for draft in drafts:
        for index, figure in draft.figures.items():
            if is_timing(figure) or not columns[index].is_home(figure):
                continue
            if figure.origin == "measured" and figure.is_available and figure.count:
                counts[index][figure.counted] = max(figure.count, counts[index].get(figure.counted, 0))
    return counts


def _caption(
    columns: tuple[Column, ...], counts: list[dict[str, int]], sections: Sequence[Section], intervals: Intervals
) -> str:
    sentences = []
    for group in dict.fromkeys(column.group for column in columns):
        rests: dict[str, list[str]] = {}
        for column, counted in zip(columns, counts, strict=True):
            for kind, count in counted.items():
                if column.group == group:
                    rests.setdefault(f"{count:,} {kind}", []).append(column.title)
        if rests and group.dataset:
            listed = "; ".join(f"{number} ({', '.join(titles)})" for number, titles in rests.items())
            place = f"{group.dataset}, protocol {group.protocol} ({group.protocol_hash})"
            sentences.append(f"{place}: N = {_videos(group, columns, sections)}{listed}.")
    speeds = _speeds(sections)
    sentences += speeds
    families = _families(columns, sections)
    if families:
        sentences.append(
            "Bold: the best of its group and all that can't be told from it; underlined: the next, where it is told "
            f"from all of those. Judged by paired differences between videos{_ratios(sections)}, at 5 % for each "
            "column of a group. "
            f"Ranked: {'; '.join(families)}."
        )
    if intervals != "none":
        shown = "half the width of" if intervals == "half-width" else "the ends of"
        of_speeds = ", and of a speed the repetitions alone" if speeds else ""
        covers = f"which covers the choice of videos alone{of_speeds}"
        sentences.append(f"Behind a figure: {shown} its 95 % interval, {covers}.")
    return " ".join(sentences)


def _ratios(sections: Sequence[Section]) -> str:
    """What speeds are judged by, where any is ranked."""
    cells = [cell for section in sections for row in section.rows for cell in row.cells]
    is_ranked = any(cell.rank and cell.figure and is_timing(cell.figure) for cell in cells)
    return ", and of speeds by paired ratios of repetitions in turn" if is_ranked else ""


def _speeds(sections: Sequence[Section]) -> list[str]:
    """How many repetitions the timings of a table rest on, and how far neighbouring ones are correlated."""
    timed = [
        cell.figure
        for section in sections
        for row in section.rows
        for cell in row.cells
        if cell.figure and is_timing(cell.figure) and cell.figure.is_available
    ]
    if not timed:
        return []
    fewest, most = min(figure.count for figure in timed), max(figure.count for figure in timed)
    number = f"{fewest:,} to {most:,}" if fewest < most else f"{most:,}"
    sentence = f"Speeds: median of {number} repetition{'s' * (most > 1)}"
    correlations = [figure.correlation for figure in timed if math.isfinite(figure.correlation)]
    if correlations:
        ends = dict.fromkeys(f"{end:.2f}".replace("-", "−") for end in (min(correlations), max(correlations)))
        sentence += f"; correlation of neighbouring ones, from 10 on: {' to '.join(ends)}"
    return [f"{sentence}."]


def _videos(group: ColumnGroup, columns: tuple[Column, ...], sections: Sequence[Section]) -> str:
    """How many videos the intervals of a dataset rest on, in front of what is counted in them."""
    found = {
        cell.figure.num_sources
        for section in sections
        for row in section.rows
        for column, cell in zip(columns, row.cells, strict=True)
        if column.group == group and cell.figure and cell.figure.num_sources and column.is_home(cell.figure)
    }
    if not found:
        return ""
    most = max(found)
    span = f"{min(found):,} to {most:,}" if len(found) > 1 else f"{most:,}"
    too_few = ", too few for intervals and ranks" if most < MIN_VIDEOS else ""
    return f"{span} video{'s' * (most > 1)}{too_few}: "


def _families(columns: tuple[Column, ...], sections: Sequence[Section]) -> list[str]:
    """What ranks rest on, group by group, with the columns that agree in it."""
    several = len({column.group for column in columns if column.group.dataset}) > 1
    found = []
    for section in sections:
        titles: dict[str, list[str]] = {}
        for place, column in enumerate(columns):
            cells = [row.cells[place] for row in section.rows]
            family = next((c.figure.family for c in cells if c.figure and c.figure.rank_low and c.rank), "")
            if family:
                title = f"{column.group.title} {column.title}" if several else column.title
                titles.setdefault(family, []).append(title)
        found += [f"{section.title}: {family} ({', '.join(named)})" for family, named in titles.items()]
    return found
