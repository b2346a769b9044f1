"""The pipeline of decoding, copies, computing and metrics, on a GPU whose time is simulated."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kept_records import KeptRecords, units_of_one_video
from simulated_gpu import SimulatedGpu, SleepingTokenizer, decoded, window
from toklab.bench.execution.batches import AS_MANY_AS_FIT, windows_that_fit
from toklab.bench.execution.evaluation import Evaluation
from toklab.bench.execution.options import MOST_WINDOWS
from toklab.bench.execution.progress import SilentProgress
from toklab.bench.execution.reconstructions import ReconstructionKeeper
from toklab.bench.metrics.interface import Arrays, WindowBatch
from toklab.bench.metrics.psnr import FramePsnr
from toklab.datasets.interface import Clip
from toklab.datasets.protocol import load_protocol
from toklab.tokenizers.interface import Encoded
from torch import Tensor

COUNT = 6


class SlowPsnr(FramePsnr):
    """Keeps the host busy for so long."""

    def __init__(self, gpu: SimulatedGpu, seconds: float):
        self._gpu, self._seconds = gpu, seconds

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        self._gpu.log.append("measure")
        self._gpu.host_works(self._seconds)
        return super().measure(batch)


def evaluation(
    folder: Path, gpu: SimulatedGpu, metric_s: float = 0.0, batch_size: int = 1
) -> tuple[Evaluation, KeptRecords]:
    kept = KeptRecords()
    made = Evaluation(
        cell_id="cell",
        run_id="run",
        machine="simulated",
        protocol=load_protocol("vidtok"),
        metrics=[SlowPsnr(gpu, metric_s)],
        sink=kept,
        units=units_of_one_video([window(index) for index in range(12)], batch_size or MOST_WINDOWS),
        device=gpu,
        progress=SilentProgress(),
        keeper=ReconstructionKeeper(folder, "cell", "protocol", frozenset()),
        batch_size=batch_size,
    )
    return made, kept


def test_the_next_batch_is_copied_before_the_present_one_is_waited_for(tmp_path: Path) -> None:
    gpu = SimulatedGpu()
    run, kept = evaluation(tmp_path, gpu)
    run.run_stream(SleepingTokenizer(gpu), decoded(gpu, 3))
    encode = ["synchronize", "wait", "synchronize", "decode"]
    present = ["take", *encode]
    assert gpu.log == [
        *("decoded", "copy"),
        *(*present, "decoded", "copy", "wait", "measure"),
        *(*present, "decoded", "copy", "wait", "measure"),
        *(*present, "wait", "measure"),
    ]
    assert [row.window for row in kept.rows] == [0, 1, 2]


@pytest.mark.parametrize("copies_ahead", [True, False])
def test_decoding_and_copies_cost_nothing_beside_computing_and_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies_ahead: bool
) -> None:
    monkeypatch.setattr(SimulatedGpu, "copies_ahead", copies_ahead)
    gpu = SimulatedGpu(copy_s=0.02)
    run, kept = evaluation(tmp_path, gpu, metric_s=0.04)
    run.run_stream(SleepingTokenizer(gpu, encode_s=0.02, decode_s=0.03), decoded(gpu, COUNT, 0.01))
    each = 0.02 + 0.03 + 0.04
    assert gpu.now == pytest.approx(0.01 + 0.02 + COUNT * each + (0 if copies_ahead else (COUNT - 1) * 0.02))
    assert len(kept.rows) == COUNT


def test_slow_decoding_is_all_that_a_run_takes_and_no_part_of_a_models_time(tmp_path: Path) -> None:
    gpu = SimulatedGpu(copy_s=0.02)
    run, kept = evaluation(tmp_path, gpu, metric_s=0.04)
    run.run_stream(SleepingTokenizer(gpu, encode_s=0.02, decode_s=0.03), decoded(gpu, COUNT, 1.0))
    # What is left after the last clip: metrics of the one before, then its own passes and metrics.
    assert gpu.now == pytest.approx(COUNT * 1.0 + 0.04 + 0.02 + 0.03 + 0.04)
    assert [row.timing["encode_s"] for row in kept.rows] == pytest.approx([0.02] * COUNT)
    assert [row.timing["decode_s"] for row in kept.rows] == pytest.approx([0.03] * COUNT)


def test_without_memory_the_next_batch_gives_way_and_comes_in_halves(tmp_path: Path) -> None:
    gpu = SimulatedGpu()
    run, kept = evaluation(tmp_path, gpu, batch_size=4)
    model = SleepingTokenizer(gpu)

    def stream() -> Iterator[Clip]:
        for clip in decoded(gpu, 12):
            if clip.window.index == 8:
                # The second batch is under way, and the third is being put together.
                model._room_for = 2
            yield clip

    run.run_stream(model, stream())
    assert model.batches == [4, 4, 2, 2]
    assert [row.window for row in kept.rows] == list(range(12))
    assert {row.status for row in kept.rows} == {"scored"}
    assert gpu.releases >= 1


def test_a_failed_pass_gives_its_memory_back_before_the_halves_are_tried(tmp_path: Path) -> None:
    gpu = SimulatedGpu()
    run, kept = evaluation(tmp_path, gpu, batch_size=2)
    first: list[weakref.ref[Tensor]] = []
    alive: list[bool] = []

    class Hungry(SleepingTokenizer):
        def _encode(self, video: Tensor, generators: Any) -> Encoded:
            large = video * 2
            if len(video) > 1:
                first.append(weakref.ref(large))
                raise MemoryError
            alive.append(first[0]() is not None)
            return super()._encode(video, generators)

    run.run_stream(Hungry(gpu), decoded(gpu, 2))
    assert alive == [False, False]
    assert run.batch_size == 1
    assert [row.status for row in kept.rows] == ["scored", "scored"]


def test_a_stream_that_breaks_is_no_fault_of_the_batch_before(tmp_path: Path) -> None:
    gpu = SimulatedGpu()
    run, kept = evaluation(tmp_path, gpu)

    def stream() -> Iterator[Clip]:
        yield from decoded(gpu, 1)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        run.run_stream(SleepingTokenizer(gpu), stream())
    assert [row.status for row in kept.rows] == ["scored"]


def test_a_batch_is_sized_by_what_the_first_window_took(tmp_path: Path) -> None:
    gpu = SimulatedGpu(bytes_free=5100, bytes_a_window=1000)
    run, kept = evaluation(tmp_path, gpu, batch_size=AS_MANY_AS_FIT)
    model = SleepingTokenizer(gpu)
    run.run_stream(model, decoded(gpu, 10))
    assert model.batches == [1, 4, 4, 1]
    assert run.largest_batch == 4
    assert len(kept.rows) == 10


@pytest.mark.parametrize(
    ("used", "peak", "free", "expected"),
    [
        (100, 1100.0, 10_000, 8),
        (100, 1100.0, 500, 1),
        (100, 100.0, 10_000, 1),
        (0, 1.0, 10**12, 16),
        (None, 1100.0, 10_000, 1),
        (100, None, 10_000, 1),
        (100, 1100.0, None, 1),
    ],
)
def test_windows_that_fit(used: int | None, peak: float | None, free: int | None, expected: int) -> None:
    assert windows_that_fit(used, peak, free) == expected
