"""The base class of causal autoencoders whose chunks remember the past, so that they give what whole clips give."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import TokenizerError
from ..interface import Encoded
from ..network_adapter import Config, Network, NetworkTokenizer
from ..networks.memory import Memory
from ..spec import GENERAL_SETTINGS, InferenceSettings, TokenizerSpec
from ..streaming import StreamingTokenizer, regroup


class RememberingTokenizer(NetworkTokenizer[Config, Network], StreamingTokenizer):
    """A causal autoencoder whose chunks give what whole clips give: ``chunk_mode`` makes no difference.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters.
        settings: ``chunk_frames`` is a multiple of the temporal compression.

    Raises:
        TokenizerError: as the base class, and if chunks don't fit the network.
    """

    supported_settings: ClassVar[frozenset[str]] = GENERAL_SETTINGS | {"chunk_frames", "chunk_mode"}

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, parameters, settings)
        if self.settings.chunk_frames % spec.temporal_compression:
            raise TokenizerError(
                f"{spec.name}: chunk_frames must be a multiple of {spec.temporal_compression}, "
                f"not {self.settings.chunk_frames}"
            )

    @abstractmethod
    def _encode_chunk(self, video: Tensor, memory: Memory) -> Tensor:
        """Moments (B, 2 C, t, h, w) of a chunk (B, 3, T, H, W): of 1 + f n frames at a clip's start, of f n later."""

    @abstractmethod
    def _decode_chunk(self, latents: Tensor, memory: Memory) -> Tensor:
        """Frames (B, 3, T, H, W) that follow from a chunk of latents (B, C, t, h, w)."""

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        f = self.spec.temporal_compression
        for chunk, memory in self._chunks(map(self._with_weights, frames), self.settings.chunk_frames):
            missing = (int(memory.starts) - chunk.shape[2]) % f if memory.ends else 0
            filled = torch.cat([chunk, chunk[:, :, -1:].expand(-1, -1, missing, -1, -1)], 2)
            yield self._encoded(self._encode_chunk(filled, memory), generators)

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        latents = (self._latents(piece).to(self.dtype) for piece in encoded)
        for chunk, memory in self._chunks(latents, self.settings.chunk_frames // self.spec.temporal_compression):
            yield self._decode_chunk(chunk, memory)

    @staticmethod
    def _chunks(pieces: Iterable[Tensor], length: int) -> Iterator[tuple[Tensor, Memory]]:
        """Chunks of so many positions in time, the first with one more, and their memory; 0: the clip is one chunk."""
        memory = Memory()
        blocks = regroup(pieces, 1 + length, length) if length else iter([(torch.cat(list(pieces), 2), True, True)])
        for block, memory.starts, memory.ends in blocks:
            yield block, memory
