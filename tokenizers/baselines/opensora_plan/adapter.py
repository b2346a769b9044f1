"""Open-Sora-Plan's CausalVAE as a tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...interface import Encoded
from ...network_adapter import NetworkTokenizer, without_parallel
from ...spec import GENERAL_SETTINGS, InferenceSettings, TokenizerSpec
from ...streaming import StreamingTokenizer
from .chunked import ChunkRule, chunk_rules
from .config import CausalVAEConfig
from .model import CausalVAEModel


class CausalVAETokenizer(NetworkTokenizer[CausalVAEConfig, CausalVAEModel], StreamingTokenizer):
    """Takes clips whole, or in the official chunks and tiles where the settings name them.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, see :class:`CausalVAEConfig`.
        settings: all are supported; chunks take ``chunk_mode`` ``official``. The official pipelines' values are
            ``chunk_frames`` 28, ``tile_size`` 512 and ``tile_overlap`` 64.

    Raises:
        TokenizerError: as the base class, and if chunks or tiles don't fit the network.
    """

    looks_ahead_through = "trilinear upsampling in time, and group norms over the whole clip"

    supported_settings: ClassVar[frozenset[str]] = GENERAL_SETTINGS | {
        "chunk_frames",
        "chunk_mode",
        "tile_size",
        "tile_overlap",
    }

    config_type = CausalVAEConfig

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, parameters, settings)
        chunk_rules(self.settings, spec)
        # Up to the last frame but one of the next latent; statistics of norms aren't counted.
        self.looks_ahead = spec.temporal_compression - 1

    def _build(self) -> CausalVAEModel:
        return CausalVAEModel(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return without_parallel(checkpoint)

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and decoder, each with its convolution at the latent."""
        model = self.model
        return {
            "encoder": nn.ModuleList([model.encoder, model.quant_conv]),
            "decoder": nn.ModuleList([model.decoder, model.post_quant_conv]),
        }

    def encode_moments(self, frames: Iterable[Tensor], rule: ChunkRule) -> Iterator[Tensor]:
        """Moments (B, 2 C, t, h, w) of pieces (B, 3, T, H, W) of a clip, chunk by chunk."""
        frames = map(self._with_weights, frames)
        return rule.run(self.model.encode, frames, self.config.temporal_compression)

    def decode_latents(self, latents: Iterable[Tensor], rule: ChunkRule) -> Iterator[Tensor]:
        """Pieces (B, 3, T, H, W) from pieces (B, C, t, h, w) of a clip's latents, chunk by chunk."""
        return rule.run(self.model.decode, map(self._with_weights, latents))

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        encoding, _ = chunk_rules(self.settings, self.spec)
        for moments in self.encode_moments(frames, encoding):
            yield self._encoded(moments, generators)

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        _, decoding = chunk_rules(self.settings, self.spec)
        return self.decode_latents((self._latents(piece).to(self.dtype) for piece in encoded), decoding)
