"""Cosmos as a tokenizer that the runner can measure, on any device: its weights in networks of diffusers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import TokenizerError
from ...interface import Encoded, VideoTokenizer
from ...networks.ldm.adapter import check_agreement
from ...spec import InferenceSettings, TokenizerSpec
from ...state_dict import load_checkpoint
from .checkpoint import model_state
from .config import CosmosConfig
from .model import CosmosModel


class CosmosTokenizer(VideoTokenizer):
    """A Cosmos variant. It is built without weights: :meth:`load_state` or :meth:`init_random` brings them.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, see :class:`CosmosConfig`.
        settings: how it is run.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec, or diffusers isn't installed.
    """

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.config = CosmosConfig.from_parameters(parameters)
        check_agreement(
            spec,
            {
                "regularizer": "fsq" if self.config.levels else "ae",
                "temporal_compression": self.config.temporal_compression,
                "spatial_compression": self.config.spatial_compression,
                "latent_channels": self.config.latent_channels,
                "codebook_levels": self.config.levels,
            },
        )
        with torch.device("meta"):
            self.model = CosmosModel(self.config)
        self._prepare()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of an official archive, in float32 on the CPU; those it never calls are left out.

        Raises:
            TokenizerError: if it is the checkpoint of another model.
        """
        load_checkpoint(self.model, model_state(state, self.config), self.spec.name)
        self.model.place_wavelets()
        self._prepare()

    def init_random(self, seed: int) -> None:
        """Draw weights by torch's rules of initialization, the same for a seed on every machine."""
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(seed)
            self.model = CosmosModel(self.config)
        self.spec = replace(self.spec, weights=f"random (seed {seed}, torch's initialization)")
        self._prepare()

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and decoder with their sides of the bottleneck, and the quantizer."""
        return {
            "encoder": nn.ModuleList([self.model.encoder, self.model.quant_conv]),
            "decoder": nn.ModuleList([self.model.post_quant_conv, self.model.decoder]),
            "regularizer": self.model.quantizer,
        }

    def _prepare(self) -> None:
        self.model.eval().requires_grad_(False)
        self.model.to(dtype=self.dtype)

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        quantization = self.model.quantizer(self.model.encode(self._with_weights(video)))
        return Encoded(
            latents=quantization.latents,
            codes=quantization.codes,
            codebook_sizes=self.model.quantizer.codebook_sizes,
        )

    def _decode(self, encoded: Encoded) -> Tensor:
        latents = encoded.latents
        if latents is None:
            latents = self.model.quantizer.latents_of(encoded.codes)
        return self.model.decode(self._with_weights(latents.to(self.dtype)))

    def _with_weights(self, x: Tensor) -> Tensor:
        """``x``, once it is known that there are weights for it."""
        if not x.is_meta and next(self.model.parameters()).is_meta:
            raise TokenizerError(f"{self.spec.name} has no weights yet: call load_state or init_random")
        return x
