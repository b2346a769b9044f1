"""Fast forms of layers beside the plain ones, which gradients take."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.tokenizers.cdt.blocks import AttentionBlock, ResnetBlock, match_size
from toklab.tokenizers.cdt.cache import FeatureCache
from toklab.tokenizers.cdt.layers import (
    CausalConv,
    ChannelLayerNorm,
    RepeatingUpsample,
    TimeDownsample,
    TimeUpsample,
    TransposedUpsample,
    pad_edges,
)
from torch import Tensor, nn
from torch.nn import functional as F

TOLERANCE = 2e-6


def both_forms(layer: nn.Module, x: Tensor, *args: object) -> tuple[Tensor, Tensor]:
    """The plain form's and the fast form's result."""
    plain = layer(x.clone(), *args).detach()
    with torch.no_grad():
        return plain, layer(x.clone(), *args)


@pytest.mark.parametrize("upsample", [RepeatingUpsample, TransposedUpsample])
@given(height=st.integers(1, 5), width=st.integers(1, 5), channels=st.integers(1, 3))
@settings(max_examples=15)
def test_phases_equal_the_whole_convolution(upsample: type[nn.Module], height: int, width: int, channels: int) -> None:
    layer = upsample(channels, 2)
    plain, fast = both_forms(layer, torch.randn(2, 3, height, width, channels))
    assert fast.shape == (2, 3, 2 * height, 2 * width, 2)
    torch.testing.assert_close(fast, plain, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("replicates", [False, True])
@pytest.mark.parametrize(("channels", "out", "kernel"), [(3, 8, 7), (40, 3, 7), (5, 6, 3), (64, 64, 3)])
def test_causal_convolution_is_that_of_a_padded_clip(replicates: bool, channels: int, out: int, kernel: int) -> None:
    layer = CausalConv(channels, out, kernel, replicates)
    x = torch.randn(2, 3, 17, 19, channels)
    side = kernel // 2
    padded = F.pad(x.permute(0, 4, 1, 2, 3), (side,) * 4 + (2, 0), mode="replicate" if replicates else "constant")
    expected = F.conv3d(padded, layer.weight, layer.bias).permute(0, 2, 3, 4, 1).detach()
    for result in both_forms(layer, x):
        torch.testing.assert_close(result, expected, rtol=0, atol=3e-5)


@pytest.mark.parametrize("replicates", [False, True])
def test_halved_time_sees_two_earlier_frames(replicates: bool) -> None:
    layer = TimeDownsample(3, replicates)
    x = torch.randn(1, 5, 2, 2, 3)
    lead = x[:, :1] if replicates else torch.zeros_like(x[:, :1])
    padded = torch.cat([lead, lead, x], 1)
    sequences = padded.permute(0, 2, 3, 4, 1).reshape(4, 3, 7)
    expected = layer.conv(sequences).view(1, 2, 2, 3, 3).permute(0, 4, 1, 2, 3).detach()
    torch.testing.assert_close(layer(x, FeatureCache()).detach(), expected, rtol=0, atol=TOLERANCE)


def test_doubled_time_drops_the_first_frame_of_a_clip_alone() -> None:
    layer = TimeUpsample(3)
    x = torch.randn(1, 4, 2, 2, 3)
    cache = FeatureCache(keeps=True)
    first = layer(x, cache)
    cache.end_chunk()
    following = layer(x, cache)
    assert (first.shape[1], following.shape[1]) == (7, 8)
    assert torch.equal(first, following[:, 1:])
    both = layer.conv(x.permute(0, 2, 3, 4, 1).reshape(4, 3, 4)).view(4, 3, 2, 4)
    expected = both.permute(0, 3, 2, 1).reshape(1, 2, 2, 8, 3).permute(0, 3, 1, 2, 4)
    torch.testing.assert_close(following, expected, rtol=0, atol=TOLERANCE)


def test_norm_in_pieces_equals_norm_at_once() -> None:
    layer = ChannelLayerNorm(8)
    nn.init.normal_(layer.g)
    nn.init.normal_(layer.b)
    x, shift = torch.randn(2, 3, 150, 160, 8), torch.randn(2, 8)
    residual = torch.randn_like(x)
    plain = layer.rectified(x.clone(), shift, residual).detach()
    with torch.no_grad():
        fast = layer.rectified(x.clone(), shift, residual)
    torch.testing.assert_close(fast, plain, rtol=0, atol=TOLERANCE)
    variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
    expected = (x - mean) / (variance + 1e-5).sqrt() * layer.g.flatten() + layer.b.flatten()
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)


def test_blocks_with_and_without_gradients_agree() -> None:
    x, time = torch.randn(2, 3, 4, 6, 4), torch.randn(2, 5)
    block = ResnetBlock(4, 6, replicates=True, time_channels=5, kernel=7)
    plain, fast = both_forms(block, x, FeatureCache(), time)
    torch.testing.assert_close(fast, plain, rtol=0, atol=5e-6)
    plain, fast = both_forms(AttentionBlock(4), x)
    torch.testing.assert_close(fast, plain, rtol=0, atol=TOLERANCE)


def test_edges_are_repeated_like_torch_does() -> None:
    x = torch.randn(2, 2, 3, 4, 5)
    expected = F.pad(x.permute(0, 4, 1, 2, 3), (2, 2, 2, 2, 1, 0), mode="replicate").permute(0, 2, 3, 4, 1)
    with torch.no_grad():
        assert torch.equal(pad_edges(x, 1, 2, 2), expected)
    assert torch.equal(pad_edges(x, 1, 2, 2), expected)


def test_sizes_are_matched_by_the_nearest_pixel() -> None:
    x = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(1, 1, 6, 4, 1)
    assert match_size(x, torch.empty(1, 1, 5, 3, 1))[0, 0, :, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert match_size(x, x) is x
