from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toklab.bench.analysis.cell_results import CellResults
from toklab.bench.analysis.compared_pairs import ComparisonError
from toklab.bench.analysis.comparison import compare_items, compare_labels
from toklab.bench.analysis.results import name_versions, read_results
from toklab.bench.analysis.results_table import results_table
from toklab.bench.ledger.ledger import Ledger, pack_arrays, unpack_arrays
from toklab.bench.metrics.repetitions import MEASUREMENT, Repetitions
from toklab.reports.tables.comparison import render_comparison

LARGER = {"height": 40, "width": 40}


def left_out(frame: pd.DataFrame) -> str:
    return "\n".join(frame.attrs["left_out"])


@pytest.mark.slow
def test_two_protocols_in_a_folder_are_compared_each_with_itself(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), ("psnr",))
    run_suite(tmp_path / "run", ("average", "signs"), ("psnr",), protocol_changes=LARGER)
    run_suite(tmp_path / "run", ("average",), ("psnr", "ssim"), protocol_changes={"height": 48, "width": 48})
    frame = compare_items(["average", "signs"], tmp_path / "run", None)
    assert len(frame) == 2
    assert len(set(frame["difference"].tolist())) == 2
    assert left_out(frame).count("average on videos under vidtok") == 1
    assert left_out(frame).count("nothing of signs") == 1
    for kind in ("terminal", "markdown"):
        assert "left out: average on videos" in render_comparison(frame, kind)


@pytest.mark.slow
def test_between_runs_every_protocol_has_its_pair(tmp_path: Path, run_suite: Callable) -> None:
    for name in ("before", "after"):
        run_suite(tmp_path / name, ("average",), ("psnr",))
        run_suite(
            tmp_path / name, ("average",), ("psnr", "ssim") if name == "after" else ("psnr",), protocol_changes=LARGER
        )
    run_suite(tmp_path / "after", ("signs",), ("psnr",))
    frame = compare_items([str(tmp_path / "before"), str(tmp_path / "after")], None, None)
    assert frame["difference"].tolist() == [0, 0]
    assert len(set(frame["value_a"].tolist())) == 2
    assert "signs on videos under vidtok" in left_out(frame)
    assert f"in {tmp_path / 'after'}, not in {tmp_path / 'before'}" in left_out(frame)
    assert "ssim on videos: not measured for average" in left_out(frame)


@pytest.mark.slow
def test_only_other_protocols_or_other_folders_are_refused(
    tmp_path: Path, run_suite: Callable, make_video: Callable[[Path, int], Path]
) -> None:
    run_suite(tmp_path / "run", ("average",), ("psnr",))
    run_suite(tmp_path / "run", ("signs",), ("psnr",), protocol_changes=LARGER)
    with pytest.raises(ComparisonError, match="different protocols"):
        compare_items(["average", "signs"], tmp_path / "run", None)
    make_video(tmp_path / "elsewhere" / "videos" / "a.mp4", 20)
    run_suite(tmp_path / "other", ("average",), ("psnr",), folder=tmp_path / "elsewhere" / "videos")
    with pytest.raises(ComparisonError, match=r"no dataset in common; .*NAME=folder:PATH"):
        compare_items([str(tmp_path / "run"), str(tmp_path / "other")], None, None)


@pytest.mark.slow
def test_timings_of_two_machines_and_failed_cells_are_left_out(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("average", "signs", "unbuildable"), ("psnr", "throughput-decode"))
    with Ledger(tmp_path / "run") as ledger:
        one, other, failed = read_results(ledger)
    elsewhere = with_repetitions(other, lambda timed: replace(timed, machine="another machine"))
    frame = compare_labels([one, elsewhere], ["average", "signs"], None, "run")
    assert set(frame["metric"]) == {"psnr"}
    assert "throughput-decode on videos: timings of several machines" in left_out(frame)
    with pytest.raises(ComparisonError, match="another machine"):
        compare_labels([one, elsewhere], ["average", "signs"], ["throughput-decode"], "run")
    with pytest.raises(ComparisonError, match="lacks what it needs"):
        compare_labels([one, failed], ["average", "unbuildable"], None, "run")


def with_repetitions(result: CellResults, change: Callable[[Repetitions], Repetitions | None]) -> CellResults:
    """The same cell with changed repetitions, or with none."""
    changed = {place: dict(found) for place, found in result.measurements.items()}
    for found in changed.values():
        for key in [key for key in found if key.startswith(MEASUREMENT)]:
            timed = Repetitions.from_arrays(unpack_arrays(found[key].arrays))
            assert timed is not None
            if (new := change(timed)) is None:
                del found[key]
            else:
                found[key] = replace(found[key], arrays=pack_arrays(new.to_arrays()))
    return replace(result, measurements=changed)


@pytest.mark.slow
def test_speeds_are_compared_by_paired_ratios_or_left_out_with_the_reason(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), ("psnr", "throughput-decode"))
    with Ledger(tmp_path / "run") as ledger:
        one, other = read_results(ledger)

    def why(*results: CellResults) -> str:
        return left_out(compare_labels(results, ["average", "signs"], None, "run"))

    frame = compare_labels([one, other], ["average", "signs"], None, "run")
    assert "throughput-decode" in set(frame["metric"])
    later = with_repetitions(other, lambda timed: replace(timed, started_s=timed.started_s + 100))
    assert "throughput-decode on videos of average and signs: their repetitions weren't made in turn" in why(one, later)
    slow = with_repetitions(
        other, lambda timed: replace(timed, started_s=timed.started_s + 100, why_alone="timed alone")
    )
    assert "can't be told from theirs; signs was timed alone" in why(one, slow)
    another = with_repetitions(other, lambda timed: replace(timed, pass_id="another pass"))
    assert "weren't made in turn" in why(one, another)
    earlier = with_repetitions(other, lambda timed: None)
    assert "signs has no repetitions: it was timed while its run went on" in why(one, earlier)
    batches = with_repetitions(other, lambda timed: replace(timed, batch_size=2))
    assert "timed under different conditions: " in why(one, batches)
    half = replace(other, cell=replace(other.cell, settings={**other.cell.settings, "precision": "float16"}))
    assert "32×32, float32; " in why(one, half)

    noise = np.array([1.0, 1.01, 0.99, 1.02, 0.98, 1.0])

    def in_turn(start: float, decode_s: np.ndarray) -> Callable[[Repetitions], Repetitions]:
        starts = start + np.arange(len(decode_s), dtype=float)
        return lambda timed: replace(timed, encode_s=decode_s, decode_s=decode_s, started_s=starts)

    pair = [with_repetitions(one, in_turn(0.0, noise)), with_repetitions(other, in_turn(0.5, 2 * noise[::-1]))]
    frame = compare_labels(pair, ["average", "signs"], ["throughput-decode"], "run")
    (row,) = frame.to_dict("records")
    assert (row["value_a"], row["value_b"]) == pytest.approx((17.0, 8.5))
    assert (row["verdict"], row["better"], row["windows_shared"]) == ("A", "average", 0)
    low, high = np.floor(1000 * (2 * 0.98 / 1.02)) / 1000, np.ceil(1000 * (2 * 1.02 / 0.98)) / 1000
    assert "A has 2.000 times B's median; 6 paired repetitions" in row["note"]
    assert "median of paired ratios [" in row["note"]
    ends = [float(end) for end in row["note"].rsplit("[", 1)[1].rstrip("]").split(", ")]
    assert low <= ends[0] < 2 < ends[1] <= high
    assert "B's median" in render_comparison(frame)


def test_speeds_under_other_conditions_have_a_column_of_their_own(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), ("psnr", "latency"))
    with Ledger(tmp_path / "run") as ledger:
        one, other = read_results(ledger)
    assert set(results_table([one, other])["metric"]) == {"psnr", "latency"}
    changed = with_repetitions(other, lambda timed: replace(timed, software="Python 2.7"))
    rows = {(row["label"], row["metric"]): row for row in results_table([one, changed]).to_dict("records")}
    assert set(rows) == {("average", "psnr"), ("signs", "psnr"), ("average", "latency"), ("signs", "latency@2")}
    assert rows["signs", "latency@2"]["title"] == "Latency @2"
    assert "measured under other conditions: " in rows["signs", "latency@2"]["note"]
    assert "Python 2.7" in rows["signs", "latency@2"]["note"]


def test_retrained_weights_have_lines_of_their_own(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), ("psnr",))
    with Ledger(tmp_path / "run") as ledger:
        one, other = read_results(ledger)
    retrained = replace(other, cell=replace(other.cell, cell_id="c2", weights="sha256:0123456789abcdef"))
    frame = compare_labels(name_versions([one, other, retrained]), ["average", "signs"], None, "run")
    assert frame["b"].tolist() == [f"signs, {other.cell.weights[:19]}", "signs, sha256:0123456789ab"]
