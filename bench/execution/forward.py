"""One forward pass: encode and decode a batch, timed and checked."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ...datasets.interface import Clip
from ...tokenizers.interface import Encoded, VideoTokenizer
from ...tokenizers.streaming import StreamingTokenizer
from ..catalog.plugin_code import plugin_code
from ..planning.cell import noise_seed
from .long_windows import LongClip
from .supervision import Supervision

Item = TypeVar("Item")
RESET_PEAK = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")
RESET_PEAK_OF_RESIDENT_SET = "5"
"""What Linux takes to start a new peak of the resident set (proc(5)); elsewhere CPU peaks aren't recorded."""


class OutOfMemory(RuntimeError):
    """The batch didn't fit into the device's memory."""


class RuleBroken(ValueError):
    """What a tokenizer did to its input, or gave back, that makes its figures worthless."""


@dataclass(frozen=True)
class ForwardResult:
    """A batch after encode and decode."""

    reference: Tensor
    """(B, 3, T, H, W) float32 in [-1, 1], on the model's device."""
    reconstruction: Tensor
    """(B, 3, T, H, W) float32, as the model gave it, not clamped."""
    encoded: Encoded
    timing: dict[str, float]
    """``encode_s`` and ``decode_s`` of the whole batch, ``batch_size``, ``peak_bytes`` and ``num_tokens`` of a clip.

    Of a long window that comes in pieces: up to and with this piece.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory, of the GPU or of the machine, ran out."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error).lower()


def _synchronized_seconds(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif RESET_PEAK.exists():
        RESET_PEAK.write_text(RESET_PEAK_OF_RESIDENT_SET)


def _peak_bytes(device: torch.device) -> float | None:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    if not STATUS.exists():
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
    return None if found is None else 1024.0 * int(found[1])


@contextmanager
def _memory_errors_as_out_of_memory(device: torch.device) -> Iterator[None]:
    """Raise :class:`OutOfMemory` where memory runs out in the block."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            if device.type == "cuda":
                torch.cuda.empty_cache()
            raise OutOfMemory(str(error).splitlines()[0]) from error
        raise


def _noise_generator(tokenizer: VideoTokenizer, clip: Clip) -> torch.Generator:
    return torch.Generator().manual_seed(noise_seed(tokenizer.settings.seed, clip.content_id, clip.window.index))


def _timing(
    encode_s: float, decode_s: float, batch_size: int, num_tokens: int, device: torch.device
) -> dict[str, float]:
    timing = {
        "encode_s": encode_s,
        "decode_s": decode_s,
        "batch_size": float(batch_size),
        "num_tokens": float(num_tokens),
    }
    if (peak := _peak_bytes(device)) is not None:
        timing["peak_bytes"] = peak
    return timing


def forward(tokenizer: VideoTokenizer, clips: list[Clip], device: torch.device) -> ForwardResult:
    """Encode and decode clips of one shape as one batch; each clip has its own noise generator.

    The tokenizer gets a copy of the clips, so that nothing it does reaches the reference.

    Raises:
        OutOfMemory: if the batch doesn't fit.
        RuleBroken: if the tokenizer changed what it was given, or gives back what can't be a reconstruction of its own.
    """
    generators = [_noise_generator(tokenizer, clip) for clip in clips]
    with _memory_errors_as_out_of_memory(device):
        reference = torch.stack([clip.video for clip in clips]).to(device)
        given = reference.clone()
        _reset_peak(device)
        with plugin_code():
            start = _synchronized_seconds(device)
            with _told_rates(tokenizer, [clip.sampled_fps for clip in clips]):
                encoded = tokenizer.encode(given, generators)
            middle = _synchronized_seconds(device)
            reconstruction = tokenizer.decode(encoded)
            end = _synchronized_seconds(device)
        check_untouched(given, reference)
        check_reconstruction(reconstruction, given)
    timing = _timing(middle - start, end - middle, len(clips), encoded.num_tokens, device)
    return ForwardResult(reference, reconstruction, encoded, timing)


def forward_pieces(
    tokenizer: StreamingTokenizer, clip: LongClip, device: torch.device, supervision: Supervision | None = None
) -> Iterator[ForwardResult]:
    """Encode and decode a long window piece by piece, in memory that doesn't grow with it.

    Each frame and each code of the window is in exactly one of the results.

    Raises:
        OutOfMemory: if a piece doesn't fit.
        RuleBroken: as :func:`forward`.
        UnreadableVideo: if a piece can't be decoded.
    """
    references: list[Tensor] = []
    given: list[Tensor] = []
    encodings: deque[Encoded] = deque()
    num_tokens = 0

    watched = supervision or Supervision()

    def decoded() -> Iterator[Tensor]:
        pieces = clip.pieces()
        while True:
            with watched.waiting():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def frames() -> Iterator[Tensor]:
        for piece in decoded():
            references.append(piece.unsqueeze(0).to(device))
            given.append(references[-1].clone())
            yield given[-1]

    def noted(stream: Iterable[Encoded]) -> Iterator[Encoded]:
        nonlocal num_tokens
        for encoded in stream:
            num_tokens += encoded.num_tokens
            encodings.append(encoded)
            yield encoded

    _reset_peak(device)
    source = _Stopwatch(frames(), device)
    with plugin_code(), watched.forward():
        encoder = _Stopwatch(tokenizer.encode_stream(source, [_noise_generator(tokenizer, clip.first)]), device)
        decoder = _Stopwatch(tokenizer.decode_stream(noted(encoder)), device)

    def reconstructed() -> Iterator[Tensor]:
        while True:
            with plugin_code(), watched.forward():
                piece = next(decoder, None)
            if piece is None:
                return
            yield piece

    with _memory_errors_as_out_of_memory(device):
        for reconstruction in reconstructed():
            reference, copies = torch.cat(references, 2), torch.cat(given, 2)
            num_frames = reconstruction.shape[2]
            check_untouched(copies[:, :, :num_frames], reference[:, :, :num_frames])
            for piece in given:
                check_reconstruction(reconstruction, piece)
            references[:] = [reference[:, :, num_frames:]]
            given[:] = [copies[:, :, num_frames:]]
            timing = _timing(encoder.seconds - source.seconds, decoder.seconds - encoder.seconds, 1, num_tokens, device)
            yield ForwardResult(reference[:, :, :num_frames], reconstruction, encodings.popleft(), timing)


@contextmanager
def _told_rates(tokenizer: VideoTokenizer, rates: list[float]) -> Iterator[None]:
    """Let the tokenizer know the frame rates of its clips inside the block."""
    tokenizer.clip_fps = rates
    try:
        yield
    finally:
        tokenizer.clip_fps = ()


def check_untouched(given: Tensor, reference: Tensor) -> None:
    """Raise :class:`RuleBroken` if a tokenizer changed the clips that it was given a copy of."""
    if not torch.equal(given, reference):
        raise RuleBroken("the tokenizer changed the clip that it was given; work on a copy, as with video = video * 2")


def check_reconstruction(reconstruction: Tensor, given: Tensor) -> None:
    """Raise :class:`RuleBroken` unless a reconstruction is on its clip's device and in memory of its own."""
    if reconstruction.device != given.device:
        raise RuleBroken(f"the reconstruction is on {reconstruction.device}, the clip on {given.device}")
    if reconstruction.untyped_storage().data_ptr() == given.untyped_storage().data_ptr():
        raise RuleBroken("the reconstruction shares its memory with the clip; return a tensor of its own")


class _Stopwatch(Iterator[Item]):
    """Passes items on, and adds up the seconds it waits for them."""

    def __init__(self, items: Iterator[Item], device: torch.device):
        self._items = items
        self._device = device
        self.seconds = 0.0

    def __next__(self) -> Item:
        start = _synchronized_seconds(self._device)
        try:
            return next(self._items)
        finally:
            self.seconds += _synchronized_seconds(self._device) - start
