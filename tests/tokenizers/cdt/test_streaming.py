"""Clips in chunks beside whole clips."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toklab.tokenizers.cdt.adapter import CDTTokenizer
from toklab.tokenizers.cdt.chunks import official_chunk_frames, official_chunk_latents
from toklab.tokenizers.interface import TokenizerError
from torch import Tensor

TOLERANCE = 2e-5

anything = settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])


def seeded(seed: int = 3) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed)]


def reconstruct(tokenizer: CDTTokenizer, video: Tensor) -> Tensor:
    return tokenizer.decode(tokenizer.encode(video, seeded()))


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["base", "small"])
@given(
    num_frames=st.integers(1, 15), chunk=st.sampled_from([4, 8, 12]), piece=st.integers(1, 9), steps=st.integers(1, 2)
)
@anything
def test_streams_equal_the_whole_clip(tiny_tokenizer, variant, num_frames, chunk, piece, steps) -> None:
    video = torch.rand(1, 3, num_frames, 16, 8) * 2 - 1
    eta = 0.5 if steps > 1 else 0.0
    whole = reconstruct(tiny_tokenizer(variant, steps=steps, eta=eta), video)
    tokenizer = tiny_tokenizer(variant, steps=steps, eta=eta, chunk_frames=chunk)
    torch.testing.assert_close(reconstruct(tokenizer, video), whole, rtol=0, atol=TOLERANCE)
    streamed = torch.cat(list(tokenizer.reconstruct_stream(video.split(piece, 2), seeded())), 2)
    torch.testing.assert_close(streamed, whole, rtol=0, atol=TOLERANCE)


@pytest.mark.slow
def test_official_seams_are_those_of_the_base_model_alone(tiny_tokenizer) -> None:
    video = torch.rand(1, 3, 13, 16, 16) * 2 - 1
    for variant in ("base", "small"):
        whole = reconstruct(tiny_tokenizer(variant), video)
        official = reconstruct(tiny_tokenizer(variant, chunk_frames=8, chunk_mode="official"), video)
        torch.testing.assert_close(official[:, :, :5], whole[:, :, :5], rtol=0, atol=TOLERANCE)
        seams = (official - whole).abs().max().item() > 0.01
        assert seams == (variant == "base")


def test_official_chunks_are_at_most_those_of_the_official_rule(tiny_tokenizer) -> None:
    config = tiny_tokenizer("base").config
    sizes = {128: (256, 64), 256: (64, 16), 720: (8, 2), 1024: (4, 1), 2048: (4, 1)}
    for side, expected in sizes.items():
        assert (official_chunk_frames(config, side, side), official_chunk_latents(config, side, side)) == expected


@pytest.mark.slow
def test_streams_of_two_variants_and_clips_may_interleave(tiny_tokenizer) -> None:
    tokenizers = [tiny_tokenizer(variant, chunk_frames=4) for variant in ("base", "small", "base")]
    videos = [torch.rand(1, 3, 9, 16, 16) * 2 - 1 for _ in tokenizers]
    expected = [reconstruct(tokenizer, video) for tokenizer, video in zip(tokenizers, videos, strict=True)]
    streams = [
        tokenizer.reconstruct_stream(video.split(2, 2), seeded())
        for tokenizer, video in zip(tokenizers, videos, strict=True)
    ]
    pieces = list(zip(*streams, strict=True))
    for index, whole in enumerate(expected):
        joined = torch.cat([together[index] for together in pieces], 2)
        torch.testing.assert_close(joined, whole, rtol=0, atol=TOLERANCE)


@pytest.mark.slow
def test_an_error_within_a_clip_leaves_nothing_behind(tiny_tokenizer) -> None:
    tokenizer = tiny_tokenizer("base", chunk_frames=4)
    video = torch.rand(1, 3, 9, 16, 16) * 2 - 1
    expected = reconstruct(tokenizer, video)
    with pytest.raises(TokenizerError, match="float tensor"):
        list(tokenizer.reconstruct_stream([video, video.int()], seeded()))
    assert torch.equal(reconstruct(tokenizer, video), expected)


def test_a_chunk_makes_whole_latents(tiny_tokenizer) -> None:
    with pytest.raises(TokenizerError, match="multiple of 4 frames, not 6"):
        tiny_tokenizer("small", chunk_frames=6)
