"""One forward pass: encode and decode a batch, timed and checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import torch
from torch import Tensor

from ...datasets.interface import Clip
from ...tokenizers.interface import Encoded, VideoTokenizer
from ...tokenizers.streaming import StreamingTokenizer
from ..catalog.plugin_code import plugin_code
from ..planning.cell import noise_seed
from .device import Device, OutOfMemory, Staged, is_out_of_memory
from .long_windows import LongClip
from .supervision import Supervision

Item = TypeVar("Item")


class _End(Enum):
    """Stands for the item after the last one."""

    END = "end"


_END = _End.END


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


@contextmanager
def _memory_errors_as_out_of_memory(device: Device) -> Iterator[None]:
    """Raise :class:`OutOfMemory` where memory runs out in the block."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            device.release()
            raise OutOfMemory(str(error).splitlines()[0]) from error
        raise


def _noise_generator(tokenizer: VideoTokenizer, clip: Clip) -> torch.Generator:
    return torch.Generator().manual_seed(noise_seed(tokenizer.settings.seed, clip.content_id, clip.window.index))


def _timing(
    encode_s: float, decode_s: float, batch_size: int, num_tokens: int, peak_bytes: float | None
) -> dict[str, float]:
    timing = {
        "encode_s": encode_s,
        "decode_s": decode_s,
        "batch_size": float(batch_size),
        "num_tokens": float(num_tokens),
    }
    if peak_bytes is not None:
        timing["peak_bytes"] = peak_bytes
    return timing


def forward(
    tokenizer: VideoTokenizer,
    clips: list[Clip],
    device: Device,
    *,
    staged: Staged | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> ForwardResult:
    """Encode and decode clips of one shape as one batch; each clip has its own noise generator.

    The tokenizer gets a copy of the clips, so that nothing it does reaches the reference.

    Args:
        tokenizer: is on the device.
        clips: on the CPU.
        device: computes.
        staged: the clips' videos, where they are on their way to the device already.
        meanwhile: called once while the device decodes, before the result is waited for; never where encode failed.

    Raises:
        OutOfMemory: if the batch doesn't fit.
        RuleBroken: if the tokenizer changed what it was given, or gives back what can't be a reconstruction of its own.
    """
    generators = [_noise_generator(tokenizer, clip) for clip in clips]
    with _memory_errors_as_out_of_memory(device):
        reference = (staged or device.stage([clip.video for clip in clips])).take()
        given = reference.clone()
        device.reset_peak()
        with plugin_code():
            with device.timed() as encoding, _told_rates(tokenizer, [clip.sampled_fps for clip in clips]):
                encoded = tokenizer.encode(given, generators)
            encode_s = encoding.seconds()
            with device.timed() as decoding:
                reconstruction = tokenizer.decode(encoded)
        # Memory is allocated when work is given to the device, so what is copied meanwhile doesn't count.
        peak_bytes = device.peak_bytes()
    if meanwhile is not None:
        meanwhile()
    with _memory_errors_as_out_of_memory(device):
        decode_s = decoding.seconds()
        check_untouched(given, reference)
        check_reconstruction(reconstruction, given)
    timing = _timing(encode_s, decode_s, len(clips), encoded.num_tokens, peak_bytes)
    return ForwardResult(reference, reconstruction, encoded, timing)


def forward_pieces(
    tokenizer: StreamingTokenizer, clip: LongClip, device: Device, supervision: Supervision | None = None
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
            references.append(device.stage([piece]).take())
            given.append(references[-1].clone())
            yield given[-1]

    def noted(stream: Iterable[Encoded]) -> Iterator[Encoded]:
        nonlocal num_tokens
        for encoded in stream:
            num_tokens += encoded.num_tokens
            encodings.append(encoded)
            yield encoded

    device.reset_peak()
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
            seconds = (encoder.seconds - source.seconds, decoder.seconds - encoder.seconds)
            timing = _timing(*seconds, 1, num_tokens, device.peak_bytes())
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

    def __init__(self, items: Iterator[Item], device: Device):
        self._items = items
        self._device = device
        self.seconds = 0.0

    def __next__(self) -> Item:
        with self._device.timed() as step:
            item = next(self._items, _END)
        self.seconds += step.seconds()
        if isinstance(item, _End):
            raise StopIteration
        return item
