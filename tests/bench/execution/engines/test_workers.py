"""Workers and the queue that they are given units from, without Ray."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from inline_engine import InlineEngine
from same_ledgers import content, rows
from toklab.bench.execution.options import RunOptions
from toklab.bench.execution.run_summary import RunSummary
from toklab.bench.execution.runner import Runner
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.planning.plan import plan_cells
from toklab.bench.planning.suite import Suite
from toklab.datasets.readers.worker import DecodeWorker

OPTIONS = RunOptions(batch_size=2, keep_reconstructions=2)
METRICS = ("psnr", "bpp", "codebook-utilization")


@pytest.fixture
def compute(
    fake_tokenizers: None,
    video_folder: Path,
    worker: DecodeWorker,
    silent_progress: object,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., RunSummary]:
    """Run tokenizers into a folder by an engine; one decoder serves all."""
    monkeypatch.setattr("toklab.bench.execution.preparation.DecodeWorker", lambda *_, **__: _Shared(worker))

    def run(
        out: Path,
        engine: InlineEngine | None,
        tokenizers: tuple[str, ...],
        options: RunOptions = OPTIONS,
        metrics: tuple[str, ...] = METRICS,
    ) -> RunSummary:
        suite = Suite.model_validate(
            {
                "name": "test",
                "datasets": (f"folder:{video_folder}",),
                "protocol_changes": {"height": 32, "width": 32},
                "tokenizers": tokenizers,
                "metrics": metrics,
            }
        )
        with Ledger(out, write=True) as ledger:
            return Runner(ledger, options, silent_progress, worker=worker, engine=engine).run(plan_cells(suite))  # type: ignore[arg-type]

    return run


class _Shared:
    """The tests' decoder, which outlives its users unless it was killed."""

    def __init__(self, worker: DecodeWorker):
        self._worker = worker
        self._is_killed = False

    def kill(self) -> None:
        self._is_killed = True
        self._worker.kill()

    def __getattr__(self, name: str) -> object:
        return getattr(self._worker, name)

    def close(self) -> None:
        if self._is_killed:
            self._worker.close()
        self._is_killed = False


@pytest.mark.slow
def test_workers_that_are_killed_give_the_same_as_one_process(tmp_path: Path, compute: Callable) -> None:
    assert compute(tmp_path / "local", None, ("average", "signs")).exit_code == 0
    options = OPTIONS
    engine = InlineEngine(options, tmp_path, ends_at=(2, 5, 9, 14))
    assert compute(tmp_path / "workers", engine, ("average", "signs")).exit_code == 0
    assert content(tmp_path / "workers") == content(tmp_path / "local")
    made_by = {row.worker.partition("@")[0] for row in rows(tmp_path / "workers")}
    assert made_by == {"1", "2"}
    # Two worked side by side: their seconds say nothing of a tokenizer.
    assert not any("encode_s" in row.timing for row in rows(tmp_path / "workers"))
    # A run that lost windows computes them in the batches that they had.
    with Ledger(tmp_path / "workers", write=True) as ledger:
        for cell in ledger.cells():
            ledger.forget_rows(cell.cell_id, [("a.mp4", 1), ("b.mp4", 2)])
    assert compute(tmp_path / "workers", InlineEngine(options, tmp_path), ("average", "signs")).exit_code == 0
    assert content(tmp_path / "workers") == content(tmp_path / "local")


class Deadly(InlineEngine):
    """Ends its first three leases: the event that comes after the first batch was begun never arrives."""

    num_ended = 0

    def _compute(self, queue, worker) -> None:  # type: ignore[no-untyped-def]
        self._ends_at = {self.num_events + 3} if self.num_ended < 3 else set()
        self.num_ended += 1
        super()._compute(queue, worker)


@pytest.mark.slow
def test_a_window_that_ends_its_worker_three_times_has_failed(tmp_path: Path, compute: Callable) -> None:
    engine = Deadly(OPTIONS, tmp_path)
    assert compute(tmp_path / "run", engine, ("average",)).exit_code == 1
    failed = [row for row in rows(tmp_path / "run") if row.status == "failed"]
    assert [row.key for row in failed] == [("a.mp4", 0), ("a.mp4", 1)]
    assert all(row.reason == "its worker ended 3 times: killed by the test" for row in failed)


@pytest.mark.slow
def test_a_scored_window_that_ends_its_worker_only_lacks_the_new_metrics(tmp_path: Path, compute: Callable) -> None:
    compute(tmp_path / "run", None, ("average",), metrics=("psnr",))
    before = rows(tmp_path / "run")
    summary = compute(tmp_path / "run", Deadly(OPTIONS, tmp_path), ("average",), metrics=("psnr", "bpp"))
    assert (summary.exit_code, summary.failed_windows, summary.broken_metrics) == (1, 2, 0)
    assert rows(tmp_path / "run") == before
    with Ledger(tmp_path / "run") as ledger:
        (cell,) = ledger.cells()
        measured = ledger.measurements(cell.cell_id)
    failed = {key: m.reason for key, found in measured.items() for m in found.values() if m.reason}
    assert set(failed) == {("a.mp4", 0), ("a.mp4", 1)}
    assert set(failed.values()) == {"not computed again: its worker ended 3 times: killed by the test"}
    options = replace(OPTIONS, retry_failed=True)
    engine = InlineEngine(options, tmp_path)
    assert compute(tmp_path / "run", engine, ("average",), options, ("psnr", "bpp")).exit_code == 0


def test_what_a_node_lacks_is_said_with_its_name(tmp_path: Path, compute: Callable, video_folder: Path) -> None:
    class Elsewhere(InlineEngine):
        def run(self, context, cells, finish) -> None:  # type: ignore[no-untyped-def]
            def planned():  # type: ignore[no-untyped-def]
                for opened in cells:
                    (video_folder / "a.mp4").unlink()
                    shutil.copy(video_folder / "c.mp4", video_folder / "b.mp4")
                    yield opened

            super().run(context, planned(), finish)

    assert compute(tmp_path / "run", Elsewhere(OPTIONS, tmp_path), ("average",)).exit_code == 1
    reasons = {row.key: row.reason for row in rows(tmp_path / "run") if row.status == "failed"}
    assert set(reasons) == {("a.mp4", 0), ("a.mp4", 1), ("b.mp4", 0), ("b.mp4", 1), ("b.mp4", 2)}
    assert all("(abcdef01)" in reason for reason in reasons.values())
    assert "no such video" in reasons["a.mp4", 0]
    assert "another content" in reasons["b.mp4", 0]


def test_a_model_that_no_worker_can_build_is_a_failed_tokenizer(tmp_path: Path, compute: Callable) -> None:
    summary = compute(tmp_path / "run", InlineEngine(OPTIONS, tmp_path), ("unbuildable", "average"))
    assert (summary.failed_cells, summary.failed_windows) == (1, 0)
    with Ledger(tmp_path / "run") as ledger:
        failed = next(cell for cell in ledger.cells() if cell.status == "failed")
    assert "lacks what it needs" in failed.reason


@pytest.fixture(autouse=True)
def _same_threads() -> None:
    torch.set_num_threads(1)
