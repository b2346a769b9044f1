"""A result record gives the figures of the run that it was written from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_cells import featured_cell, made_cell, random_cells, rated_cell
from recorded_cells import made_run, write_record
from toklab.bench import open_run
from toklab.bench.analysis.compared_pairs import ComparisonError
from toklab.bench.analysis.comparison import compare_items
from toklab.bench.analysis.opening import open_results
from toklab.bench.analysis.results import RunResults
from toklab.bench.analysis.results_table import results_table
from toklab.bench.analysis.run import Run
from toklab.bench.analysis.run_report import write_run_report
from toklab.bench.ledger.ledger import pack_arrays
from toklab.bench.metrics import extrapolation
from toklab.datasets.protocol import load_protocol
from toklab.reports.record.digests import sealed
from toklab.reports.record.reading import RecordError
from toklab.reports.tables.comparison import LEFT_OUT

METRICS = (
    *("psnr", "psnr-cap100", "psnr-clip", "psnr-pooled", "psnr-tokenbench", "ssim", "ssim-skimage", "flicker", "bpp"),
    *("codebook-utilization", "codebook-perplexity", "bpp-order0", "bpp-kt", "lpips-vgg"),
    *("throughput-encode", "throughput-decode", "latency", "peak-memory", "params", "macs"),
)


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a record as somebody would who knows of the digests."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(sealed(content)))


@pytest.fixture
def rated() -> RunResults:
    """Two codecs at two rates each, on six videos, with figures of frames."""
    generator = np.random.default_rng(0)
    cells = []
    for system in "AB":
        for rate in (100.0, 300.0):
            keys = [(f"v{source}.mp4", window) for source in range(6) for window in range(2)]
            errors = {key: float(np.exp(generator.normal(-6, 0.5))) for key in keys}
            bits = {key: rate * float(generator.uniform(0.9, 1.1)) for key in keys}
            ssim = {key: float(generator.uniform(0.7, 0.9)) for key in keys}
            lpips = {key: float(np.float32(generator.uniform(0.1, 0.2))) for key in keys}
            cells.append(rated_cell(f"{system}-{rate:g}", errors, bits, system=system, ssim=ssim, lpips_vgg=lpips))
    return made_run(cells)


@pytest.mark.slow
def test_a_record_gives_the_figures_of_its_run_folder_to_the_last_digit(
    run_suite: Callable[..., Any], tmp_path: Path
) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), METRICS)
    folder = open_run(tmp_path / "run")
    (path,) = folder.report("json", out=tmp_path / "record")
    record = open_run(path)
    table, recorded = folder.table(), record.table()
    assert int(np.isfinite(recorded["value"].to_numpy(float)).sum()) >= 30
    pd.testing.assert_frame_equal(recorded, table, check_exact=True)
    pd.testing.assert_frame_equal(record.accounting(), folder.accounting())
    windows, recorded_windows = folder.windows(), record.windows()
    of_codes = windows["metric"].isin(["codebook-utilization", "codebook-perplexity", "bpp-order0", "bpp-kt"])
    pd.testing.assert_frame_equal(recorded_windows.loc[~of_codes], windows.loc[~of_codes], check_exact=True)
    assert set(recorded_windows[of_codes]["reason"]) == {"a result record holds the counts of all windows together"}
    # A record of the record says the same.
    (again,) = record.report("json", out=tmp_path / "again")
    pd.testing.assert_frame_equal(open_run(again).table(), table, check_exact=True)
    assert json.loads(again.read_text())["cells"] == json.loads(path.read_text())["cells"]


def test_ranks_intervals_comparisons_and_reports_are_those_of_the_run(rated: RunResults, tmp_path: Path) -> None:
    path = write_record(rated, tmp_path)
    record = open_results([path])
    pd.testing.assert_frame_equal(results_table(record.results), results_table(rated.results), check_exact=True)
    compared = Run(**vars(record)).compare()
    pd.testing.assert_frame_equal(compared, Run(**vars(rated)).compare(), check_exact=True)
    assert set(compared["metric"]) == {"psnr", "bpp", "ssim", "lpips-vgg"}
    pd.testing.assert_frame_equal(
        compare_items(["A-100", "B-100"], path, None), Run(**vars(rated)).compare("A-100", "B-100"), check_exact=True
    )


@pytest.mark.slow
@pytest.mark.thorough
def test_the_report_of_a_record_is_that_of_the_run(rated: RunResults, tmp_path: Path) -> None:
    record = open_results([write_record(rated, tmp_path)])
    written = [
        {path.name: path.read_bytes() for path in write_run_report(run, tmp_path / name, ("md", "csv"))}
        for name, run in (("one", rated), ("two", record))
    ]
    assert written[0] == written[1]


def test_windows_in_a_file_of_their_own_are_the_same_windows(rated: RunResults, tmp_path: Path) -> None:
    inside = write_record(rated, tmp_path / "inside")
    beside = write_record(rated, tmp_path / "beside", inline_bytes=10)
    assert json.loads(beside.read_text())["window_file"]["name"] == "record.parquet"
    assert "windows" not in json.loads(beside.read_text())["cells"][0]
    one, other = open_results([inside]), open_results([beside])
    for first, second in zip(one.results, other.results, strict=True):
        assert first == second
    for name in ("record.json", "record.parquet"):
        (tmp_path / "beside" / name).rename(tmp_path / "beside" / name.replace("record", "mine"))
    assert open_results([tmp_path / "beside" / "mine.json"]).results == one.results


def test_anybody_can_compute_a_figure_from_numerators_and_weights(rated: RunResults, tmp_path: Path) -> None:
    content = json.loads(write_record(rated, tmp_path).read_text())
    stated = {(figure["label"], figure["metric"]): figure["value"] for figure in content["figures"]}
    for cell in content["cells"]:
        for metric in ("psnr", "ssim", "lpips-vgg", "bpp"):
            sums = [sum(window[part][metric] for window in cell["windows"]) for part in ("numerators", "weights")]
            assert sums[0] / sums[1] == pytest.approx(stated[cell["label"], metric], rel=1e-12)
    assert content["metrics"]["psnr"]["convention"].startswith("per frame")
    # From the file beside it as well, without toklab.
    beside = write_record(rated, tmp_path / "beside", inline_bytes=10).with_suffix(".parquet")
    rows = pd.read_parquet(beside)
    first = rows[rows["cell_id"] == "A-100"]
    total = sum(dict(row)["psnr"] for row in first["numerators"]) / sum(dict(row)["psnr"] for row in first["weights"])
    assert total == pytest.approx(stated["A-100", "psnr"], rel=1e-12)


def test_values_that_arent_finite_travel(tmp_path: Path) -> None:
    cell = made_cell("t", {(f"v{source}.mp4", 0): 0.01 for source in range(6)})
    key, measured = next(iter(cell.measurements.items()))
    broken = replace(measured["frame-mse:v1"], arrays=pack_arrays({"mse": np.array([np.nan, np.inf])}))
    run = made_run([replace(cell, measurements={**cell.measurements, key: {"frame-mse:v1": broken}})])
    record = open_results([write_record(run, tmp_path)])
    table = results_table(record.results)
    pd.testing.assert_frame_equal(table, results_table(run.results), check_exact=True)
    assert "5 of 6 windows have a finite value" in table["note"].iloc[0]


def test_fvd_of_a_record_is_its_value_with_its_interval_and_no_rank(tmp_path: Path) -> None:
    run = made_run([featured_cell("good", 2, 17, 0.3), featured_cell("bad", 2, 17, 1.5)])
    path = write_record(run, tmp_path)
    record = open_results([path])
    before, after = results_table(run.results), results_table(record.results)
    assert list(before["rank"]) == ["best", "second"]
    for column in ("value", "low", "high", "num_sources", "count", "counted", "note", "interval_note"):
        assert list(after[column]) == list(before[column])
    assert np.isfinite(before["low"].to_numpy(float)).all()
    assert list(after["rank_low"]) == [0, 0]
    assert set(after["family"]) == {"not ranked: a result record holds its value, and no features"}
    with pytest.raises(ComparisonError, match="a result record holds its value, and no features; compare the run fold"):
        compare_items([], path, None)
    # Beside run folders, which are ranked among themselves.
    mixed = results_table([*run.results, *(replace(r, qualifier="theirs") for r in record.results)])
    assert list(mixed["rank"]) == ["best", "second", "", ""]
    # The record itself has the ranks of its run.
    assert [figure["rank"] for figure in json.loads(path.read_text())["figures"]] == ["best", "second"]


def test_an_extrapolated_figure_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extrapolation, "MIN_FEATURES", 24)
    run = made_run([featured_cell("one", 3, 17, 0.3), featured_cell("other", 3, 17, 1.5)])
    record = open_results([write_record(run, tmp_path)])
    before, after = (results_table(of.results)[["label", "metric", "value"]] for of in (run, record))
    assert set(before["metric"]) == {"fvd-i3d", "fvd-i3d-extrapolated"}
    pd.testing.assert_frame_equal(pd.DataFrame(after), pd.DataFrame(before), check_exact=True)


def test_nothing_in_a_record_says_where_it_was_made(run_suite: Callable[..., Any], tmp_path: Path) -> None:
    broken = tmp_path / "videos" / "broken one.mp4"
    broken.parent.mkdir(exist_ok=True)
    broken.write_bytes(b"no video")
    run_suite(tmp_path / "run", ("average",), ("psnr", "lpips-vgg"))
    folder = open_run(tmp_path / "run")
    assert str(tmp_path) in folder.results[0].cell.dataset
    assert "broken one.mp4" in set(folder.failures()["source"])
    (path,) = folder.report("json", out=tmp_path / "record")
    text = path.read_text()
    assert str(tmp_path) not in text
    assert str(Path.home()) + "/" not in text
    assert tmp_path.name not in text
    # It is the same dataset for all that: the two can be compared.
    compared = compare_items([str(tmp_path / "run"), str(path)], None, ["psnr"])
    assert list(compared["difference"]) == [0.0]


def test_a_protocol_under_anothers_hash_is_refused(rated: RunResults, tmp_path: Path) -> None:
    path = write_record(rated, tmp_path)
    digest = load_protocol("vidtok").hash
    rewrite(path, lambda content: content["protocols"][digest].update(tail="drop"))
    with pytest.raises(
        RecordError, match=r"record.json is no valid record: the protocol 'vidtok' has the hash \w+, not"
    ):
        open_results([path])
    rewrite(path, lambda content: content["protocols"][digest].update(wavelets=True))
    with pytest.raises(RecordError, match=r"doesn't know its protocol .* wavelets.*update toklab"):
        open_results([path])


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        ({"shape": [3]}, "has 2 values for the shape"),
        ({"shape": [10**30, 10**30]}, "has 2 values for the shape"),
        ({"dtype": "int64"}, "aren't whole"),
        ({"dtype": "uint8", "values": [1, 300]}, "300"),
        ({"dtype": "int64", "values": [1, 10**40]}, "int"),
    ],
)
def test_arrays_that_cant_be_are_refused(
    rated: RunResults, tmp_path: Path, array: dict[str, Any], problem: str
) -> None:
    path = write_record(rated, tmp_path)

    def change(content: dict[str, Any]) -> None:
        measured = content["cells"][0]["windows"][0]["measurements"]["frame-mse:v1"]["arrays"]["mse"]
        measured.update(array)

    rewrite(path, change)
    with pytest.raises(RecordError, match=problem):
        open_results([path])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sizes": [2**60]}, "codebooks of 1152921504606846976 entries"),
        ({"sizes": [0]}, "codebooks of 0 entries"),
        ({"codes_0": [0, 9]}, "can't be of codebook 0"),
        ({"codes_0": [-1, 1]}, "can't be of codebook 0"),
        ({"codes_0": [1, 1]}, "can't be of codebook 0"),
        ({"counts_0": [1, -1]}, "can't be of codebook 0"),
        ({"sizes": [2, 2]}, "lacks the counts of codebook 1"),
    ],
)
def test_counts_that_cant_be_are_refused(tmp_path: Path, changes: dict[str, list[int]], problem: str) -> None:
    cell = made_cell("t", {("a.mp4", 0): 0.1}, metrics=("codebook-utilization",))
    arrays = {"sizes": [2], "levels": [], "codes_0": [0, 1], "counts_0": [5, 7]}
    packed = pack_arrays({name: np.array(values, dtype=np.int64) for name, values in arrays.items()})
    measured = replace(cell.measurements["a.mp4", 0]["frame-mse:v1"], measurement_key="code-counts:v1", arrays=packed)
    path = write_record(made_run([replace(cell, measurements={("a.mp4", 0): {"code-counts:v1": measured}})]), tmp_path)
    assert results_table(open_results([path]).results)["value"].iloc[0] == 100

    def change(content: dict[str, Any]) -> None:
        totals = content["cells"][0]["totals"]["code-counts:v1"]
        for name, values in changes.items():
            totals[name].update(values=values, shape=[len(values)])

    rewrite(path, change)
    with pytest.raises(RecordError, match=problem):
        open_results([path])


def test_several_runs_make_one_report(tmp_path: Path) -> None:
    first, second, third = random_cells(np.random.default_rng(1), 3, 8)
    paths = [
        write_record(made_run([first, second]), tmp_path / "alice"),
        write_record(
            made_run([replace(third, cell=replace(third.cell, weights="sha256:" + 64 * "a"))]), tmp_path / "bob"
        ),
    ]
    together = open_results(paths)
    assert together.folder is None
    # As if they had been measured in one run.
    expected = results_table(made_run([first, second, third]).results)
    pd.testing.assert_frame_equal(results_table(together.results), expected, check_exact=True)
    assert together.remarks == (
        "From alice/record.json (versions unknown): t0, t1",
        "From bob/record.json (versions unknown): t2",
    )


def test_of_what_two_records_hold_the_larger_one_counts(tmp_path: Path) -> None:
    whole = made_cell("t", {(f"v{source}.mp4", 0): 0.01 for source in range(6)})
    part = replace(whole, rows=whole.rows[:2])
    paths = [
        write_record(made_run([part]), tmp_path / "part"),
        write_record(made_run([whole]), tmp_path / "whole"),
    ]
    for order in (paths, paths[::-1]):
        together = open_results(order)
        (figure,) = results_table(together.results).to_dict("records")
        assert figure["count"] == 12
        others = "t on folder is also in part/record.json (2 windows)"
        assert f"{others}; its figures are those of whole/record.json (6 windows)" in together.remarks


def test_runs_are_compared_with_records(rated: RunResults, tmp_path: Path) -> None:
    better = [
        replace(
            result,
            measurements={
                key: {
                    **found,
                    "frame-mse:v1": replace(found["frame-mse:v1"], arrays=pack_arrays({"mse": np.full(2, 0.001)})),
                }
                for key, found in result.measurements.items()
            },
        )
        for result in rated.results
    ]
    paths = [
        write_record(rated, tmp_path / "before"),
        write_record(replace(rated, results=tuple(better)), tmp_path / "x"),
    ]
    frame = compare_items([str(path) for path in paths], None, ["psnr"])
    assert list(frame["value_b"]) == pytest.approx([-10 * np.log10(0.001 + 1e-8)] * 4)
    assert frame.attrs[LEFT_OUT] == []
