"""VidTok as a tokenizer that the runner can measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import TokenizerError
from ..interface import Encoded, draw_noise
from ..networks.quantizers.product import ProductQuantizer
from ..spec import GENERAL_SETTINGS, InferenceSettings, TokenizerSpec
from ..state_dict import load_checkpoint
from ..streaming import StreamingTokenizer
from ..tiling import Tiling, run_tiled
from .config import VidTokConfig
from .model import VidTokModel
from .streaming import check_chunks, decode_stream, encode_stream


class VidTokTokenizer(StreamingTokenizer):
    """A VidTok variant. It is built without weights: :meth:`load_state` or :meth:`init_random` brings them.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, see :class:`VidTokConfig`.
        settings: all are supported; chunks take a causal network, their ``official`` mode one of v1.1.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec, or the network can't honour the settings.
    """

    supported_settings: ClassVar[frozenset[str]] = GENERAL_SETTINGS | {
        "chunk_frames",
        "chunk_mode",
        "tile_size",
        "tile_overlap",
    }

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.config = VidTokConfig.from_parameters(parameters)
        _check_agreement(spec, self.config)
        Tiling.from_settings(self.settings, spec)
        if self.settings.chunk_frames:
            check_chunks(self.config, self.settings.chunk_frames, self.settings.chunk_mode)
        if self.config.variant == "causal_v1_1":
            self.looks_ahead = "linear upsampling in time, between a latent and the next"
        with torch.device("meta"):
            self.model = VidTokModel(self.config)
        self._prepare()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of an official checkpoint, in float32 on the CPU, whatever else it holds.

        Raises:
            TokenizerError: if it is the checkpoint of another model.
        """
        load_checkpoint(self.model, state, self.spec.name)
        self._prepare()

    def init_random(self, seed: int) -> None:
        """Draw weights by the official rules of initialization, the same for a seed on every machine."""
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(seed)
            self.model = VidTokModel(self.config)
        self.spec = replace(self.spec, weights=f"random (seed {seed}, official initialization)")
        self._prepare()

    def modules(self) -> dict[str, nn.Module]:
        """Encoder, decoder and regularizer."""
        return {
            "encoder": self.model.encoder,
            "decoder": self.model.decoder,
            "regularizer": self.model.regularization,
        }

    def _prepare(self) -> None:
        self.model.eval().requires_grad_(False)
        self.model.to(dtype=self.dtype)

    def _encode_stream(
        self, frames: Iterable[Tensor], generators: Sequence[torch.Generator] | None
    ) -> Iterator[Encoded]:
        tiling = Tiling.from_settings(self.settings, self.spec)
        samples = self.config.regularizer.kind == "kl" and self.settings.posterior == "sample"
        for features in run_tiled(self._features, frames, tiling, self.config.spatial_factor, 1):
            noise = None
            if samples:
                batch_size, _, *grid = features.shape
                noise = draw_noise((batch_size, self.config.z_channels, *grid), features, generators)
            quantization = self.model.regularization(features, noise)
            yield Encoded(
                latents=quantization.latents,
                codes=quantization.codes,
                kl_nats=quantization.kl_nats,
                codebook_sizes=self.model.regularization.codebook_sizes,
            )

    def _decode_stream(self, encoded: Iterable[Encoded]) -> Iterator[Tensor]:
        tiling = Tiling.from_settings(self.settings, self.spec)
        latents = (self._latents(piece) for piece in encoded)
        return run_tiled(self._frames, latents, tiling, 1, self.config.spatial_factor)

    def _features(self, frames: Iterable[Tensor]) -> Iterator[Tensor]:
        """Features before the regularizer, chunk by chunk where the settings say so."""
        frames = map(self._with_weights, frames)
        if not self.settings.chunk_frames:
            return map(self.model.encode, frames)
        return encode_stream(self.model, frames, self.settings.chunk_frames)

    def _frames(self, latents: Iterable[Tensor]) -> Iterator[Tensor]:
        latents = map(self._with_weights, latents)
        if not self.settings.chunk_frames:
            return map(self.model.decode, latents)
        return decode_stream(self.model, latents, self.settings.chunk_frames, self.settings.chunk_mode)

    def _latents(self, encoded: Encoded) -> Tensor:
        latents = encoded.latents
        if latents is None:
            latents = self.model.regularization.latents_of(encoded.codes)
        return latents.to(self.dtype)

    def _with_weights(self, x: Tensor) -> Tensor:
        """``x``, once it is known that there are weights for it."""
        if not x.is_meta and next(self.model.parameters()).is_meta:
            raise TokenizerError(f"{self.spec.name} has no weights yet: call load_state or init_random")
        return x


def _check_agreement(spec: TokenizerSpec, config: VidTokConfig) -> None:
    with torch.device("meta"):
        quantizer = config.regularizer.build()
    levels = quantizer.levels if isinstance(quantizer, ProductQuantizer) else ()
    stated: dict[str, tuple[Any, Any]] = {
        "regularizer": (spec.regularizer, config.regularizer.kind),
        "causal": (spec.causal, config.causal),
        "temporal_compression": (spec.temporal_compression, config.time_downsample_factor),
        "spatial_compression": (spec.spatial_compression, config.spatial_factor),
        "latent_channels": (spec.latent_channels, config.z_channels),
        "codebook_levels": (tuple(spec.codebook_levels), levels),
        "codebook_size": (spec.codebook_size, next(iter(quantizer.codebook_sizes), None)),
    }
    wrong = [f"{name} {said}, not {built}" for name, (said, built) in stated.items() if said != built]
    if wrong:
        raise TokenizerError(f"{spec.name}: the parameters build another model than the spec says: {'; '.join(wrong)}")
