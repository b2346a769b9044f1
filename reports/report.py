"""A folder with everything the experiments section of a paper needs, from figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from .charts.pictures import Chart, picture
from .charts.radar import RadarChart, build_radar, radar_json
from .charts.radar_drawing import draw_radar
from .charts.scales import AxisScale
from .files import write_files
from .formats.interface import KeptClip, Report
from .identity import Identities, identify
from .paper.facts import RunFacts
from .paper.layout import PaperLayout
from .paper.methods import SPEED_INTERVALS
from .record.model import MeasuredPart
from .registry import FORMATS, load_format
from .schema import MIN_BOOTSTRAP_VIDEOS, MIN_VIDEOS, Figure, TableError, check_figures
from .tables.named import NamedTable
from .tables.plain import PlainTable
from .tables.table import Intervals, build_table, is_timing
from .text import one_line


def compose_report(
    figures: Sequence[Figure],
    title: str,
    provenance: Mapping[str, Any],
    *,
    accounting: pd.DataFrame | None = None,
    failures: pd.DataFrame | None = None,
    remarks: Sequence[str] = (),
    charts: Sequence[Chart] = (),
    tables: Sequence[NamedTable] = (),
    clips: Sequence[KeptClip] = (),
    radar_metrics: Sequence[str] | None = None,
    radar_scales: Mapping[str, AxisScale] | None = None,
    across_protocols: bool = False,
    intervals: Intervals = "ends",
    measured: MeasuredPart | None = None,
    facts: RunFacts | None = None,
    layout: PaperLayout | None = None,
) -> Report:
    """Arrange figures and what else a run left into a report.

    Args:
        figures: measured ones, published ones, or both.
        title: heading of the report and of its table.
        provenance: machine, versions, settings, …: names to values, nested at will.
        accounting: windows requested, scored and failed, one row a tokenizer and dataset.
        failures: failed windows with their reasons.
        remarks: what a reader must know of the windows that the figures rest on; printed with the methods.
        charts: further charts.
        tables: further tables.
        clips: clips whose reconstructions were kept.
        radar_metrics: names of the metrics that get an axis; ``None``: see :func:`~.charts.radar.build_radar`.
        radar_scales: scales of their axes, by metric; others have the usual ones.
        across_protocols: as for :func:`~.tables.table.build_table`, for the table; radar axes never mix protocols.
        intervals: how the table prints intervals.
        measured: what the figures rest on, for a record of them.
        facts: what the run knows of its systems and metrics beyond the figures.
        layout: venue and columns, for formats that set pages.

    Raises:
        TableError: on figures that don't belong together (see :func:`~.schema.check_figures`).
    """
    check_figures(figures)
    identities = identify(figures)
    radar, radar_missing = _radar(figures, radar_metrics, identities, radar_scales)
    return Report(
        title=one_line(title),
        figures=tuple(figures),
        identities=identities,
        table=build_table(figures, title=title, across_protocols=across_protocols, intervals=intervals),
        radar=radar,
        radar_missing=radar_missing,
        charts=tuple(charts),
        tables=tuple(tables),
        attachments=_attachments(radar, charts, tables),
        methods=(*_methods(figures), *(f"{one_line(remark)}." for remark in remarks)),
        provenance=tuple((one_line(name), one_line(value)) for name, value in _flatten(provenance)),
        accounting=_plain(accounting),
        failures=_plain(failures),
        clips=tuple(replace(c, dataset=one_line(c.dataset), source=one_line(c.source)) for c in clips),
        measured=measured,
        facts=facts or RunFacts(),
        layout=layout or PaperLayout(),
    )


def write_report(report: Report, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write a report's attachments and its formats; each file whole or not at all.

    Args:
        report: from :func:`compose_report`.
        folder: made if missing; files of the same names are replaced.
        formats: some of :data:`~.registry.FORMATS`.

    Returns:
        The files, in the order written.

    Raises:
        TableError: on an unknown format, before anything is written.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise TableError(f"unknown report format {', '.join(unknown)}; there are: {', '.join(FORMATS)}")
    contents: dict[str, str | bytes] = dict(report.attachments)
    for name in FORMATS:
        if name in formats:
            contents |= load_format(name)(report)
    return write_files(folder, contents)


def _radar(
    figures: Sequence[Figure],
    metrics: Sequence[str] | None,
    identities: Identities,
    scales: Mapping[str, AxisScale] | None,
) -> tuple[RadarChart | None, str]:
    try:
        return build_radar(figures, metrics, identities=identities, scales=scales), ""
    except TableError as error:
        return None, str(error)


def _attachments(radar: RadarChart | None, charts: Sequence[Chart], tables: Sequence[NamedTable]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    if radar:
        drawing = draw_radar(radar)
        files |= {f"radar.{kind}": picture(drawing, kind) for kind in ("pdf", "svg", "png")}
        files["radar.json"] = radar_json(radar).encode()
    for part in (*charts, *tables):
        files |= part.files()
    return files


def _methods(figures: Sequence[Figure]) -> Iterator[str]:
    measured = [figure for figure in figures if figure.origin == "measured"]
    labels = list(dict.fromkeys(figure.label for figure in measured))
    number = "1 tokenizer was" if len(labels) == 1 else f"{len(labels)} tokenizers were"
    yield f"{number} measured: {', '.join(labels)}." if labels else "Nothing was measured."
    for dataset, protocol, digest in dict.fromkeys((f.dataset, *f.protocol_key) for f in measured if f.dataset):
        here = [f for f in measured if (f.dataset, *f.protocol_key) == (dataset, protocol, digest) and f.is_available]
        counts = {
            kind: max(f.count for f in here if f.counted == kind) for kind in dict.fromkeys(f.counted for f in here)
        }
        counted = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if kind and count)
        yield f"On {dataset}, protocol {protocol} ({digest}), figures rest on up to {counted or 'an unknown number'}."
    weights: dict[str, list[str]] = {}
    for figure in measured:
        names = weights.setdefault(figure.weights, [])
        if figure.label not in names:
            names.append(figure.label)
    for source, names in weights.items():
        yield f"Weights {source}: {', '.join(names)}."
    for title, note, hint in dict.fromkeys((f.title, f.note, f.hint) for f in measured if not f.is_available):
        yield f"{title} is missing: {note or 'could not be computed'}{f'; to measure it: {hint}' if hint else ''}."
    if any(figure.has_interval and not is_timing(figure) for figure in measured):
        yield (
            "Intervals are 95 % intervals from the differences between source videos: bootstrap-t from "
            f"{MIN_BOOTSTRAP_VIDEOS} videos on, Student's t with {MIN_VIDEOS} to {MIN_BOOTSTRAP_VIDEOS - 1}, none with "
            "fewer."
        )
    if any(figure.has_interval and is_timing(figure) for figure in measured):
        yield SPEED_INTERVALS


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", str(value)


def _plain(frame: pd.DataFrame | None) -> PlainTable:
    """A data frame with its column names in words and numbers to the right."""
    if frame is None:
        return PlainTable((), ())
    return PlainTable(
        columns=tuple(str(name).replace("_", " ") for name in frame.columns),
        rows=tuple(tuple(None if pd.isna(cell) else cell for cell in row) for row in frame.to_numpy()),
        alignment="".join("r" if pd.api.types.is_numeric_dtype(dtype) else "l" for dtype in frame.dtypes),
    )
