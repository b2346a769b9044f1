from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from first_pixel import FirstPixel
from toklab.bench.analysis.accounting import accounting_frame, failures_frame
from toklab.bench.analysis.results import read_results
from toklab.bench.analysis.results_table import results_table
from toklab.bench.execution import evaluation
from toklab.bench.execution.forward import forward
from toklab.bench.ledger.ledger import Ledger
from toklab.bench.ledger.merging import merge_runs
from toklab.bench.metrics.interface import WindowBatch
from toklab.bench.metrics.ssim import GaussianSsim
from toklab.bench.planning.plan import Shard

NUM_WINDOWS = 6


def table(folder: Path) -> pd.DataFrame:
    with Ledger(folder) as ledger:
        return results_table(read_results(ledger))


def values(folder: Path) -> dict[tuple[str, str], float]:
    frame = table(folder)
    return {(row["label"], row["metric"]): row["value"] for row in frame.to_dict("records")}


def accounting(folder: Path) -> dict[str, tuple[int, int, int]]:
    with Ledger(folder) as ledger:
        frame = accounting_frame(read_results(ledger))
    return {row["label"]: (row["requested"], row["scored"], row["failed"]) for row in frame.to_dict("records")}


def reasons(folder: Path) -> list[tuple[str, int, str]]:
    with Ledger(folder) as ledger:
        frame = failures_frame(read_results(ledger))
    return [(row["source"], row["window"], row["reason"]) for row in frame.to_dict("records")]


@pytest.mark.slow
def test_every_window_is_scored_once(tmp_path: Path, run_suite: Callable) -> None:
    summary, progress = run_suite(
        tmp_path / "run", ("average", "signs"), ("psnr", "ssim", "bpp", "codebook-utilization")
    )
    assert summary.exit_code == 0
    assert progress.windows == 2 * NUM_WINDOWS
    assert accounting(tmp_path / "run") == {
        "average": (NUM_WINDOWS, NUM_WINDOWS, 0),
        "signs": (NUM_WINDOWS, NUM_WINDOWS, 0),
    }
    found = values(tmp_path / "run")
    assert found["signs", "bpp"] == pytest.approx(3 / 64)
    assert found["average", "bpp"] == pytest.approx(3 * 16 / 64)
    assert 0 < found["signs", "codebook-utilization"] <= 100
    assert ("average", "codebook-utilization") not in found
    assert found["average", "psnr"] > found["signs", "psnr"]


def test_a_second_run_computes_nothing(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run")
    before = table(tmp_path / "run")
    summary, progress = run_suite(tmp_path / "run")
    assert (summary.exit_code, progress.windows, progress.done_before) == (0, 0, [NUM_WINDOWS])
    pd.testing.assert_frame_equal(table(tmp_path / "run"), before)


@pytest.mark.slow
def test_a_new_metric_is_computed_and_the_others_stay(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", metrics=("psnr",))
    with Ledger(tmp_path / "run") as ledger:
        before = ledger.rows(ledger.cells()[0].cell_id)
    _, progress = run_suite(tmp_path / "run", metrics=("psnr", "ssim"))
    assert progress.windows == NUM_WINDOWS
    with Ledger(tmp_path / "run") as ledger:
        assert ledger.rows(ledger.cells()[0].cell_id) == before
    assert set(values(tmp_path / "run")) == {("average", "psnr"), ("average", "ssim")}


def test_other_settings_are_another_cell(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("noisy",), settings={"seed": [0, 1]})
    found = values(tmp_path / "run")
    assert found["noisy", "psnr"] != found["noisy (seed=1)", "psnr"]


@pytest.mark.slow
def test_noise_survives_sharding_and_batching(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "whole", ("noisy",))
    run_suite(tmp_path / "batched", ("noisy",), batch_size=3)
    for index in range(2):
        run_suite(tmp_path / f"part{index}", ("noisy",), shard=Shard(index, 2))
    merge_runs([tmp_path / "part0", tmp_path / "part1"], tmp_path / "merged")
    assert values(tmp_path / "batched") == pytest.approx(values(tmp_path / "whole"), rel=1e-6)
    assert values(tmp_path / "merged") == values(tmp_path / "whole")
    assert accounting(tmp_path / "merged") == accounting(tmp_path / "whole")


@pytest.mark.slow
def test_a_changed_file_is_computed_again(
    tmp_path: Path, run_suite: Callable, video_folder: Path, make_video: Callable[[Path, int], Path]
) -> None:
    run_suite(tmp_path / "run")
    make_video(video_folder / "a.mp4", 19)
    _, progress = run_suite(tmp_path / "run")
    assert progress.windows == 2
    assert accounting(tmp_path / "run")["average"] == (NUM_WINDOWS, NUM_WINDOWS, 0)


@pytest.mark.slow
def test_bad_tokenizers_fail_window_by_window_and_the_others_go_on(tmp_path: Path, run_suite: Callable) -> None:
    names = ("nan", "wrong-length", "unbuildable", "average")
    summary, progress = run_suite(tmp_path / "run", names)
    assert summary.exit_code == 1
    assert (summary.failed_cells, summary.failed_windows) == (1, 2 * NUM_WINDOWS)
    counts = accounting(tmp_path / "run")
    assert counts["nan"] == counts["wrong-length"] == (NUM_WINDOWS, 0, NUM_WINDOWS)
    assert counts["average"] == (NUM_WINDOWS, NUM_WINDOWS, 0)
    reasons_given = " ".join(reason for _, _, reason in reasons(tmp_path / "run"))
    assert "NaN" in reasons_given
    assert "instead of" in reasons_given
    failed = next(cell for cell in progress.finished if cell.tokenizer == "unbuildable")
    assert "lacks what it needs" in failed.reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [("in-place", "changed the clip"), ("echo", "shares its memory"), ("bytes", "returned torch.uint8")],
)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_tokenizer_that_touches_its_reference_has_no_figure(
    tmp_path: Path, run_suite: Callable, name: str, reason: str, batch_size: int
) -> None:
    summary, _ = run_suite(tmp_path / "run", (name, "average"), ("psnr",), batch_size=batch_size)
    assert (summary.failed_cells, summary.failed_windows) == (0, NUM_WINDOWS)
    assert all(reason in given for _, _, given in reasons(tmp_path / "run"))
    assert math.isnan(values(tmp_path / "run")[name, "psnr"])
    assert values(tmp_path / "run")["average", "psnr"] < 30


def test_out_of_memory_halves_the_batch(tmp_path: Path, run_suite: Callable) -> None:
    summary, progress = run_suite(tmp_path / "run", ("hungry",), batch_size=4)
    assert summary.exit_code == 0
    assert any("out of memory" in message for message in progress.messages)
    with Ledger(tmp_path / "run") as ledger:
        rows = ledger.rows(ledger.cells()[0].cell_id)
    assert len(rows) == NUM_WINDOWS
    assert {row.timing["batch_size"] for row in rows} == {1.0}


def test_bad_files_are_failed_rows_with_reasons(tmp_path: Path, run_suite: Callable, video_folder: Path) -> None:
    whole = (video_folder / "b.mp4").read_bytes()
    (video_folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    (video_folder / "zero.mp4").write_bytes(b"")
    (video_folder / "folder.mp4").mkdir()
    summary, _ = run_suite(tmp_path / "run")
    assert summary.exit_code == 1
    failed = {source: reason for source, _, reason in reasons(tmp_path / "run")}
    assert set(failed) == {"truncated.mp4", "zero.mp4", "folder.mp4"}
    assert all(source in reason for source, reason in failed.items())
    requested, scored, bad = accounting(tmp_path / "run")["average"]
    assert (scored, bad) == (NUM_WINDOWS, len(failed))
    assert requested == scored + bad


def test_a_one_frame_video_is_scored_by_the_tail_rule(
    tmp_path: Path, run_suite: Callable, make_video: Callable[[Path, int], Path]
) -> None:
    folder = tmp_path / "single"
    make_video(folder / "one.mp4", 1)
    summary, _ = run_suite(tmp_path / "run", folder=folder)
    assert summary.exit_code == 0
    with Ledger(tmp_path / "run") as ledger:
        (row,) = ledger.rows(ledger.cells()[0].cell_id)
    assert row.frame_ids == (0,) * 17


@pytest.mark.slow
def test_a_repaired_file_replaces_its_failure(
    tmp_path: Path, run_suite: Callable, video_folder: Path, make_video: Callable[[Path, int], Path]
) -> None:
    (video_folder / "d.mp4").write_bytes(b"")
    assert run_suite(tmp_path / "run")[0].exit_code == 1
    make_video(video_folder / "d.mp4", 17)
    assert run_suite(tmp_path / "run")[0].exit_code == 0
    assert accounting(tmp_path / "run")["average"] == (NUM_WINDOWS + 1, NUM_WINDOWS + 1, 0)


@pytest.mark.slow
def test_limit_takes_the_first_windows(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", limit=3)
    assert accounting(tmp_path / "run")["average"] == (3, 3, 0)
    run_suite(tmp_path / "run")
    assert accounting(tmp_path / "run")["average"] == (NUM_WINDOWS, NUM_WINDOWS, 0)


def test_kept_reconstructions_are_the_same_windows_for_all(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), keep_reconstructions=2)
    kept = tmp_path / "run" / "reconstructions"
    names = {folder.name: sorted(path.name for path in folder.rglob("*.mkv")) for folder in kept.iterdir()}
    assert len(names) == 3
    assert len(set(map(tuple, names.values()))) == 1
    assert all(len(files) == 2 for files in names.values())


def test_unavailable_metrics_are_reported_with_a_hint(tmp_path: Path, run_suite: Callable) -> None:
    summary, _ = run_suite(tmp_path / "run", metrics=("psnr", "lpips-vgg"))
    assert summary.exit_code == 0
    row = table(tmp_path / "run").set_index("metric").loc["lpips-vgg"]
    assert pd.isna(row["value"])
    assert "toklab weights pull" in row["hint"]
    # A run that doesn't ask for it leaves the reason as it is, and says nothing of it.
    _, progress = run_suite(tmp_path / "run", metrics=("psnr",))
    again = table(tmp_path / "run").set_index("metric").loc["lpips-vgg"]
    assert (again["note"], again["hint"]) == (row["note"], row["hint"])
    assert progress.finished[0].unavailable == {}


def test_provenance_names_versions_device_and_settings(tmp_path: Path, run_suite: Callable) -> None:
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        run_suite(tmp_path / "run", limit=1)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    with Ledger(tmp_path / "run") as ledger:
        (record,) = ledger.runs()
        (cell,) = ledger.cells()
    assert record.finished
    assert {"torch", "numpy"} <= set(record.provenance["versions"])
    assert record.provenance["machine"]
    # Off while models run, whatever the user has set.
    assert record.provenance["tf32"] is False
    assert cell.protocol["height"] == 32
    assert cell.settings["posterior"] == "mode"


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize(("kill_at", "by", "code"), [(1, signal.SIGKILL, -9), (4, signal.SIGINT, 130)])
def test_kill_and_resume_give_the_same_table(
    tmp_path: Path, video_folder: Path, fake_tokenizers: None, kill_at: int, by: int, code: int
) -> None:
    """A run killed or interrupted in its n-th forward pass loses that window and nothing else, and all of it ends."""

    def run(out: Path, calls: Path, kill: int) -> int:
        command = [
            *(str(Path(sys.executable).with_name("toklab")), "run"),
            *("-t", "killed", "-d", f"folder:{video_folder}", "-m", "psnr", "-m", "bpp", "--out", str(out)),
            *("--set-protocol", "height=32", "--set-protocol", "width=32", "--device", "cpu"),
        ]
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2] / "support"),
            "TOKLAB_TEST_CALLS": str(calls),
            "TOKLAB_TEST_KILL": str(kill),
            "TOKLAB_TEST_SIGNAL": str(int(by)),
        }
        # It waits until the last process that may write is gone, as the tokenizer then sleeps for ten minutes.
        return subprocess.run(command, env=environment, capture_output=True).returncode

    calls = tmp_path / "calls"
    assert run(tmp_path / "killed", calls, kill_at) == code
    assert run(tmp_path / "killed", calls, -1) == 0
    assert run(tmp_path / "whole", tmp_path / "other-calls", -1) == 0
    assert values(tmp_path / "killed") == values(tmp_path / "whole")
    # The killed window is the only one that was computed twice.
    assert len(calls.read_text()) == NUM_WINDOWS + 1
    shutil.rmtree(tmp_path / "whole")


@pytest.mark.slow
def test_a_later_failure_of_a_window_leaves_its_score_and_can_be_retried(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flaky(tokenizer: Any, clips: list[Any], *arguments: Any, **options: Any) -> Any:
        if any((clip.source, clip.window.index) == ("b.mp4", 1) for clip in clips):
            raise RuntimeError("CUDA error: an illegal memory access")
        result = forward(tokenizer, clips, *arguments, **options)
        if clips[0].source == "c.mp4":
            result.reconstruction[:] = math.nan
        return result

    run_suite(tmp_path / "run", metrics=("psnr",))
    before = values(tmp_path / "run")["average", "psnr"]
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "forward", flaky)
        summary, progress = run_suite(tmp_path / "run", metrics=("psnr", "ssim"))
    assert (summary.failed_windows, summary.broken_metrics, progress.failed) == (2, 0, 2)
    assert values(tmp_path / "run")["average", "psnr"] == before
    assert accounting(tmp_path / "run")["average"] == (NUM_WINDOWS, NUM_WINDOWS, 0)
    note = table(tmp_path / "run").set_index("metric").loc["ssim", "note"]
    assert "1 windows without it: not computed again: RuntimeError: CUDA error: an illegal memory access" in note
    # Only --retry-failed tries again.
    summary, progress = run_suite(tmp_path / "run", metrics=("psnr", "ssim"))
    assert (summary.exit_code, progress.windows) == (1, 0)
    summary, progress = run_suite(tmp_path / "run", metrics=("psnr", "ssim"), retry_failed=True)
    assert (summary.exit_code, progress.windows) == (0, 2)
    run_suite(tmp_path / "whole", metrics=("psnr", "ssim"))
    assert values(tmp_path / "run") == values(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "broken"), [(torch.cuda.OutOfMemoryError("CUDA out of memory"), 0), (ValueError("a mistake"), 1)]
)
def test_a_metric_that_failed_on_a_window_can_be_retried(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch, error: Exception, broken: int
) -> None:
    measured: list[None] = []

    def failing(self: GaussianSsim, batch: WindowBatch) -> Any:
        measured.append(None)
        if len(measured) == 2:
            raise error
        return measure(self, batch)

    measure = GaussianSsim.measure
    with monkeypatch.context() as patch:
        patch.setattr(GaussianSsim, "measure", failing)
        summary, _ = run_suite(tmp_path / "run", metrics=("psnr", "ssim"))
    # Memory that runs out is no fault of the metric.
    assert (summary.exit_code, summary.failed_windows, summary.broken_metrics) == (1, 1 - broken, broken)
    assert run_suite(tmp_path / "run", metrics=("psnr", "ssim"))[1].windows == 0
    summary, progress = run_suite(tmp_path / "run", metrics=("psnr", "ssim"), retry_failed=True)
    assert (summary.exit_code, progress.windows) == (0, 1)
    assert not table(tmp_path / "run").set_index("metric").loc["ssim", "note"]


@pytest.mark.slow
def test_features_of_references_are_computed_once_for_all_tokenizers(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKLAB_PLUGINS", f"{os.environ['TOKLAB_PLUGINS']},metrics.first-pixel=first_pixel:FirstPixel")
    measured: list[int] = []

    def count(_: FirstPixel, reference: torch.Tensor) -> list[dict[str, np.ndarray]]:
        measured.append(len(reference))
        return [{"first": np.zeros(1)} for _ in reference]

    monkeypatch.setattr(FirstPixel, "measure", lambda self, batch: [{"first": np.zeros(1)}])
    monkeypatch.setattr(FirstPixel, "measure_reference", count)
    run_suite(tmp_path / "run", ("average", "signs"), ("first-pixel",))
    with Ledger(tmp_path / "run") as ledger:
        cells = [ledger.rows(cell.cell_id) for cell in ledger.cells()]
        references = ledger.reference_measurements()
    assert [len(rows) for rows in cells] == [sum(measured)] * 2
    assert len(references) == sum(measured) > 0
