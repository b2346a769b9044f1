"""Tables in LaTeX with booktabs: at a column's or the text's width, split rather than shrunk."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from ...paper.content import PaperCell, PaperTable
from ...paper.venues import Venue
from ...tables.footnotes import Footnote
from .fitting import (
    GAP,
    INTERVAL_GAP,
    TABLE_SIZES,
    FittedColumn,
    FittedTable,
    fit_table,
    heading_lines,
    num_lines,
    split_rows,
    text_width,
)
from .text import breakable_latex, cite_latex, escape_latex, label, mark_latex, prose_latex

HIGHEST = 0.78
"""Share of the text's height that a table takes at most, without its caption and notes."""
LINE_HEIGHT = 1.32
"""Of a table's line, in sizes of its type, rules included."""
HEAD_LINES = 5
"""Lines that headings and rules take."""

_MINUS = re.compile(r"(?<![\w)])-(?=\d)")

SETTING = rf"\footnotesize\setlength{{\tabcolsep}}{{{GAP / 2:g}pt}}"


def float_table(table: PaperTable, venue: Venue) -> str:
    """A table as ``table`` or ``table*``; parts that don't fit beside each other stand below each other."""
    size = TABLE_SIZES[venue.font_size][0]
    most_lines = int(HIGHEST * venue.text_height / (LINE_HEIGHT * size))
    parts = [
        part
        for fitted in fit_table(table, venue)
        for part in split_rows(fitted, max(most_lines - HEAD_LINES, HEAD_LINES))
    ]
    pages: list[list[FittedTable]] = []
    used = most_lines
    for part in parts:
        lines = HEAD_LINES + sum(1 + sum(num_lines(part, row) for row in s.rows) for s in part.table.sections)
        if used + lines > most_lines:
            pages.append([])
            used = 0
        pages[-1].append(part)
        used += lines
    return "\n".join(
        _float(page, table, venue, is_first=not number, is_last=number == len(pages) - 1)
        for number, page in enumerate(pages)
    )


def long_table(table: PaperTable, venue: Venue) -> str:
    """A table as ``longtable``, which breaks between pages, on a page of one column."""
    parts = [_long(part, table, is_first=not number) for number, part in enumerate(fit_table(table, venue))]
    return "\n".join([rf"\begingroup{SETTING}", *parts, *_notes(table.notes, r"\textwidth"), r"\par\endgroup"])


def is_wide(table: PaperTable, venue: Venue) -> bool:
    """Whether a table takes the text's width rather than a column's."""
    return any(part.is_wide for part in fit_table(table, venue))


def plain_tabular(table: PaperTable, venue: Venue) -> str:
    """A table's parts without a float around them, to stand below a figure."""
    parts = [_tabular(part) for part in fit_table(table, venue)]
    return "\n".join([rf"{{{SETTING}", "\n\\par\\medskip\n".join(parts), *_notes(table.notes, r"\linewidth"), "}"])


def _float(page: Sequence[FittedTable], table: PaperTable, venue: Venue, *, is_first: bool, is_last: bool) -> str:
    name = "table*" if venue.num_columns > 1 and any(part.is_wide for part in page) else "table"
    here = label("Table", table.name)
    caption = (
        [rf"\caption{{{prose_latex(table.caption)}}}", rf"\label{{{here}}}"]
        if is_first
        else [rf"\caption*{{Table~\ref{{{here}}}, continued.}}"]
    )
    return "\n".join(
        [
            rf"\begin{{{name}}}[tp]",
            rf"\centering{SETTING}",
            *caption,
            "\n\\par\\medskip\n".join(_tabular(part) for part in page),
            *(_notes(table.notes, r"\linewidth") if is_last else []),
            rf"\end{{{name}}}",
        ]
    )


def _long(part: FittedTable, table: PaperTable, *, is_first: bool) -> str:
    here = label("Table", table.name)
    caption = rf"\caption{{{prose_latex(table.caption)}}}\label{{{here}}}\\"
    if not is_first:
        # Every longtable counts as a table.
        caption = (
            rf"\caption*{{Table~\ref{{{here}}}, continued.}}\\\noalign{{\global\advance\csname c@table\endcsname-1}}"
        )
    head = [r"\toprule", *_heads(part, is_fixed=True), r"\midrule"]
    return "\n".join(
        [
            rf"\begin{{longtable}}{{{_spec(part, is_fixed=True)}}}",
            caption,
            *head,
            r"\endfirsthead",
            *head,
            r"\endhead",
            *_body(part),
            r"\bottomrule",
            r"\end{longtable}",
        ]
    )


def _tabular(part: FittedTable) -> str:
    lines = [r"\toprule", *_heads(part), r"\midrule", *_body(part), r"\bottomrule"]
    return "\n".join([rf"\begin{{tabular}}{{{_spec(part)}}}", *lines, r"\end{tabular}"])


def _spec(part: FittedTable, *, is_fixed: bool = False) -> str:
    """The columns; those of a longtable are fixed, or it takes more than two runs to find their widths."""
    return "@{}" + "".join(_column_spec(column, is_fixed) for column in part.columns) + "@{}"


def _column_spec(column: FittedColumn, is_fixed: bool) -> str:
    if column.wraps:
        return rf">{{\raggedright\arraybackslash}}p{{{column.width:.1f}pt}}"
    side = rf"w{{{column.head.side}}}{{{column.width:.1f}pt}}" if is_fixed else column.head.side
    if not column.interval_width:
        return side
    interval = rf"w{{l}}{{{column.interval_width:.1f}pt}}" if is_fixed else "l"
    return rf"{side}@{{\hspace{{{INTERVAL_GAP:g}pt}}}}{interval}"


def _span(column: FittedColumn) -> int:
    """Columns of LaTeX that a column takes."""
    return 2 if column.interval_width and not column.wraps else 1


def _heads(part: FittedTable, *, is_fixed: bool = False) -> list[str]:
    groups, rules, position = [], [], 1
    titles = {column.head.group for column in part.columns if column.head.group}
    for group, found in itertools.groupby(part.columns, key=lambda column: column.head.group):
        members = list(found)
        span = sum(map(_span, members))
        width = sum(column.room for column in members) - GAP
        text = rf"\parbox{{{width:.1f}pt}}{{\centering {breakable_latex(group)}}}" if group else ""
        groups.append(rf"\multicolumn{{{span}}}{{c}}{{{text}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{position}-{position + span - 1}}}")
        position += span
    headings = " & ".join(_heading(column, part.size, is_fixed) for column in part.columns)
    # One dataset alone is named by the caption.
    above = [rf"{' & '.join(groups)} \\", " ".join(rules)] if len(titles) > 1 else []
    return [*above, rf"{headings} \\"]


def _heading(column: FittedColumn, size: float, is_fixed: bool) -> str:
    width = column.room - GAP
    if column.wraps:
        return breakable_latex(column.head.heading)
    lines = [escape_latex(line) for line in heading_lines(column.head, width, size)]
    side = column.head.side
    text = lines[0]
    if len(lines) > 1:
        text = rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}" + r"\\".join(lines) + r"\end{tabular}"
    if _span(column) == 1:
        return text
    # The head of a longtable needs a cell of its own in every column, or its columns are none of the table's.
    return rf"\makebox[{column.width:.1f}pt][l]{{{text}}} &" if is_fixed else rf"\multicolumn{{2}}{{c}}{{{text}}}"


def _body(part: FittedTable) -> list[str]:
    lines: list[str] = []
    span = sum(map(_span, part.columns))
    for number, section in enumerate(part.table.sections):
        lines += [r"\midrule"] if number else []
        if section.title:
            title = rf"\textit{{{breakable_latex(section.title)}}}"
            if text_width(section.title, part.size) > part.width:
                title = rf"\parbox[t]{{{part.width:.1f}pt}}{{{title}}}"
            lines.append(rf"\multicolumn{{{span}}}{{@{{}}l@{{}}}}{{{title}}} \\")
        for row in section.rows:
            cells = [_cell(cell, column) for cell, column in zip(row, part.columns, strict=True)]
            lines.append(rf"{' & '.join(cells)} \\")
    return lines


def _cell(cell: PaperCell, column: FittedColumn) -> str:
    # A hyphen in front of a number is a minus.
    printed = _MINUS.sub("\u2212", cell.text) if column.head.side == "r" else cell.text
    text = (breakable_latex if column.wraps else escape_latex)(printed)
    text = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}", "": text}[cell.rank]
    if cell.cite is not None:
        text += f"~{cite_latex(cell.cite)}"
    marks = rf"$^{{{','.join(map(mark_latex, cell.marks))}}}$" if cell.marks else ""
    if _span(column) == 1:
        return " ".join(filter(None, (text, escape_latex(cell.interval)))) + marks
    interval = rf"{{\scriptsize {escape_latex(cell.interval)}}}" if cell.interval else ""
    return f"{text} & {interval}{marks}"


def _notes(notes: Sequence[Footnote], width: str) -> list[str]:
    """What stands below a table; marks in front of the notes that have one."""
    if not notes:
        return []
    lines = [(rf"$^{{{mark_latex(note.mark)}}}$ " if note.mark else "") + breakable_latex(note.text) for note in notes]
    return [r"\par\smallskip\noindent", rf"\parbox{{{width}}}{{\scriptsize\raggedright", " \\\\\n".join(lines), "}"]
