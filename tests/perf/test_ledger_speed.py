"""The ledger: opening it, committing a window, and reading a cell of 100,000 windows."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from toklab.bench.ledger.ledger import Ledger, pack_arrays
from toklab.bench.ledger.records import CellRecord, Measurement, Row

NUM_WINDOWS = 100_000
CELL = CellRecord("c", "t", "t", {}, "none", "folder", {"name": "p"}, "h", {"seed": 1}, ("psnr", "ssim"))
ROW = Row(
    "c", "", 0, "ff" * 32, tuple(range(17)), 29.97, "pyav", "scored", "", {"encode_s": 0.5, "decode_s": 0.4}, "m", "r"
)


def windows(count: int, seed: int = 0):
    """Rows of a cell, ten to a video, each with the measurements of PSNR and SSIM."""
    generator = np.random.default_rng(seed)
    for index in range(count):
        row = replace(ROW, source=f"video{index // 10:06}.mp4", window=index % 10)
        yield [
            row,
            *(
                Measurement("c", row.source, row.window, name, pack_arrays({"value": generator.random(17)}))
                for name in ("frame-mse:v1", "ssim:v1")
            ),
        ]


@pytest.fixture(scope="module", params=["pending", "compacted"])
def large(request, tmp_path_factory):
    """A run folder with one cell of 100,000 windows."""
    folder = tmp_path_factory.mktemp(request.param)
    with Ledger(folder, write=True) as ledger:
        ledger.record(CELL)
        for _, batch in itertools.groupby(enumerate(windows(NUM_WINDOWS)), lambda item: item[0] // 1000):
            ledger.record(*(record for _, records in batch for record in records))
        if request.param == "compacted":
            ledger.compact("c")
    return folder


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_open(benchmark, large, write):
    benchmark(lambda: Ledger(large, write=write).close())


def test_read_rows(benchmark, large):
    with Ledger(large) as ledger:
        assert len(benchmark.pedantic(ledger.rows, args=("c",), rounds=3)) == NUM_WINDOWS


def test_read_measurements(benchmark, large):
    with Ledger(large) as ledger:
        assert len(benchmark.pedantic(ledger.measurements, args=("c",), rounds=3)) == NUM_WINDOWS


def test_commit_a_window(benchmark, tmp_path):
    with Ledger(tmp_path, write=True) as ledger:
        ledger.record(CELL)
        found = iter(windows(100_000))
        benchmark.pedantic(ledger.record, setup=lambda: (next(found), {}), rounds=2000)


def test_compact(benchmark, tmp_path):
    folders = itertools.count()

    def setup():
        ledger = Ledger(tmp_path / str(next(folders)), write=True)
        ledger.record(CELL, *(record for records in windows(10_000) for record in records))
        return (ledger,), {}

    benchmark.pedantic(lambda ledger: ledger.compact("c"), setup=setup, rounds=3)
