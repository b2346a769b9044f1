"""TAEHV: its variants' lengths, memory and causality."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from toklab.tokenizers.baselines.taehv.adapter import TAEHVTokenizer
from toklab.tokenizers.baselines.taehv.blocks import TimeFirstConv2d, TimeGrow, TimePool, memory_block
from toklab.tokenizers.baselines.taehv.config import TAEHVConfig
from toklab.tokenizers.baselines.taehv.golden import golden_parameters
from toklab.tokenizers.golden import UnsupportedGolden, golden_tokenizer
from toklab.tokenizers.interface import TokenizerError

TINY: dict[str, Any] = {"latent_channels": 4, "encoder_width": 4, "decoder_widths": [8, 4, 4, 4]}
EIGHTFOLD = {"encoder_time_downscale": [True] * 3, "decoder_time_upscale": [True] * 3, "patch_size": 2}


def built(**changes: Any) -> TAEHVTokenizer:
    tokenizer = golden_tokenizer(TAEHVTokenizer, TINY | changes, "a-taehv")
    tokenizer.init_random(0)
    # A decoder that was never trained gives values near 0, most of which would be cut off.
    last = tokenizer.model.decoder[-1]
    assert isinstance(last, TimeFirstConv2d)
    assert last.bias is not None
    last.weight.mul_(5)
    last.bias.fill_(0.5)
    return tokenizer


@pytest.mark.parametrize(
    ("changes", "lengths"),
    [
        ({}, {1: (1, 1), 5: (2, 5), 17: (5, 17), 12: (3, 9)}),
        ({"variant": "cogvideox"}, {1: (1, 1), 8: (2, 8), 16: (4, 16), 17: (5, 17), 5: (2, 8)}),
        ({"variant": "h3", "patch_size": 2}, {22: (7, 22), 39: (12, 39), 17: (2, 5)}),
        ({"variant": "super"}, {17: (5, 17)}),
        ({"variant": "wide", "group_width": 4, **EIGHTFOLD}, {17: (3, 17), 9: (2, 9)}),
    ],
)
def test_lengths_are_the_official_ones(changes: dict[str, Any], lengths: dict[int, tuple[int, int]]) -> None:
    tokenizer = built(**changes)
    for num_frames, expected in lengths.items():
        latents = tokenizer.model.encode(torch.rand(1, 3, num_frames, 32, 16))
        assert (latents.shape[2], tokenizer.model.decode(latents).shape[2]) == expected


def test_frames_are_joined_and_split_earlier_first() -> None:
    pool, grow = TimePool(1, 2), TimeGrow(1, 2)
    with torch.no_grad():
        pool.conv.weight.copy_(torch.tensor([10.0, 1.0]).reshape(1, 2, 1, 1))
        grow.conv.weight.copy_(torch.tensor([10.0, 1.0]).reshape(2, 1, 1, 1))
        x = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1, 1)
        assert pool(x).flatten().tolist() == [12.0, 34.0]
        assert grow(x[:, :2]).flatten().tolist() == [10.0, 1.0, 20.0, 2.0]


@pytest.mark.slow
@torch.no_grad()
def test_a_block_sees_the_frame_before_alone() -> None:
    block = memory_block(3)
    x = torch.rand(1, 6, 3, 4, 4)
    other = x.clone()
    other[:, 2] += 1
    changed = (block(x) != block(other)).flatten(2).any(2)[0]
    assert changed.tolist() == [False, False, True, True, False, False]
    # Before the first frame there are zeros, as if a black one had been there.
    torch.testing.assert_close(block(torch.cat([torch.zeros_like(x[:, :1]), x], 1))[:, 1:], block(x))


@pytest.mark.parametrize("changes", [{}, EIGHTFOLD, {"variant": "cogvideox"}, {"variant": "h3"}])
def test_it_looks_no_further_ahead_than_it_says(changes: dict[str, Any]) -> None:
    tokenizer = built(**changes)
    step = tokenizer.spec.temporal_compression
    video = torch.rand(1, 3, 39 if changes.get("variant") == "h3" else 17, 32, 32)
    first_frames = []
    for unknown in range(1 + step, video.shape[2], step):
        # What depends on a frame that isn't a number isn't one either.
        later = video.clone()
        later[:, :, unknown:] = torch.nan
        depends = tokenizer.model.decode(tokenizer.model.encode(later)).isnan().flatten(3).any(3)[0].any(0)
        first_frames.append(unknown - int(depends.float().argmax()))
    assert tokenizer.looks_ahead is not None
    assert max(first_frames) <= tokenizer.looks_ahead
    if "variant" not in changes:
        assert max(first_frames) == tokenizer.looks_ahead == step


@pytest.mark.parametrize("variant", ["super", "wide"])
def test_the_two_further_decoders_are_known_by_their_weights(variant: str) -> None:
    state = built(variant=variant, group_width=4).model.state_dict()
    assert golden_parameters({"arch": TINY}, dict(state))["variant"] == variant
    assert "variant" not in golden_parameters({"arch": TINY}, dict(built().model.state_dict()))


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(TokenizerError, match="decoder_widths takes 4 values"):
        TAEHVConfig.from_parameters(TINY | {"decoder_widths": [8, 4, 4]})
    with pytest.raises(TokenizerError, match="4 frames become a latent, but 8 come back"):
        TAEHVConfig.from_parameters(TINY | {"decoder_time_upscale": [True] * 3})
    with pytest.raises(UnsupportedGolden, match="decoder_space_upscale"):
        golden_parameters({"arch": TINY | {"decoder_space_upscale": [True, True, False]}}, {})
