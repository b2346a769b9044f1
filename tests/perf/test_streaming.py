"""Long clips through a tokenizer: the memory of a stream doesn't grow with it."""

from __future__ import annotations

import multiprocessing
import sys

import pytest
import torch
from stream_processes import peak_resident_bytes_of_stream
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings
from toklab.tokenizers.streaming import StreamingTokenizer

CARDS = ["vidtok-tiny-kl-4chn", "vidtok-tiny-kl-4chn_v1_1"]
SIDE = 64
LONG_FRAMES, LONG_SIDE = 1000, 160
LONG_BYTES = 4 * 3 * LONG_FRAMES * LONG_SIDE**2
"""What a stream of so many frames keeps that keeps them all: 293 MiB."""


def peak(card: str, num_frames: int, keep: bool = False) -> int:
    # A process of its own for each, as a peak never falls.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(peak_resident_bytes_of_stream, (card, num_frames, LONG_SIDE, keep))


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("keep", [False, True], ids=["stream", "leak"])
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from Linux's /proc")
def test_a_thousand_frames_take_the_memory_of_33(benchmark, card, keep):
    """The growth over a short clip is less than half of what the frames take; where they are all kept, it isn't."""
    baseline = peak(card, 33)
    long = benchmark.pedantic(peak, args=(card, LONG_FRAMES, keep), rounds=1, iterations=1)
    benchmark.extra_info |= {"growth_mib": (long - baseline) >> 20, "frames_mib": LONG_BYTES >> 20}
    if keep:
        assert long - baseline > 0.8 * LONG_BYTES
    else:
        assert long - baseline < 0.5 * LONG_BYTES


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("chunk_frames", [8, 16, 32])
def test_stream(benchmark, card, chunk_frames):
    tokenizer = build_tokenizer(load_cards()[card], InferenceSettings(chunk_frames=chunk_frames))
    assert isinstance(tokenizer, StreamingTokenizer)
    video = torch.zeros(1, 3, 65, SIDE, SIDE)
    benchmark.pedantic(lambda: list(tokenizer.reconstruct_stream([video])), rounds=3, iterations=1, warmup_rounds=1)
