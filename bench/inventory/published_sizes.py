"""The VidTok paper's tables of parameters and multiply-adds, counted beside printed: `toklab complexity --table`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...reports.published.sizes import PublishedSize, vidtok_sizes
from ...reports.tables.plain import PlainTable
from .complexity_table import COUNTS, UNITS, Row, count_tokenizers, render_counts


@dataclass(frozen=True)
class Quantity:
    """A quantity that the paper prints."""

    name: str
    """Prefix of its counts."""
    title: str
    unit: float
    """What the paper counts it in."""
    letter: str
    """Sign of that unit."""
    digits: int
    """Decimals of our counts."""

    def counts(self) -> list[str]:
        """Its counts: total, encoder, decoder."""
        return [count for count in COUNTS if count.startswith(self.name)]

    def comparison(self) -> list[str]:
        """The columns that compare it: printed, difference in percent, whether ours would be printed differently."""
        return [f"{self.name}_{what}" for what in ("published", "difference_percent", "rounds_differently")]


PARAMETERS = Quantity("params", "params (M)", 1e6, "M", 2)
MULTIPLY_ADDS = Quantity("macs", "MACs (T)", 1e12, "T", 3)
QUANTITIES = (PARAMETERS, MULTIPLY_ADDS)

CSV_COLUMNS = (
    "row",
    "tokenizer",
    *(column for quantity in QUANTITIES for column in (*quantity.counts(), *quantity.comparison())),
    "frames",
    "height",
    "width",
    "note",
)
"""Printed figures are in millions and trillions, as in the paper; counts are plain numbers."""
MEBI = 2**20
"""What some rows of the paper divide parameters by."""
ABSENT = "–"
MARK = "†"


def published_size_table(
    table: int, card_folders: tuple[Path, ...], format_: str, frames: int | None, height: int, width: int
) -> str:
    """Count the models of a table of the paper and render them beside its figures.

    Args:
        table: number of the table, one of :data:`toklab.reports.published.sizes.SIZE_TABLES`.
        card_folders: folders with further cards.
        format_: ``terminal``, ``markdown`` or ``csv``.
        frames: frames of the clip; ``None``: 17 for causal tokenizers, 16 for the others.
        height: height of the clip.
        width: width of the clip. Multiply-adds are compared only at the size of the paper's clips.
    """
    sizes = vidtok_sizes(table)
    counted = count_tokenizers([size.tokenizer for size in sizes], card_folders, frames, height, width)
    rows = [_compare(size, row) for size, row in zip(sizes, counted, strict=True)]
    shown = [quantity for quantity in QUANTITIES if quantity is PARAMETERS or any(size.macs_t for size in sizes)]
    headings = [f"Table {table}", "tokenizer"]
    for quantity in QUANTITIES:
        headings += [quantity.title, "encoder", "decoder"]
        headings += ["published", "difference"] if quantity in shown else []
    headings.append("input")
    alignment = "ll" + "r" * (len(headings) - 2)
    printed = PlainTable(headings, [_cells(row, shown) for row in rows], alignment, [UNITS, *_footnotes(rows)])
    return render_counts(format_, CSV_COLUMNS, rows, printed)


def _compare(size: PublishedSize, counts: Row) -> Row:
    row: Row = {"row": size.row, **counts}
    same_clip = (counts["frames"], counts["height"], counts["width"]) == size.size
    for quantity, printed in ((PARAMETERS, size.params_m), (MULTIPLY_ADDS, size.macs_t if same_clip else "")):
        total = counts.get(f"{quantity.name}_total")
        if not printed or not isinstance(total, int):
            continue
        value = total / quantity.unit
        as_printed = f"{value:.{len(printed.partition('.')[2])}f}"
        difference = f"{100 * (value / float(printed) - 1):+.2f}"
        answers = (printed, difference, "no" if as_printed == printed else "yes")
        row |= dict(zip(quantity.comparison(), answers, strict=True))
    return row


def _cells(row: Mapping[str, str | int], shown: Sequence[Quantity]) -> list[str]:
    cells = [str(row["row"]), str(row["tokenizer"])]
    for quantity in QUANTITIES:
        for count in quantity.counts():
            cells.append(f"{float(row[count]) / quantity.unit:.{quantity.digits}f}" if count in row else ABSENT)
        if quantity in shown:
            published, difference, differs = (row.get(column) for column in quantity.comparison())
            cells.append(ABSENT if published is None else f"{published}{MARK if differs == 'yes' else ''}")
            cells.append(ABSENT if difference is None else f"{difference} %")
    return [*cells, f"{row['frames']}×{row['height']}×{row['width']}"]


def _footnotes(rows: Sequence[Row]) -> list[str]:
    notes = []
    for row in rows:
        for quantity in QUANTITIES:
            published, _, differs = (row.get(column) for column in quantity.comparison())
            if differs == "yes":
                total = float(row[f"{quantity.name}_total"])
                value, in_mebi = total / quantity.unit, total / MEBI
                digits = len(str(published).partition(".")[2])
                ours = f"{MARK} {row['row']}: {value:.{quantity.digits}f} {quantity.letter}"
                if quantity is PARAMETERS and f"{in_mebi:.{digits}f}" == published:
                    notes.append(f"{ours} is {in_mebi:.1f} × 2^20, and the paper prints {published}, in that unit.")
                else:
                    notes.append(f"{ours} rounds to {value:.{digits}f}, the paper prints {published}.")
    return notes + [f"{row['tokenizer']}: {row['note']}" for row in rows if row["note"]]
