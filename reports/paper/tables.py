"""The tables of a paper: the main one with chosen columns, and the report's further ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..schema import Figure
from ..tables.footnotes import Footnote
from ..tables.named import NamedTable
from ..tables.plain import NONE, PlainTable
from ..tables.table import Intervals, ResultsTable, format_interval, is_timing
from .bibliography import Bibliography
from .content import PaperCell, PaperColumn, PaperSection, PaperTable, Prose

PROSE_LENGTH = 24
"""Characters from which on cells of a plain table may break into lines."""


def main_table(
    table: ResultsTable,
    metrics: Sequence[str],
    bibliography: Bibliography,
    *,
    name: str = "main",
    intervals: Intervals = "half-width",
) -> PaperTable:
    """The table of all figures with chosen columns, without those that have no figure, and the notes still needed.

    Args:
        table: the report's.
        metrics: names of the columns' metrics, in their order; empty: all.
        bibliography: takes the systems' literature.
        name: for references.
        intervals: how they are printed.
    """
    chosen = _chosen(table, metrics)
    notes = _Notes(table.footnotes)
    sections = []
    for section in table.sections:
        rows = []
        for row in section.rows:
            cells = [
                PaperCell(row.title, marks=notes.marks(row.marks), cite=bibliography.system(row.source)),
                PaperCell(row.regularizer),
            ]
            for index in chosen:
                cell = row.cells[index]
                interval = format_interval(cell.figure, intervals) if cell.figure and cell.figure.is_available else ""
                cells.append(PaperCell(cell.text, interval, cell.rank, notes.marks(cell.marks)))
            rows.append(tuple(cells))
        sections.append(PaperSection(section.title, tuple(rows)))
    heads = [PaperColumn("System", "l"), PaperColumn("Regularizer", "l")]
    heads += [PaperColumn(table.columns[i].heading, "r", table.columns[i].group.title) for i in chosen]
    caption = _main_caption(table, chosen, intervals)
    return PaperTable(name, caption, tuple(heads), tuple(sections), notes.used(), num_stubs=2)


def _chosen(table: ResultsTable, metrics: Sequence[str]) -> list[int]:
    """Indices of the columns: those wanted, in that order, that have a figure."""
    with_figures = [
        index
        for index in range(len(table.columns))
        if any(
            (cell := row.cells[index]).figure and cell.figure.is_available
            for section in table.sections
            for row in section.rows
        )
    ]
    if not metrics:
        return with_figures
    groups = list(dict.fromkeys(column.group for column in table.columns))
    wanted = [index for index in with_figures if table.columns[index].metric in metrics]
    return sorted(wanted, key=lambda i: (groups.index(table.columns[i].group), metrics.index(table.columns[i].metric)))


def _main_caption(table: ResultsTable, chosen: Sequence[int], intervals: Intervals) -> Prose:
    sentences = [table.title.rstrip(".") + "."] if table.title else []
    cells = [row.cells[index] for section in table.sections for row in section.rows for index in chosen]
    figures = [cell.figure for cell in cells if cell.figure]
    for group in dict.fromkeys(table.columns[index].group for index in chosen):
        place = (group.dataset, group.protocol, group.protocol_hash)
        videos = max((f.num_sources for f in figures if (f.dataset, *f.protocol_key) == place), default=0)
        if group.dataset and videos:
            sentences.append(f"On {group.title}, {videos:,} video{'s' * (videos > 1)}.")
    if any(cell.rank for cell in cells):
        sentences.append("Bold: the best of its group and all that can't be told from it; underlined: the next.")
    return (" ".join([*sentences, *_of_intervals(figures, intervals)]),)


def _of_intervals(figures: Sequence[Figure], intervals: Intervals) -> list[str]:
    """What stands behind figures: intervals over videos or repetitions, or the ends of too few repetitions."""
    sentences = []
    over = {"repetitions" if is_timing(figure) else "videos" for figure in figures if figure.has_interval}
    if over and intervals != "none":
        shown = "±: half the width of" if intervals == "half-width" else "In brackets: the ends of"
        units = "videos, of speeds over repetitions" if len(over) > 1 else over.pop()
        sentences.append(f"{shown} the 95 % interval over {units}.")
    if intervals != "none" and any(format_interval(figure, intervals).startswith("(") for figure in figures):
        sentences.append("In parentheses: the smallest and the largest repetition of a speed that has no interval.")
    return sentences


class _Notes:
    """The footnotes of a table that are still needed once columns were left out; their marks stay."""

    def __init__(self, notes: Iterable[Footnote]):
        self._notes = tuple(notes)
        self._used: set[str] = set()

    def marks(self, marks: Sequence[str]) -> tuple[str, ...]:
        self._used.update(marks)
        return tuple(marks)

    def used(self) -> tuple[Footnote, ...]:
        return tuple(note for note in self._notes if note.mark in self._used)


def named_table(table: NamedTable) -> PaperTable:
    """A further table of a report."""
    return plain_table(table.name, (table.caption,), table.table)


def plain_table(name: str, caption: Prose, table: PlainTable) -> PaperTable:
    """A plain table; columns without any text are left out, and long text may break into lines."""
    texts = table.texts
    kept = [index for index in range(len(table.columns)) if any(row[index] for row in texts)]
    longest = [max((len(row[index]) for row in texts), default=0) for index in kept]
    columns = tuple(
        PaperColumn(table.columns[i], table.sides[i], is_text=table.sides[i] == "l" and length > PROSE_LENGTH)
        for i, length in zip(kept, longest, strict=True)
    )
    rows = tuple(tuple(PaperCell(row[index]) for index in kept) for row in texts)
    notes = tuple(Footnote("", note) for note in table.notes)
    return PaperTable(name, caption, columns, (PaperSection("", rows),), notes)


def without_constant_columns(table: PaperTable) -> PaperTable:
    """The table without columns of text that say the same in every row; its caption says it.

    Columns at its left stay, and so do all of a table of fewer than three rows.
    """
    rows = [row for section in table.sections for row in section.rows]
    constant = {
        index: rows[0][index].text
        for index, column in enumerate(table.columns)
        if len(rows) > 2 and index >= table.num_stubs and column.side == "l" and len({row[index] for row in rows}) == 1
    }
    if not constant:
        return table
    said = "; ".join(f"{table.columns[index].heading} {text}" for index, text in constant.items())
    kept = [index for index in range(len(table.columns)) if index not in constant]
    return replace(_with_columns(table, kept), caption=(*table.caption, f" In every row: {said}."))


def without_empty_columns(table: PaperTable) -> PaperTable:
    """The table without columns that hold nothing, those on its left apart."""
    rows = [row for section in table.sections for row in section.rows]
    kept = [
        index
        for index in range(len(table.columns))
        if index < table.num_stubs or any(row[index].text not in ("", NONE) for row in rows)
    ]
    return _with_columns(table, kept)


def _with_columns(table: PaperTable, kept: Sequence[int]) -> PaperTable:
    sections = (
        replace(section, rows=tuple(tuple(row[index] for index in kept) for row in section.rows))
        for section in table.sections
    )
    return replace(table, columns=tuple(table.columns[index] for index in kept), sections=tuple(sections))
