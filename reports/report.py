"""A folder with everything the experiments section of a paper needs, from one results table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from .charts.radar import RadarChart, build_radar, radar_json
from .charts.radar_drawing import draw_radar
from .files import write_file, write_text
from .schema import TableError, read_figures
from .tables.comma_separated import render_csv_long, render_csv_wide
from .tables.latex import escape_latex, frame_to_latex, latex_document, render_latex
from .tables.markdown import escape_markdown, frame_to_markdown, render_markdown
from .tables.table import Intervals, ResultsTable, build_table

FORMATS = ("md", "csv", "latex")
"""What a report can be written as; the radar charts are written with any of them."""

PNG_DPI = 200
"""Resolution of pixel images."""

RADAR_CAPTION = (
    "Each axis has a fixed scale, from its first printed end at the centre to its second at the rim; better is outward."
)
"""Below the radar charts."""


@dataclass(frozen=True)
class Chart:
    """A chart beside the table, with the points it shows."""

    name: str
    """Of its files, without suffix."""
    caption: str
    """One sentence."""
    drawing: Figure
    points: pd.DataFrame
    table: pd.DataFrame | None = None
    """Text to print below the chart; ``None``: nothing."""


@dataclass(frozen=True)
class ReportContent:
    """What the text formats share."""

    title: str
    table: ResultsTable
    radar: RadarChart | None
    radar_missing: str
    """Why there are no radar charts; empty where there are."""
    methods: tuple[str, ...]
    """Sentences."""
    provenance: tuple[tuple[str, str], ...]
    accounting: pd.DataFrame
    failures: pd.DataFrame
    charts: tuple[Chart, ...] = ()


def write_report(
    frame: pd.DataFrame,
    folder: Path,
    formats: Sequence[str],
    title: str,
    provenance: Mapping[str, Any],
    *,
    accounting: pd.DataFrame | None = None,
    failures: pd.DataFrame | None = None,
    charts: Sequence[Chart] = (),
    radar_metrics: Sequence[str] | None = None,
    across_protocols: bool = False,
    intervals: Intervals = "half-width",
) -> list[Path]:
    """Write a report; each file whole or not at all.

    Args:
        frame: results table, see :mod:`.schema`.
        folder: made if missing; files of the same names are replaced.
        formats: some of :data:`FORMATS`. ``md``: ``table.md``, ``report.md``; ``csv``: ``table.csv`` (one line a
            figure), ``table_wide.csv`` (one line a row); ``latex``: ``table.tex``, ``report.tex``. Always:
            ``radar.png``, ``radar.pdf``, ``radar.svg`` and ``radar.json`` (the scales), where three metrics have one.
        title: heading of the report and of its table.
        provenance: machine, versions, settings, …: names to values, nested at will.
        accounting: windows requested, scored and failed, one row a tokenizer and dataset.
        failures: failed windows with their reasons.
        charts: further charts, each written as ``NAME.png``, ``NAME.pdf`` and ``NAME.csv`` (its points).
        radar_metrics: names of the metrics that get an axis; ``None``: see :func:`~.radar.build_radar`.
        across_protocols: as for :func:`~.tables.build_table`, for the table; radar axes never mix protocols.
        intervals: how the tables print intervals.

    Returns:
        The files, in the order written.

    Raises:
        TableError: on an unknown format or an invalid frame, before anything is written.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise TableError(f"unknown report format {', '.join(unknown)}; there are: {', '.join(FORMATS)}")
    radar, radar_missing = _radar(frame, radar_metrics)
    content = ReportContent(
        title=title,
        table=build_table(frame, title=title, across_protocols=across_protocols, intervals=intervals),
        radar=radar,
        radar_missing=radar_missing,
        methods=tuple(_methods(frame)),
        provenance=tuple(_flatten(provenance)),
        accounting=pd.DataFrame() if accounting is None else accounting,
        failures=pd.DataFrame() if failures is None else failures,
        charts=tuple(charts),
    )
    texts: dict[str, str] = {}
    if "md" in formats:
        texts |= {"table.md": render_markdown(content.table), "report.md": report_markdown(content)}
    if "csv" in formats:
        texts |= {"table.csv": render_csv_long(frame), "table_wide.csv": render_csv_wide(content.table)}
    if "latex" in formats:
        texts |= {"table.tex": render_latex(content.table), "report.tex": report_latex(content)}
    written = _write_radar(radar, folder) if radar else []
    for chart in charts:
        written += _write_drawing(chart.drawing, folder, chart.name, (".png", ".pdf"))
        written.append(write_text(folder / f"{chart.name}.csv", chart.points.to_csv(index=False, lineterminator="\n")))
    return written + [write_text(folder / name, text) for name, text in texts.items()]


def report_markdown(content: ReportContent) -> str:
    """The report as Markdown, with the table in it and the radar charts beside it."""
    parts = [f"# {escape_markdown(content.title)}", "## Results", render_markdown(content.table).rstrip()]
    if content.radar:
        parts += [f"![Radar charts](radar.png)\n\n{RADAR_CAPTION}"]
    else:
        parts += [escape_markdown(f"No radar charts: {content.radar_missing}.")]
    for chart in content.charts:
        parts.append(f"![{escape_markdown(chart.caption)}]({chart.name}.png)\n\n{escape_markdown(chart.caption)}")
        if chart.table is not None:
            parts.append(frame_to_markdown(chart.table))
    parts += ["## Methods", escape_markdown(" ".join(content.methods))]
    if content.provenance:
        parts.append(frame_to_markdown(pd.DataFrame(content.provenance, columns=["what", "value"])))
    if not content.accounting.empty:
        parts += ["## Accounting", frame_to_markdown(content.accounting)]
    parts += ["## Failures", "None." if content.failures.empty else frame_to_markdown(content.failures)]
    return "\n\n".join(parts) + "\n"


def report_latex(content: ReportContent) -> str:
    """The report as a LaTeX document that compiles beside ``radar.pdf`` and the other charts."""
    parts = [r"\section{Results}", r"Table~\ref{tab:results} holds all figures.", render_latex(content.table)]
    if content.radar:
        parts += [
            r"Figure~\ref{fig:radar} compares the tokenizers of each kind.",
            r"\begin{figure*}[t]",
            r"\centering\includegraphics[width=\textwidth]{radar.pdf}",
            rf"\caption{{{escape_latex(RADAR_CAPTION)}}}",
            r"\label{fig:radar}",
            r"\end{figure*}",
        ]
    else:
        parts.append(escape_latex(f"No radar charts: {content.radar_missing}."))
    for chart in content.charts:
        parts += [
            r"\begin{figure}[t]",
            rf"\centering\includegraphics[width=\linewidth]{{{chart.name}.pdf}}",
            *([] if chart.table is None else [r"\par\medskip", frame_to_latex(chart.table)]),
            rf"\caption{{{escape_latex(chart.caption)}}}",
            r"\end{figure}",
        ]
    parts += [r"\section{Methods}", escape_latex(" ".join(content.methods))]
    if content.provenance:
        parts.append(_latex_list([f"{name}: {value}" for name, value in content.provenance]))
    if not content.accounting.empty:
        parts += [r"\section{Accounting}", _latex_list(_sentences(content.accounting))]
    parts += [r"\section{Failures}", "None." if content.failures.empty else _latex_list(_sentences(content.failures))]
    return latex_document(content.title, "\n".join(parts))


def _radar(frame: pd.DataFrame, metrics: Sequence[str] | None) -> tuple[RadarChart | None, str]:
    read_figures(frame)
    try:
        return build_radar(frame, metrics), ""
    except TableError as error:
        return None, str(error)


def _write_radar(chart: RadarChart, folder: Path) -> list[Path]:
    written = _write_drawing(draw_radar(chart), folder, "radar", (".pdf", ".svg", ".png"))
    return [*written, write_text(folder / "radar.json", radar_json(chart))]


def _write_drawing(drawing: Figure, folder: Path, name: str, suffixes: Sequence[str]) -> list[Path]:
    # Without dates and random identifiers, equal charts are equal files.
    undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": None}
    with matplotlib.rc_context({"svg.hashsalt": "toklab"}):
        return [
            write_file(
                folder / f"{name}{suffix}",
                lambda path: drawing.savefig(path, dpi=PNG_DPI, metadata=undated[path.suffix]),
            )
            for suffix in suffixes
        ]


def _methods(frame: pd.DataFrame) -> Iterator[str]:
    measured = [figure for figure in read_figures(frame) if figure.origin == "measured"]
    labels = list(dict.fromkeys(figure.label for figure in measured))
    yield f"{len(labels)} tokenizers were measured: {', '.join(labels)}." if labels else "Nothing was measured."
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
    if any(figure.has_interval for figure in measured):
        yield "Intervals are 95 % bootstrap intervals, clustered by source video."


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", str(value)


def _sentences(frame: pd.DataFrame) -> list[str]:
    names = [str(name).replace("_", " ") for name in frame.columns]
    return ["; ".join(f"{n} {v}" for n, v in zip(names, row, strict=True) if str(v)) for row in frame.to_numpy()]


def _latex_list(items: Sequence[str]) -> str:
    return "\n".join([r"\begin{itemize}", *(rf"\item {escape_latex(item)}" for item in items), r"\end{itemize}"])
