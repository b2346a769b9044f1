"""What runs in fresh processes for tests of streams."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from peak_memory import peak_resident_bytes
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings
from toklab.tokenizers.streaming import StreamingTokenizer
from torch import Tensor


def peak_resident_bytes_of_stream(card: str, num_frames: int, side: int, keep: bool = False) -> int:
    """Peak memory of a fresh Linux process that streams so many square frames through a tokenizer.

    With ``keep`` every reconstruction is kept, as a leak would.
    """
    torch.set_num_threads(1)
    tokenizer = build_tokenizer(load_cards()[card], InferenceSettings(chunk_frames=16))
    assert isinstance(tokenizer, StreamingTokenizer)

    def frames() -> Iterator[Tensor]:
        for number in range(num_frames):
            yield torch.full((1, 3, 1, side, side), number / num_frames)

    num_given, kept = 0, []
    for piece in tokenizer.reconstruct_stream(frames()):
        num_given += piece.shape[2]
        if keep:
            kept.append(piece.clone())
    assert num_given == num_frames
    return peak_resident_bytes()
