"""Open-MAGVIT2's video tokenizer as a tokenizer that the runner can measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ...interface import Encoded
from ...network_adapter import NetworkTokenizer
from ...networks.quantizers.interface import Quantizer
from .checkpoint import model_state
from .config import OpenMagvit2Config
from .model import OpenMagvit2Model


class OpenMagvit2Tokenizer(NetworkTokenizer[OpenMagvit2Config, OpenMagvit2Model]):
    """Open-MAGVIT2 on video; its spec's ``causal`` stands for windows of 1 + 4 n frames."""

    looks_ahead = None
    looks_ahead_through = "the decoder's norms by statistics of the whole latent, and group norms over the whole clip"
    config_type = OpenMagvit2Config

    def _build(self) -> OpenMagvit2Model:
        return OpenMagvit2Model(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return model_state(checkpoint, list(self.model.state_dict()))

    def modules(self) -> dict[str, nn.Module]:
        """Encoder, decoder and quantizer."""
        return {"encoder": self.model.encoder, "decoder": self.model.decoder, "regularizer": self.model.quantizer}

    @property
    def regularizer(self) -> Quantizer:
        """The sign quantization."""
        return self.model.quantizer

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return self._encoded(self.model.encoder(self._with_weights(video)), generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        return self.model.decoder(self._latents(encoded).to(self.dtype))
