"""Small runs for faults: a few tiny videos, two resizing tokenizers, decoding inside the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from striped_video import write_stripes
from toklab.bench.analysis.results import read_results
from toklab.bench.analysis.results_table import results_table
from toklab.bench.execution.options import RunOptions
from toklab.bench.execution.progress import SilentProgress
from toklab.bench.execution.runner import Runner
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.records import Measurement, Row
from toklab.bench.planning.plan import Shard, plan_cells
from toklab.bench.planning.suite import Suite, write_suite
from toklab.datasets.interface import UnreadableVideo
from toklab.datasets.readers.worker import DecodeWorker
from toklab.datasets.readers.worker_process import OpenSource, answer

METRICS = ("psnr", "ssim", "bpp", "flicker", "params")
LENGTHS = {"a.mp4": 20, "b.mp4": 37, "c.mp4": 5}


class InProcessDecoder(DecodeWorker):
    """Decodes in this process, so that a run needs no other one."""

    def __init__(self) -> None:
        super().__init__()
        self._source = OpenSource()
        self._one_at_a_time = threading.Lock()

    def _request(self, *request: Any) -> Any:
        with self._one_at_a_time:
            kind, found = answer(self._source, request)
        if kind == "unreadable":
            raise UnreadableVideo(found)
        return found

    def kill(self) -> None:
        return

    def close(self) -> None:
        self._source.close()


def write_videos(folder: Path) -> Path:
    """Three short videos."""
    for name, num_frames in LENGTHS.items():
        write_stripes(folder / name, num_frames)
    return folder


def suite(videos: Path) -> Suite:
    """Two tokenizers on the videos of a folder."""
    return Suite.model_validate(
        {
            "name": "tiny",
            "datasets": (f"own=folder:{videos}",),
            "protocol": "vidtok",
            "protocol_changes": {"height": 32, "width": 32},
            "tokenizers": ("bicubic-4chn", "bicubic-8chn"),
            "metrics": METRICS,
        }
    )


def run(
    folder: Path,
    chosen: Suite,
    shard: Shard | None = None,
    heard: Callable[[Any], None] | None = None,
    worker: DecodeWorker | None = None,
) -> None:
    """Run a suite into a folder; ``heard`` gets every row and measurement once it is committed."""
    with Ledger(folder, write=True) as ledger:
        write_suite(folder, chosen)
        if heard is not None:
            _report_commits(ledger, heard)
        options = RunOptions(keep_reconstructions=1, shard=shard or Shard(), prefetch=2)
        Runner(ledger, options, SilentProgress(), worker=worker or InProcessDecoder()).run(plan_cells(chosen))


def _report_commits(ledger: Ledger, heard: Callable[[Any], None]) -> None:
    record = ledger.record

    def reported(*records: Any) -> None:
        record(*records)
        kept = [plain(one) for one in records if isinstance(one, (Row, Measurement))]
        if kept:
            heard(kept)

    ledger.record = reported  # type: ignore[method-assign]


def plain(record: Row | Measurement) -> Row | Measurement:
    """A record without what differs from one run to the next: times, machine, invocation."""
    return replace(record, timing={}, machine="", run_id="") if isinstance(record, Row) else record


def contents(folder: Path) -> dict[str, Any]:
    """Everything of a run folder that must be the same whatever happened on the way: rows, measurements, the table."""
    with Ledger(folder) as ledger:
        results = read_results(ledger)
        cells = ledger.cells()
        rows = {cell.cell_id: [plain(row) for row in ledger.rows(cell.cell_id)] for cell in cells}
        measurements = {cell.cell_id: ledger.measurements(cell.cell_id) for cell in cells}
        references = ledger.reference_measurements()
    table = results_table(results)
    kept = sorted(str(path.relative_to(folder)) for path in (folder / "reconstructions").rglob("*") if path.is_file())
    return {
        "table": [[_exact(value) for value in row] for row in table.to_numpy().tolist()],
        "cells": [(cell.cell_id, cell.status, cell.planned, cell.metrics) for cell in cells],
        "rows": rows,
        "measurements": measurements,
        "references": references,
        "reconstructions": kept,
    }


def _exact(value: Any) -> str:
    return value.hex() if isinstance(value, float) else str(value)


def difference(found: dict[str, Any], truth: dict[str, Any]) -> str:
    """Which parts of two contents differ; empty if none do."""
    return ", ".join(name for name in truth if found.get(name) != truth[name])


def num_failed(folder: Path) -> int:
    """Failed windows of a run, and its cells that couldn't run."""
    with Ledger(folder) as ledger:
        cells = ledger.cells()
        failed = sum(row.status == "failed" for cell in cells for row in ledger.rows(cell.cell_id))
        return failed + sum(cell.status == "failed" for cell in cells)


def remarks(folder: Path) -> list[str]:
    """What a run says of the windows that its figures rest on."""
    with Ledger(folder) as ledger:
        return [remark for result in read_results(ledger) for remark in result.remarks]


def scored(folder: Path) -> dict[str, dict[tuple[str, int], dict[str, bytes]]]:
    """For each tokenizer of a run, the measurements of its scored windows."""
    with Ledger(folder) as ledger:
        return {
            cell.tokenizer: {
                row.key: {name: one.arrays for name, one in ledger.measurements(cell.cell_id).get(row.key, {}).items()}
                for row in ledger.rows(cell.cell_id)
                if row.status == "scored"
            }
            for cell in ledger.cells()
        }
