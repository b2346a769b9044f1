from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toklab.bench.analysis.compared_pairs import ComparisonError
from toklab.bench.analysis.comparison import compare_items, compare_labels
from toklab.bench.analysis.results import name_versions, read_results
from toklab.bench.ledger.ledger import Ledger, pack_arrays, unpack_arrays
from toklab.bench.ledger.records import Measurement
from toklab.bench.metrics.repetitions import MEASUREMENT, Repetitions
from toklab.reports.tables.comparison import render_comparison

LARGER = {"height": 40, "width": 40}


def left_out(frame: pd.DataFrame) -> str:
    return "\n".join(frame.attrs["left_out"])


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


def timed_on(measurements: Mapping[Any, Mapping[str, Measurement]], machine: str) -> dict[Any, dict[str, Measurement]]:
    """The same measurements, but for the machine that the repetitions were timed on."""
    changed = {place: dict(found) for place, found in measurements.items()}
    for found in changed.values():
        for key in (key for key in found if key.startswith(MEASUREMENT)):
            timed = Repetitions.from_arrays(unpack_arrays(found[key].arrays))
            assert timed is not None
            found[key] = replace(found[key], arrays=pack_arrays(replace(timed, machine=machine).to_arrays()))
    return changed


def test_timings_of_two_machines_and_failed_cells_are_left_out(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("average", "signs", "unbuildable"), ("psnr", "throughput-decode"))
    with Ledger(tmp_path / "run") as ledger:
        one, other, failed = read_results(ledger)
    assert set(compare_labels([one, other], ["average", "signs"], None, "run")["metric"]) == {
        "psnr",
        "throughput-decode",
    }
    elsewhere = replace(other, measurements=timed_on(other.measurements, "another machine"))
    frame = compare_labels([one, elsewhere], ["average", "signs"], None, "run")
    assert set(frame["metric"]) == {"psnr"}
    assert "throughput-decode on videos: timings of several machines" in left_out(frame)
    with pytest.raises(ComparisonError, match="another machine"):
        compare_labels([one, elsewhere], ["average", "signs"], ["throughput-decode"], "run")
    with pytest.raises(ComparisonError, match="lacks what it needs"):
        compare_labels([one, failed], ["average", "unbuildable"], None, "run")


def test_retrained_weights_have_lines_of_their_own(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), ("psnr",))
    with Ledger(tmp_path / "run") as ledger:
        one, other = read_results(ledger)
    retrained = replace(other, cell=replace(other.cell, cell_id="c2", weights="sha256:0123456789abcdef"))
    frame = compare_labels(name_versions([one, other, retrained]), ["average", "signs"], None, "run")
    assert frame["b"].tolist() == [f"signs, {other.cell.weights[:19]}", "signs, sha256:0123456789ab"]
