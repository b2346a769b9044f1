from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from toklab.bench.analysis.accounting import accounting_frame
from toklab.bench.analysis.results import RunResults
from toklab.bench.ledger import merging
from toklab.bench.ledger.ledger import Ledger, LedgerError
from toklab.bench.ledger.merging import merge_runs
from toklab.bench.ledger.plans import Plan, clip_digest, plan_file, read_plan, write_plan
from toklab.bench.ledger.records import CellRecord, Measurement, Row

CELL = CellRecord(
    cell_id="c1",
    tokenizer="t",
    label="t",
    spec={"title": "T"},
    weights="none",
    dataset="sample",
    protocol={"name": "p"},
    protocol_hash="h",
    settings={},
    metrics=("psnr",),
    status="finished",
    planned=1,
)
SCORED = Row("c1", "a.mp4", 0, "ff", (0, 1), 30.0, "pyav", "scored", "", {}, "m", "r")
FAILED = replace(SCORED, status="failed", reason="out of memory")
UNREADABLE = replace(FAILED, window=-1, frame_ids=(), content_id="", reason="can't be read")
GOOD = Measurement("c1", "a.mp4", 0, "frame-mse:v1", b"good")
BAD = Measurement("c1", "a.mp4", 0, "frame-mse:v1", b"", "MetricError: no")


def make(folder: Path, cell: CellRecord, *records: Row | Measurement, shard: tuple[int, int] = (0, 1)) -> Path:
    with Ledger(folder, write=True) as ledger:
        ledger.record(cell, *records)
        rows = [record for record in records if isinstance(record, Row)]
        windows = frozenset((row.source, row.window, clip_digest(row.content_id, row.frame_ids)) for row in rows)
        if cell.status != "failed":
            write_plan(folder, cell.cell_id, Plan({shard[0]: windows}, shard[1]))
    return folder


def merged(folders: Sequence[Path], target: Path) -> list[tuple[CellRecord, list[Row], dict[tuple[str, int], object]]]:
    merge_runs(folders, target)
    with Ledger(target) as ledger:
        return [(cell, ledger.rows(cell.cell_id), dict(ledger.measurements(cell.cell_id))) for cell in ledger.cells()]


def counts(folder: Path) -> tuple[int, int, int, int]:
    (line,) = accounting_frame(RunResults.read(folder).results).to_dict("records")
    return line["requested"], line["scored"], line["failed"], line["not_run"]


@pytest.mark.slow
def test_scored_beats_failed_in_any_order(tmp_path: Path) -> None:
    folders = [
        make(tmp_path / "failed", CELL, FAILED),
        make(tmp_path / "bad", CELL, SCORED, BAD),
        make(tmp_path / "good", CELL, SCORED, GOOD),
        make(tmp_path / "unreadable", CELL, UNREADABLE),
    ]
    # Of any two folders, each comes before the other in some of these orders.
    rotations = [folders[first:] + folders[:first] for first in range(len(folders))]
    for number, order in enumerate(rotations):
        ((_, rows, measurements),) = merged(order, tmp_path / f"merged{number}")
        assert rows == [SCORED]
        assert measurements == {SCORED.key: {GOOD.measurement_key: GOOD}}
        assert counts(tmp_path / f"merged{number}") == (1, 1, 0, 0)


def test_a_video_that_no_folder_could_open_stays_failed(tmp_path: Path) -> None:
    lost = replace(UNREADABLE, source="b.mp4")
    folders = [make(tmp_path / "one", CELL, SCORED, lost, GOOD), make(tmp_path / "other", CELL, UNREADABLE, lost)]
    for number, order in enumerate((folders, folders[::-1])):
        ((_, rows, _),) = merged(order, tmp_path / f"merged{number}")
        assert rows == [SCORED, lost]
        assert counts(tmp_path / f"merged{number}") == (2, 1, 1, 0)


def test_failed_cells_stay_failed_with_their_reason(tmp_path: Path) -> None:
    failed = replace(CELL, status="failed", reason="no checkpoint", hint="toklab weights pull t", planned=0)
    folders = [make(tmp_path / f"part{number}", failed) for number in range(2)]
    ((cell, rows, _),) = merged(folders, tmp_path / "merged")
    assert (cell.status, cell.reason, cell.hint, rows) == ("failed", failed.reason, failed.hint, [])


def test_a_cell_that_ran_elsewhere_beats_one_that_failed(tmp_path: Path) -> None:
    failed = replace(CELL, cell_id="c0", status="failed", reason="no checkpoint", planned=0)
    folders = [make(tmp_path / "failed", failed), make(tmp_path / "ran", CELL, SCORED, GOOD)]
    for number, order in enumerate((folders, folders[::-1])):
        ((cell, rows, _),) = merged(order, tmp_path / f"merged{number}")
        assert (cell.cell_id, cell.status, rows) == ("c1", "finished", [SCORED])


def test_missing_shards_are_named(tmp_path: Path) -> None:
    others = replace(SCORED, source="c.mp4")
    folders = [
        make(tmp_path / "part1", CELL, SCORED, GOOD, shard=(0, 3)),
        make(tmp_path / "part3", CELL, others, replace(GOOD, source="c.mp4"), shard=(2, 3)),
    ]
    merged(folders, tmp_path / "merged")
    (result,) = RunResults.read(tmp_path / "merged").results
    assert result.missing_shards == ("2/3",)
    assert len(result.scored()) == 2
    assert "shards 2/3 not run" in " ".join(result.remarks)


def test_a_merge_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [make(tmp_path / f"part{number}", CELL, SCORED, GOOD) for number in range(2)]
    monkeypatch.setattr(merging, "_settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        merge_runs(folders, tmp_path / "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part0", "part1"]
    monkeypatch.undo()
    (tmp_path / "merged").mkdir()
    merge_runs(folders, tmp_path / "merged")
    with pytest.raises(LedgerError, match="not empty"):
        merge_runs(folders, tmp_path / "merged")


def test_a_run_folder_is_replaced_once_the_new_one_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, whole = [make(tmp_path / "part0", CELL, SCORED, GOOD)], tmp_path / "whole"
    merge_runs(parts, whole)
    parts.append(make(tmp_path / "part1", CELL, replace(SCORED, source="b.mp4"), replace(GOOD, source="b.mp4")))
    monkeypatch.setattr(merging, "_settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        merge_runs(parts, whole, replaces=True)
    monkeypatch.undo()
    assert counts(whole) == (1, 1, 0, 0)
    # What a merge left that was killed between two renames.
    (tmp_path / ".whole.1.replaced").mkdir()
    merge_runs(parts, whole, replaces=True)
    assert counts(whole) == (2, 2, 0, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part0", "part1", "whole"]
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "thesis.tex").touch()
    with pytest.raises(LedgerError, match="not empty"):
        merge_runs(parts, notes, replaces=True)


def test_without_plans_what_both_planned_counts_once(tmp_path: Path) -> None:
    """As of folders of earlier versions."""
    other = replace(SCORED, window=1)
    folders = [
        make(tmp_path / "one", replace(CELL, planned=3), SCORED, GOOD),
        make(tmp_path / "two", replace(CELL, planned=4), SCORED, other),
    ]
    plan_file(folders[1], CELL.cell_id).unlink()
    ((cell, rows, _),) = merged(folders, tmp_path / "merged")
    assert (cell.planned, rows) == (6, [SCORED, other])
    assert read_plan(tmp_path / "merged", CELL.cell_id) is None


def test_what_either_folder_knows_of_a_cell_is_kept(tmp_path: Path) -> None:
    first = replace(
        CELL,
        metrics=("ssim", "psnr"),
        missing=("b: gone",),
        dataset_notes=("n: one",),
        unavailable={"fvd": ("no weights", "pull")},
        facts={"params": 1.0},
        status="open",
    )
    second = replace(
        CELL,
        metrics=("psnr", "lpips"),
        missing=("a: gone",),
        dataset_notes=("m: two",),
        unavailable={"fvd": ("other", "other"), "vmaf": ("no ffmpeg", "")},
        facts={"params": 2.0, "macs": 3.0},
    )
    folders = [make(tmp_path / "one", first, SCORED), make(tmp_path / "two", second, SCORED)]
    ((cell, _, _),) = merged(folders, tmp_path / "merged")
    assert cell.metrics == ("ssim", "psnr", "lpips")
    assert cell.missing == ("a: gone", "b: gone")
    assert cell.dataset_notes == ("m: two", "n: one")
    unavailable = {name: tuple(why) for name, why in cell.unavailable.items()}
    assert unavailable == {"fvd": ("no weights", "pull"), "vmaf": ("no ffmpeg", "")}
    assert cell.facts == {"params": 1.0, "macs": 3.0}
    assert (cell.status, cell.planned) == ("open", 1)


def test_of_two_rows_that_were_scored_the_first_folders_is_kept(tmp_path: Path) -> None:
    folders = [
        make(tmp_path / "one", CELL, replace(SCORED, machine="one")),
        make(tmp_path / "two", CELL, replace(SCORED, machine="two"), GOOD),
    ]
    ((_, rows, measurements),) = merged(folders, tmp_path / "merged")
    assert [row.machine for row in rows] == ["one"]
    assert measurements == {SCORED.key: {GOOD.measurement_key: GOOD}}


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ("folder:/a", "folder:/b", "folder:/a and folder:/b are two datasets"),
        ("folder:/a", "folder:/a", ""),
        ("folder:/a", "sample", ""),
        ("clips", "other", ""),
    ],
)
def test_unnamed_folders_at_two_places_may_be_one_dataset(tmp_path: Path, one: str, other: str, message: str) -> None:
    folders = [
        make(tmp_path / "one", replace(CELL, dataset=one), SCORED),
        make(tmp_path / "other", replace(CELL, cell_id="c2", dataset=other), replace(SCORED, cell_id="c2")),
    ]
    with pytest.raises(LedgerError, match=message) if message else nullcontext():
        merge_runs(folders, tmp_path / "merged")


def test_frames_of_two_videos_under_one_name_are_refused(tmp_path: Path) -> None:
    folders = [
        make(tmp_path / "one", CELL, SCORED),
        make(tmp_path / "other", CELL, replace(SCORED, content_id="ee")),
    ]
    with pytest.raises(LedgerError, match=r"a\.mp4, window 0, has other frames than in another"):
        merge_runs(folders, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_running_process_is_told_from_one_that_has_ended_and_goes_on() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert merging.is_running(child.pid)
        child.communicate(b"\n")
        assert child.returncode == 0
    assert not merging.is_running(child.pid)
