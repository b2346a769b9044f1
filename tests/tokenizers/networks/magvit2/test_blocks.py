"""The blocks of MAGVIT-v2 against torch's own operations, and in tiles against whole frames."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.tokenizers.networks.magvit2.blocks import ResidualBlock, Upsample
from toklab.tokenizers.networks.magvit2.conv import CausalConv, depth_to_space, drop_frame, unchanged
from toklab.tokenizers.networks.magvit2.norm import EPSILON, GroupNorm, NormScope
from toklab.tokenizers.networks.magvit2.tiles import LayerTiling
from torch import Tensor
from torch.nn import functional as F


def randomized(norm: GroupNorm) -> GroupNorm:
    for parameter in norm.parameters():
        torch.nn.init.normal_(parameter, 1.0)
    return norm


def rms_norm(channels: int) -> GroupNorm:
    return randomized(GroupNorm(2, channels, "frame", centred=False))


def test_norm_without_mean_is_the_root_mean_square_formula() -> None:
    norm = rms_norm(6)
    x = torch.randn(2, 6, 3, 4, 5)
    weight, bias = (parameter.detach().view(6, 1, 1, 1) for parameter in (norm.weight, norm.bias))  # type: ignore[union-attr]
    expected = torch.empty_like(x)
    for group in (slice(0, 3), slice(3, 6)):
        mean_square = x[:, group].square().mean((1, 3, 4), keepdim=True)
        expected[:, group] = x[:, group] / (mean_square + EPSILON).sqrt()
    torch.testing.assert_close(norm(x), expected * weight + bias)


def test_norm_without_mean_keeps_the_sign_of_a_constant() -> None:
    x = torch.full((1, 4, 2, 3, 3), -2.0)
    torch.testing.assert_close(GroupNorm(2, 4, "frame", centred=False)(x), torch.full_like(x, -1.0))
    assert GroupNorm(2, 4, "frame", centred=True)(x).abs().max() < 1e-3


@pytest.mark.parametrize("scope", ["frame", "clip"])
def test_centred_norm_is_torchs(scope: NormScope) -> None:
    norm = randomized(GroupNorm(3, 6, scope, centred=True))
    x = torch.randn(2, 6, 3, 4, 5)
    if scope == "clip":
        expected = F.group_norm(x, 3, norm.weight, norm.bias, EPSILON)
        scale, shift = norm.affine_of(x)
        torch.testing.assert_close(x * scale + shift, expected)
    else:
        frames = x.transpose(1, 2).flatten(0, 1)
        expected = F.group_norm(frames, 3, norm.weight, norm.bias, EPSILON).unflatten(0, (2, 3)).transpose(1, 2)
    torch.testing.assert_close(norm(x), expected)


def test_norm_has_a_gradient_where_all_is_zero() -> None:
    x = torch.zeros(1, 4, 1, 2, 2, requires_grad=True)
    GroupNorm(2, 4, "frame", centred=False)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_norm_of_half_precision_is_computed_in_float32() -> None:
    x = torch.full((1, 4, 1, 64, 64), 300.0, dtype=torch.float16)
    normalized = GroupNorm(2, 4, "frame", centred=False)(x)
    assert normalized.dtype == torch.float16
    torch.testing.assert_close(normalized, torch.ones_like(x))


def test_convolution_looks_back_and_pads_with_zeros() -> None:
    conv = CausalConv(2, 3, stride=(2, 2, 2), bias=True)
    x = torch.randn(1, 2, 5, 6, 8)
    expected = conv.conv_1(F.pad(x, (1, 1, 1, 1, 2, 0)))
    torch.testing.assert_close(conv(x), expected)
    assert conv(x).shape == (1, 3, 3, 3, 4)
    changed = torch.cat([x[:, :, :3], x[:, :, 3:] + 1], 2)
    torch.testing.assert_close(conv(changed)[:, :, :2], conv(x)[:, :, :2])


def test_channels_become_frames_rows_and_columns() -> None:
    x = torch.arange(8.0).view(1, 8, 1, 1, 1)
    assert depth_to_space(x, 2, 2).flatten().tolist() == list(range(8))
    assert depth_to_space(x, 1, 2).shape == (1, 2, 1, 2, 2)
    assert depth_to_space(x, 1, 2)[0, 0].flatten().tolist() == [0, 2, 4, 6]


def test_dropped_frames() -> None:
    x = torch.arange(4.0).view(1, 1, 4, 1, 1)
    assert drop_frame(x, 0).flatten().tolist() == [1, 2, 3]
    assert drop_frame(x, 1).flatten().tolist() == [0, 2, 3]
    assert drop_frame(x[:, :, :2], 1).flatten().tolist() == [0]


@given(
    height=st.integers(1, 13),
    width=st.integers(1, 13),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    stride=st.sampled_from([(1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 1, 1)]),
    kernel=st.sampled_from([1, 3]),
)
@settings(max_examples=40)
def test_convolution_in_tiles_equals_the_whole(
    height: int, width: int, rows: int, columns: int, stride: tuple[int, int, int], kernel: int
) -> None:
    conv = CausalConv(2, 3, kernel, stride, bias=True).requires_grad_(False)
    x = torch.randn(1, 2, 3, height, width)

    def prepare(part: Tensor) -> Tensor:
        # Not zero at zero: what is padded mustn't be prepared.
        return part + 1

    torch.testing.assert_close(conv(x, prepare, LayerTiling(rows, columns)), conv(x, prepare))


@torch.no_grad()
def test_blocks_in_tiles_equal_the_whole() -> None:
    tiling = LayerTiling.from_size(40, 24, 16)
    assert tiling == LayerTiling(3, 2)
    x = torch.randn(2, 4, 3, 10, 6)
    for block in (ResidualBlock(4, 6, rms_norm), ResidualBlock(4, 4, rms_norm)):
        torch.testing.assert_close(block(x, tiling), block(x))
    for time, space in ((2, 2), (1, 2), (2, 1)):
        for dropped_frame in (0, 1):
            upsample = Upsample(4, time, space, dropped_frame)
            assert upsample(x).shape == (2, 4, 5 if time == 2 else 3, 10 * space, 6 * space)
            torch.testing.assert_close(upsample(x, tiling), upsample(x))


def test_tiles_shrink_what_a_layer_works_on() -> None:
    sizes: list[int] = []

    def seen(part: Tensor) -> Tensor:
        sizes.append(part.shape[3] * part.shape[4])
        return unchanged(part)

    CausalConv(1, 1, bias=False)(torch.zeros(1, 1, 1, 32, 32), seen, LayerTiling(4, 4))
    assert len(sizes) == 16
    assert max(sizes) == 10 * 10
