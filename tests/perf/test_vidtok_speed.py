"""The full-size VidTok beside diffusers' on a clip of 17×128×128, on two threads of a CPU, each in its own process."""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable

import pytest
import torch
from smooth_clips import psnr
from speed_processes import CARD, CLIP, NAMES, Passes, measure_passes
from toklab.tokenizers.catalog import build_on_meta, load_cards
from torch.utils.flop_counter import FlopCounterMode

NUM_THREADS = 2
ROUNDS = 2
TURNS = 2
"""New processes of each implementation; they take turns, so that a slow minute of the machine hits all of them."""
MIN_PSNR_OF_BFLOAT16 = 45.0
"""dB against the float32 output."""


@pytest.fixture(scope="module")
def flops() -> int:
    """Operations of the published network: what both implementations are measured by, whatever they save."""
    tokenizer = build_on_meta(load_cards()[CARD])
    with FlopCounterMode(display=False) as counter:
        tokenizer.decode(tokenizer.encode(torch.empty(CLIP, device="meta")))
    return counter.get_total_flops()


def measure() -> dict[str, list[Passes]]:
    """Passes of every implementation, a new process for each turn."""
    found: dict[str, list[Passes]] = {name: [] for name in NAMES}
    for _ in range(TURNS):
        for name in NAMES:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found[name].append(pool.apply(measure_passes, (name, ROUNDS, NUM_THREADS)))
    return found


def test_vidtok(benchmark, flops: int, say: Callable[[str], None]) -> None:
    pytest.importorskip("diffusers")
    found = benchmark.pedantic(measure, rounds=1, iterations=1)
    medians = {name: statistics.median(s for turn in turns for s in turn.seconds) for name, turns in found.items()}
    for name, turns in found.items():
        seconds = [round(value, 2) for turn in turns for value in turn.seconds]
        peak = max(turn.conv_peak for turn in turns)
        facts = {
            "seconds": seconds,
            "times_as_fast_as_diffusers": round(medians[NAMES[0]] / medians[name], 2),
            "gflops_of_published": round(flops / medians[name] / 1e9),
            "processor_seconds": round(min(value for turn in turns for value in turn.processor_seconds), 2),
            "conv_peak_gflops": round(peak / 1e9),
        }
        benchmark.extra_info[name] = facts
        say(f"{name}: {facts['times_as_fast_as_diffusers']} times as fast as {NAMES[0]}; seconds {seconds}")
    outputs = {name: torch.from_numpy(turns[0].output) for name, turns in found.items()}
    similarity = psnr(outputs["toklab bfloat16"], outputs["toklab float32"])
    benchmark.extra_info |= {"published_tflop": round(flops / 1e12, 3), "psnr_against_float32": round(similarity, 2)}
    assert similarity > MIN_PSNR_OF_BFLOAT16
