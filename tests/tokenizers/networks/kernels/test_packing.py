"""Packed kernels against torch's own convolution."""

from __future__ import annotations

import copy

import pytest
import torch
from toklab.tokenizers.networks.kernels.packing import convolve, pack_kernel
from toklab.tokenizers.vidtok.layers import SpatialConv, temporal_conv1d
from torch.nn import functional as F


@torch.no_grad()
@pytest.mark.parametrize(("size", "padding"), [((1, 3), (0, 1)), ((3, 1), (0, 0)), ((1, 1), (0, 0))])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2**-6)])
def test_a_packed_kernel_convolves_alike(size, padding, dtype, tolerance):
    x, kernel = torch.randn(2, 6, 5, 64).to(dtype), (torch.randn(96, 64, *size) / 8).to(dtype)
    bias = torch.randn(96).to(dtype)
    packed = pack_kernel(kernel)
    assert packed.shape == kernel.shape
    expected = F.conv2d(x.permute(0, 3, 1, 2).double(), kernel.double(), bias.double(), padding=padding)
    result = convolve(x, packed, bias, padding).permute(0, 3, 1, 2)
    assert result.dtype == dtype
    torch.testing.assert_close(result.double(), expected, atol=tolerance, rtol=tolerance)


def test_training_keeps_kernels_that_gradients_pass_through():
    kernel = torch.randn(8, 8, 1, 3, requires_grad=True)
    packed = pack_kernel(kernel)
    assert not packed.is_mkldnn
    convolve(torch.randn(1, 4, 4, 8), packed, None, (0, 1)).sum().backward()
    assert kernel.grad is not None


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
@torch.no_grad()
def test_other_types_stay_as_they_are(dtype):
    assert not pack_kernel(torch.zeros(8, 8, 1, 3, dtype=dtype)).is_mkldnn


@torch.no_grad()
def test_layers_that_hold_packed_kernels_can_be_copied():
    x = torch.randn(1, 3, 4, 4, 64)
    for layer in (SpatialConv(64, 64, 3), temporal_conv1d(64, causal=False)):
        first = layer(x)
        assert torch.equal(copy.deepcopy(layer)(x), first)
