"""The full-size CDT networks on a clip of 17×128×128, one step, on two threads of a CPU."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import torch
from toklab.bench.catalog.complexity import FLOPS_PER_MULTIPLY_ADD, count_multiply_adds
from toklab.tokenizers.catalog import build_on_meta, load_cards
from torch import Tensor
from torch.nn import functional as F

CLIP = (1, 3, 17, 128, 128)
NUM_THREADS = 2
ROUNDS = 2


@pytest.fixture(scope="module", autouse=True)
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(NUM_THREADS)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("card", ["cdt-small", "cdt-base"])
def test_cdt(benchmark, card: str) -> None:
    """Operations are those of the published network, whatever is saved."""
    tokenizer = build_on_meta(load_cards()[card])
    flops = FLOPS_PER_MULTIPLY_ADD * sum(count_multiply_adds(tokenizer, *CLIP[2:]))
    tokenizer.init_random(0)
    clip = torch.rand(CLIP, generator=torch.Generator().manual_seed(1)) * 2 - 1
    processor_seconds: list[float] = []

    def reconstruct() -> Tensor:
        start = time.process_time()
        result = tokenizer.decode(tokenizer.encode(clip))
        processor_seconds.append(time.process_time() - start)
        return result

    result = benchmark.pedantic(reconstruct, rounds=ROUNDS, iterations=1, warmup_rounds=1)
    peak = _conv_peak()
    attained = flops / benchmark.stats.stats.min / 1e9
    benchmark.extra_info |= {
        "published_tflop": round(flops / 1e12, 3),
        "gflops_of_published": round(attained),
        "gflops_per_processor": round(flops / min(processor_seconds) / 1e9),
        "processor_seconds": round(min(processor_seconds), 2),
        "conv_peak_gflops": round(peak),
        "share_of_peak": round(attained / peak, 2),
    }
    assert result.isfinite().all()


@torch.no_grad()
def _conv_peak(channels: int = 256, side: int = 64) -> float:
    """The best rate of a direct 3×3 convolution, channels last, float32, in GFLOP/s."""
    x = torch.randn(2, channels, side, side).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        F.conv2d(x, weight, padding=1)
        seconds.append(time.perf_counter() - start)
    return 2 * 9 * channels**2 * x[:, 0].numel() / min(seconds) / 1e9
