"""What a cell's file and SQLite hold together: by columns, and row by row, as two dictionaries would have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_folders import ROW
from toklab.bench.ledger.columns import Blobs, MeasurementColumns
from toklab.bench.ledger.joining import ROW_SCHEMA, joined_columns, joined_contents
from toklab.bench.ledger.records import Measurement, Row, to_columns

Measured = dict[tuple[str, int], dict[str, Measurement]]

KEYS = st.tuples(st.sampled_from(["a.mp4", "b.mp4", "ä.mp4"]), st.integers(0, 3))
NAMES = ("frame-mse:v1", "ssim:v1")


@st.composite
def held(draw: st.DrawFn, unique: bool) -> tuple[list[Row], list[Measurement]]:
    """Rows, and measurements of some of them; every one can be told from all others."""
    keys = draw(st.lists(KEYS, max_size=8, unique=unique))
    marks = st.binary(min_size=2, max_size=2)
    rows = [
        replace(ROW, source=source, window=window, fps=float(number), note=draw(st.sampled_from("xyz")))
        for number, (source, window) in enumerate(keys)
    ]
    measured = draw(st.lists(st.tuples(KEYS, st.sampled_from(NAMES), marks, st.booleans()), max_size=8))
    made = {
        (key, name): Measurement("c1", *key, name, mark if good else b"", "" if good else f"no {mark.hex()}")
        for key, name, mark, good in measured
    }
    return rows, list(made.values())


def table(rows: Sequence[Row]) -> pa.Table:
    columns = zip(*map(to_columns, rows), strict=True) if rows else ([] for _ in ROW_SCHEMA.names)
    return pa.table(dict(zip(ROW_SCHEMA.names, map(list, columns), strict=True)), schema=ROW_SCHEMA)


def blobs(rows: Sequence[Row], measurements: Sequence[Measurement]) -> dict[str, list[Blobs]]:
    """Measurements of the file by name, each at the place of the last row of its key."""
    places = {row.key: place for place, row in enumerate(rows)}
    found: dict[str, list[Blobs]] = {}
    for name in NAMES:
        named = [m for m in measurements if m.measurement_key == name]
        some = sorted((places[m.source, m.window], m.arrays, m.reason) for m in named)
        if some:
            reasons = {place: reason for place, (_, _, reason) in enumerate(some) if reason}
            arrays = pa.array([packed for _, packed, _ in some], pa.binary())
            found[name] = [Blobs.in_memory(np.array([place for place, *_ in some]), arrays, reasons)]
    return found


def expected(*parts: tuple[Sequence[Row], Sequence[Measurement]]) -> tuple[list[Row], Measured]:
    rows = {row.key: row for part, _ in parts for row in part}
    measured: Measured = {}
    for _, part in parts:
        for measurement in part:
            if (key := (measurement.source, measurement.window)) in rows:
                measured.setdefault(key, {})[measurement.measurement_key] = measurement
    return [rows[key] for key in sorted(rows)], measured


def check_columns(columns: MeasurementColumns, rows: list[Row], measured: Measured) -> None:
    assert list(columns.rows) == rows
    assert {key: dict(columns[key]) for key in columns} == measured
    assert len(columns) == len(measured)
    everything = np.arange(len(rows))
    for name, column in columns.columns.items():
        good = [place for place, row in enumerate(rows) if (m := measured.get(row.key, {}).get(name)) and not m.reason]
        packed = {place: measured[rows[place].key][name].arrays for place in good}
        assert np.flatnonzero(column.is_good).tolist() == good
        by_parts = {
            good[place]: found
            for chosen, loaded in column.parts(np.array(good, int))
            for place, found in zip(chosen, loaded.to_pylist(), strict=True)
        }
        assert by_parts == packed
        in_order = [
            (int(place), found)
            for chosen, loaded in column.runs(everything)
            for place, found in zip(chosen, [None] * len(chosen) if loaded is None else loaded.to_pylist(), strict=True)
        ]
        assert in_order == [(place, packed.get(place)) for place in range(len(rows))]


@given(held(unique=False), held(unique=True))
def test_sqlite_takes_the_place_of_the_file_under_the_same_key(
    file: tuple[list[Row], list[Measurement]], pending: tuple[list[Row], list[Measurement]]
) -> None:
    """Also where the rows of a file of the first format aren't sorted, or one of them is there twice."""
    keys = {row.key for row in file[0]}
    file = (file[0], [m for m in file[1] if (m.source, m.window) in keys])
    columns = joined_columns("c1", table(file[0]), blobs(*file), *pending)
    check_columns(columns, *expected(file, pending))
    rows = list(columns.rows)
    chosen = np.arange(len(rows))[::2]
    taken = columns.take(chosen)
    assert list(taken.rows) == list(columns.rows[::2]) == rows[::2]
    assert {key: dict(taken[key]) for key in taken} == {
        row.key: dict(columns[row.key]) for row in rows[::2] if row.key in set(columns)
    }
    assert columns.take(np.arange(len(rows))) is columns


@given(held(unique=True), held(unique=True))
def test_a_cell_is_compacted_to_what_its_columns_are(
    file: tuple[list[Row], list[Measurement]], pending: tuple[list[Row], list[Measurement]]
) -> None:
    rows = sorted(file[0], key=lambda row: row.key)
    kept = {row.key: [m for m in file[1] if (m.source, m.window) == row.key] for row in rows}
    later = (
        sorted(pending[0], key=lambda row: row.key),
        sorted(pending[1], key=lambda m: (m.source, m.window)),
    )
    contents = [(row, list(found)) for row, found in joined_contents(((row, kept[row.key]) for row in rows), *later)]
    expected_rows, measured = expected((rows, [m for found in kept.values() for m in found]), later)
    assert [row for row, _ in contents] == expected_rows
    assert {row.key: {m.measurement_key: m for m in found} for row, found in contents if found} == measured


def test_columns_of_a_row_and_of_none() -> None:
    columns = joined_columns("c1", None, {}, [], [])
    assert (len(columns), list(columns.rows), columns.rows.num_frames.tolist()) == (0, [], [])
    failed = replace(ROW, window=1, status="failed", reason="no", frame_ids=(4,))
    rows = joined_columns("c1", None, {}, [failed, ROW], []).rows
    assert rows[0] == rows[-2] == ROW
    assert rows[1] == rows[-1] == failed
    with pytest.raises(IndexError):
        rows[2]
    assert rows.is_scored.tolist() == [True, False]
    assert (rows.num_frames.tolist(), rows.num_distinct_frames.tolist()) == ([3, 1], [2, 1])
    assert (rows.frame_ids(1), rows.timing(0), rows.key(1)) == ((4,), {"encode_s": 0.5}, ("a.mp4", 1))
    assert rows.places == {("a.mp4", 0): 0, ("a.mp4", 1): 1}
    texts = rows.texts["status"]
    assert (len(texts), texts.present(), texts.are("open").any()) == (2, ["failed", "scored"], False)
    assert texts.take(np.array([1])).present() == ["failed"]
    assert rows[::-1].texts["status"].ranks().tolist() == [0, 1]


def test_what_is_derived_of_columns_is_computed_once() -> None:
    columns = joined_columns("c1", None, {}, [ROW], [])
    made: list[int] = []
    assert columns.kept("one", lambda: made.append(1) or 5) == columns.kept("one", lambda: made.append(2) or 6) == 5
    assert made == [1]
    with pytest.raises(KeyError):
        columns["a.mp4", 0]


def test_columns_that_an_earlier_file_lacks_hold_defaults_beside_later_rows() -> None:
    earlier = [replace(ROW, window=window, note="") for window in (0, 1)]
    later = replace(ROW, window=2, note="of today")
    columns = joined_columns("c1", table(earlier).drop_columns(["note"]), {}, [later], [])
    assert list(columns.rows) == [*earlier, later]
