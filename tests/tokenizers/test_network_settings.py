"""Settings of networks: mixed precision, memory format and compilation, as the settings say and not otherwise."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings, TokenizerError, VideoTokenizer
from toklab.tokenizers.streaming import StreamingTokenizer
from torch import Tensor

CARD = "vidtok-tiny-kl-4chn"


def tokenizer_with(**settings: object) -> VideoTokenizer:
    return build_tokenizer(load_cards()[CARD], InferenceSettings.from_mapping(settings))


def clip() -> Tensor:
    return torch.rand(1, 3, 5, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def round_trip(tokenizer: VideoTokenizer) -> Tensor:
    return tokenizer.decode(tokenizer.encode(clip()))


def test_they_count_in_the_identity_only_where_they_are_set() -> None:
    counted = {"posterior": "mode", "seed": 0, "precision": "float32"}
    assert InferenceSettings().hash == hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:12]
    for name, value in {"autocast": "bfloat16", "compile": "default", "memory_format": "channels_last_3d"}.items():
        changed = InferenceSettings.from_mapping({name: value})
        assert changed.hash != InferenceSettings().hash
        assert changed.label == f"{name}={value}"


@pytest.mark.parametrize("name", ["bicubic-4chn", "h264-4chn"])
def test_what_has_no_network_refuses_them(name: str) -> None:
    with pytest.raises(TokenizerError, match="compile"):
        build_tokenizer(load_cards()[name], InferenceSettings(compile="default"))


def test_mixed_precision_takes_weights_in_float32() -> None:
    with pytest.raises(TokenizerError, match="takes weights in float32, not precision=bfloat16"):
        InferenceSettings(autocast="float16", precision="bfloat16")


@pytest.mark.slow
def test_a_callers_mixed_precision_changes_nothing() -> None:
    ways: list[dict[str, object]] = [{}, {"chunk_frames": 4}]
    for settings in ways:
        tokenizer = tokenizer_with(**settings)
        expected = round_trip(tokenizer)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(round_trip(tokenizer), expected)
            if isinstance(tokenizer, StreamingTokenizer) and tokenizer.can_stream:
                streamed = torch.cat(list(tokenizer.reconstruct_stream([clip()])), 2)
                assert torch.is_autocast_enabled("cpu")
                torch.testing.assert_close(streamed, expected)


@pytest.mark.slow
def test_mixed_precision_of_the_settings_is_near_float32_and_leaves_the_weights_alone() -> None:
    exact, mixed = round_trip(tokenizer_with()), tokenizer_with(autocast="bfloat16")
    assert mixed.dtype == torch.float32
    assert {p.dtype for module in mixed.modules().values() for p in module.parameters()} == {torch.float32}
    made = round_trip(mixed)
    assert not torch.equal(made, exact)
    torch.testing.assert_close(made, exact, rtol=0, atol=0.05 * float(exact.abs().max()))
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.slow
def test_channels_last_lays_out_the_weights_and_gives_the_same_to_rounding() -> None:
    exact, laid_out = round_trip(tokenizer_with()), tokenizer_with(memory_format="channels_last_3d")
    volumes = [p for module in laid_out.modules().values() for p in module.parameters() if p.ndim == 5]
    assert volumes
    assert all(weight.is_contiguous(memory_format=torch.channels_last_3d) for weight in volumes)
    torch.testing.assert_close(round_trip(laid_out), exact, rtol=1e-4, atol=1e-4)
