"""CV-VAE as a tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...interface import Encoded
from ...networks.ldm.adapter import PortedTokenizer, check_agreement, given_latents
from ...networks.ldm.chunks import overlapping_chunks, run_chunks
from ...spec import InferenceSettings, TokenizerSpec
from .checkpoint import own_names
from .config import CVVAEConfig
from .model import CVVAEModel


class CVVAETokenizer(PortedTokenizer):
    """Works in chunks that share a frame, and in tiles where frames are large, as the official code does.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, see :meth:`CVVAEConfig.from_parameters`.
        settings: the general ones.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec.
    """

    looks_ahead = "the decoder, whose convolutions aren't causal, and group norms over the whole clip"

    model: CVVAEModel

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        self.config = CVVAEConfig.from_parameters(parameters)
        check_agreement(
            spec,
            {
                "regularizer": "kl",
                "temporal_compression": self.config.temporal_compression,
                "spatial_compression": self.config.spatial_compression,
                "latent_channels": self.config.z_channels,
            },
        )
        super().__init__(spec, settings)

    def _build(self) -> nn.Module:
        return CVVAEModel(self.config)

    def _own_names(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        shapes = {name: value.shape for name, value in self.model.state_dict().items()}
        return own_names(state, shapes, self.config)

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
        chunks = overlapping_chunks(frames, stride, self.config.temporal_compression)
        return run_chunks(lambda chunk: self.model.encode(chunk.values), chunks)

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        for moments in self.encode_moments(map(self._with_weights, frames)):
            yield self._encoded(moments, generators)

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        latents = (self._with_weights(given_latents(piece).to(self.dtype)) for piece in encoded)
        stride = self.config.en_de_n_frames_a_time // self.config.temporal_compression
        return run_chunks(lambda chunk: self.model.decode(chunk.values), overlapping_chunks(latents, stride))
