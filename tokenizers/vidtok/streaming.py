"""Videos of any length through a causal VidTok network: frames in, frames out, in memory that doesn't grow with them.

A stream goes through in chunks: the first frame (or latent), then blocks of equal length. What a layer must remember
from one chunk to the next belongs to the stream, not to the network, so any number of streams may share a network.

Modes of the decoder: ``exact`` equals decoding everything at once; ``official`` equals the official v1.1 code with
overlap, which errs behind the first boundary (see :class:`~.context.LookaheadContext`). Encoding is exact in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import torch
from torch import Tensor

from ..errors import TokenizerError
from ..streaming import regroup
from .config import VidTokConfig
from .context import LookaheadContext, StreamContext
from .encoder import pad_start
from .model import VidTokModel

StreamMode = Literal["exact", "official"]

DEFAULT_CHUNK_FRAMES = 16
"""Frames a chunk; the official scripts' recommendation."""


@torch.no_grad()
def encode_stream(
    model: VidTokModel, frames: Iterable[Tensor], chunk_frames: int = DEFAULT_CHUNK_FRAMES
) -> Iterator[Tensor]:
    """Features (B, F, t, h, w), before the regularizer, of a stream, chunk by chunk.

    Args:
        model: a causal network.
        frames: pieces (B, 3, T, H, W) of one clip, of any T ≥ 1. Where the clip hasn't 1 + n f frames, for the temporal
            factor f, its last frame is repeated up to that.
        chunk_frames: frames a chunk, a multiple of f.

    Raises:
        TokenizerError: for a non-causal network or another chunk length.
    """
    factor = model.config.time_downsample_factor
    check_chunks(model.config, chunk_frames)
    context = StreamContext(model.past_rule, model.skips_repeated_frames)
    for chunk, starts, ends in regroup(frames, 1, chunk_frames):
        if starts and not context.merged:
            chunk = pad_start(chunk, factor - 1, model.config.init_pad_mode)
        elif not starts:
            context.begin_chunk(ends)
            missing = -chunk.shape[2] % factor
            chunk = torch.cat([chunk, chunk[:, :, -1:].expand(-1, -1, missing, -1, -1)], 2) if missing else chunk
        yield model.encoder(chunk, context)


@torch.no_grad()
def decode_stream(
    model: VidTokModel,
    latents: Iterable[Tensor],
    chunk_frames: int = DEFAULT_CHUNK_FRAMES,
    mode: StreamMode = "exact",
) -> Iterator[Tensor]:
    """Frames (B, 3, T, H, W) of a stream of latents, chunk by chunk; 1 + (t − 1) f in all.

    Args:
        model: a causal network.
        latents: pieces (B, C, t, h, w) of one clip, of any t ≥ 1.
        chunk_frames: frames a chunk, a multiple of the temporal factor f.
        mode: ``exact``, or ``official`` for v1.1 networks.

    Raises:
        TokenizerError: for a non-causal network, another chunk length, or ``official`` with a v1.0 network.
    """
    factor = model.config.time_downsample_factor
    check_chunks(model.config, chunk_frames, mode)
    if mode == "official":
        yield from _decode_official(model, latents, chunk_frames // factor)
        return
    # Whatever stood before the clip, a decoder whose past is the first frame makes equal frames of the first latent.
    context = StreamContext(model.past_rule, merged=model.past_rule == "first_frame")
    for chunk, starts, ends in regroup(latents, 1, chunk_frames // factor):
        if starts:
            context.ends = ends
        else:
            context.begin_chunk(ends)
        video = model.decoder(chunk, context)
        yield video[:, :, factor - 1 :] if starts and not context.merged else video


def _decode_official(model: VidTokModel, latents: Iterable[Tensor], chunk_latents: int) -> Iterator[Tensor]:
    factor = model.config.time_downsample_factor
    context = LookaheadContext(model.past_rule, merged=True)
    chunks = regroup(latents, 1, chunk_latents)
    current = next(chunks, None)
    while current is not None:
        chunk, starts, ends = current
        current = next(chunks, None)
        if not starts:
            context.begin_chunk(ends)
        if current is None:
            yield model.decoder(chunk, context)
        else:
            with_lookahead = torch.cat([chunk, current[0][:, :, :1]], 2)
            yield model.decoder(with_lookahead, context)[:, :, :-factor]


@torch.no_grad()
def reconstruct_stream(
    model: VidTokModel,
    frames: Iterable[Tensor],
    chunk_frames: int = DEFAULT_CHUNK_FRAMES,
    mode: StreamMode = "exact",
) -> Iterator[Tensor]:
    """A clip through the whole network, at the mode of the posterior: as many frames come out as went in.

    Arguments and errors are those of :func:`encode_stream` and :func:`decode_stream`.
    """
    num_received = 0

    def counted() -> Iterator[Tensor]:
        nonlocal num_received
        for piece in frames:
            num_received += piece.shape[2]
            yield piece

    features = encode_stream(model, counted(), chunk_frames)
    latents = (model.regularization(chunk).latents for chunk in features)
    num_given = 0
    for video in decode_stream(model, latents, chunk_frames, mode):
        # More frames than were received can only come at the very end, where the clip was padded.
        yield video[:, :, : num_received - num_given]
        num_given += video.shape[2]


def check_chunks(config: VidTokConfig, chunk_frames: int, mode: StreamMode = "exact") -> None:
    """Raise :class:`TokenizerError` unless a network can work in chunks of ``chunk_frames`` in that mode."""
    factor = config.time_downsample_factor
    if not config.causal:
        raise TokenizerError("a non-causal VidTok sees the whole clip at once and can't be streamed")
    if chunk_frames < factor or chunk_frames % factor:
        raise TokenizerError(f"a chunk must be a multiple of {factor} frames, not {chunk_frames}")
    if mode == "official" and config.variant != "causal_v1_1":
        raise TokenizerError("the official chunked decoding exists for v1.1 networks only; use the mode exact")
