"""LeanVAE as a tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...errors import TokenizerError
from ...interface import Encoded
from ...network_adapter import NetworkTokenizer
from ...spec import GENERAL_SETTINGS, InferenceSettings, TokenizerSpec
from ...streaming import StreamingTokenizer, regroup
from .config import TEMPORAL_COMPRESSION, LeanVAEConfig
from .layers import Memory
from .model import LeanVAEModel

ENGINE_PREFIX = "autoencoder."
"""What training puts before the network's tensors, beside those of its discriminator and of LPIPS."""


class LeanVAETokenizer(NetworkTokenizer[LeanVAEConfig, LeanVAEModel], StreamingTokenizer):
    """A LeanVAE. Chunks remember what their convolutions saw last, as officially, and give what whole clips give.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, see :class:`LeanVAEConfig`.
        settings: ``chunk_frames`` is a multiple of 4; the modes of chunks are one and the same.

    Raises:
        TokenizerError: as the base class, and if chunks don't fit the network.
    """

    config_type = LeanVAEConfig
    supported_settings: ClassVar[frozenset[str]] = GENERAL_SETTINGS | {"chunk_frames", "chunk_mode"}

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, parameters, settings)
        if self.settings.chunk_frames % TEMPORAL_COMPRESSION:
            raise TokenizerError(
                f"{spec.name}: chunk_frames must be a multiple of {TEMPORAL_COMPRESSION}, "
                f"not {self.settings.chunk_frames}"
            )

    def _build(self) -> LeanVAEModel:
        return LeanVAEModel(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        if not any(name.startswith(ENGINE_PREFIX) for name in checkpoint):
            return checkpoint
        return {
            name.removeprefix(ENGINE_PREFIX): value
            for name, value in checkpoint.items()
            if name.startswith(ENGINE_PREFIX)
        }

    def modules(self) -> dict[str, nn.Module]:
        """Encoder with the head of its posterior, and decoder with the inverse of the projection."""
        return {
            "encoder": nn.ModuleList([self.model.encoder, self.model.std_layer]),
            "decoder": nn.ModuleList([self.model.latent_bottleneck, self.model.decoder]),
        }

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        memory: Memory = {}
        frames = map(self._with_weights, frames)
        for chunk, starts, ends in self._chunks(frames, self.settings.chunk_frames):
            missing = (int(starts) - chunk.shape[2]) % TEMPORAL_COMPRESSION if ends else 0
            filled = torch.cat([chunk, chunk[:, :, -1:].expand(-1, -1, missing, -1, -1)], 2)
            yield self._encoded(self.model.encode(filled / 2, memory, starts=starts), generators)

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        memory: Memory = {}
        latents = (self._latents(piece).to(self.dtype) for piece in encoded)
        for chunk, starts, _ in self._chunks(latents, self.settings.chunk_frames // TEMPORAL_COMPRESSION):
            yield 2 * self.model.decode(chunk, memory, starts=starts)

    @staticmethod
    def _chunks(pieces: Iterable[Tensor], length: int) -> Iterator[tuple[Tensor, bool, bool]]:
        """Chunks of so many positions in time, the first with one more; 0: the whole clip is one."""
        if length:
            return regroup(pieces, 1 + length, length)
        return iter([(torch.cat(list(pieces), 2), True, True)])
