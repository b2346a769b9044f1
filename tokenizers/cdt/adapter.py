"""CDT as a tokenizer that the runner can measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..interface import Encoded, draw_seeds
from ..network_adapter import NetworkTokenizer
from ..spec import GENERAL_SETTINGS, InferenceSettings, TokenizerSpec
from ..streaming import StreamingTokenizer
from .checkpoint import model_state
from .chunks import check_chunk_frames, official_chunk_frames, official_chunk_latents
from .config import CDTConfig
from .model import CDTModel
from .sampler import ClipNoise, Sampler
from .schedule import sampling_indices
from .streaming import decode_chunks, decode_stream, encode_chunks, encode_stream


class CDTTokenizer(NetworkTokenizer[CDTConfig, CDTModel], StreamingTokenizer):
    """A CDT variant.

    Decoding starts from noise that follows from each clip's generator, whatever its batch and its chunks.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, see :class:`CDTConfig`.
        settings: all but tiles are supported. With ``chunk_mode`` ``official`` chunks are no longer than the official
            rule says for the size of the frames, and CDT-B has the official seams between them.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec, or the network can't honour the settings.
    """

    config_type = CDTConfig
    supported_settings: ClassVar[frozenset[str]] = GENERAL_SETTINGS | {"steps", "eta", "chunk_frames", "chunk_mode"}

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, parameters, settings)
        check_chunk_frames(self.config, self.settings.chunk_frames)
        sampling_indices(self.config.num_timesteps, self.settings.steps)
        self._sampler = Sampler(self.settings.steps, self.settings.eta)

    def _build(self) -> CDTModel:
        return CDTModel(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return model_state(checkpoint, self.config)

    def _set_precision(self) -> None:
        self.model.set_precision(self.dtype)

    def modules(self) -> dict[str, nn.Module]:
        """Encoder with bottleneck, and decoder: condition decoder and denoiser."""
        compressor = self.model.compressor
        return {
            "encoder": nn.ModuleList(compressor.encoder_parts),
            "decoder": nn.ModuleList([*compressor.decoder_parts, self.model.denoiser]),
        }

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        frames = iter(frames)
        first = next(frames, None)
        if first is None:
            return
        self._with_weights(first)
        seeds = draw_seeds(first.shape[0], generators, self.settings.seed)
        for moments in self._moments(chain([first], frames), *first.shape[3:]):
            yield replace(self._encoded(moments, generators), noise_seeds=seeds)

    def _moments(self, frames: Iterable[Tensor], height: int, width: int) -> Iterator[Tensor]:
        chunk_frames = self.settings.chunk_frames
        if not chunk_frames:
            return encode_chunks(self.model, frames, cached=False)
        if self.settings.chunk_mode == "official":
            chunk_frames = min(chunk_frames, official_chunk_frames(self.config, height, width))
        return encode_stream(self.model, frames, chunk_frames)

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        pieces = iter(encoded)
        first = next(pieces, None)
        if first is None:
            return
        latents = self._latents(first)
        height, width = (side * self.config.spatial_factor for side in latents.shape[3:])
        seeds = first.noise_seeds or draw_seeds(first.batch_size, None, self.settings.seed)
        noise = ClipNoise(seeds, height, width, latents.device)
        all_latents = map(self._latents, chain([first], pieces))
        if not self.settings.chunk_frames:
            yield from decode_chunks(self.model, all_latents, self._sampler, noise, cached=False)
            return
        official = self.settings.chunk_mode == "official"
        chunk_latents = self.settings.chunk_frames // self.config.temporal_factor
        if official:
            chunk_latents = min(chunk_latents, official_chunk_latents(self.config, height, width))
        yield from decode_stream(self.model, all_latents, chunk_latents, self._sampler, noise, cached_end=not official)
