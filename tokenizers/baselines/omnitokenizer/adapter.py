"""OmniTokenizer as a tokenizer that the runner can measure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import TokenizerError
from ...interface import Encoded, VideoTokenizer, draw_noise
from ...networks.ldm.adapter import check_agreement
from ...spec import InferenceSettings, TokenizerSpec
from ...state_dict import load_checkpoint
from .checkpoint import model_state
from .config import OmniTokenizerConfig
from .model import OmniTokenizerModel


class OmniTokenizerTokenizer(VideoTokenizer):
    """An OmniTokenizer variant. It is built without weights: :meth:`load_state` or :meth:`init_random` brings them.

    The network takes square frames alone: a clip is padded to a square whose edge is the next multiple of
    ``size_multiple`` from the longer side, its last row or column repeated, and cropped back. Bits and work are those
    of the padded square.

    Args:
        spec: what the card says.
        parameters: the card's constructor parameters, see :class:`OmniTokenizerConfig`.
        settings: how it is run.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec.
    """

    looks_ahead = "positional convolutions, whose reshape mixes frames with places as published"

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.config = config = OmniTokenizerConfig.from_parameters(parameters)
        check_agreement(
            spec,
            {
                "regularizer": "kl" if config.use_vae else "vq",
                "temporal_compression": config.temporal_patch_size,
                "spatial_compression": config.patch_size,
                "latent_channels": config.codebook_dim,
                "codebook_size": None if config.use_vae else config.n_codes,
                "size_multiple": config.size_multiple,
            },
        )
        with torch.device("meta"):
            self.model = OmniTokenizerModel(config)
        self._prepare()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of an official checkpoint, in float32 on the CPU, whatever else it holds.

        Raises:
            TokenizerError: if it is the checkpoint of another model.
        """
        load_checkpoint(self.model, model_state(state), self.spec.name)
        self._prepare()

    def init_random(self, seed: int) -> None:
        """Draw weights by torch's rules of initialization, the same for a seed on every machine."""
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(seed)
            self.model = OmniTokenizerModel(self.config)
        self.spec = replace(self.spec, weights=f"random (seed {seed}, torch's initialization)")
        self._prepare()

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and decoder with their sides of the bottleneck, and what stands between."""
        return {
            "encoder": nn.ModuleList([self.model.encoder, self.model.pre_vq_conv]),
            "decoder": nn.ModuleList([self.model.post_vq_conv, self.model.decoder]),
            "regularizer": self.model.codebook,
        }

    def legal_shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int]:
        """The smallest legal (T, H, W), a square, that holds a clip."""
        multiple = self.spec.size_multiple
        edge = math.ceil(max(height, width) / multiple) * multiple
        return self.spec.frame_rule.next_legal(num_frames), edge, edge

    def _prepare(self) -> None:
        self.model.eval().requires_grad_(False)
        self.model.to(dtype=self.dtype)

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        # The network was trained on [-0.5, 0.5].
        features = self.model.encode(self._with_weights(video) / 2)
        noise = None
        if self.config.use_vae and self.settings.posterior == "sample":
            batch_size, channels, *grid = features.shape
            noise = draw_noise((batch_size, channels // 2, *grid), features, generators)
        quantization = self.model.regularization(features, noise)
        return Encoded(
            latents=quantization.latents,
            codes=quantization.codes,
            kl_nats=quantization.kl_nats,
            codebook_sizes=self.model.regularization.codebook_sizes,
        )

    def _decode(self, encoded: Encoded) -> Tensor:
        latents = encoded.latents
        if latents is None:
            latents = self.model.regularization.latents_of(encoded.codes)
        return self.model.decode(self._with_weights(latents.to(self.dtype))) * 2

    def _with_weights(self, x: Tensor) -> Tensor:
        """``x``, once it is known that there are weights for it."""
        if not x.is_meta and next(self.model.parameters()).is_meta:
            raise TokenizerError(f"{self.spec.name} has no weights yet: call load_state or init_random")
        return x
