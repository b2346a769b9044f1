"""What a run makes of videos that can't be trusted: damaged, not as locked, or of the wrong length."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from first_pixel import FirstPixel
from natural_video import write_natural
from toklab.bench.analysis.results import read_results
from toklab.bench.execution import provenance
from toklab.bench.execution.dataset_windows import length_notes, unlocked_notes
from toklab.bench.ledger.arrays import pack_arrays, unpack_arrays
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.records import Row
from toklab.bench.planning.cell import reference_identity
from toklab.datasets.folder import FolderDataset
from toklab.datasets.interface import VideoSource
from toklab.datasets.lock import LOCK_NAME, hash_videos, write_lock
from toklab.datasets.readers.interface import VideoFacts
from toklab.datasets.source_plan import SourcePlan

NUM_WINDOWS = 3
GROUP = 17


def _rows(folder: Path) -> dict[tuple[str, int], Row]:
    with Ledger(folder) as ledger:
        return {row.key: row for cell in ledger.cells() for row in ledger.rows(cell.cell_id)}


def _remarks(folder: Path) -> str:
    with Ledger(folder) as ledger:
        return "; ".join(remark for result in read_results(ledger) for remark in result.remarks)


@pytest.fixture
def damaged_folder(tmp_path: Path) -> Path:
    """One video of three windows, each a group of pictures; the data of the second one is damaged."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    path = write_natural(
        folder / "v.mp4", NUM_WINDOWS * GROUP, "-c:v", "libx264", "-g", str(GROUP), "-sc_threshold", "0"
    )
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    place, size = packets[GROUP].pos, packets[GROUP].size
    assert place is not None
    for byte in range(place + size * 3 // 10, place + size * 6 // 10):
        data[byte] ^= 1
    path.write_bytes(data)
    return folder


@pytest.mark.slow
def test_windows_of_a_damaged_file_fail(tmp_path: Path, run_suite: Callable, damaged_folder: Path) -> None:
    summary, _ = run_suite(tmp_path / "run", folder=damaged_folder)
    assert summary.exit_code == 1
    rows = _rows(tmp_path / "run")
    assert [rows["v.mp4", window].status for window in range(NUM_WINDOWS)] == ["failed"] * NUM_WINDOWS
    assert "v.mp4: damaged from frame 0 on (" in rows["v.mp4", 1].reason
    assert "--on-corrupt note" in rows["v.mp4", 1].reason


@pytest.mark.slow
def test_noted_windows_are_scored_and_said_and_fail_in_a_stricter_run(
    tmp_path: Path, run_suite: Callable, damaged_folder: Path
) -> None:
    run = tmp_path / "run"
    summary, _ = run_suite(run, ("average", "signs"), folder=damaged_folder, on_corrupt="note")
    assert summary.exit_code == 0
    rows = _rows(run)
    assert {row.status for row in rows.values()} == {"scored"}
    assert [bool(rows["v.mp4", window].note) for window in range(NUM_WINDOWS)] == [True] * NUM_WINDOWS
    assert _remarks(run).count("3 windows rest on damaged frames (v.mp4: damaged from frame 0 on (") == 2
    _, progress = run_suite(run, ("average",), folder=damaged_folder, on_corrupt="note")
    assert progress.windows == 0
    summary, _ = run_suite(run, ("average",), folder=damaged_folder)
    assert summary.failed_windows == NUM_WINDOWS


@pytest.mark.slow
def test_a_run_fails_videos_that_are_not_as_locked(
    tmp_path: Path, run_suite: Callable, video_folder: Path, make_video: Callable[[Path, int], Path]
) -> None:
    write_lock(video_folder / LOCK_NAME, hash_videos(FolderDataset(video_folder)))
    summary, _ = run_suite(tmp_path / "before")
    assert summary.exit_code == 0
    make_video(video_folder / "a.mp4", 19)
    (video_folder / "b.mp4").unlink()
    make_video(video_folder / "d.mp4", 20)
    summary, _ = run_suite(tmp_path / "run")
    assert summary.failed_windows == 3
    reasons = {row.source: row.reason for row in _rows(tmp_path / "run").values() if row.status == "failed"}
    assert set(reasons) == {"a.mp4", "b.mp4", "d.mp4"}
    assert "has changed since" in reasons["a.mp4"]
    assert f"b.mp4: the dataset has no such video, but {video_folder / LOCK_NAME} lists it" in reasons["b.mp4"]
    assert "isn't in" in reasons["d.mp4"]
    assert _rows(tmp_path / "run")["c.mp4", 0].status == "scored"


def test_a_lock_may_lie_elsewhere(tmp_path: Path, run_suite: Callable, video_folder: Path) -> None:
    lock = tmp_path / "locks" / "clips.lock"
    lock.parent.mkdir()
    write_lock(lock, {**hash_videos(FolderDataset(video_folder)), "a.mp4": "0" * 64})
    summary, _ = run_suite(tmp_path / "run", lock=lock)
    assert summary.failed_windows == 1


def test_a_video_that_is_gone_fails_although_it_lies_beside_a_lock_from_elsewhere(
    tmp_path: Path, run_suite: Callable, video_folder: Path
) -> None:
    write_lock(video_folder / LOCK_NAME, hash_videos(FolderDataset(video_folder)))
    later = tmp_path / "later"
    later.mkdir()
    shutil.copy(video_folder / "a.mp4", later)
    summary, _ = run_suite(tmp_path / "run", folder=later, lock=video_folder / LOCK_NAME)
    assert summary.failed_windows == 2
    rows = _rows(tmp_path / "run").values()
    assert {row.source for row in rows if row.status == "scored"} == {"a.mp4"}
    assert {row.source for row in rows if row.status == "failed"} == {"b.mp4", "c.mp4"}


def test_of_a_dataset_of_one_file_no_other_locked_video_is_measured(
    tmp_path: Path, run_suite: Callable, video_folder: Path
) -> None:
    locked = hash_videos(FolderDataset(video_folder))
    write_lock(video_folder / LOCK_NAME, locked)
    summary, _ = run_suite(tmp_path / "run", folder=video_folder / "a.mp4")
    assert summary.exit_code == 0
    assert {source for source, _ in _rows(tmp_path / "run")} == {"a.mp4"}
    write_lock(video_folder / LOCK_NAME, {**locked, "a.mp4": "0" * 64})
    summary, _ = run_suite(tmp_path / "other", folder=video_folder / "a.mp4")
    assert summary.failed_windows == 1


class _Listed(FolderDataset):
    def expected_num_frames(self, key: str) -> int | None:
        return {"a.mp4": 20, "b.mp4": 125}.get(key)


def test_a_wrong_length_is_noted(tmp_path: Path) -> None:
    facts = VideoFacts(20, 25.0, 8, 8, "yuv")
    plans = [SourcePlan(VideoSource(f"{name}.mp4", tmp_path), "", facts, ()) for name in "abc"]
    assert length_notes(_Listed(tmp_path), plans) == ("b.mp4: 20 frames where the dataset gives 125",)


def test_a_wrong_length_is_said_in_the_run_and_in_its_report(
    tmp_path: Path, run_suite: Callable, video_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderDataset, "expected_num_frames", _Listed.expected_num_frames)
    summary, progress = run_suite(tmp_path / "run")
    assert summary.exit_code == 0
    said = "b.mp4: 37 frames where the dataset gives 125"
    assert any(said in message for message in progress.messages)
    assert said in _remarks(tmp_path / "run")


def test_videos_that_are_not_locked_are_named_by_codec(tmp_path: Path) -> None:
    kinds = ("HEVC", "", "VP9", "HEVC", "raw", "images")
    facts = [VideoFacts(20, 25.0, 8, 8, "pyav", kind) for kind in kinds]
    plans = [SourcePlan(VideoSource(f"{number}.mp4", tmp_path), "", fact, ()) for number, fact in enumerate(facts)]
    (note,) = unlocked_notes(plans)
    assert note.startswith("not locked (HEVC, VP9, images, raw): damage that no decoder notices")
    assert unlocked_notes(plans[1:2]) == ()


@pytest.mark.slow
def test_run_and_report_say_that_videos_are_not_locked(tmp_path: Path, run_suite: Callable, video_folder: Path) -> None:
    _, progress = run_suite(tmp_path / "run", ("average", "signs"))
    said = "not locked (H.264)"
    assert sum(said in message for message in progress.messages) == 1
    assert said in _remarks(tmp_path / "run")
    write_lock(video_folder / LOCK_NAME, hash_videos(FolderDataset(video_folder)))
    _, progress = run_suite(tmp_path / "locked", ("average",))
    assert not any("not locked" in message for message in progress.messages)
    assert "not locked" not in _remarks(tmp_path / "locked")


def test_references_are_kept_by_the_reader_that_decoded_them(tmp_path: Path, run_suite: Callable) -> None:
    run = tmp_path / "run"
    run_suite(run)
    with Ledger(run) as ledger:
        (result,) = read_results(ledger)
    row = result.rows[0]
    place = (row.content_id, row.frame_ids, result.cell.protocol_hash)
    assert len({reference_identity(*place, reader) for reader in ("", "decord", "pyav")}) == 3

    names = {reference_identity(*place, "decord"): 1.0, reference_identity(*place): 2.0}
    kept = {(name, "features"): pack_arrays({"value": np.array(value)}) for name, value in names.items()}
    found = {
        reader: replace(result, rows=[replace(row, reader=reader)], references=kept)._reference(0, "features")["value"]
        for reader in ("decord", "pyav")
    }
    assert found == {"decord": 1.0, "pyav": 2.0}


@pytest.mark.slow
def test_references_are_kept_by_the_version_of_their_reader(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKLAB_PLUGINS", f"{os.environ['TOKLAB_PLUGINS']},metrics.first-pixel=first_pixel:FirstPixel")
    run, metrics = tmp_path / "run", ("psnr", "first-pixel")
    for version, tokenizer in (("1.0", "average"), ("2.0", "signs"), ("2.0", "average")):
        versions = {"av": version, "decord": version}
        monkeypatch.setattr(provenance, "package_versions", lambda versions=versions: versions)
        run_suite(run, (tokenizer,), metrics)
    with Ledger(run) as ledger:
        results, references = read_results(ledger), ledger.reference_measurements()
    # Each version measured the six windows anew, and what was there already wasn't measured again.
    assert len(references) == 12
    for result, version in zip(results, ("1.0", "2.0"), strict=True):
        row = result.rows[0]
        name = reference_identity(row.content_id, row.frame_ids, result.cell.protocol_hash, f"{row.reader} {version}")
        key = FirstPixel().measurement_key
        assert result._reference(0, key) == unpack_arrays(references[name, key])
        # A ledger of an earlier version keeps it by the reader's name alone.
        named = reference_identity(row.content_id, row.frame_ids, result.cell.protocol_hash, row.reader)
        old = replace(result, references={(named, key): pack_arrays({"first": np.array([7.0])})})
        assert old._reference(0, key) == {"first": np.array([7.0])}
