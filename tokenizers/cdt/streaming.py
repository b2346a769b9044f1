"""Clips through a CDT network: frames to moments, latents to frames, chunk by chunk in constant memory.

All that is remembered between chunks lies in caches that belong to the call: one for the encoder, one for the
condition maps, one for each sampling step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from ..streaming import regroup
from .cache import FeatureCache
from .model import CDTModel, channels_first, channels_last
from .sampler import NoiseSource, Sampler


def encode_chunks(model: CDTModel, chunks: Iterable[Tensor], *, cached: bool = True) -> Iterator[Tensor]:
    """Moments (B, 2C, t, h, w), float32, of successive chunks (B, 3, T, H, W) of one clip.

    They are those of the whole clip where the first chunk has 1 + n f frames, for the temporal factor f, and the others
    multiples of f.

    Args:
        model: the network.
        chunks: of any lengths.
        cached: whether there may be more than one chunk.
    """
    cache = FeatureCache(keeps=cached)
    for chunk in chunks:
        yield model.moments(chunk, cache)
        cache.end_chunk()


def encode_stream(model: CDTModel, frames: Iterable[Tensor], chunk_frames: int) -> Iterator[Tensor]:
    """Moments (B, 2C, t, h, w), float32, of a stream: those of the whole clip.

    Args:
        model: the network.
        frames: pieces (B, 3, T, H, W) of one clip, of any T ≥ 1. Where the clip hasn't 1 + n f frames, its last frame
            is repeated.
        chunk_frames: frames that go through the network at a time, a multiple of f.
    """
    factor = model.config.temporal_factor

    def chunks() -> Iterator[Tensor]:
        for chunk, starts, _ in regroup(frames, chunk_frames - factor + 1, chunk_frames):
            missing = (starts - chunk.shape[2]) % factor
            yield torch.cat([chunk, chunk[:, :, -1:].expand(-1, -1, missing, -1, -1)], 2) if missing else chunk

    return encode_chunks(model, chunks())


def decode_chunks(
    model: CDTModel,
    chunks: Iterable[Tensor],
    sampler: Sampler,
    noise: NoiseSource,
    *,
    cached: bool = True,
    cached_end: bool = True,
) -> Iterator[Tensor]:
    """Frames (B, 3, T, H, W), float32, of successive chunks (B, C, t, h, w) of one clip's latents.

    Condition maps are computed once a chunk, whatever the number of steps.

    Args:
        model: the network.
        chunks: of any lengths; the first gives f t − f + 1 frames, the others f t, for the temporal factor f.
        sampler: the denoising steps.
        noise: of the clip.
        cached: whether there may be more than one chunk.
        cached_end: see :meth:`Compressor.conditions`; without it, CDT-B's chunks don't add up to the whole clip.
    """
    condition_cache = FeatureCache(keeps=cached)
    step_caches = [FeatureCache(keeps=cached) for _ in range(sampler.steps)]
    for chunk in chunks:
        conditions = model.compressor.conditions(channels_last(chunk), condition_cache, cached_end=cached_end)
        yield channels_first(sampler.sample(model.denoiser, conditions, noise, step_caches))
        for cache in (condition_cache, *step_caches):
            cache.end_chunk()


def decode_stream(
    model: CDTModel,
    latents: Iterable[Tensor],
    chunk_latents: int,
    sampler: Sampler,
    noise: NoiseSource,
    *,
    cached_end: bool = True,
) -> Iterator[Tensor]:
    """Frames of pieces (B, C, t, h, w) of one clip's latents, of any t ≥ 1, ``chunk_latents`` at a time.

    Other arguments, and what comes out, are those of :func:`decode_chunks`.
    """
    chunks = (chunk for chunk, _, _ in regroup(latents, chunk_latents, chunk_latents))
    return decode_chunks(model, chunks, sampler, noise, cached_end=cached_end)
