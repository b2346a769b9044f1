"""How a table fits a page: its columns' widths, which of them break into lines, and into which parts it is split.

Widths are estimated from those of Times' letters. Type is never shrunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...paper.content import PaperCell, PaperColumn, PaperSection, PaperTable
from ...paper.venues import Venue

WIDTHS = (
    250, 333, 408, 500, 500, 833, 778, 333, 333, 333, 500, 564, 250, 333, 250, 278, 500, 500, 500, 500, 500, 500, 500,
    500, 500, 500, 278, 278, 564, 564, 564, 444, 921, 722, 667, 667, 722, 611, 556, 722, 722, 333, 389, 722, 611, 889,
    722, 722, 556, 722, 667, 556, 611, 722, 722, 944, 722, 722, 611, 333, 278, 333, 469, 500, 333, 444, 500, 444, 500,
    444, 333, 500, 500, 278, 278, 500, 278, 778, 500, 500, 500, 500, 333, 389, 278, 500, 500, 722, 500, 500, 444, 480,
    200, 480, 541,
)  # fmt: skip
"""Widths of ASCII's letters from the blank on, in thousandths of the type's size: Adobe's metrics of Times-Roman."""

OTHER_WIDTH = 800
"""Of a letter outside ASCII; those that are spelled by their numbers are wider, and counted so."""
SPELLED_WIDTH = 4000
SAFETY = 1.04
"""What estimates are multiplied with."""

GAP = 7.0
"""Between two columns, in points: twice ``\\tabcolsep``."""
INTERVAL_GAP = 2.0
"""Between a figure and its interval."""
NARROWEST = 64.0
"""Points that a column which breaks into lines takes at least."""
WIDEST_STUB = 0.34
"""Share of the width that a column at the left takes at most where it must break into lines."""

TABLE_SIZES = {10: (8.0, 7.0), 11: (9.0, 8.0)}
"""Size of a document's text → sizes of tables and of the intervals in them: LaTeX's footnotesize and scriptsize."""


def text_width(text: str, size: float) -> float:
    """The width of a line of text in points."""
    thousandths = 0
    for char in text:
        if " " <= char <= "~":
            thousandths += WIDTHS[ord(char) - 32]
        else:
            thousandths += OTHER_WIDTH if ord(char) < 0x2E80 else SPELLED_WIDTH
    return SAFETY * thousandths * size / 1000


@dataclass(frozen=True)
class FittedColumn:
    """A column with the room that it takes."""

    head: PaperColumn
    width: float
    """In points, without gaps."""
    interval_width: float
    """Of the intervals behind its figures; 0 where there are none."""
    wraps: bool = False
    """Whether its cells break into lines of its width."""

    @property
    def room(self) -> float:
        """With its gap and intervals."""
        return self.width + GAP + (self.interval_width + INTERVAL_GAP if self.interval_width else 0)


@dataclass(frozen=True)
class FittedTable:
    """A table, or a part of one, that fits."""

    table: PaperTable
    columns: tuple[FittedColumn, ...]
    size: float
    """Of its type, in points."""
    is_wide: bool
    """Whether it takes the text's width rather than a column's."""

    @property
    def width(self) -> float:
        """In points, without the gaps at its ends."""
        return sum(column.room for column in self.columns) - GAP


def fit_table(table: PaperTable, venue: Venue) -> list[FittedTable]:
    """The table in as many parts as it takes, one beside the other, each with the columns at its left."""
    sizes = TABLE_SIZES[venue.font_size]
    columns = [_natural(table, index, sizes) for index in range(len(table.columns))]
    if venue.num_columns > 1 and _total(columns) <= venue.column_width:
        return [FittedTable(table, tuple(columns), sizes[0], is_wide=False)]
    fitted = _fit(columns, venue.text_width)
    if fitted is not None:
        return [FittedTable(table, tuple(fitted), sizes[0], is_wide=True)]
    widest = WIDEST_STUB * venue.text_width
    stubs = [_wrapped(column, widest) if column.width > widest else column for column in columns[: table.num_stubs]]
    room = venue.text_width - sum(column.room for column in stubs)
    others = [_wrapped(c, room - GAP) if c.room > room else c for c in columns[table.num_stubs :]]
    return [
        FittedTable(
            _part(table, chosen), (*stubs, *(others[i - table.num_stubs] for i in chosen)), sizes[0], is_wide=True
        )
        for chosen in _balanced([column.room for column in others], room, table.num_stubs)
    ]


def num_lines(fitted: FittedTable, row: Sequence[PaperCell]) -> int:
    """Lines that a row takes."""
    lines = [
        -(-text_width(cell.text, fitted.size) // (0.9 * column.width))
        for cell, column in zip(row, fitted.columns, strict=True)
        if column.wraps
    ]
    return int(max([1, *lines]))


def split_rows(fitted: FittedTable, most_lines: int) -> Iterator[FittedTable]:
    """The table in parts of at most so many lines, one below the other."""
    sections: list[PaperSection] = []
    used = 0
    for section in fitted.table.sections:
        rows: list[tuple[PaperCell, ...]] = []
        used += 1
        for row in section.rows:
            lines = num_lines(fitted, row)
            if used + lines > most_lines and (rows or sections):
                yield _with_sections(fitted, [*sections, replace(section, rows=tuple(rows))] if rows else sections)
                sections, rows, used = [], [], 1
            rows.append(row)
            used += lines
        sections.append(replace(section, rows=tuple(rows)))
    yield _with_sections(fitted, sections)


def _with_sections(fitted: FittedTable, sections: Sequence[PaperSection]) -> FittedTable:
    return replace(fitted, table=replace(fitted.table, sections=tuple(sections)))


def heading_lines(column: PaperColumn, width: float, size: float) -> list[str]:
    """A heading in as many lines as keep it about as narrow as its column; its arrow stays with the last word."""
    words = column.heading.replace(" ↑", "\u00a0↑").replace(" ↓", "\u00a0↓").split(" ")
    limit = max([width, *(text_width(word, size) for word in words)])
    lines = [words[0]]
    for word in words[1:]:
        together = f"{lines[-1]} {word}"
        if text_width(together, size) <= limit:
            lines[-1] = together
        else:
            lines.append(word)
    return [line.replace("\u00a0", " ") for line in lines]


def _natural(table: PaperTable, index: int, sizes: tuple[float, float]) -> FittedColumn:
    size, small = sizes
    cells = [row[index] for section in table.sections for row in section.rows]
    figures = max((_cell_width(cell, size) for cell in cells), default=0.0)
    marks = max((text_width(",".join(cell.marks), 0.75 * size) for cell in cells), default=0.0)
    interval = max((text_width(cell.interval, small) for cell in cells), default=0.0)
    head = table.columns[index]
    own = figures + (0 if interval else marks)
    widest_line = max(text_width(line, size) for line in heading_lines(head, own + interval, size))
    interval += marks if interval else 0
    width = max(own, widest_line - (interval + INTERVAL_GAP if interval else 0))
    return FittedColumn(head, width, interval)


def _cell_width(cell: PaperCell, size: float) -> float:
    cited = f" [{', '.join('00' for _ in cell.cite.keys)}]" if cell.cite else ""
    bold = 1.06 if cell.rank == "best" else 1
    return bold * text_width(cell.text, size) + text_width(cited, size)


def _total(columns: Sequence[FittedColumn]) -> float:
    return sum(column.room for column in columns) - GAP


def _fit(columns: Sequence[FittedColumn], limit: float) -> list[FittedColumn] | None:
    """The columns within a width, those of text broken into lines where it takes that; ``None`` where it can't be."""
    missing = _total(columns) - limit
    if missing <= 0:
        return list(columns)
    wrapping = [index for index, c in enumerate(columns) if c.head.side == "l" and c.width > NARROWEST]
    spare = {index: columns[index].width - NARROWEST for index in wrapping}
    if not wrapping or sum(spare.values()) < missing:
        return None
    # Each gives in proportion to what it can.
    share = missing / sum(spare.values())
    return [
        _wrapped(column, column.width - share * spare[index]) if index in spare else column
        for index, column in enumerate(columns)
    ]


def _wrapped(column: FittedColumn, width: float) -> FittedColumn:
    # An interval then stands in the same cell.
    return replace(column, width=width, interval_width=0.0, wraps=True)


def _part(table: PaperTable, chosen: Sequence[int]) -> PaperTable:
    kept = [*range(table.num_stubs), *chosen]
    sections = tuple(
        replace(section, rows=tuple(tuple(row[i] for i in kept) for row in section.rows)) for section in table.sections
    )
    return replace(table, columns=tuple(table.columns[i] for i in kept), sections=sections)


def _balanced(rooms: Sequence[float], limit: float, first: int) -> list[list[int]]:
    """Columns, numbered from ``first``, in as few parts as the limit allows, about equally wide."""

    def fill(most: float) -> list[list[int]]:
        parts: list[list[int]] = [[]]
        used = 0.0
        for index, room in enumerate(rooms, first):
            if parts[-1] and used + room > most:
                parts.append([])
                used = 0.0
            parts[-1].append(index)
            used += room
        return parts

    fewest = len(fill(limit))
    return next(parts for step in range(1, 21) if len(parts := fill(limit * step / 20)) <= fewest)
