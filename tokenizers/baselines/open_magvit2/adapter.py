"""Open-MAGVIT2's video tokenizer as a tokenizer that the runner can measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import TokenizerError
from ...interface import Encoded, VideoTokenizer
from ...spec import FrameRule, InferenceSettings, TokenizerSpec
from .checkpoint import load_checkpoint
from .config import OpenMagvit2Config
from .model import OpenMagvit2Model


class OpenMagvit2Tokenizer(VideoTokenizer):
    """Open-MAGVIT2 on video. It is built without weights: :meth:`load_state` or :meth:`init_random` brings them.

    Args:
        spec: what the card says; ``causal`` stands for windows of 1 + 4 n frames.
        parameters: the card's constructor parameters, see :class:`OpenMagvit2Config`.
        settings: general ones alone.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec.
    """

    looks_ahead = "the decoder's norms by statistics of the whole latent, and group norms over the whole clip"

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.config = OpenMagvit2Config.from_parameters(parameters)
        _check_agreement(spec, self.config)
        with torch.device("meta"):
            self.model = OpenMagvit2Model(self.config)
        self._prepare()

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take the averaged weights of an official checkpoint, or its last ones where it has no others.

        Raises:
            TokenizerError: if it is the checkpoint of another model.
        """
        load_checkpoint(self.model, state, self.spec.name)
        self._prepare()

    def init_random(self, seed: int) -> None:
        """Draw weights by torch's rules of initialization, the same for a seed on every machine."""
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(seed)
            self.model = OpenMagvit2Model(self.config)
        self._prepare()

    def modules(self) -> dict[str, nn.Module]:
        """Encoder, decoder and quantizer."""
        return {"encoder": self.model.encoder, "decoder": self.model.decoder, "regularizer": self.model.quantizer}

    def _prepare(self) -> None:
        self.model.eval().requires_grad_(False)
        self.model.to(dtype=self.dtype)

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        quantization = self.model.quantizer(self.model.encoder(self._with_weights(video)))
        return Encoded(
            latents=quantization.latents,
            codes=quantization.codes,
            codebook_sizes=self.model.quantizer.codebook_sizes,
        )

    def _decode(self, encoded: Encoded) -> Tensor:
        latents = encoded.latents
        if latents is None:
            latents = self.model.quantizer.latents_of(encoded.codes)
        return self.model.decoder(self._with_weights(latents).to(self.dtype))

    def _with_weights(self, x: Tensor) -> Tensor:
        """``x``, once it is known that there are weights for it."""
        if not x.is_meta and next(self.model.parameters()).is_meta:
            raise TokenizerError(f"{self.spec.name} has no weights yet: call load_state or init_random")
        return x


def _check_agreement(spec: TokenizerSpec, config: OpenMagvit2Config) -> None:
    trunk = config.trunk
    stated: dict[str, tuple[Any, Any]] = {
        "regularizer": (spec.regularizer, "lfq"),
        "temporal_compression": (spec.temporal_compression, trunk.temporal_compression),
        "spatial_compression": (spec.spatial_compression, trunk.spatial_compression),
        "latent_channels": (spec.latent_channels, config.z_channels),
        "codebook_size": (spec.codebook_size, 2**config.z_channels),
        "frame_rule": (spec.frame_rule, FrameRule(trunk.temporal_compression, 1)),
        "size_multiple": (spec.size_multiple, trunk.spatial_compression),
    }
    wrong = [f"{name} {said}, not {built}" for name, (said, built) in stated.items() if said != built]
    if wrong:
        raise TokenizerError(f"{spec.name}: the parameters build another model than the spec says: {'; '.join(wrong)}")
