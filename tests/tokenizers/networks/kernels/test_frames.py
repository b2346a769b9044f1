"""Fast convolutions of frames and of doubled pixels against the definition."""

from __future__ import annotations

import pytest
import torch
from toklab.tokenizers.networks.kernels.frames import FrameKernels
from toklab.tokenizers.networks.kernels.phases import phase_upsample, repeated_pixel_kernels
from toklab.tokenizers.networks.ldm.layers import CausalConv3d
from torch.nn import functional as F


@torch.no_grad()
@pytest.mark.parametrize(("in_channels", "out_channels"), [(3, 64), (64, 64), (128, 136)])
def test_frames_are_convolved_as_by_the_definition(in_channels: int, out_channels: int) -> None:
    x, bias = torch.randn(2, in_channels, 6, 7), torch.randn(out_channels)
    weight = torch.randn(out_channels, in_channels, 3, 3) / (3 * in_channels**0.5)
    result = FrameKernels().convolve(x, weight, bias)
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    torch.testing.assert_close(result.double(), expected, atol=1e-5, rtol=1e-5)
    assert result.stride(1) == 1


@torch.no_grad()
@pytest.mark.parametrize("kernel", [3, 5])
def test_phases_give_what_doubled_pixels_give(kernel: int) -> None:
    x, weight, bias = torch.randn(1, 2, 5, 7, 6), torch.randn(4, 6, kernel, kernel) / kernel, torch.randn(4)
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3).flatten(0, 1).permute(0, 3, 1, 2)
    expected = F.conv2d(doubled.double(), weight.double(), bias.double(), padding=kernel // 2).permute(0, 2, 3, 1)
    result = phase_upsample(x, repeated_pixel_kernels(weight), bias)
    torch.testing.assert_close(result[0].double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("time_padding", ["first_frame", "zeros"])
def test_causal_cubic_convolutions_are_as_by_the_definition(time_padding) -> None:
    conv = CausalConv3d(64, 72, 3, time_padding=time_padding)
    x = torch.randn(1, 64, 3, 5, 6)
    with torch.no_grad():
        fast = conv(x)
    before = x[:, :, :1].expand(-1, -1, 2, -1, -1) * (time_padding == "first_frame")
    assert conv.bias is not None
    plain = F.conv3d(torch.cat([before, x], 2), conv.weight, conv.bias, padding=(0, 1, 1))
    torch.testing.assert_close(fast, plain.detach(), atol=1e-5, rtol=1e-5)
    # It is the fast form: its rounding isn't that of the definition.
    assert not torch.equal(fast, plain)
