"""The frames of a run as files, and as a dataset."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_cells import random_cells
from recorded_cells import made_run, write_record
from toklab.bench import Run, open_run
from toklab.bench.cli.main import app
from toklab.bench.exports.tables import TABLES, export_frames, export_tables
from typer.testing import CliRunner


@pytest.fixture
def run() -> Run:
    """Three tokenizers on eight videos; nothing failed."""
    return Run(**vars(made_run(random_cells(np.random.default_rng(3), 3, 8), name='A "run": its figures')))


def test_parquet_keeps_every_number_and_type(run: Run, tmp_path: Path) -> None:
    written = export_tables(run, tmp_path)
    assert [path.name for path in written] == [f"{name}.parquet" for name in TABLES]
    for name, frame in export_frames(run).items():
        found = pd.read_parquet(tmp_path / f"{name}.parquet")
        assert list(found.columns) == list(frame.columns)
        pd.testing.assert_frame_equal(found.astype(frame.dtypes.to_dict()), frame, check_exact=True)
        if name == "figures":
            assert list(found.dtypes[["value", "rank_low"]]) == list(frame.dtypes[["value", "rank_low"]])
        if name == "failures":
            # As in the files of runs with failures, which may be read together.
            assert (len(found), found["window"].dtype) == (0, np.int64)


def test_csv_has_full_precision(run: Run, tmp_path: Path) -> None:
    export_tables(run, tmp_path, "csv")
    with (tmp_path / "windows.csv").open(encoding="utf-8", newline="") as file:
        found = [float(line["value"]) for line in csv.DictReader(file)]
    assert found == list(run.windows()["value"])


def test_other_kinds_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exported as parquet or csv, not xlsx"):
        export_tables(run, tmp_path, "xlsx")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_card_makes_a_dataset_of_the_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "dataset"
    export_tables(run, folder, card=True)
    cache = str(tmp_path / "cache")
    windows = datasets.load_dataset(str(folder), "windows", split="train", cache_dir=cache)
    assert windows.to_pandas()["value"].tolist() == run.windows()["value"].tolist()
    figures = datasets.load_dataset(str(folder), split="train", cache_dir=cache)
    assert figures["label"][:] == list(run.table()["label"])
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert 'pretty_name: "A \\"run\\": its figures"' in text
    assert "config_name: failures" not in text
    assert run.results[0].cell.protocol_hash in text


def test_a_dataset_doesnt_say_where_it_was_made(run_suite: Callable[..., Any], tmp_path: Path) -> None:
    broken = tmp_path / "videos" / "broken.mp4"
    broken.parent.mkdir(exist_ok=True)
    broken.write_bytes(b"no video")
    run_suite(tmp_path / "run", ("average",), ("psnr",))
    run = open_run(tmp_path / "run")
    export_tables(run, tmp_path / "dataset", "csv", card=True)
    assert len(run.failures()) == 1
    for path in (tmp_path / "dataset").iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_the_command_exports_records_too(run: Run, tmp_path: Path) -> None:
    record = write_record(run, tmp_path / "record")
    result = CliRunner().invoke(app, ["export", str(record), "--out", str(tmp_path / "tables"), "--card"])
    assert result.exit_code == 0, result.output
    assert [Path(line).name for line in result.output.split()] == [*(f"{name}.parquet" for name in TABLES), "README.md"]
    found = pd.read_parquet(tmp_path / "tables" / "figures.parquet")
    assert list(found["value"]) == list(run.table()["value"])
