"""The table of parameters and multiply-adds that `toklab complexity` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...reports.tables.plain import PlainTable, TableFormat, to_csv, to_markdown, to_terminal
from ..catalog.catalog import tokenizers
from ..catalog.complexity import measure_complexity

DEFAULT_CHUNK = 16
"""Frames of the papers' clips: 16, and one more for causal models."""

COUNTS = ("params_total", "params_encoder", "params_decoder", "macs_total", "macs_encoder", "macs_decoder")
"""What is counted, in the order of the columns."""
CSV_COLUMNS = ("tokenizer", *COUNTS, "frames", "height", "width", "note")

UNITS = "A multiply-add is two FLOPs; the papers print multiply-adds."

Row = dict[str, str | int]


def complexity_table(
    names: Sequence[str], card_folders: tuple[Path, ...], format_: str, frames: int | None, height: int, width: int
) -> str:
    """Count tokenizers on the meta device and render the counts as ``terminal``, ``markdown`` or ``csv``.

    Args:
        names: tokenizers; empty: every one that has networks.
        card_folders: folders with further cards.
        format_: how to render.
        frames: frames of the clip; ``None``: 17 for causal tokenizers, 16 for the others.
        height: height of the clip.
        width: width of the clip.
    """
    rows = count_tokenizers(names, card_folders, frames, height, width)
    notes = [f"{row['tokenizer']}: {row['note']}" for row in rows if row["note"]]
    printed = PlainTable(HEADINGS, [_cells(row) for row in rows], "l" + "r" * len(HEADINGS[1:]), [UNITS, *notes])
    return render_counts(format_, CSV_COLUMNS, rows, printed)


def count_tokenizers(
    names: Sequence[str], card_folders: tuple[Path, ...], frames: int | None, height: int, width: int
) -> list[Row]:
    """One row a tokenizer, keys :data:`CSV_COLUMNS`; what couldn't be counted is absent and has a note."""
    catalog = tokenizers(card_folders)
    entries = [catalog.entry(name) for name in names] or list(catalog)
    rows: list[Row] = []
    for entry in entries:
        spec = entry.spec()
        num_frames = frames or (DEFAULT_CHUNK + 1 if spec.causal else DEFAULT_CHUNK)
        complexity = measure_complexity(entry, num_frames, height, width)
        if not names and complexity.params_total is None:
            continue
        counts = {name: value for name in COUNTS if (value := getattr(complexity, name)) is not None}
        rows.append(
            {
                "tokenizer": entry.name,
                **counts,
                "frames": num_frames,
                "height": height,
                "width": width,
                "note": complexity.reason,
            }
        )
    return rows


HEADINGS = (
    "tokenizer",
    "params (M)",
    "encoder",
    "decoder",
    "MACs (T)",
    "encoder",
    "decoder",
    "FLOPs (T)",
    "input",
)


def _cells(row: Row) -> list[str]:
    def scaled(name: str, unit: float, digits: int) -> str:
        return f"{float(row[name]) / unit:.{digits}f}" if name in row else "–"

    flops = f"{2 * float(row['macs_total']) / 1e12:.3f}" if "macs_total" in row else "–"
    return [
        str(row["tokenizer"]),
        *(scaled(name, 1e6, 2) for name in COUNTS[:3]),
        *(scaled(name, 1e12, 3) for name in COUNTS[3:]),
        flops,
        f"{row['frames']}×{row['height']}×{row['width']}",
    ]


def render_counts(format_: str, columns: Sequence[str], rows: Sequence[Row], printed: PlainTable) -> str:
    """The full ``rows`` as ``csv``, where what a row lacks is empty; ``printed`` as ``terminal`` or ``markdown``."""
    if format_ == TableFormat.csv:
        return to_csv(PlainTable(columns, [[row.get(column) for column in columns] for row in rows]))
    return to_markdown(printed, literal=True) if format_ == TableFormat.markdown else to_terminal(printed)
