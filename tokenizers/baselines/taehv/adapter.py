"""TAEHV as a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...interface import Encoded
from ...network_adapter import NetworkTokenizer
from ...networks.quantizers.identity import IdentityQuantizer
from ...networks.quantizers.interface import Quantizer
from ...spec import InferenceSettings, TokenizerSpec
from .config import TAEHVConfig
from .model import TAEHVModel


class TAEHVTokenizer(NetworkTokenizer[TAEHVConfig, TAEHVModel]):
    """A TAEHV variant; clips go through whole."""

    config_type = TAEHVConfig
    looks_ahead_through = "the decoder drops its first frames, so that most frames are made from the next latent"

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, parameters, settings)
        self.looks_ahead = self.config.time_downscale

    def _build(self) -> TAEHVModel:
        return TAEHVModel(self.config)

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and decoder."""
        return {"encoder": self.model.encoder, "decoder": self.model.decoder}

    @property
    def regularizer(self) -> Quantizer:
        """None: a plain autoencoder."""
        return IdentityQuantizer()

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return self._encoded(self.model.encode((self._with_weights(video) + 1) / 2), generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        return 2 * self.model.decode(self._latents(encoded).to(self.dtype)) - 1
