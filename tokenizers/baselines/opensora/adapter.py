"""Open-Sora v1.2's video autoencoder as a tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...interface import Encoded
from ...network_adapter import NetworkTokenizer
from ...streaming import StreamingTokenizer, regroup
from .config import OpenSoraConfig
from .model import OpenSoraModel


class OpenSoraTokenizer(NetworkTokenizer[OpenSoraConfig, OpenSoraModel], StreamingTokenizer):
    """Works in independent chunks of ``micro_frame_size`` frames; any number of frames is legal.

    Raises :class:`TokenizerError` too if diffusers is missing.
    """

    config_type = OpenSoraConfig

    def _build(self) -> OpenSoraModel:
        return OpenSoraModel(self.config)

    @property
    def can_stream(self) -> bool:
        """Always: chunks are part of the model."""
        return True

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and decoder, each over space and time."""
        return self.model.roles()

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        size = self.config.micro_frame_size
        for chunk, _, _ in regroup(map(self._with_weights, frames), size, size):
            image_latents = self._quantized(self.model.spatial_moments(chunk), generators).latents
            encoded = self._encoded(self.model.temporal_moments(image_latents), generators)
            yield replace(encoded, latents=self.model.normalize(self._latents(encoded)))

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        num_frames = 0

        def latents() -> Iterator[Tensor]:
            nonlocal num_frames
            for piece in encoded:
                num_frames += piece.num_frames
                yield self._latents(piece).to(self.dtype)

        size = self.config.micro_frame_size
        num_latents = -(-size // self.spec.temporal_compression)
        for chunk, _, ends in regroup(latents(), num_latents, num_latents):
            # All pieces have been counted once the last chunk is here, and no other may be shorter.
            length = num_frames if ends else size
            num_frames -= length
            yield self.model.decode(chunk, length)
