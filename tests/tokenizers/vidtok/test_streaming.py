"""Streams: equal to one pass over the whole clip, whatever the chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from toklab.tokenizers.interface import TokenizerError
from toklab.tokenizers.vidtok import context
from toklab.tokenizers.vidtok.model import VidTokModel
from toklab.tokenizers.vidtok.streaming import decode_stream, encode_stream, reconstruct_stream
from torch import Tensor

ModelFactory = Callable[..., VidTokModel]

NETWORKS: dict[str, dict[str, Any]] = {
    "488": {"variant": "causal"},
    "488_v1_1": {"variant": "causal_v1_1"},
    "488_v1_1_nearest": {"variant": "causal_v1_1", "interpolation_mode": "nearest"},
    "488_v1_1_black": {"variant": "causal_v1_1", "init_pad_mode": "constant"},
    "288_v1_1": {"variant": "causal_v1_1", "time_downsample_factor": 2, "tempo_ds": [1], "tempo_us": [2]},
    "888_v1_1": {
        "variant": "causal_v1_1",
        "time_downsample_factor": 8,
        "tempo_ds": [0, 1, 2],
        "tempo_us": [1, 2, 3],
    },
    "41616_v1_1": {"variant": "causal_v1_1", "ch_mult": [1, 1, 2, 2, 2]},
}


@pytest.mark.slow
@pytest.mark.sampled(8)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("num_frames", [1, 17, 33, 49])
def test_exact_streams_equal_the_whole(
    tiny_model: ModelFactory, network: str, num_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "STRIP_VALUES", 16 * 16 * 100)
    model = tiny_model(**NETWORKS[network])
    video = torch.rand(1, 3, num_frames, 16, 32) * 2 - 1
    features = model.encode(video)
    latents = model.regularization(features).latents
    whole = model.decode(latents)
    for chunk_frames in (8, 16):
        streamed = torch.cat(list(encode_stream(model, video.split(5, 2), chunk_frames)), 2)
        torch.testing.assert_close(streamed, features, atol=2e-5, rtol=1e-5)
        streamed = torch.cat(list(decode_stream(model, latents.split(2, 2), chunk_frames)), 2)
        torch.testing.assert_close(streamed, whole, atol=1e-4, rtol=1e-5)
        assert streamed.shape == video.shape


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("network", NETWORKS)
def test_streams_of_any_length_keep_their_length(tiny_model: ModelFactory, network: str) -> None:
    model = tiny_model(**NETWORKS[network])
    factor = model.config.time_downsample_factor
    for num_frames in (2, 14, 16, 18, 27):
        video = torch.rand(1, 3, num_frames, 16, 16) * 2 - 1
        missing = (1 - num_frames) % factor
        padded = torch.cat([video, video[:, :, -1:].expand(-1, -1, missing, -1, -1)], 2)
        expected = model.decode(model.regularization(model.encode(padded)).latents)[:, :, :num_frames]
        streamed = torch.cat(list(reconstruct_stream(model, video.split(3, 2), 8)), 2)
        torch.testing.assert_close(streamed, expected, atol=1e-4, rtol=1e-5)


def test_official_mode_errs_only_behind_the_first_boundary(tiny_model: ModelFactory) -> None:
    model = tiny_model("causal_v1_1")
    video = torch.rand(1, 3, 65, 16, 16) * 2 - 1
    whole = model.reconstruct(video)
    official = torch.cat(list(reconstruct_stream(model, [video], 8, "official")), 2)
    assert official.shape == video.shape
    difference = (official - whole).abs().amax(dim=(0, 1, 3, 4))
    assert difference[:1].max() < 1e-4
    assert difference[1:14].max() > 3e-4
    assert difference[14:].max() < 1e-4


def test_two_streams_share_a_network(tiny_model: ModelFactory) -> None:
    model = tiny_model("causal_v1_1")
    first, second = torch.rand(2, 1, 3, 17, 16, 16) * 2 - 1
    expected = torch.cat(list(reconstruct_stream(model, [first], 4)), 2)
    stream = reconstruct_stream(model, [first], 4)
    mixed = []
    for frames, _ in zip(stream, reconstruct_stream(model, [second], 4), strict=True):
        mixed.append(frames)
    assert torch.equal(torch.cat(mixed, 2), expected)


def test_a_stream_reads_no_more_than_it_needs(tiny_model: ModelFactory) -> None:
    num_read = 0

    def frames() -> Iterator[Tensor]:
        nonlocal num_read
        for _ in range(1000):
            num_read += 1
            yield torch.zeros(1, 3, 1, 8, 8)

    stream = reconstruct_stream(tiny_model("causal_v1_1"), frames(), 4)
    for _ in range(3):
        next(stream)
    assert num_read < 30


def test_what_can_not_be_streamed_is_refused(tiny_model: ModelFactory) -> None:
    video = torch.zeros(1, 3, 5, 16, 16)
    with pytest.raises(TokenizerError, match="can't be streamed"):
        next(encode_stream(tiny_model("noncausal"), [video]))
    with pytest.raises(TokenizerError, match="multiple of 4 frames, not 6"):
        next(encode_stream(tiny_model(), [video], 6))
    with pytest.raises(TokenizerError, match="networks only"):
        next(decode_stream(tiny_model(), [torch.zeros(1, 4, 2, 2, 2)], 8, "official"))
