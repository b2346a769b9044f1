"""CV-VAE as a tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...interface import Encoded
from ...network_adapter import NetworkTokenizer
from ...networks.ldm.chunks import overlapping_chunks, run_chunks
from ...spec import InferenceSettings, TokenizerSpec
from ...streaming import StreamingTokenizer
from .checkpoint import own_names
from .config import CVVAEConfig
from .model import CVVAEModel


class CVVAETokenizer(NetworkTokenizer[CVVAEConfig, CVVAEModel], StreamingTokenizer):
    """Works in chunks that share a frame, and in tiles where frames are large, as the official code does."""

    looks_ahead_through = "the decoder, whose convolutions aren't causal, and group norms over the whole clip"
    config_type = CVVAEConfig

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, parameters, settings)
        # Chunks are decoded apart, so that nothing behind the end of a chunk matters to it.
        self.looks_ahead = self.config.en_de_n_frames_a_time or None

    def _build(self) -> CVVAEModel:
        return CVVAEModel(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        shapes = {name: value.shape for name, value in self.model.state_dict().items()}
        return own_names(checkpoint, shapes, self.config)

    @property
    def can_stream(self) -> bool:
        """Whether the parameters make the model work in chunks."""
        return self.config.en_de_n_frames_a_time > 0

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and decoder."""
        return {"encoder": self.model.encoder, "decoder": self.model.decoder}

    def encode_moments(self, frames: Iterable[Tensor]) -> Iterator[Tensor]:
        """Moments (B, 2 C, t, h, w) of pieces (B, 3, T, H, W) of a clip, chunk by chunk."""
        stride = self.config.en_de_n_frames_a_time
        chunks = overlapping_chunks(map(self._with_weights, frames), stride, self.config.temporal_compression)
        return run_chunks(lambda chunk: self.model.encode(chunk.values), chunks)

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        for moments in self.encode_moments(frames):
            yield self._encoded(moments, generators)

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        latents = (self._latents(piece).to(self.dtype) for piece in encoded)
        stride = self.config.en_de_n_frames_a_time // self.config.temporal_compression
        return run_chunks(lambda chunk: self.model.decode(chunk.values), overlapping_chunks(latents, stride))
