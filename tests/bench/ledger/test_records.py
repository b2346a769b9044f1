"""The columns of the ledger's tables, which earlier and later versions share."""

from __future__ import annotations

import pytest
from run_folders import CELL, ROW
from toklab.bench.ledger.records import (
    PRIMARY_KEYS,
    TABLES,
    CellRecord,
    Measurement,
    Row,
    RunRecord,
    column_types,
    default_column,
    from_named_columns,
    to_columns,
)

COLUMNS = {
    "runs": "run* TEXT, started TEXT, finished TEXT, provenance TEXT",
    "cells": (
        "cell* TEXT, tokenizer TEXT, label TEXT, spec TEXT, weights TEXT, dataset TEXT, protocol TEXT, "
        "protocol_hash TEXT, settings TEXT, metrics TEXT, status TEXT, reason TEXT, cure TEXT, facts TEXT, "
        "missing TEXT, unavailable TEXT, planned INTEGER, dataset_notes TEXT"
    ),
    "rows": (
        "cell* TEXT, source* TEXT, window* INTEGER, content_id TEXT, frame_ids TEXT, fps REAL, reader TEXT, "
        "status TEXT, reason TEXT, timing TEXT, machine TEXT, run TEXT, note TEXT, worker TEXT"
    ),
    "measurements": "cell* TEXT, source* TEXT, window* INTEGER, measurement* TEXT, arrays BLOB, reason TEXT",
    "reference_measurements": "clip* TEXT, measurement* TEXT, arrays BLOB",
    "cell_files": "cell* TEXT, digest TEXT, next_digest TEXT",
}
"""Tables, and their columns; a star: part of the key."""


def test_the_tables_are_pinned() -> None:
    found = {
        table: ", ".join(
            f"{name}{'*' if name in PRIMARY_KEYS[record] else ''} {kind}" for name, kind in column_types(record).items()
        )
        for record, table in TABLES.items()
    }
    assert found == COLUMNS


def test_a_column_that_is_not_there_has_the_fields_default() -> None:
    names = list(column_types(Row))
    without = [(name, value) for name, value in zip(names, to_columns(ROW), strict=True) if name != "worker"]
    decode = from_named_columns(Row, ["later", *(name for name, _ in without)])
    assert decode([object(), *(value for _, value in without)]) == ROW
    assert [default_column(CellRecord, name) for name in ("planned", "cure", "facts", "missing")] == [0, "", "{}", "[]"]
    with pytest.raises(ValueError, match="no column fps, and Row no default"):
        default_column(Row, "fps")


def test_text_that_cannot_be_encoded_is_kept_spelled_out() -> None:
    assert to_columns(Measurement("c", "s", 0, "m", b"", "can't read caf\udce9"))[-1] == r"can't read caf\udce9"
    assert to_columns(Measurement("c", "é", 0, "m", b""))[1] == "é"


def test_collections_are_json_with_sorted_keys() -> None:
    assert to_columns(RunRecord("r", "", "", {"b": (1, 2), "a": 0.5}))[-1] == '{"a": 0.5, "b": [1, 2]}'
    assert dict(zip(column_types(CellRecord), to_columns(CELL), strict=True))["metrics"] == '["psnr", "ssim"]'
