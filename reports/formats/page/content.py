"""What the page shows, as a value that becomes JSON: the same report gives the same value, in the same order."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from ...charts.radar import CAPTION, CLIPPED_NOTE, RadarChart
from ...schema import Figure
from ...tables.columns import Column, ColumnGroup
from ...tables.plain import PlainTable
from ...tables.table import Cell, Row
from ...text import one_line
from ..interface import Report
from .clips import PageMedia
from .media import picture_copy

MOST_VIDEO_FIGURES = 40_000
"""Figures of single videos in the page; more videos are sampled."""
CHARTS_LIMIT = 3 * 2**20
"""Bytes of further charts in the page; those beyond it are named, with their files."""


def page_content(report: Report, media: PageMedia) -> dict[str, Any]:
    """Everything that the page's scripts read."""
    texts = _Texts()
    rows = [
        (section, row) for section in range(len(report.table.sections)) for row in report.table.sections[section].rows
    ]
    groups = list(dict.fromkeys(column.group for column in report.table.columns))
    row_of: dict[str, int] = {}
    for number, (_, row) in enumerate(rows):
        if row.source.origin == "measured":
            row_of.setdefault(row.source.label, number)
    return {
        "title": report.title,
        "groups": [_group(group) for group in groups],
        "columns": [_column(column, groups, rows, place) for place, column in enumerate(report.table.columns)],
        "sections": [section.title for section in report.table.sections],
        "rows": [_row(report, section, row, texts) for section, row in rows],
        "footnotes": [[note.mark, note.text] for note in report.table.footnotes],
        "caption": report.table.caption,
        "radar": _radar(report.radar, report.table.columns),
        "radarMissing": report.radar_missing,
        "videos": _videos(report.videos, groups, report.table.columns, row_of, {clip.source for clip in report.clips}),
        "clips": [_clip(clip, row_of) for clip in media.clips],
        "isBundle": report.is_bundle,
        "keepCommand": report.keep_command,
        "methods": list(report.methods),
        "provenance": [list(pair) for pair in report.provenance],
        "accounting": _plain(report.accounting),
        "failures": _plain(report.failures),
        "tables": [{"caption": table.caption, "name": table.name, **_plain(table.table)} for table in report.tables],
        "charts": _charts(report),
        "texts": texts.listed,
    }


class _Texts:
    """Texts that many figures share, each once; 0 is the empty one."""

    def __init__(self) -> None:
        self.listed: list[str] = [""]
        self._places = {"": 0}

    def place(self, text: str) -> int:
        """Where a text is."""
        if text not in self._places:
            self._places[text] = len(self.listed)
            self.listed.append(text)
        return self._places[text]


def _group(group: ColumnGroup) -> dict[str, str]:
    return {
        "title": group.title,
        "dataset": group.dataset,
        "protocol": group.protocol,
        "hash": group.protocol_hash,
    }


def _column(
    column: Column, groups: Sequence[ColumnGroup], rows: Sequence[tuple[int, Row]], place: int
) -> dict[str, Any]:
    figures = [figure for _, row in rows if (figure := row.cells[place].figure) is not None]
    missing = [figure for figure in figures if not figure.is_available]
    described: dict[str, Any] = {
        "group": groups.index(column.group),
        "metric": column.metric,
        "title": column.title,
        "unit": column.unit,
        "direction": column.direction,
        "decimals": max((figure.decimals for figure in figures), default=3),
        "empty": not any(figure.is_available for figure in figures),
    }
    if described["empty"] and missing:
        described |= {
            "why": missing[0].note or "could not be computed",
            "hint": next((f.hint for f in missing if f.hint), ""),
        }
    return described


def _row(report: Report, section: int, row: Row, texts: _Texts) -> dict[str, Any]:
    identity = report.identities.of(row.source)
    return {
        "section": section,
        "title": row.title,
        "regularizer": row.regularizer,
        "label": row.source.label,
        "short": identity.short,
        "long": identity.long,
        "family": identity.family,
        "colour": identity.colour,
        "marker": identity.marker,
        "dash": list(identity.dash),
        "published": identity.is_published,
        "weights": row.source.weights,
        "citation": row.source.citation,
        "marks": list(row.marks),
        "cells": [_cell(cell, column, texts) for cell, column in zip(row.cells, report.table.columns, strict=True)],
    }


def _cell(cell: Cell, column: Column, texts: _Texts) -> dict[str, Any] | None:
    """A figure with what stands behind it; what is empty is left out, and so are intervals that are open at an end."""
    figure = cell.figure
    if figure is None:
        return None
    is_bounded = math.isfinite(figure.high - figure.low)
    described: dict[str, Any] = {
        "text": cell.text,
        "interval": cell.interval,
        "rank": cell.rank,
        "foreign": figure.origin == "measured" and not column.is_home(figure),
        "marks": list(cell.marks),
        "note": texts.place(figure.note),
        "hint": texts.place(figure.hint),
        "family": texts.place(figure.family),
        "intervalNote": texts.place(figure.interval_note),
        "protocol": texts.place(_protocol(figure)),
        "ranks": [figure.rank_low, figure.rank_high] if figure.rank_low else [],
        "count": figure.count,
        "counted": texts.place(figure.counted),
        "sources": figure.num_sources,
        "value": _number(figure.value),
        "low": _number(figure.low) if is_bounded else None,
        "high": _number(figure.high) if is_bounded else None,
        "lowest": _number(figure.lowest),
        "highest": _number(figure.highest),
    }
    return {name: value for name, value in described.items() if value or isinstance(value, float) or name == "value"}


def _protocol(figure: Figure) -> str:
    return f"{figure.protocol} ({figure.protocol_hash or 'no hash'})" if figure.protocol else ""


def _radar(radar: RadarChart | None, columns: Sequence[Column]) -> dict[str, Any] | None:
    """The axes by the columns of the table that they show; an axis without one, or without figures, isn't drawn."""
    if radar is None:
        return None
    places = {
        (column.group.protocol, column.group.protocol_hash, column.group.title, column.metric): place
        for place, column in enumerate(columns)
    }
    axes, unavailable = [], []
    for axis in (*radar.axes, *radar.missing):
        place = places.get((axis.protocol, axis.protocol_hash, axis.dataset, axis.metric))
        if axis.unavailable or place is None:
            why = axis.unavailable or "its figures stand in another column"
            unavailable.append(f"{axis.dataset} {axis.title}: {why}")
            continue
        axes.append(
            {
                "column": place,
                "dataset": axis.dataset,
                "heading": axis.heading,
                "worst": axis.scale.worst,
                "best": axis.scale.best,
                "logarithmic": axis.scale.is_logarithmic,
                "source": axis.scale.source,
            }
        )
    notes = {"notes": list(radar.notes), "caption": CAPTION, "clippedNote": CLIPPED_NOTE}
    return {"axes": axes, "unavailable": unavailable, **notes}


def _videos(
    table: pd.DataFrame,
    groups: Sequence[ColumnGroup],
    columns: Sequence[Column],
    row_of: dict[str, int],
    watched: Collection[str],
) -> list[dict[str, Any]]:
    """For each group of columns its videos, and by row and column the figure of each.

    ``of`` counts the videos; where there are too many for a page, those with the smallest hashes of their names are in
    it, and those that can be watched.
    """
    found = []
    for number, group in enumerate(groups):
        here = table.loc[(table["dataset"] == group.dataset) & (table["protocol_hash"] == group.protocol_hash)]
        every = set(here["files"])
        most = max(1, MOST_VIDEO_FIGURES // max(1, len(here) // max(1, len(every))))
        names = sorted(_sampled(every, most, watched))
        here = here.loc[pd.Series(here["files"]).isin(names)] if len(names) < len(every) else here
        index = {name: place for place, name in enumerate(names)}
        places = {column.metric: place for place, column in enumerate(columns) if column.group == group}
        values: dict[str, dict[str, list[float | None]]] = {}
        lines = zip(here["label"], here["metric"], here["files"], here["value"], strict=True)
        for label, metric, name, value in lines:
            row, column = row_of.get(one_line(str(label))), places.get(str(metric))
            if row is None or column is None:
                continue
            line = values.setdefault(str(row), {}).setdefault(str(column), [None] * len(names))
            line[index[name]] = _number(float(value), 6)
        found.append({"group": number, "files": [list(name) for name in names], "of": len(every), "values": values})
    return [each for each in found if each["files"]]


def _sampled(names: Collection[tuple[str, ...]], most: int, watched: Collection[str]) -> list[tuple[str, ...]]:
    """At most so many videos, by a hash of their names, and those that can be watched."""
    if len(names) <= most:
        return list(names)
    hashed = sorted(names, key=lambda name: hashlib.sha256("\n".join(name).encode()).digest())
    return list(dict.fromkeys([*hashed[:most], *(name for name in hashed if not set(name).isdisjoint(watched))]))


def _clip(clip: dict[str, Any], row_of: dict[str, int]) -> dict[str, Any]:
    systems = {str(row_of[label]): value for label, value in clip["systems"].items() if label in row_of}
    return {**clip, "systems": systems}


def _charts(report: Report) -> list[dict[str, str]]:
    found, room = [], CHARTS_LIMIT
    for chart in report.charts:
        name = f"{chart.name}.png"
        shown = {"name": name, "caption": chart.caption}
        picture = picture_copy(report.attachments[name]) if name in report.attachments else b""
        if picture and len(picture) <= room:
            room -= len(picture)
            shown["picture"] = f"data:image/webp;base64,{base64.b64encode(picture).decode()}"
        found.append(shown)
    return found


def _plain(table: PlainTable) -> dict[str, Any]:
    return {
        "columns": list(table.columns),
        "rows": [["" if cell is None else _plain_cell(cell) for cell in row] for row in table.rows],
        "sides": table.sides,
        "notes": list(table.notes),
    }


def _plain_cell(cell: object) -> object:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return one_line(str(cell))
    return cell if math.isfinite(cell) else ""


def _number(value: float, digits: int = 9) -> float | None:
    """A number with so many digits, which is more than is printed anywhere; ``None`` for NaN."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
