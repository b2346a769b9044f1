"""Sizes of models as the VidTok paper prints them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..schema import TableError
from .literature import rows_with_cards

SIZE_TABLES = (1, 2, 5)
"""Tables of the paper that print the size of models which have cards."""

TABLE2_INPUT = "17x256x256"
"""Clips of Table 2, which doesn't print them; its multiply-adds are those of the base model at this size."""


@dataclass(frozen=True)
class PublishedSize:
    """Parameters and multiply-adds of a row of a table, as printed."""

    row: str
    """The row in the table's words."""
    tokenizer: str
    """Card of the model that the row is about."""
    params_m: str
    """Millions of parameters."""
    macs_t: str
    """Trillions of multiply-adds for a clip of ``size``; empty where the table has none."""
    size: tuple[int, int, int]
    """Frames, height and width of the table's clips."""


def vidtok_sizes(table: int) -> list[PublishedSize]:
    """The size columns of Table 1, 2 or 5 of the VidTok paper.

    Rows without a size, of systems that aren't public, are left out.

    Raises:
        TableError: for another table, and for a row without a card in ``vidtok_table*_cards.csv``.
    """
    if table not in SIZE_TABLES:
        raise TableError(
            f"there is no published Table {table} with sizes; there are: {', '.join(map(str, SIZE_TABLES))}"
        )
    sizes: list[PublishedSize] = []
    for row, tokenizer in rows_with_cards(table):
        if not row["params_m"]:
            continue
        name = _row_name(row)
        if not tokenizer:
            raise TableError(f"vidtok_table{table}_cards.csv names no card for {name}")
        frames, height, width = (int(edge) for edge in row.get("input", TABLE2_INPUT).split("x"))
        sizes.append(PublishedSize(name, tokenizer, row["params_m"], row.get("macs_t", ""), (frames, height, width)))
    return sizes


def _row_name(row: Mapping[str, str]) -> str:
    if "description" in row:
        return row["description"]
    if "system" in row:
        return f"{row['system']}, {row['regularizer']}"
    return f"{row['regularizer']}, {row['compression']}, {'causal' if row['causal'] == 'yes' else 'non-causal'}"
