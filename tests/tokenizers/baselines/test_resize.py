from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toklab.tokenizers.baselines.resize import ResizeTokenizer
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import FrameRule, TokenizerError, TokenizerSpec
from torch.nn import functional as F


def make(
    temporal: int = 4,
    spatial: int = 8,
    channels: int = 4,
    offset: int = 1,
    resize_filter: str = "bicubic",
    spec: TokenizerSpec | None = None,
) -> ResizeTokenizer:
    spec = spec or TokenizerSpec(
        name="resize",
        family="baseline",
        title="Bicubic",
        regularizer="resize",
        causal=offset == 1,
        temporal_compression=temporal,
        spatial_compression=spatial,
        frame_rule=FrameRule(temporal, offset),
        size_multiple=spatial,
    )
    parameters = {
        "temporal_compression": temporal,
        "spatial_compression": spatial,
        "latent_channels": channels,
        "filter": resize_filter,
    }
    return ResizeTokenizer(spec, parameters)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([4, 8, 16, 48, 500]))
def test_small_frames_stay_within_the_budget_and_keep_the_aspect_ratio(rows: int, columns: int, channels: int) -> None:
    height, width = 8 * rows, 8 * columns
    small_height, small_width = make(channels=channels).small_size(height, width)
    assert 1 <= small_height <= height
    assert 1 <= small_width <= width
    assert 3 * small_height * small_width <= rows * columns * channels or (small_height, small_width) == (height, width)
    if small_height > 1 and small_width > 1:
        assert abs(small_height / small_width - height / width) <= (1 + height / width) / small_width
    # One step larger in both directions would break the budget.
    if small_height < height and small_width < width:
        assert 3 * (small_height + 1) * (small_width + 1) > rows * columns * channels


@pytest.mark.parametrize("resize_filter", ["bicubic", "area"])
@pytest.mark.parametrize("channels", [4, 16])
def test_shipped_card_uses_nearly_all_values_of_the_latent(channels: int, resize_filter: str) -> None:
    tokenizer = build_tokenizer(load_cards()[f"{resize_filter}-{channels}chn"])
    encoded = tokenizer.encode(torch.rand(2, 3, 17, 128, 128) * 2 - 1)
    budget = 5 * 16 * 16 * channels * 16
    assert encoded.bits_convention == "stored-16"
    assert all(0.85 * budget < bits <= budget for bits in encoded.bits)
    assert tokenizer.spec.comparison_group == f"continuous-{channels}"


@pytest.mark.parametrize("offset", [0, 1])
def test_a_clip_linear_in_time_comes_back(offset: int) -> None:
    ramp = torch.linspace(-0.8, 0.8, 17).view(1, 1, 17, 1, 1).expand(2, 3, 17, 16, 24)
    decoded = make(offset=offset).decode(make(offset=offset).encode(ramp))
    torch.testing.assert_close(decoded, ramp.contiguous(), atol=1e-5, rtol=0)


def test_frames_after_the_last_kept_one_repeat_it() -> None:
    ramp = torch.linspace(-0.8, 0.8, 16).view(1, 1, 16, 1, 1).expand(1, 3, 16, 16, 16)
    decoded = make(offset=0).decode(make(offset=0).encode(ramp))
    torch.testing.assert_close(decoded[:, :, 12:], ramp[:, :, 12:13].expand(1, 3, 4, 16, 16), atol=1e-5, rtol=0)


def test_nothing_is_lost_where_the_budget_is_the_clip_itself() -> None:
    video = torch.rand(1, 3, 5, 16, 16)
    tokenizer = make(temporal=1, spatial=8, channels=3 * 64)
    torch.testing.assert_close(tokenizer.decode(tokenizer.encode(video)), video, atol=1e-5, rtol=0)


def test_the_area_filter_keeps_means_and_repeats_pixels() -> None:
    video = torch.rand(1, 3, 1, 16, 16)
    tokenizer = make(temporal=1, spatial=4, channels=3, resize_filter="area")
    means = F.avg_pool3d(video, (1, 4, 4))
    torch.testing.assert_close(tokenizer.encode(video).latents, means)
    enlarged = means.repeat_interleave(4, 3).repeat_interleave(4, 4)
    torch.testing.assert_close(tokenizer.decode(tokenizer.encode(video)), enlarged)


def test_bad_parameters_and_budgets_are_refused() -> None:
    with pytest.raises(TokenizerError, match="holds no RGB pixel"):
        make(channels=2).encode(torch.zeros(1, 3, 1, 8, 8))
    with pytest.raises(TokenizerError, match="resize parameters: missing filter, missing spatial_compression"):
        ResizeTokenizer(make().spec, {"latent_channels": 4})
    with pytest.raises(TokenizerError, match="filter must be one of bicubic, area, not 'lanczos'"):
        make(resize_filter="lanczos")
    with pytest.raises(TokenizerError, match="temporal_compression 8, not 4"):
        make(spec=replace(make().spec, temporal_compression=8))
