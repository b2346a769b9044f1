"""LaTeX: tables with booktabs, and a document around them that compiles by itself.

What is written needs no Unicode support: everything outside ASCII that toklab prints is spelled in commands. Brackets
are wrapped in braces, or one that follows a line break would be read as the break's optional argument.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence

from ..charts.radar import CAPTION
from ..tables.plain import PlainTable
from ..tables.table import Cell, ResultsTable, Row
from ..text import one_line
from .interface import Report

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",
    "]": "{]}",
    "`": r"\textasciigrave{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "·": r"$\cdot$",
    "−": r"$-$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "¶": r"\P{}",
    "‖": r"$\Vert$",
    "µ": r"$\mu$",
    "σ": r"$\sigma$",
}

PREAMBLE = r"""\documentclass{article}
\usepackage[a4paper,margin=2cm]{geometry}
\usepackage{booktabs}
\usepackage{graphicx}
"""
"""What the document needs, and :func:`render_table` with it: booktabs and graphicx."""


def report_files(report: Report) -> dict[str, str]:
    """``table.tex``, to be included, and ``report.tex``, which compiles beside ``radar.pdf`` and the other charts."""
    return {"table.tex": render_table(report.table), "report.tex": render_report(report)}


def render_report(report: Report) -> str:
    """The report as one document."""
    parts = [r"\section{Results}", r"Table~\ref{tab:results} holds all figures.", render_table(report.table)]
    if report.radar:
        parts += [
            r"Figure~\ref{fig:radar} compares the tokenizers of each kind.",
            r"\begin{figure*}[t]",
            r"\centering\includegraphics[width=\textwidth]{radar.pdf}",
            rf"\caption{{{escape_latex(CAPTION)}}}",
            r"\label{fig:radar}",
            r"\end{figure*}",
        ]
    else:
        parts.append(escape_latex(f"No radar charts: {report.radar_missing}."))
    for chart in report.charts:
        parts += [
            r"\begin{figure}[t]",
            rf"\centering\includegraphics[width=\linewidth]{{{chart.name}.pdf}}",
            *([] if chart.table is None else [r"\par\medskip", render_plain(chart.table)]),
            rf"\caption{{{escape_latex(chart.caption)}}}",
            r"\end{figure}",
        ]
    for table in report.tables:
        parts += [
            r"\begin{table}[t]",
            rf"\caption{{{escape_latex(table.caption)}}}",
            r"\centering",
            render_plain(table.table),
            r"\end{table}",
        ]
    parts += [r"\section{Methods}", escape_latex(" ".join(report.methods))]
    if report.provenance:
        parts.append(_list([f"{name}: {value}" for name, value in report.provenance]))
    if report.accounting.rows:
        parts += [r"\section{Accounting}", _list(_sentences(report.accounting))]
    parts += [r"\section{Failures}", _list(_sentences(report.failures)) if report.failures.rows else "None."]
    return render_document(report.title, "\n".join(parts))


def escape_latex(text: str) -> str:
    """Make text stand for itself, in ASCII.

    Letters with accents lose them and other unknown characters become ``?``, so that any LaTeX engine compiles it.
    """
    escaped = []
    for char in one_line(" ".join(text.split())):
        plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
        # TeX sets two hyphens as a dash, and then an option of a command can't be copied.
        is_second_hyphen = char == "-" and bool(escaped) and escaped[-1].endswith("-")
        sign = _COMMANDS.get(char) or (char if char.isascii() else plain or "?")
        escaped.append("{}-" if is_second_hyphen else sign)
    return "".join(escaped)


def render_table(table: ResultsTable, label: str = "tab:results") -> str:
    r"""The table as a ``table*`` environment with caption and footnotes, for ``booktabs`` and ``graphicx``.

    It is scaled down to the text's width where it is wider. ``label`` is what ``\ref`` takes.
    """
    width = 2 + len(table.columns)
    lines = [
        r"\begin{table*}[t]",
        r"\centering\footnotesize",
        rf"\caption{{{escape_latex(' '.join(filter(None, (_as_sentence(table.title), table.caption))))}}}",
        rf"\label{{{label}}}",
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{ll{'r' * len(table.columns)}}}",
        r"\toprule",
        *_heads(table),
        r"\midrule",
    ]
    for index, section in enumerate(table.sections):
        lines += [r"\midrule"] if index else []
        lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escape_latex(section.title)}}}}} \\")
        lines += [_row(row) for row in section.rows]
    lines += [r"\bottomrule", r"\end{tabular}}"]
    notes = [rf"$^{{{_mark(note.mark)}}}$ {escape_latex(note.text)}" for note in table.footnotes]
    lines += _notes(notes, r"\textwidth")
    return "\n".join([*lines, r"\end{table*}", ""])


def render_plain(table: PlainTable) -> str:
    """A plain table as a ``tabular``, scaled down to the line's width where it is wider; the first column to the left.

    The others are to the right, whatever the table says. Its notes stand below.
    """
    headings = " & ".join(map(escape_latex, table.columns))
    body = [" & ".join(map(escape_latex, row)) for row in table.texts]
    return "\n".join(
        [
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
            r"\toprule",
            rf"{headings} \\",
            r"\midrule",
            *(rf"{row} \\" for row in body),
            r"\bottomrule",
            r"\end{tabular}}",
            *_notes([escape_latex(note) for note in table.notes], r"\linewidth"),
        ]
    )


def render_document(title: str, body: str) -> str:
    """A document that compiles by itself around a body of LaTeX."""
    begin = [rf"\title{{{escape_latex(title)}}}", r"\author{}", r"\date{}", r"\begin{document}", r"\maketitle"]
    return PREAMBLE + "\n".join([*begin, body, r"\end{document}", ""])


def _notes(notes: Sequence[str], width: str) -> list[str]:
    r"""Lines below a table, of LaTeX; ``width`` is a length such as ``\linewidth``."""
    if not notes:
        return []
    return [r"\par\smallskip", rf"\parbox{{{width}}}{{\scriptsize\raggedright", "\\\\\n".join(notes), "}"]


def _as_sentence(text: str) -> str:
    return f"{text.rstrip('.')}." if text else ""


def _heads(table: ResultsTable) -> list[str]:
    spans, rules, position = [], [], 3
    for group, members in itertools.groupby(table.columns, key=lambda column: column.group):
        span = len(list(members))
        spans.append(rf"\multicolumn{{{span}}}{{c}}{{{escape_latex(group.title)}}}")
        if group.title:
            rules.append(rf"\cmidrule(lr){{{position}-{position + span - 1}}}")
        position += span
    headings = ["System", "Regularizer", *(escape_latex(column.heading) for column in table.columns)]
    heads = [rf"& & {' & '.join(spans)} \\", " ".join(rules)] if rules else []
    return [*heads, rf"{' & '.join(headings)} \\"]


def _row(row: Row) -> str:
    cells = [escape_latex(row.title) + _superscript(row.marks), escape_latex(row.regularizer)]
    return rf"{' & '.join([*cells, *(_cell(cell) for cell in row.cells)])} \\"


def _cell(cell: Cell) -> str:
    text = escape_latex(cell.text)
    text = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}", "": text}[cell.rank]
    interval = rf" {{\scriptsize {escape_latex(cell.interval)}}}" if cell.interval else ""
    return text + interval + _superscript(cell.marks)


def _superscript(marks: Sequence[str]) -> str:
    return rf"$^{{{','.join(_mark(mark) for mark in marks)}}}$" if marks else ""


def _mark(mark: str) -> str:
    """A footnote's mark in mathematics."""
    return mark if mark.isascii() else "".join(_COMMANDS[char].strip("$") for char in mark)


def _sentences(table: PlainTable) -> list[str]:
    """Each row as ``name value; name value``, without empty cells."""
    return ["; ".join(f"{n} {t}" for n, t in zip(table.columns, row, strict=True) if t) for row in table.texts]


def _list(items: Sequence[str]) -> str:
    return "\n".join([r"\begin{itemize}", *(rf"\item {escape_latex(item)}" for item in items), r"\end{itemize}"])
