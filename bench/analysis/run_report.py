"""Reports of a run folder: the ledger's figures and the published ones, handed to the reports."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from ...reports.published.literature import vidtok_table1, with_published
from ...reports.report import write_report
from ...reports.tables.table import build_table
from ...reports.tables.terminal import terminal_table
from .charts import run_charts
from .results import CellResults, RunResults, accounting_frame, failures_frame, results_table

NARROWEST, WIDEST = 80, 140
"""Limits of the width of a table on the terminal."""


def full_table(results: Sequence[CellResults], *, published: bool) -> pd.DataFrame:
    """Measured rows, and those of the VidTok paper's Table 1 on the same datasets if asked for."""
    measured = results_table(results)
    hashes = {result.cell.protocol["name"]: result.cell.protocol_hash for result in results}
    return with_published(measured, vidtok_table1(hashes)) if published else measured


def _wants_published(run: RunResults, asked: bool | None) -> bool:
    return asked if asked is not None else run.suite is not None and run.suite.published


def _print_table(run: RunResults, console: Console, *, across_protocols: bool = False) -> None:
    frame = full_table(run.results, published=_wants_published(run, None))
    table = build_table(frame, title=run.name, across_protocols=across_protocols)
    console.print(terminal_table(table, console.width))


def terminal_text(run: RunResults) -> str:
    """The table of a run as the terminal shows it, without colours."""
    console = Console(width=WIDEST, file=io.StringIO())
    with console.capture() as captured:
        _print_table(run, console)
    return captured.get()


def terminal_report(run: RunResults, *, across_protocols: bool = False) -> None:
    """Print the table of a run, and what failed."""
    console = Console(width=max(NARROWEST, min(WIDEST, shutil.get_terminal_size((120, 24)).columns)))
    _print_table(run, console, across_protocols=across_protocols)
    for row in accounting_frame(run.results).to_dict("records"):
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
    run: RunResults, out: Path | None, formats: Sequence[str], *, published: bool | None, across_protocols: bool
) -> list[Path]:
    """Write the report of a run and return the files; into its folder's ``report`` where ``out`` isn't given.

    Raises:
        ValueError: if there is neither ``out`` nor a folder.
    """
    if out is None and run.folder is None:
        raise ValueError("nothing of this run is on disk: say where the report goes with out=")
    table = full_table(run.results, published=_wants_published(run, published))
    return write_report(
        table,
        out or Path(run.folder or ".") / "report",
        formats,
        run.name,
        _provenance(run.results, run.provenance),
        accounting=accounting_frame(run.results),
        failures=failures_frame(run.results),
        charts=run_charts(run.results, table),
        radar_metrics=list(run.suite.radar) if run.suite and run.suite.radar else None,
        across_protocols=across_protocols,
    )


def _provenance(results: Sequence[CellResults], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the methods paragraph says: protocols, settings, machines, versions, weights."""
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
