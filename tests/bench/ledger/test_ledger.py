from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from run_folders import CELL, ROW
from toklab.bench.ledger.errors import Damage
from toklab.bench.ledger.ledger import FILE_NAME, Ledger, LedgerError, pack_arrays, unpack_arrays
from toklab.bench.ledger.records import (
    Measurement,
    ReferenceMeasurement,
    RunRecord,
    column_types,
    from_named_columns,
    to_columns,
)


def measurement(window: int, name: str = "frame-mse:v1") -> Measurement:
    return Measurement("c1", "a.mp4", window, name, pack_arrays({"mse": np.array([0.1, 0.2 + window])}))


@pytest.mark.parametrize(
    "record",
    [
        CELL,
        ROW,
        measurement(0),
        ReferenceMeasurement("clip", "i3d:v1", b"\x00\x01"),
        RunRecord("r", "now", "", {"versions": {"torch": "2"}}),
    ],
)
def test_a_record_survives_its_columns(record: object) -> None:
    kind = type(record)
    assert from_named_columns(kind, tuple(column_types(kind)))(to_columns(record)) == record


def test_arrays_survive_bit_for_bit() -> None:
    arrays = {"a": np.array([[1.5, np.nan]], np.float32), "b": np.arange(3), "empty": np.zeros((0, 4))}
    back = unpack_arrays(pack_arrays(arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype
    assert unpack_arrays(b"") == {}


def test_compaction_keeps_rows_and_measurements(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        rows = [replace(ROW, window=index) for index in (2, 0, 1)]
        ledger.record(CELL, *rows, *(measurement(row.window) for row in rows))
        before = ledger.rows("c1"), ledger.measurements("c1")
        ledger.compact("c1")
        assert (tmp_path / "cells" / "c1.parquet").is_file()
        assert (ledger.rows("c1"), ledger.measurements("c1")) == before
        assert [row.window for row in ledger.rows("c1")] == [0, 1, 2]
        ledger.record(measurement(1, "ssim:v1"))
        assert set(ledger.measurements("c1")["a.mp4", 1]) == {"frame-mse:v1", "ssim:v1"}
        ledger.compact("c1")
        assert set(ledger.measurements("c1")["a.mp4", 1]) == {"frame-mse:v1", "ssim:v1"}
    assert pq.read_table(tmp_path / "cells" / "c1.parquet").num_rows == 3


def test_a_kill_between_parquet_and_delete_changes_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.record(CELL, ROW, measurement(0))
        ledger.compact("c1")
        ledger.record(ROW, measurement(0))
        assert len(ledger.rows("c1")) == 1
        assert len(ledger.measurements("c1")["a.mp4", 0]) == 1


def test_forgotten_rows_are_gone_also_from_parquet(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.record(CELL, ROW, replace(ROW, window=1), measurement(0), measurement(1))
        ledger.compact("c1")
        ledger.forget_rows("c1", [("a.mp4", 0)])
        assert [row.window for row in ledger.rows("c1")] == [1]
        assert list(ledger.measurements("c1")) == [("a.mp4", 1)]


def test_two_writers_are_refused(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True), pytest.raises(LedgerError, match="in use"):
        Ledger(tmp_path, write=True)
    Ledger(tmp_path, write=True).close()


def test_runs_are_in_order_of_time_and_cells_in_that_of_their_appearance(tmp_path: Path) -> None:
    runs = [RunRecord(name, started, "", {}) for name, started in (("b", "2"), ("a", "2"), ("c", "1"))]
    with Ledger(tmp_path, write=True) as ledger:
        ledger.record(*runs, *(replace(CELL, cell_id=name) for name in ("z", "y", "x")))
        ledger.record(replace(CELL, cell_id="z", status="finished"))
        assert [run.run_id for run in ledger.runs()] == ["c", "a", "b"]
        assert [cell.cell_id for cell in ledger.cells()] == ["z", "y", "x"]
        ledger.forget_cell("y")
        ledger.record(replace(CELL, cell_id="y"))
        assert [cell.cell_id for cell in ledger.cells()] == ["z", "x", "y"]
        assert ledger.cell_ids() == ["x", "y", "z"]
        with pytest.raises(LedgerError, match="holds no cell w"):
            ledger.update_cell("w", status="open")


def test_references_are_found_by_clip_and_measurement(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.record(ReferenceMeasurement("clip", "i3d:v1", b"arrays"))
        found = [ledger.has_reference(*key) for key in (("clip", "i3d:v1"), ("clip", "i3d:v2"), ("other", "i3d:v1"))]
        assert found == [True, False, False]
        assert ledger.reference_measurements() == {("clip", "i3d:v1"): b"arrays"}


@pytest.mark.parametrize(("num_changes", "num_readings"), [(0, 1), (1, 2), (9, 10), (99, 10)])
def test_a_file_that_a_writer_replaces_meanwhile_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_changes: int, num_readings: int
) -> None:
    readings: list[str] = []
    with Ledger(tmp_path, write=True) as writer:
        writer.record(CELL, ROW)
        writer.compact("c1")
        with Ledger(tmp_path) as reader:
            read = reader._files.rows

            def replaced_meanwhile(cell_id: str, *arguments: object, **named: object) -> object:
                readings.append(cell_id)
                if len(readings) <= num_changes:
                    writer.record(replace(ROW, window=len(readings)))
                    writer.compact("c1")
                if num_changes == 0:
                    raise Damage(tmp_path / "cells", "broken", cell_id)
                return read(cell_id, *arguments, **named)  # type: ignore[arg-type]

            monkeypatch.setattr(reader._files, "rows", replaced_meanwhile)
            if num_changes in (1, 9):
                assert len(reader.rows("c1")) == num_changes + 1
            else:
                with pytest.raises(LedgerError, match="is damaged"):
                    reader.rows("c1")
    assert len(readings) == num_readings


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        unstorable = replace(ROW, window=1, source=object())  # type: ignore[arg-type]
        with pytest.raises(Exception, match="type"):
            ledger.record(ROW, unstorable)
        assert ledger.rows("c1") == []


def test_a_folder_without_a_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="not a run folder"):
        Ledger(tmp_path)


def test_a_damaged_ledger_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database at all, just text" * 100)
    with pytest.raises(LedgerError, match=FILE_NAME):
        Ledger(tmp_path)


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.record(CELL, ROW)
        ledger.compact("c1")
        (tmp_path / "cells" / "c1.parquet").write_bytes(b"PAR1 cut off")
        with pytest.raises(LedgerError, match=r"c1\.parquet"):
            ledger.rows("c1")
