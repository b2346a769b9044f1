"""Reports of a run folder: the ledger's figures and the published ones, handed to the reports."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ...reports.formats.interface import KeptClip
from ...reports.formats.terminal import render_table
from ...reports.published.literature import vidtok_table1, with_published
from ...reports.report import compose_report, write_report
from ...reports.schema import Figure, read_figures
from ...reports.tables.table import build_table
from ..execution.reconstructions import FOLDER, REFERENCE_FOLDER
from ..ledger.ledger import Ledger
from ..planning.cell import clip_identity
from ..planning.suite import Suite
from .charts import run_charts
from .results import CellResults, accounting_frame, failures_frame, read_results, results_table

SUITE_FILE = "suite.json"
NARROWEST, WIDEST = 80, 140
"""Limits of the width of a table on the terminal."""


def read_suite(folder: Path) -> Suite | None:
    """The suite a run folder was last run with; ``None`` for a merged folder."""
    path = folder / SUITE_FILE
    return Suite.model_validate_json(path.read_text()) if path.is_file() else None


def write_suite(folder: Path, suite: Suite) -> None:
    """Remember what a run folder was run with."""
    (folder / SUITE_FILE).write_text(suite.model_dump_json(indent=1))


def run_figures(results: Sequence[CellResults], *, published: bool) -> list[Figure]:
    """Measured figures, and those of the VidTok paper's Table 1 on the same datasets if asked for."""
    measured = read_figures(results_table(results))
    hashes = {result.cell.protocol["name"]: result.cell.protocol_hash for result in results}
    return with_published(measured, vidtok_table1(hashes)) if published else measured


def kept_clips(folder: Path, results: Sequence[CellResults]) -> list[KeptClip]:
    """The clips whose reconstructions are in a run folder, each with those of all tokenizers, in the ledger's order."""
    clips: dict[tuple[str, str, str, int], tuple[Path, dict[str, Path]]] = {}
    protocols: dict[str, str] = {}
    for result in results:
        cell = result.cell
        protocols[cell.protocol_hash] = cell.protocol["name"]
        for row in result.scored():
            name = f"{clip_identity(row.content_id, row.frame_ids)}.mkv"
            reference = folder / FOLDER / REFERENCE_FOLDER / cell.protocol_hash / name
            reconstruction = folder / FOLDER / cell.cell / name
            if reference.is_file() and reconstruction.is_file():
                key = (cell.dataset, cell.protocol_hash, row.source, row.window)
                clips.setdefault(key, (reference, {}))[1][cell.label] = reconstruction
    return [
        KeptClip(dataset, protocols[protocol_hash], protocol_hash, source, window, reference, made)
        for (dataset, protocol_hash, source, window), (reference, made) in clips.items()
    ]


def _wants_published(folder: Path, asked: bool | None) -> bool:
    suite = read_suite(folder)
    return asked if asked is not None else suite is not None and suite.published


def _title(folder: Path) -> str:
    suite = read_suite(folder)
    return suite.title or suite.name if suite else folder.name


def _results(folder: Path) -> tuple[list[CellResults], list[dict[str, Any]]]:
    with Ledger(folder) as ledger:
        results = read_results(ledger)
        return results, [run.provenance for run in ledger.runs()]


def terminal_report(folder: Path, *, across_protocols: bool = False) -> None:
    """Print the table of a run folder, and what failed."""
    results, _ = _results(folder)
    console = Console(width=max(NARROWEST, min(WIDEST, shutil.get_terminal_size((120, 24)).columns)))
    figures = run_figures(results, published=_wants_published(folder, None))
    table = build_table(figures, title=_title(folder), across_protocols=across_protocols)
    console.print(render_table(table, console.width))
    for row in accounting_frame(results).to_dict("records"):
        if row["status"] == "failed":
            message = f"{row['label']} on {row['dataset']} couldn't run: {row['reason']}"
            console.print(message, style="red", highlight=False, markup=False)
        elif row["failed"] or row["not_run"] or row["missing_videos"]:
            console.print(
                f"{row['label']} on {row['dataset']}: {row['requested']} windows requested, {row['scored']} scored, "
                f"{row['failed']} failed, {row['not_run']} not run; {row['missing_videos']} videos missing",
                highlight=False,
                markup=False,
            )


def write_run_report(
    folder: Path, out: Path | None, formats: Sequence[str], *, published: bool | None, across_protocols: bool
) -> list[Path]:
    """Write the report of a run folder and return the files."""
    results, provenances = _results(folder)
    suite = read_suite(folder)
    figures = run_figures(results, published=_wants_published(folder, published))
    report = compose_report(
        figures,
        _title(folder),
        _provenance(results, provenances),
        accounting=accounting_frame(results),
        failures=failures_frame(results),
        charts=run_charts(results, figures),
        clips=kept_clips(folder, results),
        radar_metrics=list(suite.radar) if suite and suite.radar else None,
        across_protocols=across_protocols,
    )
    return write_report(report, out or folder / "report", formats)


def _provenance(results: Sequence[CellResults], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What stands below the methods paragraph: protocols, settings, machines, versions, weights."""
    last = runs[-1] if runs else {}
    cells = [result.cell for result in results]
    return {
        "protocols": {cell.protocol_hash: cell.protocol for cell in cells},
        "settings": sorted({", ".join(f"{name}={value}" for name, value in cell.settings.items()) for cell in cells}),
        "weights": {cell.tokenizer: cell.weights for cell in cells if cell.weights.startswith("sha256:")},
        "machines": sorted({row.machine for result in results for row in result.rows}),
        "versions": last.get("versions", {}),
        "ffmpeg": last.get("ffmpeg", ""),
        "commit": last.get("commit", ""),
        "dirty": last.get("dirty", False),
        "command": " ".join(last.get("command", [])),
    }
