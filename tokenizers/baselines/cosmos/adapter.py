"""Cosmos as a tokenizer that the runner can measure, on any device: its weights in networks of diffusers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ...interface import Encoded
from ...network_adapter import NetworkTokenizer
from ...networks.quantizers.interface import Quantizer
from .checkpoint import model_state
from .config import CosmosConfig
from .model import CosmosModel


class CosmosTokenizer(NetworkTokenizer[CosmosConfig, CosmosModel]):
    """A Cosmos variant; raises :class:`TokenizerError` too if diffusers isn't installed."""

    config_type = CosmosConfig

    def _build(self) -> CosmosModel:
        return CosmosModel(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return model_state(checkpoint, self.config)

    def _prepare(self) -> None:
        self.model.place_wavelets()
        super()._prepare()

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and decoder with their sides of the bottleneck, and the quantizer."""
        return {
            "encoder": nn.ModuleList([self.model.encoder, self.model.quant_conv]),
            "decoder": nn.ModuleList([self.model.post_quant_conv, self.model.decoder]),
            "regularizer": self.model.quantizer,
        }

    @property
    def regularizer(self) -> Quantizer:
        """The quantizer of DV; of CV, which has none, what leaves features as they are."""
        return self.model.quantizer

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return self._encoded(self.model.encode(self._with_weights(video)), generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        return self.model.decode(self._latents(encoded).to(self.dtype))
