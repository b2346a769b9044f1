"""What runs in fresh processes for the benchmarks that compare two implementations."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from toklab.tokenizers.catalog import build_on_meta, load_cards
from toklab.tokenizers.interface import InferenceSettings, VideoTokenizer
from torch import Tensor
from torch.nn import functional as F

CARD = "vidtok_kl_causal_488_4chn"
CLIP = (1, 3, 17, 128, 128)
NAMES = ("diffusers float32", "toklab float32", "toklab bfloat16")


@dataclass(frozen=True)
class Passes:
    """Encode and decode of one clip, several times in one process."""

    seconds: list[float]
    """Of each pass after the first one."""
    processor_seconds: list[float]
    conv_peak: float
    """FLOP/s of this process's direct convolutions, channels last, in the implementation's precision."""
    output: np.ndarray


def measure_passes(name: str, rounds: int, num_threads: int) -> Passes:
    """Build one of :data:`NAMES` in this process, warm up with one pass, and time the others."""
    torch.set_num_threads(num_threads)
    reconstruct = _diffusers() if name.startswith("diffusers") else _toklab(name.split()[1])
    clip = torch.rand(CLIP, generator=torch.Generator().manual_seed(1)) * 2 - 1
    output = reconstruct(clip)
    seconds, processor_seconds = [], []
    for _ in range(rounds):
        start, processor_start = time.perf_counter(), time.process_time()
        output = reconstruct(clip)
        seconds.append(time.perf_counter() - start)
        processor_seconds.append(time.process_time() - processor_start)
    dtype = getattr(torch, name.split()[1])
    return Passes(seconds, processor_seconds, _peak(dtype), output.numpy())


def _diffusers() -> Callable[[Tensor], Tensor]:
    # Its types don't say what the model gives.
    diffusers: Any = importlib.import_module("diffusers")
    model = diffusers.AutoencoderVidTok(z_channels=4).eval()

    @torch.no_grad()
    def reconstruct(clip: Tensor) -> Tensor:
        return model.decode(model.encode(clip).latent_dist.mode())

    return reconstruct


def _toklab(precision: str) -> Callable[[Tensor], Tensor]:
    tokenizer = random_tokenizer(precision)
    return lambda clip: tokenizer.decode(tokenizer.encode(clip))


def random_tokenizer(precision: str) -> VideoTokenizer:
    """The card with random weights, none of them zero."""
    tokenizer = build_on_meta(load_cards()[CARD], InferenceSettings.from_mapping({"precision": precision}))
    tokenizer.init_random(0)
    generator = torch.Generator().manual_seed(0)
    for module in tokenizer.modules().values():
        for weight in module.parameters():
            if weight.ndim > 1 and not weight.any():
                weight.copy_(0.02 * torch.randn(weight.shape, generator=generator))
    return tokenizer


@torch.no_grad()
def _peak(dtype: torch.dtype, channels: int = 256, side: int = 64) -> float:
    """The best rate of a 3×3 convolution in FLOP/s."""
    x = torch.randn(2, channels, side, side, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        F.conv2d(x, weight, padding=1)
        seconds.append(time.perf_counter() - start)
    return 2 * 9 * channels**2 * x[:, 0].numel() / min(seconds)
