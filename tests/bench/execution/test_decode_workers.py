"""Runs with several decoding processes: the same figures, and clips shared by the cells that need them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toklab.bench.execution.options import RunOptions, default_decode_workers
from toklab.bench.execution.progress import SilentProgress
from toklab.bench.execution.runner import Runner
from toklab.bench.execution.shared_clips import SharedClips
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.planning.plan import plan_cells
from toklab.bench.planning.suite import Suite


def _suite(folder: Path, tokenizers: tuple[str, ...] = ("bicubic-4chn", "bicubic-8chn")) -> Suite:
    return Suite.model_validate(
        {
            "name": "test",
            "datasets": (f"folder:{folder}",),
            "protocol": "vidtok",
            "protocol_changes": {"height": 32, "width": 32},
            "tokenizers": tokenizers,
            "metrics": ("psnr", "bpp"),
        }
    )


def _contents(out: Path, suite: Suite, **given: Any) -> tuple[list[Any], list[Any]]:
    """All rows and measurements of a run, in the order in which they were committed, without times and places."""
    cells = plan_cells(suite)
    with Ledger(out, write=True) as ledger:
        summary = Runner(ledger, RunOptions(**given), SilentProgress()).run(cells)
        rows = [
            replace(row, timing={}, run_id="", cell_id="")
            for cell in ledger.cells()
            for row in ledger.rows(cell.cell_id)
        ]
        measured = [ledger.measurements(cell.cell_id) for cell in ledger.cells()]
    assert summary.failed_windows == 1
    return rows, measured


@pytest.mark.slow
def test_the_number_of_decoding_processes_changes_no_bit(video_folder: Path, tmp_path: Path) -> None:
    (video_folder / "broken.mp4").write_bytes(b"no video")
    suite = _suite(video_folder, ("bicubic-4chn",))
    alone = _contents(tmp_path / "one", suite, decode_workers=1, keep_reconstructions=0)
    side_by_side = _contents(tmp_path / "two", suite, decode_workers=2, keep_reconstructions=0)
    assert len(alone[0]) == 7
    assert side_by_side == alone


def test_the_default_leaves_one_core_to_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, workers in ((1, 1), (2, 1), (3, 2), (8, 7), (9, 8), (64, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=cores: set(range(n)), raising=False)
        assert default_decode_workers() == RunOptions().decode_workers == workers
    with pytest.raises(ValueError, match="--decode-workers 0"):
        RunOptions(decode_workers=0)


def test_windows_are_kept_only_while_another_cell_is_still_to_see_them(video_folder: Path, tmp_path: Path) -> None:
    first, second = plan_cells(_suite(video_folder))
    clips = SharedClips(tmp_path / "cache", 1 << 20, [first, second])
    needed = []
    for cell in (first, second):
        clips.begin(cell)
        shelf, is_needed_again = clips.shelf(cell)
        assert shelf is not None
        needed.append(is_needed_again)
    assert needed == [True, False]
    assert clips.shelf(first)[0] is clips.shelf(second)[0]
    elsewhere = replace(second, dataset="another")
    for cells, limit in (([first], 1 << 20), ([first, elsewhere], 1 << 20), ([first, second], 0)):
        assert SharedClips(tmp_path / "none", limit, cells).shelf(first) == (None, False)
    assert not (tmp_path / "none").exists()
    shelf, is_needed_again = SharedClips(tmp_path / "unknown", 1 << 20, None).shelf(first)
    assert shelf is not None
    assert is_needed_again
