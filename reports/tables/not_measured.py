"""Columns in which nothing was measured: they leave a printed table, and lines below it say why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..schema import Figure
from .columns import Column
from .rows import ArrangedRow

PULL = re.compile(r"toklab weights pull (?P<name>[^\s-]\S*)(?P<options>(?: --\S+)*)")
"""A hint that is nothing but the command that fetches one file of weights."""

_NAMES = "{names}"
"""Stands for the names until all are known."""


def leave_out_empty(
    columns: Sequence[Column], rows: Sequence[ArrangedRow]
) -> tuple[tuple[Column, ...], list[ArrangedRow], tuple[str, ...]]:
    """The columns that have a figure, the rows with these alone, and lines on the others.

    Reasons that several columns share are said once, and commands that fetch weights become one command. A row without
    any figure explains nothing: it failed as a whole, and what it failed of isn't what its columns lack.
    """
    shown = [i for i in range(len(columns)) if any(i in row.figures and row.figures[i].is_available for row in rows)]
    place = {old: new for new, old in enumerate(shown)}
    kept = [replace(row, figures={place[i]: f for i, f in row.figures.items() if i in place}) for row in rows]
    return tuple(columns[i] for i in shown), kept, tuple(_lines(columns, rows, shown))


def _lines(columns: Sequence[Column], rows: Sequence[ArrangedRow], shown: Sequence[int]) -> list[str]:
    measured = [row for row in rows if any(figure.is_available for figure in row.figures.values())]
    titles: dict[tuple[str, ...], list[str]] = {}
    names: dict[tuple[str, ...], list[str]] = {}
    present = {columns[i].title for i in shown}
    for index, column in enumerate(columns):
        if index in shown:
            continue
        here = [row.figures[index] for row in measured if index in row.figures]
        found = here or [row.figures[index] for row in rows if index in row.figures]
        reasons = tuple(dict.fromkeys(map(_reason, found)))
        title = f"{column.group.title} {column.title}" if column.title in present else column.title
        titles.setdefault(reasons, []).append(title)
        names.setdefault(reasons, []).extend(match["name"] for f in found if (match := PULL.fullmatch(f.hint)))
    return [_line(titles[reasons], reasons, names[reasons]) for reasons in titles]


def _reason(figure: Figure) -> str:
    """Why there is no figure, and what to do; weights to fetch are alike whatever their names are."""
    if match := PULL.fullmatch(figure.hint):
        return f"; toklab weights pull {_NAMES}{match['options']}"
    return f" ({figure.note or 'could not be computed'}){f'; {figure.hint}' if figure.hint else ''}"


def _line(titles: Sequence[str], reasons: Sequence[str], names: Sequence[str]) -> str:
    said = "".join(reasons).replace(_NAMES, " ".join(dict.fromkeys(names)))
    return f"not measured: {', '.join(dict.fromkeys(titles))}{said}"
