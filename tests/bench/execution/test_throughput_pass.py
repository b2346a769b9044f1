"""The throughput pass: repetitions after a cell's windows, within the time that the run has for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_tokenizers import Average
from toklab.bench import evaluate, open_run
from toklab.bench.analysis.results import RunResults
from toklab.bench.analysis.results_table import results_table
from toklab.bench.execution import evaluation, long_windows, provenance, throughput_pass, timed_batch
from toklab.bench.execution.device import Device, OutOfMemory
from toklab.bench.execution.forward import forward
from toklab.bench.execution.rounds import CHECKPOINTS, Contestant, is_stable, repeat_alone
from toklab.bench.ledger.ledger import Ledger, unpack_arrays
from toklab.bench.ledger.merging import merge_runs
from toklab.bench.metrics.repetitions import Repetitions
from toklab.bench.planning.plan import Shard

METRICS = ("psnr", "throughput-encode", "throughput-decode", "latency")


class Model:
    """A model whose passes take known seconds of a clock of its own."""

    def __init__(self, seconds: Iterator[float]):
        self.now = 0.0
        self._seconds = seconds

    def run(self) -> Mapping[str, float]:
        seconds = next(self._seconds)
        self.now += seconds
        return {"encode_s": seconds / 4, "decode_s": seconds * 3 / 4, "batch_size": 1.0, "num_tokens": 1.0}


def forever(*seconds: float) -> Iterator[float]:
    while True:
        yield from seconds


def repeated(seconds: Iterator[float], end: float) -> tuple[list[float], int, float]:
    """Seconds of the repetitions, number of passes before them, and seconds in all."""
    model = Model(seconds)
    contestant = Contestant(model.run)
    repeat_alone(contestant, end, lambda: model.now)
    return [timing["encode_s"] + timing["decode_s"] for timing in contestant.timings], contestant.warm_ups, model.now


def test_a_steady_model_is_repeated_six_times_after_two_passes() -> None:
    assert repeated(iter([9.0, 3.0, *[1.0, 1.01] * 10]), 60.0) == ([1.0, 1.01] * 3, 2, pytest.approx(18.03))


def test_a_model_that_varies_is_repeated_until_the_last_checkpoint() -> None:
    seconds, _, _ = repeated(forever(1.0, 2.0), 1e9)
    assert len(seconds) == CHECKPOINTS[-1]


@pytest.mark.parametrize("end", [0.0, 1.0, 2.5, 5.0, 7.9, 30.0])
@pytest.mark.parametrize("pattern", [(1.0, 2.0), (2.0, 1.0), (0.1, 0.3)])
def test_the_time_is_kept_but_for_one_pass_of_each_kind(end: float, pattern: tuple[float, ...]) -> None:
    seconds, warm_ups, spent = repeated(forever(*pattern), end)
    assert len(seconds) >= 1
    assert warm_ups >= 1
    assert spent <= max(end, sum(pattern))


def test_stable_is_three_percent_around_the_median() -> None:
    assert is_stable([1.0, 1.01, 1.02, 1.02, 1.03, 1.04])
    assert not is_stable([1.0, 1.01, 1.02, 1.02, 1.03, 1.06])
    assert not is_stable([1.0] * 5)


@pytest.mark.slow
def test_a_run_times_each_cell_once_and_says_so(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding: list[bool] = []

    def watched(*arguments: Any) -> Any:
        decoding.append(any(thread.name == "toklab-clips" for thread in threading.enumerate()))
        return forward(*arguments)

    monkeypatch.setattr(timed_batch, "forward", watched)
    _, progress = run_suite(tmp_path / "run", ("average", "signs"), METRICS, batch_size=2)
    (said, spent) = [message for message in progress.messages if message.startswith("timing")]
    assert said.startswith("timing 2 tokenizers in turn on ")
    assert spent.startswith("timing took ")
    assert len(decoding) >= 2 * (1 + 1)
    assert not any(decoding)
    for timed in _repetitions(tmp_path / "run"):
        assert (timed.batch_size, timed.num_frames) == (2, 17)
        assert (timed.encode_s > 0).all()
    table = {(row["label"], row["metric"]): row for row in _table(tmp_path / "run")}
    row = table["signs", "throughput-decode"]
    (average, signs) = _repetitions(tmp_path / "run")
    assert average.is_interleaved_with(signs)
    assert average.pass_id == signs.pass_id != ""
    assert row["value"] == pytest.approx(np.median(2 * 17 / signs.decode_s))
    assert (row["count"], row["counted"]) == (len(signs.decode_s), "repetitions")
    assert row["note"] == ""
    ends = (2 * 17 / signs.decode_s.max(), 2 * 17 / signs.decode_s.min())
    assert (row["lowest"], row["highest"]) == pytest.approx(ends)
    assert signs.size == (32, 32)
    assert signs.software.startswith("Python 3.")
    assert (np.diff(signs.started_s) > 0).all()
    assert len(signs.started_s) == len(signs.decode_s)
    _, again = run_suite(tmp_path / "run", ("average", "signs"), METRICS, batch_size=2)
    assert not [message for message in again.messages if message.startswith("timing")]


def test_without_a_metric_of_speed_nothing_is_timed(tmp_path: Path, run_suite: Callable) -> None:
    _, progress = run_suite(tmp_path / "run", ("average",), ("psnr", "peak-memory"))
    assert not [message for message in progress.messages if message.startswith("timing")]
    assert not _repetitions(tmp_path / "run")


@pytest.mark.slow
def test_a_pass_that_fails_is_a_reason_and_is_tried_again(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError("the fan is too loud")

    with monkeypatch.context() as patch:
        patch.setattr(timed_batch, "forward", broken)
        summary, _ = run_suite(tmp_path / "run", ("average",), METRICS)
    assert summary.exit_code == 1
    rows = {row["metric"]: row for row in _table(tmp_path / "run")}
    assert "the fan is too loud" in rows["throughput-encode"]["note"]
    assert np.isnan(rows["latency"]["value"])
    assert rows["psnr"]["count"] > 0
    # A run that asks for no speed leaves the reason where it is, and a record has it, too.
    assert run_suite(tmp_path / "run", ("average",), ("psnr",))[1].finished[0].unavailable == {}
    open_run(tmp_path / "run").report("json", out=tmp_path / "report")
    again = {row["metric"]: row for row in _table(tmp_path / "run")}
    recorded = {row["metric"]: row for row in open_run(tmp_path / "report" / "record.json").table().to_dict("records")}
    assert again["throughput-encode"]["note"] == rows["throughput-encode"]["note"]
    assert recorded["throughput-encode"]["note"] == rows["throughput-encode"]["note"]
    summary, _ = run_suite(tmp_path / "run", ("average",), METRICS)
    rows = {row["metric"]: row for row in _table(tmp_path / "run")}
    assert (summary.exit_code, rows["latency"]["counted"]) == (0, "repetitions")


@pytest.mark.slow
def test_the_timings_of_rows_never_stand_for_a_speed(
    tmp_path: Path, run_suite: Callable, video_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[None] = []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        passes.append(None)
        if len(passes) == 4:
            raise KeyboardInterrupt
        return forward(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "forward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_suite(tmp_path / "run", ("average",), METRICS)
    rows = {row["metric"]: row for row in _table(tmp_path / "run")}
    assert rows["psnr"]["count"] > 0
    assert (rows["latency"]["counted"], rows["latency"]["note"]) == ("", "not measured")
    run_suite(tmp_path / "run", ("average",), METRICS, timing_s=0.0)
    assert {row["metric"]: row["counted"] for row in _table(tmp_path / "run")}["latency"] == "repetitions"
    # The window that was timed is no longer in the plan.
    (video_folder / "a.mp4").unlink()
    run_suite(tmp_path / "run", ("average",), ("psnr",))
    rows = {row["metric"]: row for row in _table(tmp_path / "run")}
    assert np.isnan(rows["throughput-decode"]["value"])
    open_run(tmp_path / "run").report("json", out=tmp_path / "report")
    recorded = {row["metric"]: row for row in open_run(tmp_path / "report" / "record.json").table().to_dict("records")}
    assert np.isnan(recorded["throughput-decode"]["value"])


def test_less_memory_than_before_halves_the_batch(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(tokenizer: Any, clips: list[Any], device: Device) -> Any:
        if len(clips) > 1:
            raise OutOfMemory("no room for two")
        return forward(tokenizer, clips, device)

    monkeypatch.setattr(timed_batch, "forward", hungry)
    run_suite(tmp_path / "run", ("average",), METRICS, batch_size=4)
    (timed,) = _repetitions(tmp_path / "run")
    assert timed.batch_size == 1


@pytest.mark.slow
def test_long_windows_are_timed_in_pieces(
    tmp_path: Path, run_suite: Callable, make_video: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video(tmp_path / "whole-videos" / "long.mp4", 70)
    monkeypatch.setattr(long_windows, "PIECE_FRAMES", 16)
    run_suite(
        tmp_path / "run",
        ("vidtok-tiny-kl-4chn",),
        METRICS,
        {"chunk_frames": 8},
        tmp_path / "whole-videos",
        protocol="vidtok-long",
        timing_s=0.2,
    )
    (timed,) = _repetitions(tmp_path / "run")
    assert timed.num_frames == 32
    assert (timed.decode_s > 0).all()


def test_where_rounds_take_too_long_each_is_timed_alone_and_says_so(tmp_path: Path, run_suite: Callable) -> None:
    run_suite(tmp_path / "run", ("average", "signs"), METRICS, timing_s=0.0)
    one, other = _repetitions(tmp_path / "run")
    assert len(one.encode_s) == len(other.encode_s) == 1
    assert one.why_alone == other.why_alone == throughput_pass.ROUNDS_TOO_LONG


@pytest.mark.slow
def test_what_is_timed_later_is_not_in_turn_and_what_ended_before_says_so(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    run_suite(tmp_path / "run", ("average", "signs"), METRICS)
    with monkeypatch.context() as patch:
        patch.setattr(timed_batch, "forward", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_suite(tmp_path / "run", ("average", "noisy", "signs"), METRICS)
    rows = {(row["label"], row["metric"]): row for row in _table(tmp_path / "run")}
    assert rows["noisy", "latency"]["note"] == throughput_pass.NOT_YET
    assert np.isnan(rows["noisy", "latency"]["value"])
    assert rows["noisy", "psnr"]["count"] > 0
    _, progress = run_suite(tmp_path / "run", ("average", "noisy", "signs"), METRICS)
    assert "timing noisy" in progress.messages
    with Ledger(tmp_path / "run") as ledger:
        assert [cell.unavailable for cell in ledger.cells()] == [{}, {}, {}]
    one, other, later = sorted(_repetitions(tmp_path / "run"), key=lambda timed: timed.started_s[0])
    assert one.is_interleaved_with(other)
    assert not later.is_interleaved_with(one)
    assert not later.is_interleaved_with(other)


@pytest.mark.slow
def test_memory_that_runs_out_costs_one_of_many_nothing_but_its_turns(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[str] = []

    def hungry(tokenizer: Any, clips: list[Any], device: Device) -> Any:
        passes.append(tokenizer.name)
        if passes.count("noisy") and len(passes) < 6:
            raise OutOfMemory("no room beside the others")
        return forward(tokenizer, clips, device)

    monkeypatch.setattr(timed_batch, "forward", hungry)
    summary, progress = run_suite(tmp_path / "run", ("average", "signs", "noisy"), METRICS)
    assert summary.exit_code == 0
    assert "out of memory with 3 models: going on with half of them at a time" in progress.messages
    timed = _by_label(tmp_path / "run")
    assert timed["average"].is_interleaved_with(timed["signs"])
    assert not timed["noisy"].is_interleaved_with(timed["signs"])
    assert {one.batch_size for one in timed.values()} == {1}


@pytest.mark.slow
def test_one_that_fails_in_its_turn_leaves_the_others_in_turn(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[str] = []

    def broken(tokenizer: Any, clips: list[Any], device: Device) -> Any:
        passes.append(tokenizer.name)
        if tokenizer.name == "noisy" and passes.count("noisy") == 4:
            raise RuntimeError("the fan is too loud")
        return forward(tokenizer, clips, device)

    monkeypatch.setattr(timed_batch, "forward", broken)
    summary, progress = run_suite(tmp_path / "run", ("average", "noisy", "signs"), METRICS)
    assert summary.exit_code == 1
    failed = "the throughput pass failed: RuntimeError: the fan is too loud"
    assert any(message.startswith(f"noisy: {failed}") for message in progress.messages)
    timed = _by_label(tmp_path / "run")
    assert set(timed) == {"average", "signs"}
    assert timed["average"].is_interleaved_with(timed["signs"])
    rows = {(row["label"], row["metric"]): row for row in _table(tmp_path / "run")}
    assert rows["noisy", "latency"]["note"].startswith(failed)


def test_clips_in_memory_are_timed() -> None:
    run = evaluate(Average(), [torch.zeros(3, 17, 16, 16)] * 2, metrics=METRICS, progress=False)
    rows = run.table().set_index("metric")
    assert rows.loc["throughput-encode", "counted"] == "repetitions"


@pytest.mark.slow
def test_merged_runs_of_two_machines_have_no_speed(
    tmp_path: Path, run_suite: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(2):
        monkeypatch.setattr(provenance, "machine_identity", lambda device, index=index: f"machine {index}")
        run_suite(tmp_path / str(index), ("average",), METRICS, shard=Shard(index, 2))
    merge_runs([tmp_path / "0", tmp_path / "1"], tmp_path / "merged")
    rows = {row["metric"]: row for row in _table(tmp_path / "merged")}
    assert "machine 0; machine 1" in rows["throughput-encode"]["note"]
    assert np.isnan(rows["throughput-encode"]["value"])


def _repetitions(folder: Path) -> list[Repetitions]:
    return list(_by_label(folder).values())


def _by_label(folder: Path) -> dict[str, Repetitions]:
    """What was timed of each cell, by its label."""
    with Ledger(folder) as ledger:
        found = {
            cell.label: Repetitions.from_arrays(unpack_arrays(measurement.arrays))
            for cell in ledger.cells()
            for by_key in ledger.measurements(cell.cell_id).values()
            for measurement in by_key.values()
            if measurement.measurement_key == "repetitions:v1"
        }
    return {label: timed for label, timed in found.items() if timed is not None}


def _table(folder: Path) -> list[dict[str, Any]]:
    return results_table(RunResults.read(folder).results).to_dict("records")
