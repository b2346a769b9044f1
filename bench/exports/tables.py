"""The frames of a run as files that any program reads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...reports.files import write_files
from ...reports.tables.plain import frame_to_csv
from ..analysis.portable_text import portable
from ..analysis.record_writing import roots_of
from ..analysis.run import Run
from .dataset_card import dataset_card

TableKind = Literal["parquet", "csv"]

TABLES = ("figures", "windows", "accounting", "failures")
"""Names of the files, without their endings."""


def export_frames(run: Run) -> dict[str, pd.DataFrame]:
    """The frames by name: those of ``run.table()``, ``windows()``, ``accounting()`` and ``failures()``."""
    return dict(zip(TABLES, (run.table(), run.windows(), run.accounting(), run.failures()), strict=True))


def export_tables(run: Run, folder: str | Path, kind: TableKind = "parquet", *, card: bool = False) -> list[Path]:
    """Write the frames of a run, and return the files.

    Args:
        run: from :func:`toklab.bench.open_run`.
        folder: where to; made if missing.
        kind: ``"parquet"``, which keeps numbers and their types, or ``"csv"``, with full precision.
        card: whether ``README.md`` describes the folder as a dataset for the Hugging Face Hub. Texts that name places
            of this machine are then cut down.

    Raises:
        ValueError: on another kind.
    """
    if kind not in get_args(TableKind):
        raise ValueError(f"tables are exported as {' or '.join(get_args(TableKind))}, not {kind}")
    frames = export_frames(run)
    if card:
        roots = roots_of(run)
        frames = {name: portable_frame(frame, roots) for name, frame in frames.items()}
    files: dict[str, str | bytes] = {f"{name}.{kind}": _packed(frame, kind) for name, frame in frames.items()}
    if card:
        files["README.md"] = dataset_card(run, frames, kind)
    return write_files(Path(folder), files)


def portable_frame(frame: pd.DataFrame, roots: Sequence[str]) -> pd.DataFrame:
    """The frame with texts that don't say where on this machine anything lies."""
    return frame.map(lambda value: portable(value, roots) if isinstance(value, str) else value)


def _packed(frame: pd.DataFrame, kind: TableKind) -> str | bytes:
    if kind == "csv":
        return frame_to_csv(frame)
    # A column of text without any row would have no type.
    types = {
        name: pa.from_numpy_dtype(d) if pd.api.types.is_numeric_dtype(d) else pa.string()
        for name, d in frame.dtypes.items()
    }
    table = pa.Table.from_pandas(frame, pa.schema(list(types.items())), preserve_index=False)
    packed = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None), packed, compression="zstd")
    return packed.getvalue()
