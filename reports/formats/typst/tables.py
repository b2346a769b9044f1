"""Tables as the templates take them: text that can be shown, no markup."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.markers import MarkerStyle

from ...identity import Identities, Identity
from ...paper.content import PaperCell, PaperTable
from ...tables.columns import ARROWS
from ...tables.table import ResultsTable
from .glyphs import breakable, visible
from .prose import Data, Targets, target

_HEADING = re.compile(rf"(?P<title>.*?)(?: \((?P<unit>[^()]*)\))?(?: (?P<arrow>[{''.join(ARROWS.values())}]))?")
_NEGATIVE = re.compile(r"(?<![^\s\[(,])-(?=[\d.])")


def table_data(table: PaperTable, targets: Targets, swatches: Sequence[Data | None] = ()) -> Data:
    """A table with everything printed around it.

    Args:
        table: what it holds. Columns that say the same in each of several rows are printed once, above it.
        targets: what its caption and its cells can refer to.
        swatches: a system's marker for each row of all sections, or ``None``; fewer: none for the others.
    """
    rows = [row for section in table.sections for row in section.rows]
    shared = [] if any(cell.interval or cell.rank for row in rows for cell in row) else _shared(table, rows)
    shown = [place for place in range(len(table.columns)) if place not in shared]
    marked = itertools.chain(swatches, itertools.repeat(None))
    return {
        "label": target("table", table.name),
        "caption": targets.prose(table.caption),
        "stubs": table.num_stubs,
        "shared": [
            {"name": breakable(table.columns[place].heading), "value": breakable(rows[0][place].text)}
            for place in shared
        ],
        "columns": [
            {
                **_heading(table.columns[place].heading),
                "group": breakable(table.columns[place].group),
                "side": "right" if table.columns[place].side == "r" else "left",
                "prose": table.columns[place].is_text,
            }
            for place in shown
        ],
        "sections": [
            {
                "title": breakable(section.title),
                "rows": [
                    {"swatch": next(marked), "cells": [_cell(row[place], targets) for place in shown]}
                    for row in section.rows
                ],
            }
            for section in table.sections
        ],
        "notes": [{"mark": visible(note.mark), "text": breakable(note.text)} for note in table.notes],
    }


def row_swatches(table: ResultsTable, identities: Identities) -> list[Data]:
    """The markers of the rows of the table of all figures, in its order."""
    return [swatch(identities.of(row.source)) for section in table.sections for row in section.rows]


def name_swatches(table: PaperTable, by_name: Mapping[str, Data]) -> list[Data | None]:
    """The markers of rows that begin with a system's short name."""
    return [by_name.get(row[0].text) for section in table.sections for row in section.rows]


def swatch(identity: Identity) -> Data:
    """A system's marker in its colour: a polygon's points from -1 to 1, downwards; none for a circle."""
    style = MarkerStyle(identity.marker)
    outline = style.get_path().transformed(style.get_transform())
    points: list[Any] = [] if identity.marker == "o" else outline.vertices.tolist()  # pyright: ignore[reportAttributeAccessIssue]
    largest = max((abs(end) for point in points for end in point), default=1.0)
    # The last point of a closed outline stands for the closing stroke alone.
    closed = [[round(x / largest, 4), round(-y / largest, 4)] for x, y in points[:-1]]
    return {"colour": identity.colour, "points": closed, "hollow": identity.is_published}


def minus_signs(text: str) -> str:
    """Text with true minus signs in front of numbers, as wide as the digits."""
    return _NEGATIVE.sub("−", text)


def _shared(table: PaperTable, rows: Sequence[Sequence[PaperCell]]) -> list[int]:
    """Columns beside the stubs that say one thing in at least three rows."""
    places = range(table.num_stubs, len(table.columns))
    return [place for place in places if len(rows) > 2 and len({row[place] for row in rows}) == 1]


def _heading(heading: str) -> Data:
    """A column's heading with its unit and arrow apart: ``PSNR (dB) ↑``."""
    match = _HEADING.fullmatch(heading)
    parts = match.groupdict("") if match else {"title": heading, "unit": "", "arrow": ""}
    return {name: breakable(part) for name, part in parts.items()}


def _cell(cell: PaperCell, targets: Targets) -> Data:
    return {
        "text": minus_signs(breakable(cell.text)),
        "interval": minus_signs(visible(cell.interval)),
        "rank": cell.rank,
        "marks": visible(",".join(cell.marks)),
        "cites": targets.cited(cell.cite),
    }
