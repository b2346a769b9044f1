"""Tables as Markdown (GitHub's kind: pipes, with HTML for what Markdown can't say)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from .table import Cell, ResultsTable, Row

_ESCAPED = str.maketrans({char: f"\\{char}" for char in "\\|*_`<>[]"})


def escape_markdown(text: str) -> str:
    """Make text stand for itself in a table cell or paragraph."""
    return " ".join(text.split()).translate(_ESCAPED)


def render_markdown(table: ResultsTable) -> str:
    """The table with title, caption and footnotes.

    Every column heading names its dataset where there is one, because Markdown has no spanning heads.
    """
    headings = ["System", "Regularizer"] + [
        f"{escape_markdown(column.group.title)}<br>{escape_markdown(column.heading)}".removeprefix("<br>")
        for column in table.columns
    ]
    body: list[list[str]] = []
    for section in table.sections:
        body.append([f"*{escape_markdown(section.title)}*"] + [""] * (len(headings) - 1))
        body += [_row(row) for row in section.rows]
    parts = [f"**{escape_markdown(table.title)}**"] if table.title else []
    parts.append(pipe_table(headings, body, "ll" + "r" * len(table.columns)))
    parts += [escape_markdown(table.caption)] if table.caption else []
    parts += ["<br>\n".join(f"<sup>{note.mark}</sup> {escape_markdown(note.text)}" for note in table.footnotes)]
    return "\n\n".join(filter(None, parts)) + "\n"


def frame_to_markdown(frame: pd.DataFrame) -> str:
    """A plain data frame as a pipe table; numbers to the right."""
    numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    body = [["" if pd.isna(value) else escape_markdown(str(value)) for value in row] for row in frame.to_numpy()]
    headings = [escape_markdown(str(name).replace("_", " ")) for name in frame.columns]
    return pipe_table(headings, body, "".join("r" if number else "l" for number in numeric))


def pipe_table(headings: Sequence[str], body: Iterable[Sequence[str]], alignment: str) -> str:
    """Rows of escaped cells as a pipe table; ``alignment`` has one of ``l`` and ``r`` for each column."""
    rule = [{"l": ":--", "r": "--:"}[side] for side in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *body))


def _row(row: Row) -> list[str]:
    title = escape_markdown(row.title) + _marks(row.marks)
    return [title, escape_markdown(row.regularizer), *(_cell(cell) for cell in row.cells)]


def _cell(cell: Cell) -> str:
    text = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>", "": cell.text}[cell.rank]
    interval = f" {escape_markdown(cell.interval)}" if cell.interval else ""
    return text + interval + _marks(cell.marks)


def _marks(marks: Sequence[str]) -> str:
    return f"<sup>{','.join(marks)}</sup>" if marks else ""
