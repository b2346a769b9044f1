"""Clips of any length through a tokenizer: pieces in, pieces out, in memory that doesn't grow with the clip."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from .errors import TokenizerError
from .interface import Encoded, VideoTokenizer, pad_frames

Piece = TypeVar("Piece", Encoded, Tensor)


class StreamingTokenizer(VideoTokenizer):
    """A tokenizer that takes a clip in pieces where its settings name ``chunk_frames``.

    Subclasses write ``_encode_stream`` and ``_decode_stream``. A stream of a clip gives what :meth:`encode` and
    :meth:`decode` give under the same settings, however the clip is cut into pieces. What must be remembered from
    one piece to the next belongs to the stream, so any number of streams may share a tokenizer.
    """

    @abstractmethod
    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        """Encode pieces (B, 3, t, H, W) of one clip, of legal height and width and any t ≥ 1.

        Where the whole has no legal number of frames, its last frame is repeated.
        """

    @abstractmethod
    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        """Decode pieces of one clip to pieces (B, 3, t, H, W) that together have at least its frames."""

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return join_encoded(list(self._encode_stream([video], generators)))

    def _decode(self, encoded: Encoded) -> Tensor:
        pieces = list(self._decode_stream([encoded]))
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, 2)

    @property
    def can_stream(self) -> bool:
        """Whether the settings make the tokenizer work in chunks."""
        return self.settings.chunk_frames > 0

    @torch.no_grad()
    def encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None = None
    ) -> Iterator[Encoded]:
        """Encode a clip piece by piece; the ``num_frames`` of what comes out add up to those that went in.

        Args:
            frames: pieces (B, 3, t, H, W), float, in [-1, 1], of one clip and any t ≥ 1.
            generators: one CPU generator a clip for models that draw noise.

        Raises:
            TokenizerError: if the settings name no ``chunk_frames``, on another shape or an integer tensor, or if the
                model's encoding is of other clips or codes.
        """
        if not self.can_stream:
            raise TokenizerError(f"{self.spec.name} works on whole clips: set chunk_frames, such as chunk_frames=16")
        batch_size, num_received, height, width = 0, 0, 0, 0

        def padded() -> Iterator[Tensor]:
            nonlocal batch_size, num_received, height, width
            for piece in frames:
                self.check_video(piece)
                batch_size = len(piece)
                num_frames, height, width = piece.shape[2:]
                num_received += num_frames
                _, legal_height, legal_width = self.legal_shape(num_frames, height, width)
                yield pad_frames(piece, (num_frames, legal_height, legal_width)).to(self.dtype)

        num_passed_on = 0
        for encoded in self._stepwise(self._encode_stream(padded(), generators)):
            self.check_encoded(encoded, batch_size)
            yield replace(encoded, num_frames=num_received - num_passed_on, height=height, width=width)
            num_passed_on = num_received

    @torch.no_grad()
    def decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        """Decode what :meth:`encode_stream` gave: pieces (B, 3, t, H, W), float32, not clamped; t may be any.

        Raises:
            TokenizerError: if the model gives fewer frames than it was given.
        """
        num_received, height, width = 0, 0, 0

        def counted() -> Iterator[Encoded]:
            nonlocal num_received, height, width
            for piece in encoded:
                num_received += piece.num_frames
                height, width = piece.height, piece.width
                yield piece

        num_given = 0
        for video in self._stepwise(self._decode_stream(counted())):
            # More frames than went in can only come at the very end, where the clip was padded.
            kept = video[:, :, : num_received - num_given, :height, :width]
            num_given += kept.shape[2]
            if kept.shape[2]:
                yield kept.float()
        if num_given < num_received:
            raise TokenizerError(f"{self.spec.name} returned {num_given} frames instead of {num_received}")

    def _stepwise(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """The pieces, each made under the settings' mixed precision, which the caller never sees."""
        device = self._device()
        while True:
            with self._as_set(device):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def _device(self) -> torch.device:
        """Where the networks are; the CPU of those without."""
        parameters = (parameter for module in self.modules().values() for parameter in module.parameters())
        return next((parameter.device for parameter in parameters), torch.device("cpu"))

    def reconstruct_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None = None
    ) -> Iterator[Tensor]:
        """Encode and decode a clip piece by piece: as many frames come out as went in, in pieces of their own.

        Arguments and errors are those of :meth:`encode_stream` and :meth:`decode_stream`.
        """
        return self.decode_stream(self.encode_stream(frames, generators))


def join_encoded(pieces: Sequence[Encoded]) -> Encoded:
    """One encoding of successive pieces of a clip: their latents and codes in a row, their divergences added."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    divergences = [piece.kl_nats for piece in pieces if piece.kl_nats is not None]
    return replace(
        first,
        latents=None if first.latents is None else torch.cat([p.latents for p in pieces if p.latents is not None], 2),
        codes=tuple(torch.cat(codes, 1) for codes in zip(*(piece.codes for piece in pieces), strict=True)),
        kl_nats=torch.stack(divergences).sum(0) if divergences else None,
        num_frames=sum(piece.num_frames for piece in pieces),
    )


def regroup(pieces: Iterable[Tensor], first: int, following: int) -> Iterator[tuple[Tensor, bool, bool]]:
    """Cut (B, C, T, …) pieces anew along time: ``first`` frames, then blocks of ``following``, the last maybe shorter.

    Yields each block, whether it is the first, and whether it is the last. Holds at most one block and one piece.
    """
    held: list[Tensor] = []
    num_held, wanted, starts = 0, first, True
    for piece in pieces:
        held.append(piece)
        num_held += piece.shape[2]
        # A block leaves when one more frame is there, so that the last one is known to be the last.
        while num_held > wanted:
            joined = torch.cat(held, 2)
            yield joined[:, :, :wanted], starts, False
            held, num_held = [joined[:, :, wanted:]], num_held - wanted
            wanted, starts = following, False
    if num_held:
        yield torch.cat(held, 2), starts, True
