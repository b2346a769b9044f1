"""Full-size WF-VAE and TAEHV beside their plain forms, in turn in one process, on one thread of a CPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import pytest
import torch
from toklab.tokenizers.baselines.taehv.adapter import TAEHVTokenizer
from toklab.tokenizers.baselines.wfvae.adapter import WFVAETokenizer
from toklab.tokenizers.catalog import build_on_meta, load_cards
from torch import Tensor

ROUNDS = 3
CLIPS = {"taehv": (1, 3, 17, 128, 128), "wf-vae-l-16chn": (1, 3, 9, 64, 64)}
TOLERANCE = 5e-5
"""Of the largest value: that of the goldens."""


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("card", CLIPS)
def test_fast_and_plain_forms(benchmark, card: str, say: Callable[[str], None]) -> None:
    """Processor seconds, which other work on the machine hardly changes; where gradients are on, forms are plain."""
    tokenizer = build_on_meta(load_cards()[card])
    assert isinstance(tokenizer, TAEHVTokenizer | WFVAETokenizer)
    tokenizer.init_random(0)
    model = tokenizer.model
    clip = torch.rand(CLIPS[card], generator=torch.Generator().manual_seed(1))
    seconds: dict[tuple[str, bool], list[float]] = {}
    outputs: dict[tuple[str, bool], Tensor] = {}

    def passes() -> None:
        for plain in (True, False):
            with torch.set_grad_enabled(plain):
                start = time.process_time()
                features = model.encode(clip)
                middle = time.process_time()
                latents = features[:, : tokenizer.spec.latent_channels]
                video = model.decode(latents)
                end = time.process_time()
            for direction, spent, output in (("encode", middle - start, features), ("decode", end - middle, video)):
                seconds.setdefault((direction, plain), []).append(spent)
                outputs[direction, plain] = output

    benchmark.pedantic(passes, rounds=ROUNDS, iterations=1, warmup_rounds=1)
    for direction in ("encode", "decode"):
        fast, plain = (statistics.median(seconds[direction, form][1:]) for form in (False, True))
        benchmark.extra_info[direction] = {
            "plain": round(plain, 2),
            "fast": round(fast, 2),
            "times": round(plain / fast, 2),
        }
        say(f"{card} {direction}: {plain / fast:.2f} times as fast as plain ({fast:.2f} and {plain:.2f} s)")
        expected = outputs[direction, True]
        error = (outputs[direction, False] - expected).abs().max() / max(1, expected.abs().max())
        assert error < TOLERANCE
