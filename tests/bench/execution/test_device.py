"""The device object: a CPU is as plain as can be, and what it asks of CUDA is told as far as it can be without one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_gpu import GPU, FakeGpu
from toklab.bench.execution.device import CudaDevice, Device, MpsDevice, OutOfMemory, is_out_of_memory, open_device
from torch import Tensor

BENCH = Path(__file__).parents[3] / "bench"
OTHERS = {"training/training.py": "training names its device, and stands below the rooms of runs"}
"""Modules beside the device's own that call torch.cuda or torch.mps, and why."""


def test_nothing_else_in_a_run_calls_cuda() -> None:
    calling = {
        str(path.relative_to(BENCH))
        for path in BENCH.rglob("*.py")
        if re.search(r"\btorch\.(cuda|mps)\b", path.read_text(encoding="utf-8").replace("``torch.cuda``", ""))
    }
    assert calling == {"execution/device.py", *OTHERS}


def test_a_cpu_gives_the_clips_as_they_are_and_computes_at_once() -> None:
    device = open_device("cpu")
    assert type(device) is Device
    assert not device.copies_ahead
    clips = [torch.rand(3, 2, 4, 4) for _ in range(2)]
    staged = device.stage(clips)
    staged.start()
    staged.drop()
    assert torch.equal(staged.take(), torch.stack(clips))
    with device.timed() as timed:
        torch.ones(8).sum()
    first = timed.seconds()
    assert first > 0
    assert timed.seconds() == first
    device.reset_peak()
    assert (device.peak_bytes() or 1) > 0
    assert device.used_bytes() is None


def test_apples_gpu_is_waited_for_at_both_ends_of_what_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    left, clock = [3.0], [100.0]

    def wait() -> None:
        clock[0] += left.pop() if left else 0.0

    monkeypatch.setattr(torch.mps, "synchronize", wait)
    monkeypatch.setattr("toklab.bench.execution.device.time.perf_counter", lambda: clock[0])
    device = open_device("mps")
    assert type(device) is MpsDevice
    assert not device.copies_ahead
    with device.timed() as timed:
        # What was under way before doesn't count, and what is given to it here does.
        left.append(5.0)
        clock[0] += 0.25
    assert timed.seconds() == 5.25
    device.reset_peak()
    assert device.peak_bytes() is device.used_bytes() is device.free_bytes() is None
    released: list[bool] = []
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: released.append(True))
    device.release()
    assert released


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.cuda.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (OutOfMemory("no room"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_out_of_memory_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


class Cuda:
    """Stands in for CUDA's streams and events, and notes in order what is asked of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.log: list[str] = []
        self._current = "computing"
        self._copy = Tensor.to
        self._empty = torch.empty
        self.has_pinned_memory = True
        for name in ("Stream", "Event", "stream", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, f"_{name.lower()}"))
        for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
            monkeypatch.setattr(torch.cuda, name, lambda *_, name=name: self.log.append(name))
        for name, value in (("max_memory_allocated", 70), ("memory_allocated", 30), ("memory_reserved", 50)):
            monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
        monkeypatch.setattr(torch, "empty", self._pinned)
        monkeypatch.setattr(Tensor, "to", lambda *a, **k: self._to(*a, **k))
        monkeypatch.setattr(Tensor, "record_stream", lambda _, stream: self.log.append(f"kept for {stream.name}"))

    def _pinned(self, *args: Any, pin_memory: bool = False, **kwargs: Any) -> Tensor:
        if pin_memory:
            self.log.append("pinned")
            if not self.has_pinned_memory:
                raise RuntimeError("CUDA error: out of memory")
        return self._empty(*args, **kwargs)

    def _to(self, tensor: Tensor, *args: Any, non_blocking: bool = False, **kwargs: Any) -> Tensor:
        self.log.append(f"copied on {self._current}, {'and goes on' if non_blocking else 'and waits'}")
        return self._copy(tensor, *args, non_blocking=non_blocking, **kwargs)

    def _stream(self, what: Any) -> Any:
        if isinstance(what, torch.device):
            return Stream(self, "copies")
        return what

    def _current_stream(self, device: torch.device) -> Any:
        assert device == GPU
        return Stream(self, self._current)

    def _event(self, *, enable_timing: bool) -> Any:
        assert enable_timing
        return Event(self)


class Stream:
    """A stream, which is also the block in which it is the present one."""

    def __init__(self, cuda: Cuda, name: str):
        self._cuda, self.name = cuda, name

    def wait_stream(self, other: Stream) -> None:
        self._cuda.log.append(f"{self.name} waits for {other.name}")

    def __enter__(self) -> None:
        self._cuda._current = self.name

    def __exit__(self, *_: object) -> None:
        self._cuda._current = "computing"


class Event:
    """An event."""

    def __init__(self, cuda: Cuda):
        self._cuda = cuda

    def record(self, stream: Stream) -> None:
        self._cuda.log.append(f"recorded on {stream.name}")

    def synchronize(self) -> None:
        self._cuda.log.append("waited for")

    def elapsed_time(self, other: Event) -> float:
        return 250.0


def test_cuda_is_idle_when_a_time_begins_and_is_waited_for_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch)
    with CudaDevice(GPU).timed() as timed:
        cuda.log.append("work")
    cuda.log.append("meanwhile")
    assert timed.seconds() == 0.25
    assert cuda.log == [
        "synchronize",
        "recorded on computing",
        "work",
        "recorded on computing",
        "meanwhile",
        "waited for",
    ]


@pytest.mark.slow
def test_cuda_copies_through_pinned_memory_on_a_stream_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch)
    with FakeGpu():
        staged = CudaDevice(GPU).stage([torch.rand(3, 2, 4, 4), torch.rand(3, 2, 4, 4)])
        staged.start()
        staged.start()
        cuda.log.append("computing")
        batch = staged.take()
        assert (batch.device, batch.shape) == (GPU, (2, 3, 2, 4, 4))
    assert cuda.log == [
        "pinned",
        "copied on copies, and goes on",
        "computing",
        "computing waits for copies",
        "kept for computing",
    ]


@pytest.mark.slow
def test_cuda_copies_again_what_was_dropped_and_plainly_without_pinned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch)
    with FakeGpu():
        staged = CudaDevice(GPU).stage([torch.rand(3, 2, 4, 4)])
        staged.start()
        staged.drop()
        cuda.has_pinned_memory = False
        assert staged.take().device == GPU
    assert cuda.log[-2:] == ["pinned", "copied on computing, and waits"]


def test_cuda_knows_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch)
    device = CudaDevice(GPU)
    device.reset_peak()
    device.release()
    assert cuda.log == ["reset_peak_memory_stats", "empty_cache"]
    assert (device.peak_bytes(), device.used_bytes(), device.free_bytes()) == (70.0, 30, 120)
    assert device.copies_ahead
