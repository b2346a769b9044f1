"""The layers against loops over frames and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from toklab.tokenizers.networks.ldm.layers import (
    CausalConv3d,
    FrameAttention,
    FrameConv2d,
    FrameGroupNorm,
    NestedConv,
    ResidualBlock,
    TimePadding,
    pad_past,
)
from torch import nn
from torch.nn import functional as F


def test_frames_before_the_clip_are_its_first_or_zeros() -> None:
    x = torch.rand(2, 3, 4, 5, 6)
    assert pad_past(x, 0, "zeros") is x
    assert torch.equal(pad_past(x, 2, "zeros"), F.pad(x, (0, 0, 0, 0, 2, 0)))
    assert torch.equal(pad_past(x, 2, "first_frame"), F.pad(x, (0, 0, 0, 0, 2, 0), mode="replicate"))


@pytest.mark.parametrize("time_padding", ["zeros", "first_frame"])
def test_a_causal_convolution_sees_no_later_frame(time_padding: TimePadding) -> None:
    conv = CausalConv3d(2, 3, 3, time_padding=time_padding)
    x = torch.rand(1, 2, 6, 4, 5)
    later = x.clone()
    later[:, :, 4:] += 1
    y, changed = conv(x), conv(later)
    assert y.shape == (1, 3, 6, 4, 5)
    torch.testing.assert_close(y[:, :, :4], changed[:, :, :4])
    assert not torch.allclose(y[:, :, 4], changed[:, :, 4])
    assert torch.equal(conv(x[:, :, :4]), y[:, :, :4])


def test_a_causal_convolution_pads_frames_as_told() -> None:
    x = torch.rand(1, 2, 3, 4, 5)
    conv = CausalConv3d(2, 2, 3, padding_mode="replicate")
    around = F.pad(x, (1, 1, 1, 1, 2, 0), mode="replicate")
    torch.testing.assert_close(conv(x), F.conv3d(around, conv.weight, conv.bias))
    halving = CausalConv3d(2, 2, 3, 2, spatial_padding=0, num_past=1, time_padding="zeros")
    torch.testing.assert_close(
        halving(x), F.conv3d(F.pad(x, (0, 0, 0, 0, 1, 0)), halving.weight, halving.bias, stride=2)
    )


def test_frame_layers_equal_those_of_images() -> None:
    x = torch.rand(2, 4, 3, 6, 5)
    for layer, plain in (
        (FrameConv2d(4, 2, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)),
        (FrameGroupNorm(2, 4), nn.GroupNorm(2, 4)),
    ):
        plain.load_state_dict(layer.state_dict())
        frames = [plain(frame) for frame in x.unbind(2)]
        torch.testing.assert_close(layer(x), torch.stack(frames, 2))


def test_attention_is_the_softmax_over_a_frame() -> None:
    q, k, v, proj_out = (FrameConv2d(4, 4, 1) for _ in range(4))
    attention = FrameAttention(nn.Identity(), (q, k, v, proj_out))
    x = torch.rand(2, 4, 3, 2, 5)
    frames = []
    for t in range(3):
        queries, keys, values = (layer(x)[:, :, t].flatten(2) for layer in (q, k, v))
        weights = torch.einsum("bci,bcj->bij", queries, keys).div(math.sqrt(4)).softmax(-1)
        frames.append(torch.einsum("bij,bcj->bci", weights, values).view(2, 4, 2, 5))
    torch.testing.assert_close(attention(x), x + proj_out(torch.stack(frames, 2)))


def test_a_residual_block_is_its_formula() -> None:
    norm1, conv1, norm2, conv2 = nn.GroupNorm(1, 2), nn.Conv3d(2, 4, 1), nn.GroupNorm(1, 4), nn.Conv3d(4, 4, 1)
    shortcut = nn.Conv3d(2, 4, 1)
    x = torch.rand(1, 2, 2, 3, 3)
    branch = conv2(F.silu(norm2(conv1(F.silu(norm1(x))))))
    torch.testing.assert_close(ResidualBlock(norm1, conv1, norm2, conv2, shortcut)(x), branch + shortcut(x))
    same = ResidualBlock(nn.Identity(), nn.Identity(), nn.Identity(), nn.Identity(), None)
    torch.testing.assert_close(same(x), x + F.silu(F.silu(x)))
    assert not [name for name in same.state_dict() if "shortcut" in name]


def test_a_nested_convolution_adds_to_the_name() -> None:
    assert set(NestedConv(nn.Conv3d(1, 1, 1)).state_dict()) == {"conv.weight", "conv.bias"}
