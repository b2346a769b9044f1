"""Reports of a run folder: the ledger's figures and the published ones, handed to the reports."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ...reports.charts.pictures import Chart
from ...reports.charts.scales import AxisScale
from ...reports.files import write_files
from ...reports.formats.interface import KeptClip
from ...reports.formats.terminal import terminal_table
from ...reports.paper.layout import PaperLayout
from ...reports.published.literature import vidtok_table1, with_published
from ...reports.record.writing import RecordSizeError, record_files
from ...reports.registry import FORMATS
from ...reports.report import compose_report, write_report
from ...reports.schema import Figure, read_figures
from ...reports.tables.named import NamedTable
from ...reports.text import one_line
from ..catalog.broken_metric import CODE_FAILS
from ..ledger.records import CellRecord
from .accounting import accounting_frame, failures_frame
from .cell_results import CellResults
from .charts import run_charts
from .compared_pairs import known_cells
from .convention_audit import audit_tables
from .frame_values import FrameValues
from .kept_frames import kept_rows
from .paper_facts import run_facts
from .published_check import is_published_protocol
from .rate_deltas import rate_delta_tables
from .record_writing import measured_part
from .results import RunResults
from .results_table import results_table
from .strips import run_strips
from .video_table import keep_command, video_table

RECORD = "json"
"""The format of a result record."""
NARROWEST, WIDEST = 80, 240
"""Limits of the width of a table on the terminal."""
TEXT_WIDTH = 140
"""Width of a table as text."""


def run_figures(
    results: Sequence[CellResults], *, published: bool, extrapolation_intervals: bool = False
) -> list[Figure]:
    """Measured figures, and those of the VidTok paper's Table 1 on the same datasets if asked for."""
    measured = read_figures(results_table(results, extrapolation_intervals=extrapolation_intervals))
    if not published:
        return measured
    # What is merely called as the paper's protocol is another one.
    papers = [result for result in results if is_published_protocol(result)]
    names = {result.cell.protocol["name"]: result.cell.protocol_hash for result in papers}
    # One name may have several hashes: a dataset's colour matrix is part of the protocol.
    on_dataset = {(r.dataset, r.cell.protocol["name"]): r.cell.protocol_hash for r in papers}
    printed = [
        replace(figure, protocol_hash=on_dataset.get((figure.dataset, figure.protocol), figure.protocol_hash))
        for figure in vidtok_table1(names)
    ]
    return with_published(measured, printed)


def kept_clips(results: Sequence[CellResults]) -> list[KeptClip]:
    """The clips whose reconstructions were kept, each with those of all tokenizers, in the ledgers' order."""
    # Causal and non-causal tokenizers have windows of one number and different lengths.
    clips: dict[tuple[str, str, str, int, str], KeptClip] = {}
    for result in results:
        protocol, digest = result.cell.protocol["name"], result.cell.protocol_hash
        kept = kept_rows(result)
        of_frames = FrameValues(result, list(kept))
        for index, files in kept.items():
            row = result.contents.rows[index]
            key = (result.dataset, digest, row.source, row.window, files.reference.name)
            known = clips.get(key) or KeptClip(
                result.dataset, protocol, digest, row.source, row.window, files.reference, {}, {}
            )
            clips[key] = replace(
                known,
                reconstructions={**known.reconstructions, result.label: files.reconstruction},
                frame_values={**known.frame_values, result.label: of_frames.of(row)},
            )
    return list(clips.values())


def _wants_published(run: RunResults, asked: bool | None) -> bool:
    return asked if asked is not None else run.suite is not None and run.suite.published


def _print_table(run: RunResults, console: Console, *, across_protocols: bool = False) -> list[Figure]:
    figures = run_figures(run.results, published=_wants_published(run, None))
    console.print(terminal_table(figures, console.width, title=run.name, across_protocols=across_protocols))
    return figures


def terminal_text(run: RunResults) -> str:
    """The table of a run as the terminal shows it, without colours."""
    text = io.StringIO()
    _print_table(run, Console(width=TEXT_WIDTH, file=text))
    return text.getvalue()


def terminal_report(run: RunResults, *, across_protocols: bool = False) -> bool:
    """Print the table of a run, and what failed; whether the code of a metric in it fails."""
    console = Console(width=max(NARROWEST, min(WIDEST, shutil.get_terminal_size((120, 24)).columns)))
    figures = _print_table(run, console, across_protocols=across_protocols)
    for row in accounting_frame(run.results).to_dict("records"):
        if row["status"] == "failed":
            message = f"{row['label']} on {row['dataset']} couldn't run: {row['reason']}"
            console.print(one_line(message), style="red", highlight=False, markup=False)
        elif row["failed"] or row["not_run"] or row["missing_videos"]:
            message = (
                f"{row['label']} on {row['dataset']}: {row['requested']} windows requested, {row['scored']} scored, "
                f"{row['failed']} failed, {row['not_run']} not run; {row['missing_videos']} videos missing"
            )
            console.print(one_line(message), highlight=False, markup=False)
    for remark in run.all_remarks:
        console.print(one_line(remark), highlight=False, markup=False)
    return any(figure.note.startswith(CODE_FAILS) for figure in figures)


def write_run_report(
    run: RunResults,
    out: Path | None,
    formats: Sequence[str] = (),
    *,
    published: bool | None = None,
    across_protocols: bool = False,
    difference_to: str = "",
    extrapolation_intervals: bool = False,
    bundle: bool = False,
    layout: PaperLayout | None = None,
) -> list[Path]:
    """Write the report of a run and return the files.

    Args:
        run: what was measured.
        out: where to; the folder ``report`` of the run folder if not given.
        formats: names in :data:`toklab.reports.registry.FORMATS`; all if there are none.
        published: whether published figures stand beside the measured ones; as the suite says if not given.
        across_protocols: whether figures of several protocols may share a column, marked.
        difference_to: label or name of a tokenizer. Charts of the paired differences to it are added, and its curve is
            the anchor of BD-rates.
        extrapolation_intervals: whether extrapolated figures get their intervals, a minute or more for each.
        bundle: whether the page is a folder, with its media beside it.
        layout: venue and columns of the paper.

    Raises:
        ValueError: if a format, a column or ``difference_to`` is unknown, there is neither ``out`` nor a run folder, or
            the record is chosen and too large.
    """
    if out is None and run.folder is None:
        raise ValueError("this is no single run folder: say where the report goes, with --out (from Python, out=)")
    if difference_to:
        known_cells(run.results, difference_to, run.name)
    figures = run_figures(
        run.results, published=_wants_published(run, published), extrapolation_intervals=extrapolation_intervals
    )
    if layout is not None:
        layout.check([figure.metric for figure in figures])
    chosen = formats or list(FORMATS)
    folder = out or Path(run.folder or ".") / "report"
    measured = measured_part(run, figures) if RECORD in chosen else None
    if measured is not None and set(chosen) == {RECORD}:
        # A record has no charts, which would take the most time.
        return write_files(folder, record_files(one_line(run.name), measured))
    charts, tables, left_out = _charts_and_tables(run, figures, difference_to)
    remarks = [*run.all_remarks, *left_out]
    report = compose_report(
        figures,
        run.name,
        _provenance(run.results, run.provenance),
        accounting=accounting_frame(run.results),
        failures=failures_frame(run.results),
        remarks=remarks,
        charts=charts,
        tables=tables,
        clips=kept_clips(run.results),
        radar_metrics=list(run.suite.radar) if run.suite and run.suite.radar else None,
        radar_scales=_radar_scales(run),
        across_protocols=across_protocols,
        measured=measured,
        facts=run_facts(run.results, remarks=remarks),
        layout=layout,
    )
    report = replace(report, videos=video_table(run.results), keep_command=keep_command(run), is_bundle=bundle)
    try:
        return write_report(report, folder, chosen)
    except RecordSizeError as error:
        if formats:
            raise
        # Nobody asked for the record by its name.
        report = replace(report, methods=(*report.methods, f"There is no record: {error}."))
        return write_report(report, folder, [name for name in chosen if name != RECORD])


def _charts_and_tables(
    run: RunResults, figures: Sequence[Figure], difference_to: str
) -> tuple[list[Chart], list[NamedTable], list[str]]:
    """The charts of a run, its tables beside the main one, and sentences on what these leave out."""
    left_out: list[str] = []
    without_curve: list[str] = []
    deltas = rate_delta_tables(run.results, difference_to, without_curve)
    charts = run_charts(run.results, figures, difference_to, left_out, deltas)
    charts += run_strips(run.results, figures, left_out)
    return charts, [*deltas, *audit_tables(run.results, figures)], left_out + without_curve


def _radar_scales(run: RunResults) -> dict[str, AxisScale]:
    """The scales that a run's suite sets, by metric."""
    if run.suite is None:
        return {}
    scales = run.suite.radar_scales
    return {name: AxisScale(worst, best, f"suite {run.suite.name}") for name, (worst, best) in scales.items()}


def _weights(cells: Sequence[CellRecord]) -> dict[str, str]:
    """The hash of each tokenizer's weights; several where cells differ in them."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        if cell.weights.startswith(("sha256:", "state:")):
            found.setdefault(cell.tokenizer, {})[cell.weights] = None
    return {tokenizer: ", ".join(weights) for tokenizer, weights in found.items()}


def _provenance(results: Sequence[CellResults], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What stands below the methods paragraph: protocols, settings, machines, versions, weights."""
    last = runs[-1] if runs else {}
    cells = [result.cell for result in results]
    return {
        "datasets": {r.dataset: r.cell.dataset for r in results if r.dataset != r.cell.dataset},
        "protocols": {cell.protocol_hash: cell.protocol for cell in cells},
        "settings": sorted({", ".join(f"{name}={value}" for name, value in cell.settings.items()) for cell in cells}),
        "weights": _weights(cells),
        "machines": sorted(
            {machine for result in results for machine in result.contents.rows.texts["machine"].present()}
        ),
        "versions": last.get("versions", {}),
        "ffmpeg": last.get("ffmpeg", ""),
        "commit": last.get("commit", ""),
        "dirty": last.get("dirty", False),
        "command": " ".join(last.get("command", [])),
    }
