"""Figures rest on the windows that the last run planned; what else the ledger holds is said beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from toklab.bench import open_run
from toklab.bench.analysis.results import RunResults
from toklab.bench.analysis.run_report import terminal_report
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.planning.plan import Shard
from toklab.datasets.folder import FolderDataset

NUM_WINDOWS = 6


def figure(folder: Path) -> dict[str, str]:
    (found,) = open_run(folder).table().to_dict("records")
    return {str(name): str(value) for name, value in found.items()}


def counts(folder: Path) -> tuple[int, int, int]:
    (found,) = open_run(folder).accounting().to_dict("records")
    return found["requested"], found["scored"], found["outside_plan"]


@pytest.mark.slow
def test_a_limit_after_a_larger_run_counts_its_own_windows(
    tmp_path: Path, run_suite: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    run_suite(tmp_path / "small", metrics=("psnr",), limit=2)
    run_suite(tmp_path / "run", metrics=("psnr",))
    whole = figure(tmp_path / "run")
    _, progress = run_suite(tmp_path / "run", metrics=("psnr",), limit=2)
    assert progress.windows == 0
    assert figure(tmp_path / "run") == figure(tmp_path / "small") != whole
    assert counts(tmp_path / "run") == (2, 2, NUM_WINDOWS - 2)
    assert len(open_run(tmp_path / "run").windows()) == 2
    terminal_report(RunResults.read(tmp_path / "run"))
    said = "4 windows outside the plan not counted"
    assert said in " ".join(capsys.readouterr().out.split())
    open_run(tmp_path / "run").report("md")
    assert said in (tmp_path / "run" / "report" / "report.md").read_text()
    run_suite(tmp_path / "run", metrics=("psnr",))
    assert figure(tmp_path / "run") == whole
    assert counts(tmp_path / "run") == (NUM_WINDOWS, NUM_WINDOWS, 0)


@pytest.mark.slow
def test_a_deleted_video_no_longer_counts(tmp_path: Path, run_suite: Callable, video_folder: Path) -> None:
    run_suite(tmp_path / "run", metrics=("psnr",))
    (video_folder / "b.mp4").unlink()
    _, progress = run_suite(tmp_path / "run", metrics=("psnr",))
    assert progress.windows == 0
    run_suite(tmp_path / "fresh", metrics=("psnr",))
    assert figure(tmp_path / "run") == figure(tmp_path / "fresh")
    assert counts(tmp_path / "run") == (3, 3, 3)


def test_a_failed_window_outside_the_plan_does_not_set_the_exit_code(
    tmp_path: Path, run_suite: Callable, video_folder: Path
) -> None:
    (video_folder / "d.mp4").write_bytes(b"")
    assert run_suite(tmp_path / "run")[0].exit_code == 1
    (video_folder / "d.mp4").unlink()
    assert run_suite(tmp_path / "run")[0].exit_code == 0


@pytest.mark.slow
def test_shards_in_one_folder_add_up(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", metrics=("psnr",), shard=Shard(0, 2))
    (result,) = open_run(tmp_path / "run").results
    assert result.missing_shards == ("2/2",)
    assert "shards 2/2 not run" in " ".join(result.remarks)
    run_suite(tmp_path / "run", metrics=("psnr",), shard=Shard(1, 2))
    assert counts(tmp_path / "run") == (NUM_WINDOWS, NUM_WINDOWS, 0)
    run_suite(tmp_path / "whole", metrics=("psnr",))
    assert figure(tmp_path / "run") == figure(tmp_path / "whole")


@pytest.mark.slow
def test_shards_in_one_folder_keep_their_notes(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def notes(folder: Path) -> list[str]:
        with Ledger(folder) as ledger:
            (cell,) = ledger.cells()
        return sorted(cell.dataset_notes)

    monkeypatch.setattr(FolderDataset, "expected_num_frames", lambda self, key: {"a.mp4": 21, "b.mp4": 38}.get(key))
    run_suite(tmp_path / "one", metrics=("psnr",))
    for index in range(2):
        run_suite(tmp_path / "run", metrics=("psnr",), shard=Shard(index, 2))
    assert notes(tmp_path / "run") == notes(tmp_path / "one")
    # What no longer holds of a shard's own videos goes; the other shard's stay.
    monkeypatch.setattr(FolderDataset, "expected_num_frames", lambda self, key: None)
    left = []
    for index in range(2):
        run_suite(tmp_path / "run", metrics=("psnr",), shard=Shard(index, 2))
        left.append(len([note for note in notes(tmp_path / "run") if "where the dataset gives" in note]))
    assert left == [1, 0]


def test_a_later_failure_of_the_cell_leaves_its_figures(
    tmp_path: Path, run_suite: Callable, video_folder: Path
) -> None:
    run_suite(tmp_path / "run", metrics=("psnr",))
    before = figure(tmp_path / "run")
    for video in video_folder.iterdir():
        video.unlink()
    assert run_suite(tmp_path / "run", metrics=("psnr",))[0].exit_code == 1
    assert figure(tmp_path / "run") == before
    assert list(open_run(tmp_path / "run").accounting()["status"]) == ["finished", "failed"]
