"""Settings of networks beside their defaults: mixed precision, memory format and compilation, in turn in one process.

On a machine with a GPU it takes the GPU. Each setting's share of the default's time is printed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import pytest
import torch
from toklab.bench.execution.device import num_gpus, open_device
from toklab.tokenizers.catalog import build_tokenizer, load_cards
from toklab.tokenizers.interface import InferenceSettings

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "memory_format=channels_last_3d": {"memory_format": "channels_last_3d"},
    "compile=default": {"compile": "default"},
    "autocast=bfloat16": {"autocast": "bfloat16"},
    "precision=bfloat16": {"precision": "bfloat16"},
}
ROUNDS = 5


@pytest.mark.parametrize("card", ["vidtok-small-kl-4chn", "direct-small-8x"])
def test_network_settings(benchmark: Any, say: Callable[[str], None], card: str) -> None:
    device = open_device("cuda" if num_gpus() else "cpu")
    shape = (17, 256, 256) if num_gpus() else (17, 64, 64)
    video = torch.rand(1, 3, *shape).to(device.torch_device) * 2 - 1
    built = {
        name: build_tokenizer(load_cards()[card], InferenceSettings(**changed), device=device.torch_device)
        for name, changed in SETTINGS.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in built}
    exact = built["default"].decode(built["default"].encode(video))
    errors = {}
    for name, tokenizer in built.items():
        # The first clip of a shape is compiled.
        errors[name] = float((tokenizer.decode(tokenizer.encode(video)) - exact).abs().max())

    def in_turn() -> None:
        for name, tokenizer in built.items():
            with device.timed() as timed:
                tokenizer.decode(tokenizer.encode(video))
            seconds[name].append(timed.seconds())

    benchmark.pedantic(in_turn, rounds=ROUNDS, iterations=1)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        ratio = medians["default"] / median
        benchmark.extra_info[name] = {"seconds": median, "times_as_fast": ratio, "largest_error": errors[name]}
        say(f"{card}, {name}: {median:.3f} s, {ratio:.2f} times as fast, largest difference {errors[name]:.1e}")
