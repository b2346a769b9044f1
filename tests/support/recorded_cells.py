"""Cells made up for result records, which take real protocols only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.record_writing import measured_part
from toklab.bench.analysis.results import RunResults
from toklab.bench.analysis.results_table import results_table
from toklab.bench.planning.cell import reference_identity
from toklab.datasets.protocol import Protocol, load_protocol
from toklab.reports.files import write_files
from toklab.reports.record.writing import INLINE_BYTES, record_files
from toklab.reports.schema import read_figures

VIDTOK = load_protocol("vidtok")


def under_protocol(result: CellResults, protocol: Protocol = VIDTOK) -> CellResults:
    """The cell as if it had been measured under a protocol."""
    earlier, cell = (
        result.cell.protocol_hash,
        replace(result.cell, protocol=protocol.model_dump(), protocol_hash=protocol.hash),
    )
    renamed = {}
    for row in result.rows:
        clip = (row.content_id, row.frame_ids)
        renamed[reference_identity(*clip, earlier, row.reader)] = reference_identity(*clip, protocol.hash, row.reader)
    references = {(renamed[clip], key): arrays for (clip, key), arrays in result.references.items()}
    return replace(result, cell=cell, references=references, dataset=cell.dataset)


def made_run(results: Sequence[CellResults], name: str = "made") -> RunResults:
    """A run of some cells, each under VidTok's protocol."""
    return RunResults(name, tuple(under_protocol(result) for result in results), ())


def write_record(run: RunResults, folder: Path, inline_bytes: int = INLINE_BYTES) -> Path:
    """Write a run's record; the path of its JSON file."""
    figures = read_figures(results_table(run.results))
    return write_files(folder, record_files(run.name, measured_part(run, figures), inline_bytes))[0]
