"""Plain tables: text under headings, for the terminal, as Markdown or as CSV.

Tables of figures, with ranks and footnotes, are :mod:`.table`'s.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ..text import one_line, printable, spreadsheet_cell

if TYPE_CHECKING:
    # The command line reads the formats from here, and must not wait for pandas.
    import pandas as pd

WIDEST_LINE = 1000
"""Terminal columns a table may take: text is there to be copied, and a cut figure is worse than a wrapped line."""

NONE = "–"
"""Printed where there is nothing."""

GAP = 2
"""Terminal columns between two columns of a table without a box."""
NARROWEST_COLUMN = 20
"""Terminal columns that a column of broken lines has at least."""

_ESCAPED = str.maketrans({char: f"\\{char}" for char in "\\|*_`<>[]#&~$"})
_LIST_ITEM = re.compile(r"^(\d*)([-+=.)])(?=\s|$)")
"""What begins a list or underlines a heading, at the start of a paragraph."""
_RULES = {"l": ":--", "r": "--:"}
_LITERAL_RULES = {"l": "---", "r": "---:"}


class TableFormat(StrEnum):
    """How a plain table is printed."""

    terminal = "terminal"
    markdown = "markdown"
    csv = "csv"


@dataclass(frozen=True)
class PlainTable:
    """Headings, rows and what is printed below them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    """One cell for each column; ``None`` is printed as nothing."""
    alignment: str = ""
    """``l`` or ``r`` for each column; columns beyond its end are aligned left."""
    notes: Sequence[str] = ()
    """Lines below the table on the terminal and in Markdown; CSV has none."""

    @property
    def sides(self) -> str:
        """``l`` or ``r`` for every column."""
        return self.alignment.ljust(len(self.columns), "l")

    @property
    def texts(self) -> list[list[str]]:
        """The cells as text, each in one line without anything unprintable."""
        return [["" if cell is None else one_line(str(cell)) for cell in row] for row in self.rows]


def to_terminal(table: PlainTable, *, ruled: bool = False, width: int | None = None) -> str:
    """The table as aligned text, as wide as it needs to be.

    Args:
        table: the table.
        ruled: whether a line stands below the headings.
        width: columns of the terminal to keep to, by breaking lines of the table's last column; no other text is
            broken.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    padding = (0, GAP - 1, 0, 0) if ruled else (0, GAP - 1)
    grid = Table(box=box.SIMPLE_HEAD if ruled else None, padding=padding, pad_edge=False)
    texts = table.texts
    for index, (heading, side) in enumerate(zip(table.columns, table.sides, strict=True)):
        grid.add_column(Text(heading), justify="right" if side == "r" else "left", no_wrap=True)
        if width is not None and index == len(table.columns) - 1:
            others = [[heading, *(row[i] for row in texts)] for i, heading in enumerate(table.columns[:-1])]
            taken = sum(max(map(cell_len, column)) + GAP for column in others)
            grid.columns[-1].max_width = max(NARROWEST_COLUMN, width - taken)
            grid.columns[-1].no_wrap = False
    for row in texts:
        grid.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=WIDEST_LINE, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(grid)
    return "\n".join([*(line.rstrip() for line in capture.get().splitlines()), *map(printable, table.notes)])


def to_markdown(table: PlainTable, *, literal: bool = False) -> str:
    """The table with pipes, notes as paragraphs; ``literal`` leaves text as it is, so that names can be copied."""
    if literal:
        return "\n\n".join(
            [_pipes(table.columns, table.texts, table.sides, _LITERAL_RULES), *map(printable, table.notes)]
        )
    headings = [escape_markdown(heading) for heading in table.columns]
    body = [[escape_markdown(text) for text in row] for row in table.texts]
    return "\n\n".join([pipe_table(headings, body, table.sides), *map(escape_markdown, table.notes)])


def to_csv(table: PlainTable) -> str:
    """The table as CSV without its notes."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_cell, table.columns))
    writer.writerows([_cell(cell) for cell in row] for row in table.rows)
    return file.getvalue().removesuffix("\n")


def frame_to_csv(frame: pd.DataFrame) -> str:
    """A data frame as CSV without its index; text is safe to open in a spreadsheet."""
    safe = frame.map(_cell) if len(frame) else frame
    return safe.rename(columns=_cell).to_csv(index=False, lineterminator="\n")


def _cell(value: object) -> object:
    return spreadsheet_cell(value) if isinstance(value, str) else value


def escape_markdown(text: str) -> str:
    """Make text stand for itself in a table cell or paragraph."""
    escaped = one_line(" ".join(text.split())).translate(_ESCAPED)
    return _LIST_ITEM.sub(r"\1\\\2", escaped)


def pipe_table(headings: Sequence[str], body: Iterable[Sequence[str]], alignment: str) -> str:
    """Rows of cells in Markdown as a table; ``alignment`` has one of ``l`` and ``r`` for each column."""
    return _pipes(headings, body, alignment, _RULES)


def _pipes(headings: Sequence[str], body: Iterable[Sequence[str]], alignment: str, rules: Mapping[str, str]) -> str:
    rule = [rules[side] for side in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *body))
