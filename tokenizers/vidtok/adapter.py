"""VidTok as a tokenizer that the runner can measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..interface import Encoded
from ..network_adapter import NetworkTokenizer
from ..networks.quantizers.interface import Quantizer
from ..spec import GENERAL_SETTINGS, InferenceSettings, TokenizerSpec
from ..streaming import StreamingTokenizer
from ..tiling import Tiling, run_tiled
from .config import VidTokConfig
from .model import VidTokModel
from .streaming import check_chunks, decode_stream, encode_stream


class VidTokTokenizer(NetworkTokenizer[VidTokConfig, VidTokModel], StreamingTokenizer):
    """A VidTok variant.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, see :class:`VidTokConfig`.
        settings: all are supported; chunks take a causal network, their ``official`` mode one of v1.1.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec, or the network can't honour the settings.
    """

    config_type = VidTokConfig
    supported_settings: ClassVar[frozenset[str]] = GENERAL_SETTINGS | {
        "chunk_frames",
        "chunk_mode",
        "tile_size",
        "tile_overlap",
    }

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, parameters, settings)
        Tiling.from_settings(self.settings, spec)
        if self.settings.chunk_frames:
            check_chunks(self.config, self.settings.chunk_frames, self.settings.chunk_mode)
        if self.config.variant == "causal_v1_1":
            # Up to the last frame but one of the next latent.
            self.looks_ahead = spec.temporal_compression - 1
            self.looks_ahead_through = "linear upsampling in time, between a latent and the next"

    def _build(self) -> VidTokModel:
        return VidTokModel(self.config)

    def modules(self) -> dict[str, nn.Module]:
        """Encoder, decoder and regularizer."""
        return {
            "encoder": self.model.encoder,
            "decoder": self.model.decoder,
            "regularizer": self.model.regularization,
        }

    @property
    def regularizer(self) -> Quantizer:
        """That of the network."""
        return self.model.regularization

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        tiling = Tiling.from_settings(self.settings, self.spec)
        for features in run_tiled(self._features, frames, tiling, self.config.spatial_factor, 1):
            yield self._encoded(features, generators)

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        tiling = Tiling.from_settings(self.settings, self.spec)
        latents = (self._latents(piece).to(self.dtype) for piece in encoded)
        return run_tiled(self._frames, latents, tiling, 1, self.config.spatial_factor)

    def _features(self, frames: Iterable[Tensor]) -> Iterator[Tensor]:
        """Features before the regularizer, chunk by chunk where the settings say so."""
        frames = map(self._with_weights, frames)
        if not self.settings.chunk_frames:
            return map(self.model.encode, frames)
        return encode_stream(self.model, frames, self.settings.chunk_frames)

    def _frames(self, latents: Iterable[Tensor]) -> Iterator[Tensor]:
        if not self.settings.chunk_frames:
            return map(self.model.decode, latents)
        return decode_stream(self.model, latents, self.settings.chunk_frames, self.settings.chunk_mode)
