"""Tables as LaTeX (booktabs), and a document around them that compiles by itself.

What is written needs no Unicode support: everything outside ASCII that toklab prints is spelled in commands. Brackets
are wrapped in braces, or one that follows a line break would be read as the break's optional argument.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence

import pandas as pd

from .table import Cell, ResultsTable, Row

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
"""What the document needs, and :func:`render_latex` with it: booktabs and graphicx."""


def escape_latex(text: str) -> str:
    """Make text stand for itself, in ASCII.

    Letters with accents lose them and other unknown characters become ``?``, so that any LaTeX engine compiles it.
    """
    escaped = []
    for char in " ".join(text.split()):
        plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
        escaped.append(_COMMANDS.get(char) or (char if char.isascii() else plain or "?"))
    return "".join(escaped)


def render_latex(table: ResultsTable, label: str = "tab:results") -> str:
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
    if table.footnotes:
        notes = [rf"$^{{{_mark(note.mark)}}}$ {escape_latex(note.text)}" for note in table.footnotes]
        lines += [r"\par\smallskip", r"\parbox{\textwidth}{\scriptsize\raggedright", "\\\\\n".join(notes), "}"]
    return "\n".join([*lines, r"\end{table*}", ""])


def frame_to_latex(frame: pd.DataFrame) -> str:
    """A plain data frame of text as a ``tabular``, scaled down to the line's width where it is wider."""
    headings = " & ".join(escape_latex(str(name).replace("_", " ")) for name in frame.columns)
    body = [" & ".join(escape_latex(str(value)) for value in row) for row in frame.to_numpy()]
    return "\n".join(
        [
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(frame.columns) - 1)}}}",
            r"\toprule",
            rf"{headings} \\",
            r"\midrule",
            *(rf"{row} \\" for row in body),
            r"\bottomrule",
            r"\end{tabular}}",
        ]
    )


def latex_document(title: str, body: str) -> str:
    """A document that compiles by itself around a body of LaTeX."""
    begin = [rf"\title{{{escape_latex(title)}}}", r"\author{}", r"\date{}", r"\begin{document}", r"\maketitle"]
    return PREAMBLE + "\n".join([*begin, body, r"\end{document}", ""])


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
