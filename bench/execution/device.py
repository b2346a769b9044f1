"""The processor that a model runs on: all that a run asks of it, in one object that tests can replace.

Time, waiting, memory and copies are the device's affair. Nothing else in a run calls ``torch.cuda`` or ``torch.mps``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

RESET_PEAK = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")
MEMINFO = Path("/proc/meminfo")
RESET_PEAK_OF_RESIDENT_SET = "5"
"""What Linux takes to start a new peak of the resident set (proc(5)); elsewhere CPU peaks aren't recorded."""


class OutOfMemory(RuntimeError):
    """The batch didn't fit into the device's memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory, of the GPU or of the machine, ran out."""
    if isinstance(error, (OutOfMemory, torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error).lower()


class Timed:
    """Times the work that a block gives to a device. The block doesn't wait for the work; :meth:`seconds` does."""

    def __init__(self) -> None:
        self._start = self._end = 0.0

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end = time.perf_counter()

    def seconds(self) -> float:
        """Seconds from the block's start to the end of its work, once that is done."""
        return self._end - self._start


class Staged:
    """Clips of one shape on their way to the device."""

    def __init__(self, videos: Sequence[Tensor], device: torch.device):
        """``videos``: (C, T, H, W) each, on the CPU."""
        self._videos = videos
        self._device = device

    def start(self) -> None:
        """Begin to copy them, on a device that copies while it computes; without memory for them they come later."""

    def drop(self) -> None:
        """Free what was copied so far; they are copied again when they are taken."""

    def take(self) -> Tensor:
        """(B, C, T, H, W) on the device."""
        return torch.stack(list(self._videos)).to(self._device)


class Device:
    """A processor whose work is done when its call returns: a CPU."""

    copies_ahead = False
    """Whether it copies the next clips while it computes."""

    def __init__(self, torch_device: torch.device):
        self.torch_device = torch_device

    def timed(self) -> Timed:
        """A block whose work is timed, from a moment at which the device has nothing else to do."""
        return Timed()

    def stage(self, videos: Sequence[Tensor]) -> Staged:
        """Clips (C, T, H, W) of one shape as a batch for the device."""
        return Staged(videos, self.torch_device)

    def reset_peak(self) -> None:
        """Forget the peak so far: :meth:`peak_bytes` is that from now on."""
        if RESET_PEAK.exists():
            RESET_PEAK.write_text(RESET_PEAK_OF_RESIDENT_SET)

    def peak_bytes(self) -> float | None:
        """The most memory in use since :meth:`reset_peak`: allocated on a GPU, resident set of the process on a CPU."""
        if not STATUS.exists():
            return None
        found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
        return None if found is None else 1024.0 * int(found[1])

    def used_bytes(self) -> int | None:
        """Memory that tensors hold; ``None`` where only a garbage collector would know."""
        return None

    def free_bytes(self) -> int | None:
        """Memory that is free; ``None`` where nobody says."""
        if self.torch_device.type != "cpu" or not MEMINFO.exists():
            return None
        found = re.search(r"MemAvailable:\s+(\d+) kB", MEMINFO.read_text())
        return None if found is None else 1024 * int(found[1])

    def release(self) -> None:
        """Give memory back that is held in case it is needed again."""


class CudaDevice(Device):
    """An NVIDIA or AMD GPU: it works on while the host does something else, and copies while it computes."""

    copies_ahead = True

    def __init__(self, torch_device: torch.device):
        super().__init__(torch_device)
        self._copies = torch.cuda.Stream(torch_device)

    def timed(self) -> Timed:
        """Timed by the GPU's own events, so that what the host does meanwhile doesn't count."""
        return _CudaTimed(self.torch_device)

    def stage(self, videos: Sequence[Tensor]) -> Staged:
        """Copied through pinned memory on a stream of its own."""
        return _CudaStaged(videos, self.torch_device, self._copies)

    def reset_peak(self) -> None:
        """Forget the peak so far."""
        torch.cuda.reset_peak_memory_stats(self.torch_device)

    def peak_bytes(self) -> float | None:
        """The most memory allocated since then."""
        return float(torch.cuda.max_memory_allocated(self.torch_device))

    def used_bytes(self) -> int | None:
        """Memory that tensors hold."""
        return torch.cuda.memory_allocated(self.torch_device)

    def free_bytes(self) -> int | None:
        """Memory that is free, with what torch holds in reserve."""
        reserve = torch.cuda.memory_reserved(self.torch_device) - torch.cuda.memory_allocated(self.torch_device)
        return torch.cuda.mem_get_info(self.torch_device)[0] + reserve

    def release(self) -> None:
        """Give torch's reserve back."""
        torch.cuda.empty_cache()


class _CudaTimed(Timed):
    def __init__(self, device: torch.device):
        super().__init__()
        self._device = device
        self._first = torch.cuda.Event(enable_timing=True)
        self._last = torch.cuda.Event(enable_timing=True)

    def __enter__(self) -> Self:
        torch.cuda.synchronize(self._device)
        self._first.record(torch.cuda.current_stream(self._device))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._last.record(torch.cuda.current_stream(self._device))

    def seconds(self) -> float:
        self._last.synchronize()
        return self._first.elapsed_time(self._last) / 1000


class _CudaStaged(Staged):
    def __init__(self, videos: Sequence[Tensor], device: torch.device, copies: torch.cuda.Stream):
        super().__init__(videos, device)
        self._copies = copies
        self._copied: Tensor | None = None

    def start(self) -> None:
        if self._copied is not None:
            return
        shape = (len(self._videos), *self._videos[0].shape)
        try:
            pinned = torch.empty(shape, dtype=self._videos[0].dtype, pin_memory=True)
            torch.stack(list(self._videos), out=pinned)
            # Pinned memory is given to others only once the copy is done: torch's allocator waits for the stream.
            with torch.cuda.stream(self._copies):
                self._copied = pinned.to(self._device, non_blocking=True)
        except RuntimeError:
            # Memory may be there once the present batch is done; what is really broken shows then.
            self._copied = None

    def drop(self) -> None:
        self._copied = None

    def take(self) -> Tensor:
        self.start()
        if self._copied is None:
            return super().take()
        copied, self._copied = self._copied, None
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._copies)
        copied.record_stream(computing)
        return copied


class MpsDevice(Device):
    """Apple's GPU: it works on while the host does something else, and tells no peak of its memory."""

    def timed(self) -> Timed:
        """Timed by the host, which waits for the GPU at both ends of the block."""
        return _MpsTimed()

    def reset_peak(self) -> None:
        """Nothing: no peak is told."""

    def peak_bytes(self) -> float | None:
        """``None``: torch tells what is allocated now, not the most that was."""
        return None

    def release(self) -> None:
        """Give torch's reserve back."""
        torch.mps.empty_cache()


class _MpsTimed(Timed):
    def __enter__(self) -> Self:
        torch.mps.synchronize()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        torch.mps.synchronize()
        super().__exit__(kind, error, trace)


def open_device(device: str | torch.device) -> Device:
    """The device of a name: ``cpu``, ``cuda``, ``cuda:1``, ``mps``."""
    torch_device = torch.device(device)
    kinds = {"cuda": CudaDevice, "mps": MpsDevice}
    return kinds.get(torch_device.type, Device)(torch_device)


def num_gpus() -> int:
    """GPUs that torch sees."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpus_in_use() -> list[int]:
    """GPUs that this process may have used; empty while it has used none."""
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []


def gpu_name(torch_device: torch.device) -> str:
    """The product's name."""
    return torch.cuda.get_device_name(torch_device)


def gpu_bytes(torch_device: torch.device) -> int:
    """All of a GPU's memory."""
    return torch.cuda.get_device_properties(torch_device).total_memory
