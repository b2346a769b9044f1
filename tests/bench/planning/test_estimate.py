"""Estimates of time and disk before a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import toklab
from run_folders import CELL, ROW
from toklab.bench.cli.estimates import duration, estimate, estimate_document, estimate_lines
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.plans import Plan, write_plan
from toklab.bench.ledger.records import RunRecord
from toklab.bench.planning.cell import Cell
from toklab.bench.planning.estimate import Given, Part, estimate_cells, total_seconds
from toklab.bench.planning.experience import Experience
from toklab.datasets.protocol import load_protocol
from toklab.tokenizers.interface import InferenceSettings

PROTOCOL = load_protocol("vidtok")
SETTINGS = InferenceSettings()


def cell(tokenizer: str, dataset: str = "clips", metrics: tuple[str, ...] = ("psnr",)) -> Cell:
    """A cell of a plan."""
    return Cell(tokenizer, dataset, None, PROTOCOL, SETTINGS, metrics)


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A run of two tokenizers on ten windows in batches of two: 100 s, 1 s and 3 s of which a batch takes."""
    folder = tmp_path / "earlier"
    with Ledger(folder, write=True) as ledger:
        ledger.record(
            RunRecord("r", "2026-01-01T00:00:00+00:00", "2026-01-01T00:01:40+00:00", {"machine": "this machine"})
        )
        for name, seconds, macs in (("small", 1.0, 2e12), ("large", 3.0, 12e12)):
            known = replace(
                CELL,
                cell_id=name,
                tokenizer=name,
                label=name,
                dataset="clips",
                protocol_hash=PROTOCOL.hash,
                settings=SETTINGS.as_dict(),
                metrics=("psnr",),
                facts={"macs_total": macs},
                planned=10,
            )
            timing = {"encode_s": seconds / 4, "decode_s": seconds * 3 / 4, "batch_size": 2.0}
            ledger.record(known)
            for window in range(10):
                # The first batch isn't warm, and takes far longer.
                slow = {"encode_s": 6 - seconds} if window < 2 else {}
                timed = {**timing, **slow, "warm": float(window > 1)}
                row = replace(ROW, cell_id=name, window=window, run_id="r", timing=timed, machine="this machine")
                ledger.record(row)
            videos = ("a", 2), ("b", 5), ("c", 3)
            planned = {(f"{video}.mp4", window, "") for video, count in videos for window in range(count)}
            write_plan(folder, name, Plan({0: frozenset(planned)}))
            ledger.compact(name)
    return folder


def test_parts_are_those_that_were_measured(earlier: Path) -> None:
    (one,) = estimate_cells([cell("small")], Experience.read([earlier]), Given(), lambda cell: None)
    assert one.windows.value == 10
    assert one.forward.value == 0.5
    # Of 100 s, warm batches took 4 · (1 + 3) s and the first ones (5 + 0.75) + (3 + 2.25) s, over 20 windows.
    assert one.rest.value == pytest.approx((100 - 16 - 5.75 - 5.25) / 20)
    assert one.seconds == pytest.approx(10 * (0.5 + (100 - 16 - 5.75 - 5.25) / 20))
    assert one.disk.value == (earlier / "cells" / "small.parquet").stat().st_size / 10


def test_what_several_runs_of_a_folder_measured_is_not_told(earlier: Path) -> None:
    assert [run.metrics for run in Experience.read([earlier]).runs] == [{"psnr"}]
    # A second run adds a metric: the windows are still those of the first one.
    with Ledger(earlier, write=True) as ledger:
        ledger.record(RunRecord("s", "2026-01-01T01:00:00+00:00", "2026-01-01T01:10:00+00:00", {}))
        for known in ledger.cells():
            ledger.update_cell(known.cell_id, metrics=("psnr", "ssim"))
    assert Experience.read([earlier]).runs == ()
    (one,) = estimate_cells([cell("small")], Experience.read([earlier]), Given(), lambda cell: None)
    assert (one.rest.value, one.forward.value) == (None, 0.5)
    assert "in a folder of its own" in one.rest.source


def test_a_model_that_was_never_run_goes_by_its_multiply_adds(earlier: Path) -> None:
    (one,) = estimate_cells([cell("new")], Experience.read([earlier]), Given(), lambda cell: 3e12)
    # 4 and 8 in 10^12 a second were measured.
    assert one.forward.value == pytest.approx(3 / 6)
    assert "3·10¹² multiply-adds at 6·10¹² a second, the median of 2 models, 4 to 8" in one.forward.source
    # A model that was timed in two runs counts once.
    (again,) = estimate_cells([cell("new")], Experience.read([earlier, earlier]), Given(), lambda cell: 3e12)
    assert again.forward == one.forward
    (given,) = estimate_cells([cell("small")], Experience.read([earlier]), Given(macs_per_second=1e12), lambda cell: 0)
    assert given.forward.value == 2.0


def test_what_nothing_tells_is_unknown_with_its_reason(earlier: Path) -> None:
    elsewhere = cell("small", "other", ("psnr", "lpips-vgg"))
    (one,) = estimate_cells([elsewhere], Experience.read([earlier]), Given(), lambda cell: None)
    assert one.windows.value is None
    assert "--windows" in one.windows.source
    assert one.seconds is None
    assert total_seconds([one]) is None
    assert "without lpips-vgg" in one.rest.source
    (one,) = estimate_cells(
        [elsewhere], Experience.read([earlier]), Given(num_windows=1000, limit=7), lambda cell: None
    )
    assert one.windows.value == 7
    (one,) = estimate_cells([cell("codec")], Experience(), Given(num_windows=5), lambda cell: None)
    assert (one.forward.value, one.rest.value, one.disk.value) == (None, None, None)


@pytest.mark.parametrize(
    ("limit_videos", "limit", "windows"), [(1, None, 2), (2, None, 7), (9, None, 10), (2, 4, 4), (2, 9, 7)]
)
def test_only_the_first_videos_count_where_only_they_are_run(
    earlier: Path, limit_videos: int, limit: int | None, windows: int
) -> None:
    given = Given(limit=limit, limit_videos=limit_videos)
    (one,) = estimate_cells([cell("small")], Experience.read([earlier]), given, lambda cell: None)
    assert one.windows.value == windows
    if limit is None:
        assert one.windows.source == f"those of the first {limit_videos} videos, planned in {earlier}"


def test_the_command_estimates_for_the_videos_that_it_names(earlier: Path) -> None:
    words = ("plan", "-t", "bicubic-4chn", "-d", f"clips=folder:{earlier}", "--from", earlier, "--limit-videos", 1)
    code, output = toklab(*words)
    assert code == 0
    assert "bicubic-4chn on clips: 2 windows" in output
    document = json.loads(toklab(*words, "--json")[1])
    assert document["estimate"]["cells"][0]["windows"]["value"] == 2


def test_windows_of_the_first_videos_of_an_unknown_dataset_are_unknown(earlier: Path) -> None:
    elsewhere, experience = cell("small", "other"), Experience.read([earlier])
    (one,) = estimate_cells([elsewhere], experience, Given(limit_videos=2), lambda cell: None)
    assert one.windows.value is None
    (one,) = estimate_cells([elsewhere], experience, Given(num_windows=8, limit_videos=2), lambda cell: None)
    assert one.windows == Part(8.0, "given")


def test_workers_share_windows_and_the_longest_share_counts(earlier: Path) -> None:
    cells = [cell("small"), cell("large")]
    estimates = estimate_cells(cells, Experience.read([earlier]), Given(), lambda cell: None)
    alone, three = total_seconds(estimates), total_seconds(estimates, 3)
    assert alone is not None
    assert three == pytest.approx(alone * 4 / 10)


def total_of(document: dict[str, Any]) -> float:
    """Seconds of one process."""
    values = [{name: part["value"] for name, part in each.items()} for each in document["cells"]]
    return sum(each["windows"] * (each["forward_s"] + each["rest_s"]) for each in values)


def test_the_command_says_where_each_part_comes_from(earlier: Path) -> None:
    estimates = estimate([cell("small"), cell("large")], [earlier], [], None, None, None, None)
    lines = list(estimate_lines(estimates, 2))
    text = "\n".join(lines)
    assert "small on clips: 10 windows, each 0.5 s to encode and decode, 3.65 s for all else: 41.5 s" in text
    assert f"encode and decode: the median of a window in {earlier} on this machine" in text
    assert f"all else: wall time less encode and decode of 20 windows in {earlier}" in text
    assert "by 2 as fast as the one" in text
    assert "Not in the estimate" in lines[-1]
    document = estimate_document(estimates[:1], 2)
    assert document["seconds"] == pytest.approx(total_of(document) / 2)
    (nothing,) = estimate_lines(estimate([cell("small")], [], [], None, None, None, None), 1)
    assert "--from" in nothing


@pytest.mark.parametrize(
    ("seconds", "text"), [(59, "59.0 s"), (600, "10.0 min"), (36000, "10.0 h"), (864000, "10.0 days")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
