"""A tokenizer: each frame averaged over squares of pixels, and the squares painted back."""

from collections.abc import Sequence
from typing import Any

import torch
from toklab.tokenizers.interface import Encoded, InferenceSettings, TokenizerSpec, VideoTokenizer
from torch import Tensor
from torch.nn import functional as F


class PoolingTokenizer(VideoTokenizer):
    """Average pooling over squares of ``square`` pixels, and nearest-neighbour upsampling."""

    def __init__(self, spec: TokenizerSpec, parameters: dict[str, Any], settings: InferenceSettings):
        super().__init__(spec, settings)
        self._square: int = parameters["square"]

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        return Encoded(latents=F.avg_pool3d(video, (1, self._square, self._square)))

    def _decode(self, encoded: Encoded) -> Tensor:
        assert encoded.latents is not None
        return F.interpolate(encoded.latents, scale_factor=(1, self._square, self._square))


def build_pooling(settings: InferenceSettings) -> PoolingTokenizer:
    """The tokenizer ``example-pooling``, for an entry point."""
    spec = TokenizerSpec(
        name="example-pooling",
        family="example",
        title="Pooling",
        regularizer="resize",
        causal=True,
        temporal_compression=1,
        spatial_compression=8,
        latent_channels=3,
        size_multiple=8,
    )
    return PoolingTokenizer(spec, {"square": 8}, settings)
