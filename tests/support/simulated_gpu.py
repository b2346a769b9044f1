"""A GPU whose time is simulated: it computes and copies side by side, while the host goes on. Nothing really waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import torch
from fake_tokenizers import Average
from toklab.bench.execution.device import Device, Staged, Timed
from toklab.datasets.interface import Clip, Window
from toklab.tokenizers.interface import Encoded
from torch import Tensor


class SimulatedGpu(Device):
    """Keeps its own clock, in seconds, and notes what is asked of it."""

    copies_ahead = True

    def __init__(self, copy_s: float = 0.0, bytes_free: int = 0, bytes_a_window: int = 0):
        super().__init__(torch.device("cpu"))
        self.copy_s = copy_s
        self.now = 0.0
        """What the host's clock says."""
        self.computing_until = 0.0
        self.copying_until = 0.0
        self.log: list[str] = []
        self.releases = 0
        self._bytes_free = bytes_free
        self._bytes_a_window = bytes_a_window
        self._peak = 0

    def host_works(self, seconds: float) -> None:
        """The host does something itself."""
        self.now += seconds

    def compute(self, seconds: float, num_windows: int = 1) -> None:
        """Give the GPU something to compute."""
        self._peak = max(self._peak, num_windows * self._bytes_a_window)
        self.computing_until = max(self.now, self.computing_until) + seconds

    def timed(self) -> Timed:
        return _SimulatedTimed(self)

    def stage(self, videos: Sequence[Tensor]) -> Staged:
        return _SimulatedStaged(videos, self)

    def reset_peak(self) -> None:
        self._peak = 0

    def peak_bytes(self) -> float | None:
        return float(self._peak)

    def used_bytes(self) -> int | None:
        return 0

    def free_bytes(self) -> int | None:
        return self._bytes_free

    def release(self) -> None:
        self.releases += 1


class _SimulatedTimed(Timed):
    def __init__(self, gpu: SimulatedGpu):
        super().__init__()
        self._gpu = gpu

    def __enter__(self) -> Self:
        self._gpu.log.append("synchronize")
        self._start = self._gpu.now = max(self._gpu.now, self._gpu.computing_until)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end = max(self._gpu.now, self._gpu.computing_until)

    def seconds(self) -> float:
        self._gpu.log.append("wait")
        self._gpu.now = max(self._gpu.now, self._end)
        return super().seconds()


class _SimulatedStaged(Staged):
    def __init__(self, videos: Sequence[Tensor], gpu: SimulatedGpu):
        super().__init__(videos, gpu.torch_device)
        self._gpu = gpu
        self._done: float | None = None

    def start(self) -> None:
        if self._done is None:
            self._gpu.log.append("copy")
            self._done = self._gpu.copying_until = max(self._gpu.now, self._gpu.copying_until) + self._gpu.copy_s

    def drop(self) -> None:
        self._gpu.log.append("drop")
        self._done = None

    def take(self) -> Tensor:
        self.start()
        assert self._done is not None
        self._gpu.log.append("take")
        self._gpu.computing_until = max(self._gpu.computing_until, self._done)
        return super().take()


class SleepingTokenizer(Average):
    """Averages, and keeps a simulated GPU busy for so long; memory runs out above so many windows."""

    name = "sleeping"

    def __init__(self, gpu: SimulatedGpu, encode_s: float = 0.0, decode_s: float = 0.0, room_for: int = 1000):
        super().__init__()
        self._gpu = gpu
        self._encode_s, self._decode_s, self._room_for = encode_s, decode_s, room_for
        self.batches: list[int] = []
        """Windows of each batch that it encoded."""

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        if len(video) > self._room_for:
            raise MemoryError(f"no room for {len(video)}")
        self.batches.append(len(video))
        self._gpu.compute(self._encode_s, len(video))
        return super()._encode(video, generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        self._gpu.log.append("decode")
        self._gpu.compute(self._decode_s)
        return super()._decode(encoded)


def window(index: int) -> Window:
    """Five frames."""
    return Window(index, tuple(range(5 * index, 5 * index + 5)))


def decoded(gpu: SimulatedGpu, count: int, seconds: float = 0.0) -> Iterator[Clip]:
    """Clips of five frames that somebody else decodes from the start, one after the other, each in so many seconds."""
    for index in range(count):
        gpu.now = max(gpu.now, (index + 1) * seconds)
        gpu.log.append("decoded")
        video = torch.rand(3, 5, 16, 16) * 2 - 1
        yield Clip("a.mp4", "content", window(index), count, 25.0, "memory", video)
