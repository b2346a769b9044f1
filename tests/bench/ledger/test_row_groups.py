"""Groups of rows in a cell's file: how many are written together, and which arrays stay on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from run_folders import ROW
from toklab.bench.ledger import row_groups
from toklab.bench.ledger.cell_files import CellFiles
from toklab.bench.ledger.columns import Blobs, MeasurementColumn
from toklab.bench.ledger.errors import Damage
from toklab.bench.ledger.records import Measurement, Row

MSE, CODES, RARE = "frame-mse:v1", "code-counts:v1", "ssim:v1"
SIZES = {MSE: 4, CODES: 400}


def contents(count: int) -> list[tuple[Row, list[Measurement]]]:
    """Rows with a small and a large measurement each, of which some failed, and one that few of them have."""
    made = []
    for window in range(count):
        row = replace(ROW, window=window)
        measured = [
            Measurement("c1", row.source, window, name, bytes([window]) * size if window % 4 else b"", why)
            for name, size in SIZES.items()
            for why in ["" if window % 4 else f"no {window}"]
        ]
        if window % 4 == 1:
            measured.append(Measurement("c1", row.source, window, RARE, b"rare"))
        made.append((row, measured))
    return made


def test_a_group_ends_with_its_last_row_or_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    def sizes(count: int) -> list[int]:
        return [group.num_rows for group in row_groups.row_groups(contents(count))]

    assert sizes(0) == [0]
    assert sizes(7) == [7]
    monkeypatch.setattr(row_groups, "GROUP_ROWS", 3)
    assert sizes(7) == [3, 3, 1]
    assert sizes(6) == [3, 3]
    monkeypatch.setattr(row_groups, "GROUP_ROWS", 100)
    # Row 0 failed; rows 1 and 2 have 404 bytes each, and row 1 four more.
    monkeypatch.setattr(row_groups, "GROUP_BYTES", 812)
    assert sizes(4) == [3, 1]
    monkeypatch.setattr(row_groups, "GROUP_BYTES", 813)
    assert sizes(4) == [4]


def written(folder: Path, count: int) -> CellFiles:
    files = CellFiles(folder)
    unfinished, _ = files.write("c1", contents(count))
    files.replace(unfinished, "c1")
    return files


def kept(columns: Mapping[str, Sequence[Blobs]], count: int) -> dict[str, list[tuple[int, bytes, str]]]:
    """Place, arrays and reason of everything measured, by name."""
    found = {}
    for name, parts in columns.items():
        column = MeasurementColumn(name, count, parts)
        reasons = [(place, column.reason(place)) for place in range(count)]
        found[name] = [(place, column.packed(place), reason) for place, reason in reasons if reason is not None]
    return found


@pytest.mark.parametrize("held_bytes", [0, 1 << 26])
@pytest.mark.parametrize("group_rows", [3, 100])
def test_what_was_measured_comes_back_in_memory_or_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_bytes: int, group_rows: int
) -> None:
    monkeypatch.setattr(row_groups, "GROUP_ROWS", group_rows)
    monkeypatch.setattr(row_groups, "HELD_BYTES", held_bytes)
    # What failed has no bytes, and each array has an offset of four.
    monkeypatch.setattr(row_groups, "LARGE_BYTES", 100)
    files = written(tmp_path, 8)
    table, columns = files.columns("c1", None, checked=False)
    assert table is not None
    assert table.num_rows == 8
    num_parts = {name: len(parts) for name, parts in columns.items()}
    assert num_parts == {MSE: 1, CODES: 3 if group_rows == 3 and not held_bytes else 1, RARE: 1}
    files.remove(files.path("c1"))
    expected: dict[str, list[tuple[int, bytes, str]]] = {}
    for row, measured in contents(8):
        for m in measured:
            expected.setdefault(m.measurement_key, []).append((row.window, m.arrays, m.reason))
    assert kept(columns, 8) == expected
    for parts in columns.values():
        assert all((np.diff(part.rows) > 0).all() for part in parts)


def test_a_file_whose_rows_are_not_sorted_is_never_compacted_again(tmp_path: Path) -> None:
    files = CellFiles(tmp_path)
    unfinished, _ = files.write("c1", contents(2)[::-1])
    files.replace(unfinished, "c1")
    with pytest.raises(Damage, match="aren't in order"):
        list(files.contents("c1", None, checked=False))


def test_a_group_that_cannot_be_read_later_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_groups, "GROUP_ROWS", 3)
    monkeypatch.setattr(row_groups, "HELD_BYTES", 0)
    monkeypatch.setattr(row_groups, "LARGE_BYTES", 100)
    files = written(tmp_path, 8)
    codes = MeasurementColumn(CODES, 8, files.columns("c1", None, checked=False)[1][CODES])
    path = files.path("c1")
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    with pytest.raises(Damage, match="c1") as caught:
        codes.packed(1)
    assert caught.value.path == path
