"""LeanVAE as a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ...interface import Encoded
from ...network_adapter import NetworkTokenizer
from .config import LeanVAEConfig
from .model import LeanVAEModel

ENGINE_PREFIX = "autoencoder."
"""What training puts before the network's tensors, beside those of its discriminator and of LPIPS."""


class LeanVAETokenizer(NetworkTokenizer[LeanVAEConfig, LeanVAEModel]):
    """A LeanVAE; clips go through whole, which its official chunks equal to the bit."""

    config_type = LeanVAEConfig

    def _build(self) -> LeanVAEModel:
        return LeanVAEModel(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        if not any(name.startswith(ENGINE_PREFIX) for name in checkpoint):
            return checkpoint
        return {
            name.removeprefix(ENGINE_PREFIX): value
            for name, value in checkpoint.items()
            if name.startswith(ENGINE_PREFIX)
        }

    def modules(self) -> dict[str, nn.Module]:
        """Encoder with the head of its posterior, and decoder with the inverse of the projection."""
        return {
            "encoder": nn.ModuleList([self.model.encoder, self.model.std_layer]),
            "decoder": nn.ModuleList([self.model.latent_bottleneck, self.model.decoder]),
        }

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return self._encoded(self.model.encode(self._with_weights(video) / 2), generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        return 2 * self.model.decode(self._latents(encoded).to(self.dtype))
