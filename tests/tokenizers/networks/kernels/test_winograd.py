"""The fast convolutions against torch's own in float64, and the weights they hold on to."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.networks.kernels.row_pairs import suits_pairs
from toklab.tokenizers.networks.kernels.strips import convolve_strip, strip_kernels
from toklab.tokenizers.networks.kernels.winograd import DerivedWeight, suits, transform_kernel
from toklab.tokenizers.vidtok import joint_upsampling
from toklab.tokenizers.vidtok.config import VidTokConfig
from toklab.tokenizers.vidtok.context import TimeContext
from toklab.tokenizers.vidtok.layers import SpatialConv, temporal_conv3d
from toklab.tokenizers.vidtok.resampling import SpatialUpsample, TimeUpsample
from torch import nn
from torch.nn import functional as F

CHANNELS = 64


@torch.no_grad()
@pytest.mark.parametrize("width", [1, 3, 4, 6, 9])
def test_spatial_convolution_of_any_width(width):
    conv = SpatialConv(CHANNELS, 2 * CHANNELS, 3)
    x = torch.randn(2, 3, 5, width, CHANNELS)
    assert suits(x, conv.in_channels, conv.out_channels)
    frames = x.flatten(0, 1).permute(0, 3, 1, 2).double()
    assert conv.bias is not None
    expected = F.conv2d(frames, conv.weight.double(), conv.bias.double(), padding=1)
    result = conv(x).flatten(0, 1).permute(0, 3, 1, 2)
    torch.testing.assert_close(result.double(), expected, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("channels", [CHANNELS, 32])
@pytest.mark.parametrize("width", [3, 8])
def test_rows_of_a_convolution_join_to_the_whole(channels, width):
    conv = SpatialConv(channels, channels, 3)
    x = torch.randn(2, 7, width, channels)
    kernels = DerivedWeight(strip_kernels)
    strips = [slice(0, 2), slice(2, 3), slice(3, 7)]
    joined = torch.cat([convolve_strip(x, rows, conv.weight, conv.bias, kernels) for rows in strips], 1)
    assert conv.bias is not None
    expected = F.conv2d(x.permute(0, 3, 1, 2).double(), conv.weight.double(), conv.bias.double(), padding=1)
    torch.testing.assert_close(joined.permute(0, 3, 1, 2).double(), expected, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("strips", [[slice(0, 7)], [slice(0, 2), slice(2, 3), slice(3, 7)], [slice(0, 4), slice(4, 7)]])
def test_pairs_of_rows_in_bfloat16(strips):
    conv = SpatialConv(CHANNELS, 2 * CHANNELS, 3).bfloat16()
    x = torch.randn(2, 7, 5, CHANNELS).bfloat16()
    assert suits_pairs(x, conv.in_channels, conv.out_channels)
    kernels = DerivedWeight(strip_kernels)
    joined = torch.cat([convolve_strip(x, rows, conv.weight, conv.bias, kernels) for rows in strips], 1)
    assert conv.bias is not None
    expected = F.conv2d(x.permute(0, 3, 1, 2).double(), conv.weight.double(), conv.bias.double(), padding=1)
    error = joined.permute(0, 3, 1, 2).double() - expected
    # A number of bfloat16 is off by 2⁻⁹ of itself at most.
    assert error.square().mean().sqrt() < 3 * 2**-9 * expected.std()


@torch.no_grad()
def test_causal_cubic_convolution():
    layer = temporal_conv3d(CHANNELS, CHANNELS, 3, causal=True)
    conv = layer.conv
    assert isinstance(conv, nn.Conv3d)
    assert conv.bias is not None
    x = torch.randn(1, 4, 5, 6, CHANNELS)
    clip = F.pad(x.permute(0, 4, 1, 2, 3).double(), (1, 1, 1, 1, 2, 0))
    expected = F.conv3d(clip, conv.weight.double(), conv.bias.double())
    torch.testing.assert_close(layer(x, TimeContext()).permute(0, 4, 1, 2, 3).double(), expected, atol=1e-5, rtol=0)


def test_training_and_other_precisions_take_the_plain_form():
    x = torch.randn(1, 1, 4, 4, CHANNELS)
    assert not suits(x, CHANNELS, CHANNELS)
    with torch.no_grad():
        assert not suits(x.bfloat16(), CHANNELS, CHANNELS)
        assert not suits(x, CHANNELS - 1, CHANNELS)


@torch.no_grad()
def test_weights_changed_in_place_loaded_or_converted_are_noticed():
    conv = SpatialConv(CHANNELS, CHANNELS, 3)
    derived = DerivedWeight(transform_kernel)

    def holds_current() -> bool:
        return all(torch.equal(a, b) for a, b in zip(derived(conv.weight), transform_kernel(conv.weight), strict=True))

    assert holds_current()
    assert derived(conv.weight) is derived(conv.weight)
    conv.weight.mul_(2)
    assert holds_current()
    conv.load_state_dict(SpatialConv(CHANNELS, CHANNELS, 3).state_dict())
    assert holds_current()
    conv.bfloat16().float()
    assert holds_current()


def test_derived_weights_are_differentiable_where_gradients_are_recorded():
    weight = torch.randn(2, 2, 3, 3, requires_grad=True)
    derived = DerivedWeight(lambda w: w.sum(2))
    derived(weight).sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.ones_like(weight))


@torch.no_grad()
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
@pytest.mark.parametrize("channels", [8, CHANNELS])
def test_space_and_time_doubled_jointly(monkeypatch, channels: int, size: tuple[int, int], causal: bool):
    monkeypatch.setattr(joint_upsampling, "STRIP_VALUES", 2 * size[1] * channels)
    parameters = {
        "ch_mult": [1, 2, 2, 2],
        "z_channels": 4,
        "time_downsample_factor": 4,
        "variant": "causal" if causal else "noncausal",
    }
    config = VidTokConfig.from_parameters(parameters)
    spatial, temporal = SpatialUpsample(channels), TimeUpsample(config, channels)
    x = torch.randn(2, 3, *size, channels)
    expected = temporal.double()(spatial.double()(x.double()), TimeContext())
    result = temporal.float().after(spatial.float(), x, TimeContext())
    torch.testing.assert_close(result.double(), expected, atol=2e-5, rtol=0)
