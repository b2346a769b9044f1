"""LeanVAE as a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ...networks.memory import Memory
from ..remembering import RememberingTokenizer
from .config import LeanVAEConfig
from .model import LeanVAEModel

ENGINE_PREFIX = "autoencoder."
"""What training puts before the network's tensors, beside those of its discriminator and of LPIPS."""


class LeanVAETokenizer(RememberingTokenizer[LeanVAEConfig, LeanVAEModel]):
    """A LeanVAE, whose pixels are in [−0.5, 0.5]."""

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

    def _encode_chunk(self, video: Tensor, memory: Memory) -> Tensor:
        return self.model.encode(video / 2, memory)

    def _decode_chunk(self, latents: Tensor, memory: Memory) -> Tensor:
        return 2 * self.model.decode(latents, memory)
