"""The resize baseline: a clip made small and large again, with as many values in between as a latent has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import TokenizerError
from ..interface import Encoded, VideoTokenizer
from ..spec import InferenceSettings, TokenizerSpec

RGB_CHANNELS = 3

FILTERS: dict[str, dict[str, Any]] = {
    "bicubic": {"mode": "bicubic", "align_corners": False, "antialias": True},
    "area": {"mode": "area"},
}
"""Arguments of torch's ``interpolate`` by the filter's name."""


class ResizeTokenizer(VideoTokenizer):
    """Keeps every ``temporal_compression``-th frame, made small, as the latent.

    The small frames have the clip's aspect ratio and together at most as many values as the latent (latent_channels, t,
    H / spatial_compression, W / spatial_compression) of the tokenizer it is compared with. Decoding makes them large
    again with the same filter, and interpolates linearly in time; after the last kept frame, that frame is repeated.
    """

    def __init__(self, spec: TokenizerSpec, parameters: dict[str, Any], settings: InferenceSettings | None = None):
        """Make the baseline of a latent.

        Args:
            spec: the card's spec.
            parameters: ``temporal_compression``, ``spatial_compression`` and ``latent_channels`` of that latent, and
                ``filter``: ``bicubic`` (antialiased) or ``area`` (each pixel the mean of the area it covers).
            settings: only the precision, in which the small frames are kept, has an effect.

        Raises:
            TokenizerError: if the parameters are not exactly these, or the filter is unknown.
        """
        super().__init__(spec, settings)
        expected = {"temporal_compression", "spatial_compression", "latent_channels", "filter"}
        if set(parameters) != expected:
            raise TokenizerError(f"{spec.name}: the parameters are {', '.join(sorted(expected))}")
        if parameters["filter"] not in FILTERS:
            raise TokenizerError(
                f"{spec.name}: the filter is one of {', '.join(FILTERS)}, not {parameters['filter']!r}"
            )
        self._filter: str = parameters["filter"]
        self._temporal_compression: int = parameters["temporal_compression"]
        self._spatial_compression: int = parameters["spatial_compression"]
        self._latent_channels: int = parameters["latent_channels"]

    def small_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the kept frames: the largest of the clip's aspect ratio that the budget allows.

        Raises:
            TokenizerError: if the budget is less than one pixel.
        """
        positions = (height // self._spatial_compression) * (width // self._spatial_compression)
        pixels = positions * self._latent_channels // RGB_CHANNELS
        if pixels < 1:
            raise TokenizerError(
                f"{self.spec.name}: a latent of {positions} x {self._latent_channels} values holds no RGB pixel"
            )
        small_height = min(height, max(1, math.isqrt(pixels * height // width)))
        small_width = min(width, pixels // small_height, max(1, math.isqrt(pixels * width // height)))
        return small_height, small_width

    def _encode(self, video: Tensor, generators: Sequence[torch.Generator] | None) -> Encoded:
        kept = video[:, :, :: self._temporal_compression].float()
        small = _resize_frames(kept, self.small_size(*video.shape[-2:]), self._filter)
        return Encoded(latents=small.to(self.dtype))

    def _decode(self, encoded: Encoded) -> Tensor:
        assert encoded.latents is not None
        num_frames, height, width = self.legal_shape(encoded.num_frames, encoded.height, encoded.width)
        kept = _resize_frames(encoded.latents.float(), (height, width), self._filter)
        positions = torch.arange(num_frames, device=kept.device) / self._temporal_compression
        before = positions.floor().long()
        after = (before + 1).clamp(max=kept.shape[2] - 1)
        weight = (positions - before).view(1, 1, -1, 1, 1)
        return torch.lerp(kept[:, :, before], kept[:, :, after], weight)


def _resize_frames(video: Tensor, size: tuple[int, int], resize_filter: str) -> Tensor:
    batch, channels, num_frames = video.shape[:3]
    frames = F.interpolate(video.transpose(1, 2).flatten(0, 1), size=size, **FILTERS[resize_filter])
    return frames.view(batch, num_frames, channels, *size).transpose(1, 2)
