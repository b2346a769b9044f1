"""Markdown (GitHub's kind: pipes, with HTML for what Markdown can't say)."""

from __future__ import annotations

from collections.abc import Sequence

from ..charts.radar import CAPTION
from ..tables.plain import PlainTable, escape_markdown, pipe_table, to_markdown
from ..tables.table import Cell, ResultsTable, Row
from .interface import Report


def report_files(report: Report) -> dict[str, str]:
    """``table.md``, and ``report.md`` with the table in it and the charts beside it."""
    return {"table.md": render_table(report.table), "report.md": render_report(report)}


def render_report(report: Report) -> str:
    """The report as one document."""
    parts = [f"# {escape_markdown(report.title)}", "## Results", render_table(report.table).rstrip()]
    if report.radar:
        parts += [f"![Radar charts](radar.png)\n\n{CAPTION}"]
    else:
        parts += [escape_markdown(f"No radar charts: {report.radar_missing}.")]
    for chart in report.charts:
        parts.append(f"![{escape_markdown(chart.caption)}]({chart.name}.png)\n\n{escape_markdown(chart.caption)}")
        if chart.table is not None:
            parts.append(to_markdown(chart.table))
    for table in report.tables:
        parts += [escape_markdown(table.caption), to_markdown(table.table)]
    parts += ["## Methods", escape_markdown(" ".join(report.methods))]
    if report.provenance:
        parts.append(to_markdown(PlainTable(("what", "value"), report.provenance)))
    if report.accounting.rows:
        parts += ["## Accounting", to_markdown(report.accounting)]
    parts += ["## Failures", to_markdown(report.failures) if report.failures.rows else "None."]
    return "\n\n".join(parts) + "\n"


def render_table(table: ResultsTable) -> str:
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


def _row(row: Row) -> list[str]:
    title = escape_markdown(row.title) + _marks(row.marks)
    return [title, escape_markdown(row.regularizer), *(_cell(cell) for cell in row.cells)]


def _cell(cell: Cell) -> str:
    text = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>", "": cell.text}[cell.rank]
    interval = f" {escape_markdown(cell.interval)}" if cell.interval else ""
    return text + interval + _marks(cell.marks)


def _marks(marks: Sequence[str]) -> str:
    return f"<sup>{','.join(marks)}</sup>" if marks else ""
