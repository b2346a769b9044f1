"""One forward pass: encode and decode a batch, timed and checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
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
from .reconstruction_checks import RuleBroken, check_reconstruction, check_untouched
from .supervision import Supervision

Item = TypeVar("Item")


class _End(Enum):
    """Stands for the item after the last one."""

    END = "end"


_END = _End.END


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
            # Python's own MemoryError says nothing.
            raise OutOfMemory((str(error) or type(error).__name__).splitlines()[0]) from error
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
        RuleBroken: as :func:`forward`, and if a code belongs to no frames.
        UnreadableVideo: if a piece can't be decoded.
    """
    watched = supervision or Supervision()
    device.reset_peak()
    under_way = _UnderWay(device)
    source = _Stopwatch(under_way.stage(_each_within(watched.waiting, clip.pieces())), device)
    with _model_code(watched):
        encoder = _Stopwatch(tokenizer.encode_stream(source, [_noise_generator(tokenizer, clip.first)]), device)
        decoder = _Stopwatch(tokenizer.decode_stream(under_way.note(encoder)), device)
    with _memory_errors_as_out_of_memory(device):
        for reconstruction in _each_within(lambda: _model_code(watched), decoder):
            reference, encoded = under_way.take(reconstruction)
            seconds = (encoder.seconds - source.seconds, decoder.seconds - encoder.seconds)
            timing = _timing(*seconds, 1, under_way.num_tokens, device.peak_bytes())
            yield ForwardResult(reference, reconstruction, encoded, timing)
        under_way.check_empty()


class _UnderWay:
    """What a stream was given of a window, or gave, and isn't in a result yet."""

    def __init__(self, device: Device):
        self.num_tokens = 0
        """Of the window so far."""
        self._device = device
        self._references: list[Tensor] = []
        self._given: list[Tensor] = []
        self._encodings: deque[Encoded] = deque()
        self._last: Encoded | None = None

    def stage(self, pieces: Iterable[Tensor]) -> Iterator[Tensor]:
        """Copies on the device (1, C, t, H, W) of pieces (C, t, H, W), for the tokenizer."""
        for piece in pieces:
            self._references.append(self._device.stage([piece]).take())
            self._given.append(self._references[-1].clone())
            yield self._given[-1]

    def note(self, encodings: Iterable[Encoded]) -> Iterator[Encoded]:
        """Pass encodings on."""
        for encoded in encodings:
            self.num_tokens += encoded.num_tokens
            self._encodings.append(encoded)
            self._last = encoded
            yield encoded

    def take(self, reconstruction: Tensor) -> tuple[Tensor, Encoded]:
        """Reference and encoding of a piece; the encoding holds nothing where all of it came with earlier pieces.

        Raises:
            RuleBroken: as :func:`forward`.
        """
        reference, copies = torch.cat(self._references, 2), torch.cat(self._given, 2)
        num_frames = reconstruction.shape[2]
        check_untouched(copies[:, :, :num_frames], reference[:, :, :num_frames])
        for piece in self._given:
            check_reconstruction(reconstruction, piece)
        self._references = [reference[:, :, num_frames:]]
        self._given = [copies[:, :, num_frames:]]
        assert self._last is not None
        encoded = self._encodings.popleft() if self._encodings else _nothing_of(self._last)
        return reference[:, :, :num_frames], encoded

    def check_empty(self) -> None:
        """Raise :class:`RuleBroken` if the window has ended and some encodings are in no result."""
        if self._encodings:
            raise RuleBroken(
                f"the stream encoded {len(self._encodings)} pieces more than it decoded, so that their codes belong to "
                "no frames; decode at least one piece for each that is encoded"
            )


def _nothing_of(encoded: Encoded) -> Encoded:
    """An encoding like another one, of no latent and no code."""
    return replace(
        encoded,
        latents=None if encoded.latents is None else encoded.latents[:, :, :0],
        codes=tuple(codes[:, :0] for codes in encoded.codes),
        kl_nats=None if encoded.kl_nats is None else torch.zeros_like(encoded.kl_nats),
        num_frames=0,
    )


@contextmanager
def _model_code(supervision: Supervision) -> Iterator[None]:
    """The tokenizer's code runs inside."""
    with plugin_code(), supervision.forward():
        yield


def _each_within(context: Callable[[], AbstractContextManager[None]], items: Iterator[Item]) -> Iterator[Item]:
    """Items, each asked for inside a context of its own."""
    while True:
        with context():
            item = next(items, _END)
        if isinstance(item, _End):
            return
        yield item


@contextmanager
def _told_rates(tokenizer: VideoTokenizer, rates: list[float]) -> Iterator[None]:
    """Let the tokenizer know the frame rates of its clips inside the block."""
    tokenizer.clip_fps = rates
    try:
        yield
    finally:
        tokenizer.clip_fps = ()


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
