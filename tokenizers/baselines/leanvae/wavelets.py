"""LeanVAE's Haar transforms, of plain sums and differences.

A band is low (sum) or high (difference of the earlier, upper or left sample and the other) on each axis. Bands are
channels, three colours each: of a frame low, high in H, high in W, both; of pairs of frames counted in binary, with T
before H before W.
"""

from __future__ import annotations

import torch
from torch import Tensor

COLOURS = 3


def _split(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    first, second = x.unflatten(axis, (-1, 2)).unbind(axis + 1)
    return first + second, first - second


def _join(low: Tensor, high: Tensor, axis: int) -> Tensor:
    return torch.stack([(low + high) / 2, (low - high) / 2], axis + 1).flatten(axis, axis + 1)


def haar_2d(video: Tensor) -> Tensor:
    """(B, 3, T, H, W) to (B, 12, T, H / 2, W / 2), frame by frame."""
    bands = [band for half in _split(video, 4) for band in _split(half, 3)]
    return torch.cat(bands, 1)


def inverse_haar_2d(bands: Tensor) -> Tensor:
    """(B, 12, T, H, W) to (B, 3, T, 2 H, 2 W)."""
    low_low, high_h, high_w, both = bands.split(COLOURS, 1)
    return _join(_join(low_low, high_h, 3), _join(high_w, both, 3), 4)


def haar_3d(video: Tensor) -> Tensor:
    """(B, 3, 2 T, H, W) to (B, 24, T, H / 2, W / 2)."""
    bands = [band for in_time in _split(video, 2) for in_height in _split(in_time, 3) for band in _split(in_height, 4)]
    return torch.cat(bands, 1)


def inverse_haar_3d(bands: Tensor) -> Tensor:
    """(B, 24, T, H, W) to (B, 3, 2 T, 2 H, 2 W)."""
    parts = list(bands.split(COLOURS, 1))
    for axis in (4, 3, 2):
        parts = [_join(low, high, axis) for low, high in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]
