"""A record is read as it was written, or refused with one clear error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.reports.files import write_files
from toklab.reports.record import reading, window_file, writing
from toklab.reports.record.digests import is_sealed, sealed
from toklab.reports.record.model import (
    MeasuredPart,
    RecordedArray,
    RecordedCell,
    RecordedMeasurement,
    RecordedWindow,
    ResultRecord,
    recorded_figures,
    recorded_number,
)
from toklab.reports.record.reading import RecordError, read_record
from toklab.reports.record.writing import RecordSizeError, record_files, schema_text
from toklab.reports.schema import Figure

SCHEMA = Path(reading.__file__).with_name("record.schema.json")
Change = Callable[[dict[str, Any]], object]


def window(number: int, values: tuple[float, ...]) -> RecordedWindow:
    """A window with an array of some values."""
    array = RecordedArray(dtype="float64", shape=(len(values),), values=tuple(recorded_number(v) for v in values))
    return RecordedWindow(
        source="a.mp4",
        window=number,
        content_id="ff",
        frame_ids=(0, 2, 4),
        fps=29.97,
        reader="decord",
        status="scored",
        timing={"encode_s": 0.1},
        numerators={"psnr": recorded_number(float(np.sum(values)))},
        weights={"psnr": float(len(values))},
        measurements={"frame-mse:v1": RecordedMeasurement(arrays={"mse": array})},
    )


def measured(*windows: RecordedWindow, figures: tuple[Figure, ...] = ()) -> MeasuredPart:
    """A run of one cell."""
    cell = RecordedCell(
        cell_id="c1",
        tokenizer="t",
        label="t",
        spec={"title": "T"},
        weights="none",
        dataset="videos",
        protocol_hash="abc",
        settings={"seed": 0, "eta": 0.5},
        metrics=("psnr",),
        status="finished",
        windows=windows,
    )
    return MeasuredPart(figures=recorded_figures(figures), protocols={"abc": {"name": "p"}}, cells=(cell,))


@pytest.fixture
def path(figures: list[Figure], tmp_path: Path) -> Path:
    """A record of the demo's figures and of one cell."""
    part = measured(window(0, (0.25, 0.5)), window(1, (0.75,)), figures=tuple(figures))
    return write_files(tmp_path, record_files("Demo", part))[0]


def rewrite(path: Path, change: Change, *, seal: bool = True) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(sealed(content) if seal else content))


@pytest.mark.slow
@given(values=st.lists(st.lists(st.floats(), max_size=4), max_size=4), beside=st.booleans())
def test_any_numbers_come_back(
    values: list[list[float]], beside: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    part = measured(*(window(number, tuple(each)) for number, each in enumerate(values)))
    files = record_files("Title", part, inline_bytes=-1 if beside else 10**9)
    assert ("record.parquet" in files) == beside
    folder = tmp_path_factory.mktemp("record")
    record = read_record(write_files(folder, dict(reversed(files.items())))[-1])
    for cell, other in zip(record.cells, part.cells, strict=True):
        assert repr(cell.windows) == repr(other.windows)
    assert record.protocols == part.protocols


def test_figures_come_back(path: Path, figures: list[Figure]) -> None:
    read = [figure.model_dump(exclude={"digest"}) for figure in read_record(path).figures]
    assert read == [figure.model_dump(exclude={"digest"}) for figure in recorded_figures(figures)]
    assert len(read) == len(figures)


def test_the_schema_that_ships_is_that_of_the_records() -> None:
    # Versions of pydantic word it differently, so the names and what is required are compared.
    def shape(schema: dict[str, Any]) -> dict[str, Any]:
        parts = {"record": schema, **schema["$defs"]}
        return {n: (sorted(p.get("properties", {})), sorted(p.get("required", ()))) for n, p in parts.items()}

    shipped = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert shape(shipped) == shape(json.loads(schema_text()))
    assert shipped["properties"]["version"]["const"] == 1
    assert set(ResultRecord.model_fields) == set(shipped["properties"])


def test_the_schema_says_how_a_figure_is_computed() -> None:
    window = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]["RecordedWindow"]
    assert "Σ numerators / Σ weights" in window["properties"]["numerators"]["description"]


def test_formatting_changes_nothing(path: Path) -> None:
    before = read_record(path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items())), indent=4, ensure_ascii=True))
    assert read_record(path) == before


def test_a_changed_figure_is_refused_by_its_name(path: Path) -> None:
    rewrite(path, lambda content: content["figures"][6].update(value=99.0), seal=False)
    with pytest.raises(RecordError) as raised:
        read_record(path)
    message = str(raised.value)
    assert message.startswith(f"{path} was changed: psnr of h264-262144 on sample isn't what was written; ")
    assert "`toklab report RUN --format json`" in message


def test_a_changed_window_is_refused_by_its_cell(path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["cells"][0]["windows"][1]["numerators"]["psnr"] += 1e-9

    rewrite(path, change, seal=False)
    with pytest.raises(RecordError, match="was changed: t on videos isn't what was written"):
        read_record(path)


def test_what_was_taken_away_is_missed(path: Path) -> None:
    rewrite(path, lambda content: content["figures"].pop(), seal=False)
    with pytest.raises(RecordError, match="was changed: its content isn't what was written"):
        read_record(path)


@pytest.mark.parametrize(
    ("version", "fix"), [(2, "update toklab"), (0, "write it again"), ("1", "write it again"), (True, "write it again")]
)
def test_other_versions_are_refused_by_their_number(path: Path, version: object, fix: str) -> None:
    rewrite(path, lambda content: content.update(version=version))
    with pytest.raises(
        RecordError, match=rf"is a record of version {version!r}, and this toklab reads version 1: {fix}"
    ):
        read_record(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "can't be read as a result record"),
        (b"\xff\xfe", "can't be read as a result record"),
        (b"[1, 2]", "is no result record; `toklab report RUN --format json` writes one"),
        (b'{"format": "another"}', "is no result record"),
        (b'{"format": "toklab-record", "version": 1, "value": NaN}', "NaN is no JSON"),
        (b'{"format": "toklab-record", "version": 1, "value": 1e999}', "can't be read"),
        (b'{"format": "toklab-record", "value": ' + b"9" * 5000 + b"}", "can't be read"),
        (b"[" * 200_000, "nested too deeply|can't be read"),
        (b'{"format": "toklab-record", "version": 1, "title": "\\ud800"}', "was changed|can't be read"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=problem):
        read_record(path)


def test_a_file_that_is_too_large_isnt_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    with pytest.raises(RecordError, match="MiB, and a record at most"):
        read_record(path)


def first_cell(content: dict[str, Any]) -> dict[str, Any]:
    return content["cells"][0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda c: c.update(cells={}), "cells: "),
        (lambda c: c.update(surprise=1), "surprise: Extra inputs"),
        (lambda c: c.pop("title"), "title: Field required"),
        (lambda c: first_cell(c).update(cell_id="../../x"), "cells.0.cell_id"),
        (lambda c: first_cell(c).update(settings={"../x": 1}), "cells.0.settings"),
        (lambda c: first_cell(c).update(metrics=["../psnr"]), "cells.0.metrics.0"),
        (lambda c: first_cell(c).update(planned=-1), "cells.0.planned"),
        (lambda c: first_cell(c).update(label=7), "cells.0.label"),
        (lambda c: first_cell(c).update(status="perfect"), "cells.0.status"),
        (lambda c: first_cell(c).update(facts={"params_total": "many"}), "cells.0.facts.params_total"),
        (lambda c: first_cell(c)["windows"][0].update(frame_ids=[-1]), "frame_ids"),
        (lambda c: first_cell(c)["windows"][0].update(fps="29.97"), "fps"),
        (lambda c: first_cell(c)["windows"].append(first_cell(c)["windows"][0]), r"has window \('a.mp4', 0\) twice"),
        (lambda c: c["cells"].append(first_cell(c)), "the cell c1 is there twice"),
        (lambda c: c.update(protocols={}), "protocol abc, which the record doesn't describe"),
        (
            lambda c: c.update(window_file={"name": "../../etc/x.parquet", "sha256": "0" * 64, "num_windows": 1}),
            "window_file.name",
        ),
        (lambda c: c["figures"][0].update(value="31.2"), "figures.0.value"),
        (lambda c: first_cell(c).update(label="\x1b[31m", planned=-1), "cells.0.planned"),
    ],
)
def test_content_that_cant_be_is_refused_even_with_its_digest(path: Path, change: Change, problem: str) -> None:
    rewrite(path, change)
    assert is_sealed(json.loads(path.read_text()))
    with pytest.raises(RecordError, match=problem) as raised:
        read_record(path)
    message = str(raised.value)
    assert str(path) in message
    assert "`toklab report RUN --format json`" in message
    assert message.isprintable()
    assert len(message) < 600


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A record whose windows are in a file of their own."""
    part = measured(window(0, (0.25, 0.5)), window(1, (0.75,)))
    files = record_files("Demo", part, inline_bytes=0)
    return write_files(tmp_path, files)[0]


def test_windows_leave_the_record_where_they_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without any number that a metric measured, as where FVD alone was.
    bare = window(0, ()).model_copy(update={"measurements": {}})
    part = measured(*(bare.model_copy(update={"window": number}) for number in range(20)))
    length = len(record_files("Demo", part)["record.json"])
    assert set(record_files("Demo", part, inline_bytes=length)) == {"record.json"}
    assert set(record_files("Demo", part, inline_bytes=length // 2)) == {"record.json", "record.parquet"}
    monkeypatch.setattr(writing, "MAX_BYTES", length - 1)
    assert set(record_files("Demo", part)) == {"record.json", "record.parquet"}


def test_a_record_that_nobody_could_read_isnt_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = RecordedArray(dtype="int64", shape=(9999,), values=tuple(range(9999)))
    plain = measured(window(0, (0.25,)))
    cells = tuple(cell.model_copy(update={"totals": {"codes": {"codes_0": codes}}}) for cell in plain.cells)
    part = plain.model_copy(update={"cells": cells})
    size = len(record_files("Demo", part, inline_bytes=-1)["record.json"])
    for module in (reading, writing):
        monkeypatch.setattr(module, "MAX_BYTES", size)
    assert read_record(write_files(tmp_path, record_files("Demo", part, inline_bytes=-1))[0]).cells[0].totals
    monkeypatch.setattr(writing, "MAX_BYTES", size - 1)
    with pytest.raises(
        RecordSizeError, match=r"record.json would have 0.1 MiB, and a record has at most 0.0.*fewer sys"
    ):
        record_files("Demo", part)


def test_a_record_needs_its_file_of_windows(beside: Path) -> None:
    beside.with_suffix(".parquet").unlink()
    with pytest.raises(RecordError, match=r"needs the file record.parquet beside it"):
        read_record(beside)


def test_another_file_of_windows_is_refused(beside: Path) -> None:
    windows = beside.with_suffix(".parquet")
    windows.write_bytes(windows.read_bytes()[:-1] + b"x")
    with pytest.raises(RecordError, match=r"record.parquet isn't the file that .*record.json was written with"):
        read_record(beside)


def test_a_renamed_record_is_read_beside_another_one(beside: Path, tmp_path: Path) -> None:
    windows = read_record(beside).cells[0].windows
    renamed = [beside.rename(tmp_path / "mine.json"), beside.with_suffix(".parquet").rename(tmp_path / "mine.parquet")]
    other = record_files("Other", measured(window(0, (0.1,))), inline_bytes=0)
    assert len(read_record(write_files(tmp_path, other)[0]).cells[0].windows) == 1
    assert read_record(renamed[0]).cells[0].windows == windows
    renamed[1].write_bytes(b"x")
    with pytest.raises(RecordError, match=r"record.parquet or .*mine.parquet isn't the file that .*mine.json was"):
        read_record(renamed[0])


def put_windows(beside: Path, packed: bytes) -> None:
    """Put another file of windows in the place, with its digest."""
    beside.with_suffix(".parquet").write_bytes(packed)
    digest = hashlib.sha256(packed).hexdigest()
    rewrite(beside, lambda content: content["window_file"].update(sha256=digest))


def test_files_of_something_else_are_refused(beside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = beside.with_suffix(".parquet").read_bytes()
    put_windows(beside, b"no Parquet at all")
    with pytest.raises(RecordError, match=r"record.parquet can't be read"):
        read_record(beside)
    other = pa.BufferOutputStream()
    pq.write_table(pa.table({"x": [1]}), other)
    put_windows(beside, other.getvalue().to_pybytes())
    with pytest.raises(RecordError, match="has other columns than a record's windows"):
        read_record(beside)
    rows = pq.read_table(pa.BufferReader(whole))
    changed = pa.BufferOutputStream()
    pq.write_table(rows.set_column(8, "rest", pa.array(['{"fps": 1, "surprise": 1}'] * 2)), changed)
    put_windows(beside, changed.getvalue().to_pybytes())
    with pytest.raises(RecordError, match=r"record.parquet can't be read: "):
        read_record(beside)
    put_windows(beside, whole)
    rewrite(beside, lambda content: content["window_file"].update(num_windows=3))
    with pytest.raises(RecordError, match="holds other windows than"):
        read_record(beside)
    monkeypatch.setattr(window_file, "MAX_ROWS", 1)
    with pytest.raises(RecordError, match=r"has 2 rows and .* a record has at most 1"):
        read_record(beside)
