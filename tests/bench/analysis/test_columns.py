"""Figures from columns equal those from the objects of single windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from large_ledgers import LargeLedger
from made_cells import random_cells
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.conventions import readings
from toklab.bench.analysis.results import RunResults, read_results
from toklab.bench.catalog.broken_metric import find_metric
from toklab.bench.ledger.ledger import Ledger, pack_arrays
from toklab.bench.ledger.records import Measurement
from toklab.bench.metrics.interface import Estimate, MeasuredWindow, Metric
from toklab.bench.metrics.psnr import FramePsnr, psnr_by_position
from toklab.bench.metrics.ratio import RatioMetric
from toklab.bench.metrics.window_columns import WindowColumns


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[CellResults]:
    """Cells with frames' figures, codes and features."""
    folder = tmp_path_factory.mktemp("run")
    LargeLedger(4, num_videos=12, windows_per_video=3, num_discrete=2, num_with_features=30).write(folder)
    return list(RunResults.read(folder).results)


def by_objects(result: CellResults, metric: Metric) -> list[MeasuredWindow]:
    """The windows of a metric as objects, in another order."""
    return list(result.windows(metric))[::-1]


def same(one: object, other: object) -> bool:
    """Whether two estimates agree to 1e-12, and in every word."""
    if not isinstance(one, Estimate) or not isinstance(other, Estimate):
        return one == other
    names = ("value", "low", "high")
    for name in names:
        pair = (getattr(one, name), getattr(other, name))
        if (None in pair and pair != (None, None)) or (None not in pair and not math.isclose(*pair, rel_tol=1e-12)):
            return False
    assert one.details.keys() == other.details.keys()
    close = all(math.isclose(one.details[key], other.details[key], rel_tol=1e-12) for key in one.details)
    return close and replace(one, value=0, low=None, high=None, details={}) == replace(
        other, value=0, low=None, high=None, details={}
    )


def test_figures_are_those_of_the_objects(results: Sequence[CellResults]) -> None:
    compared = 0
    for result in results:
        for name in (*result.cell.metrics, "psnr-clip", "psnr-pooled", "psnr-cap100", "psnr-tokenbench"):
            metric = find_metric(name)
            columns = result.windows(metric)
            assert isinstance(columns, WindowColumns)
            objects = by_objects(result, metric)
            assert same(metric.aggregate(columns, {}), metric.aggregate(objects, {})), name
            if isinstance(metric, RatioMetric):
                for one, other in zip(metric.source_sums(columns), metric.source_sums(objects), strict=True):
                    assert (one == other).all()
                assert metric.source_means(columns) == metric.source_means(objects)
            compared += 1
    assert compared >= 32


def test_curves_by_position_are_those_of_the_objects(results: Sequence[CellResults]) -> None:
    for result in results:
        one, other = (
            psnr_by_position(windows) for windows in (result.windows(FramePsnr()), by_objects(result, FramePsnr()))
        )
        for name in ("psnr", "low", "high", "count"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12)


class OwnNumerators(FramePsnr):
    """A plugin's metric that inherits from ours and looks at more than arrays."""

    name = "of-even-windows"

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        """Nothing of every second window."""
        return super().numerators(window)[: 0 if window.window % 2 else None]


def test_what_a_plugin_inherits_says_nothing_of_its_own_methods(results: Sequence[CellResults]) -> None:
    metric, result = OwnNumerators(), results[0]
    found = metric.aggregate(result.windows(metric), {})
    even = [window for window in result.windows(FramePsnr()) if window.window % 2 == 0]
    expected = FramePsnr().aggregate(even, {})
    assert isinstance(found, Estimate)
    assert isinstance(expected, Estimate)
    assert found.value == expected.value


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_windows_of_any_lengths_and_values(seed: int) -> None:
    generator = np.random.default_rng(seed)
    cell = random_cells(generator, 1, 6)[0]
    measurements = {}
    for row in cell.rows:
        values = np.exp(generator.normal(-6, 1, int(generator.integers(1, 4))))
        if generator.random() < 0.2:
            values[0] = generator.choice([np.nan, np.inf, -np.inf])
        packed = pack_arrays({"mse": values})
        reason = "too small" if generator.random() < 0.2 else ""
        key = FramePsnr().measurement_key
        if generator.random() < 0.9:
            made = Measurement(row.cell_id, row.source, row.window, key, b"" if reason else packed, reason)
            measurements[row.key] = {key: made}
    cell = replace(cell, measurements=measurements)
    for name in ("psnr", "psnr-clip", "psnr-pooled", "psnr-cap100"):
        metric = find_metric(name)
        with np.errstate(invalid="ignore"):
            assert same(metric.aggregate(cell.windows(metric), {}), metric.aggregate(by_objects(cell, metric), {}))
    wanted = sum(not m.reason for found in measurements.values() for m in found.values())
    assert len(cell.windows(FramePsnr())) == wanted
    assert sum(cell.reasons(FramePsnr()).values()) == sum(
        m.reason != "" for f in measurements.values() for m in f.values()
    )


def test_switches_are_those_of_the_objects(results: Sequence[CellResults], monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [[(r.switch, r.words, r.sums.value) for r in readings(c, "psnr") if r.sums] for c in results]
    monkeypatch.setattr(CellResults, "windows", _as_objects(CellResults.windows))
    objects = [[(r.switch, r.words, r.sums.value) for r in readings(c, "psnr") if r.sums] for c in results]
    assert columns == objects
    assert columns[0]


def _as_objects(windows):
    return lambda self, metric: list(windows(self, metric))


def test_records_of_sqlite_take_the_place_of_the_files(tmp_path: Path) -> None:
    LargeLedger(1, num_videos=3, windows_per_video=2, num_discrete=1, num_with_features=2).write(tmp_path)
    key = FramePsnr().measurement_key
    with Ledger(tmp_path, write=True) as ledger:
        cell = ledger.cells()[0]
        rows = ledger.rows(cell.cell_id)
        packed = pack_arrays({"mse": np.full(17, 0.25)})
        ledger.record(
            replace(rows[1], status="failed", reason="again"),
            replace(rows[2], source="another.mp4"),
            Measurement(cell.cell_id, rows[3].source, rows[3].window, key, packed),
            Measurement(cell.cell_id, "another.mp4", rows[2].window, key, packed),
        )
        columns = ledger.columns(cell.cell_id)
        assert list(columns.rows) == ledger.rows(cell.cell_id)
        measured = ledger.measurements(cell.cell_id)
        assert {key: dict(columns[key]) for key in columns} == measured
        ledger.compact(cell.cell_id)
        assert {key: dict(found) for key, found in ledger.columns(cell.cell_id).items()} == measured
        assert read_results(ledger)[0].num_scored == 5


def test_windows_come_in_the_order_of_the_ledger(tmp_path: Path) -> None:
    LargeLedger(1, num_videos=8, windows_per_video=4, num_discrete=1, num_with_features=2).write(tmp_path)
    metric = find_metric("codebook-utilization")
    whole = RunResults.read(tmp_path).results[0].evaluate(metric)
    with Ledger(tmp_path, write=True) as ledger:
        (cell,) = ledger.cells()
        measured = ledger.measurements(cell.cell_id)
        again = [found[metric.measurement_key] for found in list(measured.values())[1::3]]
        ledger.record(*again)
    (result,) = RunResults.read(tmp_path).results
    windows = result.windows(metric)
    assert [window.key for window in windows] == sorted(measured)
    assert [window.key for window in windows] == [windows[place].key for place in range(len(windows))]
    assert same(result.evaluate(metric), whole)
    assert same(metric.aggregate(list(windows)[::-1], {}), whole)


def test_large_arrays_stay_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toklab.bench.ledger.row_groups.GROUP_ROWS", 3)
    LargeLedger(1, num_videos=8, windows_per_video=2, num_discrete=1, num_with_features=2).write(tmp_path)
    whole = RunResults.read(tmp_path).results[0]
    monkeypatch.setattr("toklab.bench.ledger.row_groups.HELD_BYTES", 0)
    result = RunResults.read(tmp_path).results[0]
    path = tmp_path / "cells" / f"{result.cell.cell_id}.parquet"
    (tmp_path / "newer").write_bytes(b"another file")
    (tmp_path / "newer").replace(path)
    for name in ("codebook-utilization", "psnr"):
        metric = find_metric(name)
        assert same(result.evaluate(metric), whole.evaluate(metric))
