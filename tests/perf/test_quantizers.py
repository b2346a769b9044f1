"""Quantizers at the size they are trained at: 5,120 positions, 2^18 codes."""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

import pytest
import torch
from quantizer_processes import loss_memory_growth
from toklab.tokenizers.networks.quantizers.factory import build_quantizer

SHAPES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "fsq": ({"levels": [8] * 6}, (1, 6, 5, 32, 32)),
    "lfq": ({"num_bits": 18}, (1, 18, 5, 32, 32)),
}
MEMORY_LIMIT = 2**30
"""Bytes; one copy of the official N × K tensor is 5.4 GB."""


@pytest.mark.parametrize("name", SHAPES)
def test_loss_and_backward(benchmark, name):
    parameters, shape = SHAPES[name]
    quantizer = build_quantizer(name, **parameters).train()
    features = torch.randn(shape, requires_grad=True)
    quantization = quantizer(features)
    if sys.platform == "linux":
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            growth = pool.apply(loss_memory_growth, (name, parameters, shape))
        benchmark.extra_info["peak_memory_mib"] = round(growth / 2**20)
        assert growth < MEMORY_LIMIT
    benchmark.pedantic(
        lambda: quantizer.loss(features, quantization, 0).backward(), rounds=3, iterations=1, warmup_rounds=1
    )


@pytest.mark.parametrize("name", [*SHAPES, "vq"])
def test_quantization(benchmark, name):
    parameters, shape = SHAPES.get(name, ({"codebook_size": 2**14, "dim": 8}, (1, 8, 5, 32, 32)))
    quantizer = build_quantizer(name, **parameters).eval()
    features = torch.randn(shape)
    benchmark.pedantic(lambda: quantizer(features), rounds=3, iterations=1, warmup_rounds=1)
