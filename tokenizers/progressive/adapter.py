"""Progressive tokenizers, and their directly extended rivals, as tokenizers that the runner can measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import TokenizerError
from ..interface import Encoded
from ..network_adapter import NetworkTokenizer
from ..networks.magvit2.blocks import ResidualBlock
from ..networks.magvit2.tiles import LayerTiling
from ..spec import GENERAL_SETTINGS, FrameRule, InferenceSettings, TokenizerSpec
from ..streaming import StreamingTokenizer, regroup
from ..tiling import Tiling, run_tiled
from .checkpoint import model_state
from .config import ProgressiveConfig
from .model import LevelledModel, build_model
from .overlap import cross_fade, cut_chunks

PassFunction = Callable[[Tensor, LayerTiling | None], Tensor]
"""A clip's pass through the encoder or the decoder."""


class ProgressiveTokenizer(NetworkTokenizer[ProgressiveConfig, LevelledModel], StreamingTokenizer):
    """A tokenizer of one ratio; a checkpoint of a higher one serves grown models too.

    With ``chunk_frames`` = c a clip is cut into chunks of c frames that are coded on their own, as the paper does with
    17; neighbours share ``chunk_overlap`` frames, which are faded into each other. That isn't what the whole clip
    gives, so it takes ``chunk_mode=official``.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, see :class:`ProgressiveConfig`.
        settings: all but sampling steps are supported.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec, or the settings can't be honoured.
    """

    config_type = ProgressiveConfig
    supported_settings: ClassVar[frozenset[str]] = GENERAL_SETTINGS | {
        "chunk_frames",
        "chunk_mode",
        "chunk_overlap",
        "tile_size",
        "tile_overlap",
        "tile_mode",
    }

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, parameters, settings)
        _check_chunks(spec, self.settings, self.config.ratio)
        Tiling.from_settings(self.settings, spec)

    def _build(self) -> LevelledModel:
        return build_model(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return model_state(self.model, checkpoint)

    def modules(self) -> dict[str, nn.Module]:
        """Encoder, decoder and bottleneck of the tokenizer's ratio."""
        return self.model.parts()

    def compiled_modules(self) -> Iterable[nn.Module]:
        """The residual blocks: the networks around them aren't called as a whole."""
        networks = self.modules().values()
        return [module for network in networks for module in network.modules() if isinstance(module, ResidualBlock)]

    def legal_shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int]:
        """As declared; in chunks, the frames of as many whole chunks as hold the clip."""
        legal = super().legal_shape(num_frames, height, width)
        if not self.settings.chunk_frames:
            return legal
        step = self.settings.chunk_frames - self.settings.chunk_overlap
        return FrameRule(step, self.settings.chunk_frames).next_legal(num_frames), *legal[1:]

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        if self.settings.chunk_frames:
            frames = cut_chunks(frames, self.settings.chunk_frames, self.settings.chunk_overlap)
        for moments in self._tiled(self.model.moments, frames, self.spec.spatial_compression, 1):
            yield self._encoded(moments, generators)

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        latents = (self._latents(piece).to(self.dtype) for piece in encoded)
        if self.settings.chunk_frames:
            chunk_latents = 1 + (self.settings.chunk_frames - 1) // self.config.ratio
            latents = (chunk for chunk, _, _ in regroup(latents, chunk_latents, chunk_latents))
        videos = self._tiled(self.model.decode, latents, 1, self.spec.spatial_compression)
        return cross_fade(videos, self.settings.chunk_overlap)

    def _tiled(
        self, run: PassFunction, pieces: Iterable[Tensor], input_scale: int, output_scale: int
    ) -> Iterator[Tensor]:
        """Every piece through the encoder or the decoder: whole, in blended tiles, or layer by layer in parts."""
        size = self.settings.tile_size
        layers = self.settings.tile_mode == "layers"

        def passes(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
            for piece in pieces:
                pixels = self.spec.spatial_compression // input_scale
                height, width = (side * pixels for side in piece.shape[3:])
                yield run(self._with_weights(piece), LayerTiling.from_size(height, width, size) if layers else None)

        tiling = None if layers else Tiling.from_settings(self.settings, self.spec)
        return run_tiled(passes, pieces, tiling, input_scale, output_scale)


def _check_chunks(spec: TokenizerSpec, settings: InferenceSettings, ratio: int) -> None:
    if not settings.chunk_frames:
        return
    if settings.chunk_mode != "official":
        raise TokenizerError(
            f"{spec.name} codes chunks on their own, which isn't what the whole clip gives: set chunk_mode=official"
        )
    if settings.chunk_frames % ratio != 1:
        raise TokenizerError(f"{spec.name}: chunk_frames is 1 + a multiple of {ratio}, not {settings.chunk_frames}")
