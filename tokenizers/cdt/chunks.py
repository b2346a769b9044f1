"""How many frames, or latents, CDT takes at a time."""

from __future__ import annotations

from ..errors import TokenizerError
from .config import CDTConfig

REFERENCE_SIDE = 1024
"""The official code's chunk lengths are those at a square of this side; smaller frames make longer chunks."""


def _area_ratio(height: int, width: int) -> float:
    return (REFERENCE_SIDE / height) * (REFERENCE_SIDE / width)


def official_chunk_frames(config: CDTConfig, height: int, width: int) -> int:
    """Frames that the official code encodes at a time, for frames of that size in pixels."""
    factor = config.temporal_factor
    return max(factor, factor * int(config.enc_frames * _area_ratio(height, width) / factor))


def official_chunk_latents(config: CDTConfig, height: int, width: int) -> int:
    """Latents that the official code decodes at a time, for frames of that size in pixels."""
    return max(1, int(config.dec_frames * _area_ratio(height, width)))


def check_chunk_frames(config: CDTConfig, chunk_frames: int) -> None:
    """Raise :class:`TokenizerError` unless a chunk of that many frames makes whole latents."""
    if chunk_frames % config.temporal_factor:
        raise TokenizerError(f"a chunk must be a multiple of {config.temporal_factor} frames, not {chunk_frames}")
