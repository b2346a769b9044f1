"""The search for the stream whose size is nearest to a target."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

TOLERANCE = 0.03
"""Largest relative difference from the target that counts as having hit it."""

CLOSE_ENOUGH = 0.01
"""Relative difference below the target at which the search stops."""

NEIGHBOURS = 2
"""Settings on either side that are tried where the two nearest miss the target."""

COARSEST = "even the coarsest quantizer is above it"
FINEST = "even the finest quantizer is below it"
STEP = "it lies between neighbouring quantizers"


@dataclass(frozen=True)
class SearchOutcome:
    """What a search found."""

    stream: bytes
    bits: float
    """Bits of the stream, without container."""
    off_target: str
    """Why the bits differ from the target by more than :data:`TOLERANCE`; empty if they don't."""


def search_rate(
    encode: Callable[[int], bytes], count_bits: Callable[[bytes], float], num_settings: int, target_bits: float
) -> SearchOutcome:
    """Find the encoder setting whose stream comes nearest to ``target_bits``, by bisection and a look around.

    Of the streams that it met it takes the largest of at most the target if that is within the tolerance, and else the
    one nearest to it, above or below, in ratio.

    Args:
        encode: gives the stream at a setting, 0 to ``num_settings`` − 1; higher settings take, by and large, more bits.
        count_bits: bits of a stream that count.
        num_settings: how many settings there are, at least one.
        target_bits: bits aimed at.
    """
    below, above = -1, num_settings
    tried: dict[int, tuple[float, bytes]] = {}

    def attempt(setting: int) -> float:
        stream = encode(setting)
        tried[setting] = (count_bits(stream), stream)
        return tried[setting][0]

    while above - below > 1:
        setting = (below + above) // 2
        bits = attempt(setting)
        if bits > target_bits:
            above = setting
        else:
            below = setting
            if bits >= (1 - CLOSE_ENOUGH) * target_bits:
                break
    # Sizes don't grow with every step, so that a setting nearby may hit what the two nearest miss.
    for setting in (shift for step in range(1, NEIGHBOURS + 1) for shift in (below - step, above + step)):
        if _hits(_best(tried.values(), target_bits)[0], target_bits):
            break
        if 0 <= setting < num_settings and setting not in tried:
            attempt(setting)
    bits, stream = _best(tried.values(), target_bits)
    if _hits(bits, target_bits):
        return SearchOutcome(stream, bits, "")
    reason = COARSEST if below < 0 else FINEST if above == num_settings else STEP
    return SearchOutcome(stream, bits, reason)


def nearer(first: SearchOutcome, second: SearchOutcome, target_bits: float) -> SearchOutcome:
    """The one of two outcomes whose bits are nearer to the target in ratio; the first if they are equally near."""
    return min(first, second, key=lambda outcome: _distance(outcome.bits, target_bits))


def _hits(bits: float, target_bits: float) -> bool:
    return abs(bits / target_bits - 1) <= TOLERANCE


def _best(tried: Collection[tuple[float, bytes]], target_bits: float) -> tuple[float, bytes]:
    within = [trial for trial in tried if (1 - TOLERANCE) * target_bits <= trial[0] <= target_bits]
    if within:
        return max(within, key=lambda trial: trial[0])
    return min(tried, key=lambda trial: _distance(trial[0], target_bits))


def _distance(bits: float, target_bits: float) -> float:
    return abs(math.log(max(bits, 1.0) / target_bits))
