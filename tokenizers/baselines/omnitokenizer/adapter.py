"""OmniTokenizer as a tokenizer that the runner can measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ...interface import Encoded
from ...network_adapter import NetworkTokenizer
from ...networks.quantizers.interface import Quantizer
from .checkpoint import model_state
from .config import OmniTokenizerConfig
from .model import OmniTokenizerModel


class OmniTokenizerTokenizer(NetworkTokenizer[OmniTokenizerConfig, OmniTokenizerModel]):
    """An OmniTokenizer variant.

    The network takes square frames alone: a clip is padded to a square whose edge is the next multiple of
    ``size_multiple`` from the longer side, its last row or column repeated, and cropped back. Bits and work are those
    of the padded square.
    """

    looks_ahead = None
    looks_ahead_through = "positional convolutions, whose reshape mixes frames with places as published"
    config_type = OmniTokenizerConfig

    def _build(self) -> OmniTokenizerModel:
        return OmniTokenizerModel(self.config)

    def _own_state(self, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return model_state(checkpoint)

    def modules(self) -> dict[str, nn.Module]:
        """Encoder and decoder with their sides of the bottleneck, and what stands between."""
        return {
            "encoder": nn.ModuleList([self.model.encoder, self.model.pre_vq_conv]),
            "decoder": nn.ModuleList([self.model.post_vq_conv, self.model.decoder]),
            "regularizer": self.model.codebook,
        }

    def compiled_modules(self) -> Iterable[nn.Module]:
        """All but the codebook of a VAE, which nothing calls."""
        return [
            module for module in super().compiled_modules() if self.spec.is_discrete or module != self.model.codebook
        ]

    @property
    def regularizer(self) -> Quantizer:
        """The codebook, or the posterior of a VAE."""
        return self.model.regularization

    def legal_shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int]:
        """The smallest legal (T, H, W), a square, that holds a clip."""
        multiple = self.spec.size_multiple
        edge = math.ceil(max(height, width) / multiple) * multiple
        return self.spec.frame_rule.next_legal(num_frames), edge, edge

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        # The network was trained on [-0.5, 0.5].
        return self._encoded(self.model.encode(self._with_weights(video) / 2), generators)

    def _decode(self, encoded: Encoded) -> Tensor:
        return self.model.decode(self._latents(encoded).to(self.dtype)) * 2
