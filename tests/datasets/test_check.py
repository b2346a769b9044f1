"""What looking through a dataset reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from natural_video import write_natural
from toklab.datasets import check
from toklab.datasets.check import check_dataset
from toklab.datasets.folder import FolderDataset
from toklab.datasets.mcl_jcv import MclJcvDataset
from toklab.datasets.protocol import load_protocol
from toklab.datasets.readers.worker import DecodeWorker
from toklab.datasets.video_writer import write_video


@pytest.fixture(autouse=True)
def _shared_worker(worker: DecodeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "close", lambda: None)
    monkeypatch.setattr(check, "DecodeWorker", lambda timeout_s: worker)


def _frames(num_frames: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_frames, 48, 64, 3), dtype=np.uint8)


@pytest.mark.slow
def test_good_and_bad_files_of_a_folder(tmp_path: Path) -> None:
    write_video(tmp_path / "good.mp4", _frames(20), 30)
    write_video(tmp_path / "slow.mp4", _frames(8), 12)
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "good.mp4").read_bytes()[:5000])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    rows = {row.key: row for row in check_dataset(FolderDataset(tmp_path), protocol=load_protocol("vidtok"))}
    assert {key: row.state for key, row in rows.items()} == {
        "cut.mp4": "unreadable",
        "empty.mp4": "unreadable",
        "folder.mp4": "unreadable",
        "good.mp4": "ok",
        "slow.mp4": "no-window",
    }
    good = rows["good.mp4"]
    assert (good.num_frames, good.fps, good.width, good.height, good.num_windows) == (20, 30.0, 64, 48, 2)
    assert good.reader in ("decord", "pyav")
    assert "sample_fps" in rows["slow.mp4"].reason
    assert all(row.reason for row in rows.values() if row.state != "ok")


@pytest.mark.slow
def test_a_sequence_of_the_wrong_length_and_the_missing_ones(tmp_path: Path) -> None:
    write_video(tmp_path / "videoSRC01.mp4", _frames(10), 30)
    write_video(tmp_path / "videoSRC17.mp4", _frames(120), 24)
    rows = {row.key: row for row in check_dataset(MclJcvDataset(tmp_path))}
    assert len(rows) == 30
    assert list(rows) == sorted(rows)
    assert (rows["videoSRC01"].state, rows["videoSRC01"].num_windows) == ("wrong-length", None)
    assert rows["videoSRC01"].reason == "10 frames where the dataset gives 150"
    assert rows["videoSRC17"].state == "ok"
    assert sum(row.state == "missing" for row in rows.values()) == 28


@pytest.mark.slow
def test_damage_in_the_middle_of_a_file_is_found(tmp_path: Path) -> None:
    path = write_natural(tmp_path / "v.mp4", 24, "-c:v", "libx264", "-g", "8")
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 3
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    (row,) = check_dataset(FolderDataset(tmp_path))
    assert row.state == "damaged"
    assert row.reason.startswith("damaged from frame ")
