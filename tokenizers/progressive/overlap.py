"""Long clips in chunks that are coded on their own, with neighbours that share frames and are faded into each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


def cut_chunks(pieces: Iterable[Tensor], chunk_frames: int, overlap: int) -> Iterator[Tensor]:
    """Cut pieces (B, C, T, H, W) of one clip into chunks of ``chunk_frames``, each with the last frames of the former.

    The last chunk is filled by repeating the clip's last frame. Holds one chunk and one piece at most.
    """
    held: Tensor | None = None
    num_kept = 0
    for piece in pieces:
        held = piece if held is None else torch.cat([held, piece], 2)
        while held.shape[2] >= chunk_frames:
            yield held[:, :, :chunk_frames]
            held = held[:, :, chunk_frames - overlap :]
            num_kept = overlap
    if held is not None and held.shape[2] > num_kept:
        missing = chunk_frames - held.shape[2]
        yield torch.cat([held, held[:, :, -1:].expand(-1, -1, missing, -1, -1)], 2)


def cross_fade(chunks: Iterable[Tensor], overlap: int) -> Iterator[Tensor]:
    """Join chunks (B, C, T, H, W): across the shared frames the later chunk's weight is 1/(o + 1), …, o/(o + 1)."""
    if not overlap:
        yield from chunks
        return
    shared: Tensor | None = None
    for chunk in chunks:
        if shared is not None:
            weights = torch.arange(1, overlap + 1, device=chunk.device, dtype=torch.float32) / (overlap + 1)
            blended = torch.lerp(shared.float(), chunk[:, :, :overlap].float(), weights[:, None, None])
            chunk = torch.cat([blended.to(chunk.dtype), chunk[:, :, overlap:]], 2)
        yield chunk[:, :, :-overlap]
        shared = chunk[:, :, -overlap:]
    if shared is not None:
        yield shared
