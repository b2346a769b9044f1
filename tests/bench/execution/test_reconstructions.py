from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.bench.execution import long_windows
from toklab.bench.execution.reconstructions import choose_windows, read_kept_frames, remove_unfinished, to_uint8
from toklab.bench.execution.run_summary import RunSummary
from toklab.bench.ledger.ledger import Ledger, LedgerError
from toklab.datasets.interface import UnreadableVideo
from toklab.datasets.video_writer import VideoWriter, write_video


@pytest.mark.slow
@given(st.sets(st.text(min_size=1, max_size=4), min_size=1, max_size=12), st.integers(0, 10))
@settings(max_examples=30)
def test_the_choice_depends_on_the_clips_only(clips: set[str], keep: int) -> None:
    chosen = choose_windows(sorted(clips), keep)
    assert chosen == choose_windows(sorted(clips, reverse=True), keep)
    assert len(chosen) == min(keep, len(clips))
    assert choose_windows(clips, keep - 1 if keep else 0) <= chosen
    assert choose_windows(clips, None) == clips


def test_uint8_rounds_and_clamps() -> None:
    video = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0]).view(1, 1, 1, 5).expand(3, 1, 1, 5)
    assert to_uint8(video)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_lossless_video_comes_back_bit_for_bit(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 33, 47, 3), dtype=np.uint8)
    path = tmp_path / "folder" / "clip.mkv"
    write_video(path, frames, 29.97)
    with av.open(str(path)) as container:
        back = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    np.testing.assert_array_equal(back, frames)
    assert [item.name for item in path.parent.iterdir()] == ["clip.mkv"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"."):
        write_video(tmp_path / "clip.unknown-container", np.zeros((1, 16, 16, 3), np.uint8), 30)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    kept = [tmp_path / "reconstructions" / "cell" / "12ab.mkv", tmp_path / "reconstructions" / "cell" / ".note"]
    left = [tmp_path / "reconstructions" / place / ".123.ff00.mkv" for place in ("cell", "reference/hash")]
    for path in (*kept, *left):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    remove_unfinished(tmp_path)
    assert [path.exists() for path in (*kept, *left)] == [True, True, False, False]


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize("operation", ["__enter__", "write", "__exit__"])
@pytest.mark.parametrize(("protocol", "chunks"), [("vidtok", {}), ("vidtok-long", {"chunk_frames": 8})])
def test_a_full_disk_ends_the_run_and_fails_no_window(
    tmp_path: Path,
    run_suite: Callable,
    make_video: Callable,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    protocol: str,
    chunks: dict[str, int],
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def run() -> RunSummary:
        return run_suite(
            tmp_path / "run", ("vidtok-tiny-kl-4chn",), ("psnr",), chunks, tmp_path / "whole-videos", protocol=protocol
        )[0]

    make_video(tmp_path / "whole-videos" / "long.mp4", 20)
    monkeypatch.setattr(long_windows, "PIECE_FRAMES", 8)
    with monkeypatch.context() as patch:
        patch.setattr(VideoWriter, operation, full)
        with pytest.raises(LedgerError, match=r"the disk of .*\.mkv is full"):
            run()
    with Ledger(tmp_path / "run") as ledger:
        (cell,) = ledger.cells()
        assert (cell.status, ledger.rows(cell.cell_id)) == ("open", [])
    assert run().exit_code == 0
    assert list((tmp_path / "run" / "reconstructions").rglob("*.mkv"))


def test_kept_frames_come_back_by_position(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 33, 47, 3), dtype=np.uint8)
    path = tmp_path / "clip.mkv"
    write_video(path, frames, 29.97)
    read = read_kept_frames(path, 5, (1, 4))
    assert sorted(read) == [1, 4]
    for position, frame in read.items():
        np.testing.assert_array_equal(frame, frames[position])
    with pytest.raises(UnreadableVideo, match="has 5 frames, not 4"):
        read_kept_frames(path, 4, (1,))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UnreadableVideo):
        read_kept_frames(path, 5, (1,))
