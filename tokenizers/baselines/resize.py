"""The resize baseline: a clip made small and large again, with as many values in between as a latent has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..card import config_from
from ..errors import TokenizerError
from ..interface import Encoded, VideoTokenizer
from ..network_adapter import check_agreement
from ..spec import InferenceSettings, TokenizerSpec

RGB_CHANNELS = 3

FILTERS: dict[str, dict[str, Any]] = {
    "bicubic": {"mode": "bicubic", "align_corners": False, "antialias": True},
    "area": {"mode": "area"},
}
"""Arguments of torch's ``interpolate`` by the filter's name."""


@dataclass(frozen=True)
class ResizeOptions:
    """A card's ``[parameters]``: the latent whose values are counted, and the filter."""

    temporal_compression: int
    """Frames a latent frame stands for."""
    spatial_compression: int
    """Pixels along an edge that a latent position stands for."""
    latent_channels: int
    """Values at each position."""
    filter: Literal["bicubic", "area"]
    """``bicubic``: antialiased; ``area``: each pixel the mean of the area it covers."""


class ResizeTokenizer(VideoTokenizer):
    """Keeps every ``temporal_compression``-th frame, made small, as the latent.

    The small frames have the clip's aspect ratio and together at most as many values as the latent (latent_channels, t,
    H / spatial_compression, W / spatial_compression) of the tokenizer it is compared with. Decoding makes them large
    again with the same filter, and interpolates linearly in time; after the last kept frame, that frame is repeated.

    Args:
        spec: the card's spec.
        parameters: see :class:`ResizeOptions`.
        settings: only the precision, in which the small frames are kept, has an effect.

    Raises:
        TokenizerError: if the parameters are wrong or contradict the spec.
    """

    def __init__(self, spec: TokenizerSpec, parameters: Mapping[str, Any], settings: InferenceSettings | None = None):
        super().__init__(spec, settings)
        self.options = config_from(ResizeOptions, parameters, spec.name)
        both = ("temporal_compression", "spatial_compression")
        check_agreement(spec, {name: getattr(self.options, name) for name in both})

    def small_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the kept frames: the largest of the clip's aspect ratio that the budget allows.

        Raises:
            TokenizerError: if the budget is less than one pixel.
        """
        factor, channels = self.options.spatial_compression, self.options.latent_channels
        positions = (height // factor) * (width // factor)
        pixels = positions * channels // RGB_CHANNELS
        if pixels < 1:
            raise TokenizerError(f"{self.spec.name}: a latent of {positions} x {channels} values holds no RGB pixel")
        small_height = min(height, max(1, math.isqrt(pixels * height // width)))
        small_width = min(width, pixels // small_height, max(1, math.isqrt(pixels * width // height)))
        return small_height, small_width

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        kept = video[:, :, :: self.options.temporal_compression].float()
        small = _resize_frames(kept, self.small_size(*video.shape[-2:]), self.options.filter)
        return Encoded(latents=small.to(self.dtype))

    def _decode(self, encoded: Encoded) -> Tensor:
        assert encoded.latents is not None
        num_frames, height, width = self.legal_shape(encoded.num_frames, encoded.height, encoded.width)
        kept = _resize_frames(encoded.latents.float(), (height, width), self.options.filter)
        positions = torch.arange(num_frames, device=kept.device) / self.options.temporal_compression
        before = positions.floor().long()
        after = (before + 1).clamp(max=kept.shape[2] - 1)
        weight = (positions - before).view(1, 1, -1, 1, 1)
        return torch.lerp(kept[:, :, before], kept[:, :, after], weight)


def _resize_frames(video: Tensor, size: tuple[int, int], resize_filter: str) -> Tensor:
    batch, channels, num_frames = video.shape[:3]
    frames = F.interpolate(video.transpose(1, 2).flatten(0, 1), size=size, **FILTERS[resize_filter])
    return frames.view(batch, num_frames, channels, *size).transpose(1, 2)
