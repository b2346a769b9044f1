"""Tables for the terminal, through rich."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from ..schema import Figure
from ..tables.columns import Column
from ..tables.table import Cell, ResultsTable, build_table

MINIMUM_TITLE_WIDTH, MAXIMUM_TITLE_WIDTH = 22, 34
"""Columns of the terminal that the row titles get: as many as don't split the table further; they wrap at blanks."""

GAP = 2
"""Columns of the terminal between two columns of the table, the box's blank divider included."""

WIDE = 140
"""Columns of the terminal from which a table may be split once more to hold its intervals."""

PROSE_WIDTH = 120
"""Columns of the terminal that sentences take at most: longer lines are hard to read."""

_STYLES = {"best": "bold", "second": "underline", "": ""}


def terminal_table(
    figures: Sequence[Figure], width: int, *, title: str = "", across_protocols: bool = False
) -> RenderableType:
    """What rich prints for figures in a terminal ``width`` columns wide.

    Columns without any figure are left out, and named below. Intervals stand behind the figures where the table needs
    no further part for them, or one in a terminal of at least :data:`WIDE` columns.
    """
    plain = build_table(figures, title=title, across_protocols=across_protocols, without_empty=True)
    ends = build_table(figures, title=title, across_protocols=across_protocols, intervals="ends", without_empty=True)
    has_any = any(cell.interval for section in ends.sections for row in section.rows for cell in row.cells)
    further = len(_parts(ends, width)[1]) - len(_parts(plain, width)[1])
    return render_table(ends if has_any and further <= (width >= WIDE) else plain, width)


def render_table(table: ResultsTable, width: int) -> RenderableType:
    """What rich prints for a table in a terminal ``width`` columns wide.

    Where the columns don't fit, the table is split into several that repeat the first two columns, at the edge of a
    dataset if possible; figures never wrap.
    """
    parts: list[RenderableType] = [Text(f"{table.title}", style="bold")] if table.title else []
    title_width, split = _parts(table, width)
    parts += [_rich_table(table, chosen, title_width) for chosen in split]
    parts += [Text(line) for line in table.not_measured]
    if table.caption:
        parts.append(Text(table.caption))
    parts += [Text(f"{note.mark} {note.text}", style="dim") for note in table.footnotes]
    return Group(*(part if isinstance(part, Table) else Constrain(part, min(width, PROSE_WIDTH)) for part in parts))


def _parts(table: ResultsTable, width: int) -> tuple[int, list[list[int]]]:
    """Width of the row titles, and the columns of each partial table."""
    rows = [row for section in table.sections for row in section.rows]
    titles = [section.title for section in table.sections] + [f"{row.title} {','.join(row.marks)}" for row in rows]
    longest = min(MAXIMUM_TITLE_WIDTH, max((cell_len(title) for title in titles), default=0))
    regularizer_width = max(cell_len(text) for text in ("Regularizer", *(row.regularizer for row in rows)))
    left = width - regularizer_width - 2 * GAP - 2
    candidates = range(longest, min(longest, MINIMUM_TITLE_WIDTH) - 1, -1)
    title_width = min(candidates, key=lambda title: len(_split(table, left - title)))
    return title_width, _split(table, left - title_width)


def _split(table: ResultsTable, left: int) -> list[list[int]]:
    """Indices of the columns of each partial table, ``left`` terminal columns wide at most."""
    widths = [_column_width(table, index) + GAP for index in range(len(table.columns))]
    parts: list[list[int]] = [[]]
    for index, column in enumerate(table.columns):
        free = left - sum(widths[i] for i in parts[-1])
        group = sum(w for w, other in zip(widths, table.columns, strict=True) if other.group == column.group)
        before = table.columns[index - 1].group
        after_dataset = index and before.dataset and before != column.group
        if parts[-1] and (widths[index] > free or (after_dataset and free < group <= left)):
            parts.append([])
        parts[-1].append(index)
    return parts


def _column_width(table: ResultsTable, index: int) -> int:
    texts = _heading_lines(table.columns[index])
    texts += [_plain(row.cells[index]) for section in table.sections for row in section.rows]
    return max(cell_len(text) for text in texts)


def _heading_lines(column: Column) -> list[str]:
    return [column.group.title, column.heading_without_unit, column.unit]


def _rich_table(table: ResultsTable, chosen: Sequence[int], title_width: int) -> Table:
    printed = Table(box=box.SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0), pad_edge=False)
    printed.add_column("System", min_width=title_width, max_width=title_width, vertical="bottom")
    printed.add_column("Regularizer", no_wrap=True)
    for index in chosen:
        printed.add_column(Text("\n".join(_heading_lines(table.columns[index]))), justify="right", no_wrap=True)
    for section in table.sections:
        printed.add_section()
        printed.add_row(Text(section.title, style="italic"))
        for row in section.rows:
            title = f"{row.title} {','.join(row.marks)}".rstrip()
            printed.add_row(Text(title), Text(row.regularizer), *(_styled(row.cells[index]) for index in chosen))
    return printed


def _styled(cell: Cell) -> Text:
    text = Text(cell.text, style=_STYLES[cell.rank])
    return Text.assemble(text, (_plain(cell).removeprefix(cell.text), ""))


def _plain(cell: Cell) -> str:
    interval = f" {cell.interval}" if cell.interval else ""
    marks = f" {','.join(cell.marks)}" if cell.marks else ""
    return f"{cell.text}{interval}{marks}"
