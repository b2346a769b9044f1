"""A report as one PDF: cover, findings, tables, figures, methods, references, appendix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ...paper.compose import paper_content
from ...paper.content import AppendixPart, PaperContent, PaperFigure, PaperTable
from ..interface import Report
from .compiler import compile_pdf
from .cover import cover_data
from .glyphs import breakable, visible
from .prose import Data, Targets, plain_text, target
from .tables import name_swatches, row_swatches, swatch, table_data

LONGEST_COVER_TITLE = 160
"""Characters of a title that leaves room for a figure on the cover."""

COLUMN = 252.0
"""Points that a figure may be wide to stand beside another."""

_WIDTH = re.compile(rb'viewBox="0 0 ([\d.]+) [\d.]+"')
_SPELLED = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
"""A character that was spelled out."""


def report_files(report: Report) -> dict[str, bytes]:
    """``report.pdf``; raises :class:`~...schema.TableError` if typst can't set it."""
    content = paper_content(report)
    pictures = {
        f"figure-{number}.svg": report.attachments[f"{figure.name}.svg"]
        for number, figure in enumerate(content.figures, 1)
    }
    return {"report.pdf": compile_pdf(document_data(report, content, pictures), pictures)}


def document_data(report: Report, content: PaperContent, pictures: Mapping[str, bytes]) -> Data:
    """Everything that the templates print.

    Args:
        report: the report.
        content: its parts as running text, tables and figures.
        pictures: the figures as SVG, in the order of ``content.figures``, by the names that they get.
    """
    main, appendix = _with_intervals(content)
    tables = (*content.tables, *(part.table for part in appendix if part.table))
    names = {target("table", table.name) for table in (main, *tables)}
    targets = Targets(content, names | {target("figure", figure.name) for figure in content.figures})
    by_name = {identity.short: swatch(identity) for identity in report.identities.values()}

    def table(it: PaperTable) -> Data:
        return table_data(it, targets, name_swatches(it, by_name))

    figures = [
        _figure(figure, name, picture, targets)
        for figure, (name, picture) in zip(content.figures, pictures.items(), strict=True)
    ]
    on_cover = figures[:1] if len(content.title) <= LONGEST_COVER_TITLE else []
    data = {
        "title": visible(content.title),
        "cover": {
            "title": breakable(content.title),
            **cover_data(report, content.findings, by_name),
            "figure": next(iter(on_cover), None),
        },
        "summary": [targets.headed(text) for text in content.summary],
        "main": table_data(main, targets, row_swatches(report.table, report.identities)),
        "tables": [table(each) for each in content.tables],
        "figures": figures[len(on_cover) :],
        "figures_missing": [breakable(sentence) for sentence in content.figures_missing],
        "methods": [
            {"title": breakable(paragraph.title), "text": targets.prose(paragraph.text)}
            for paragraph in content.methods
        ],
        "references": [breakable(entry.text) for entry in content.references],
        "appendix": [
            {
                "title": breakable(part.title),
                "text": targets.prose(part.text),
                "facts": _facts(part.facts),
                "table": table(part.table) if part.table else None,
            }
            for part in appendix
        ],
    }
    return {**data, "spelled": any(_SPELLED.search(text) for text in _texts(data))}


def _with_intervals(content: PaperContent) -> tuple[PaperTable, tuple[AppendixPart, ...]]:
    """The main table with both ends of its intervals, which have room below their figures, and the other appendices."""
    full = next((part.table for part in content.appendix if part.table and part.table.name == "intervals"), None)
    if full is None:
        return content.main, content.appendix
    return replace(full, name=content.main.name), tuple(part for part in content.appendix if part.table is not full)


def _figure(figure: PaperFigure, name: str, picture: bytes, targets: Targets) -> Data:
    width = _WIDTH.search(picture)
    return {
        "label": target("figure", figure.name),
        "file": name,
        "column": width is not None and float(width[1]) <= COLUMN and figure.table is None,
        "caption": targets.prose(figure.caption),
        "alt": plain_text(figure.caption),
        "table": table_data(figure.table, targets) if figure.table else None,
    }


def _facts(facts: tuple[tuple[str, str], ...]) -> list[Data]:
    """Names and values, those with a common beginning of their names under it as a heading."""
    shared = Counter(beginning for name, _ in facts for beginning in _beginnings(name))
    groups: dict[str, list[Data]] = {}
    for name, value in facts:
        heading = next((each for each in _beginnings(name) if shared[each] > 1), "")
        rest = name.removeprefix(f"{heading}.") if heading else name
        groups.setdefault(heading, []).append({"name": breakable(rest), "value": breakable(value)})
    ordered = sorted(groups.items(), key=lambda item: item[0] != "")
    return [{"heading": breakable(heading.replace(".", " ")), "rows": rows} for heading, rows in ordered]


def _beginnings(name: str) -> list[str]:
    """What stands before the dots of a name, the longest first."""
    parts = name.split(".")
    return [".".join(parts[:number]) for number in range(len(parts) - 1, 0, -1)]


def _texts(data: object) -> Iterator[str]:
    """Every text in nested data."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for part in data.values() if isinstance(data, dict) else data:
            yield from _texts(part)
