"""Bits per pixel of codes behind an entropy coder, by two conventions."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from ..statistics.codes import adaptive_code_bits, entropy_bits
from .code_counts import count_tokens, total_counts
from .codebook import CodebookMetric
from .interface import Arrays, Estimate, MeasuredWindow, Unavailable, WindowBatch
from .ratio import NOTHING_MEASURED


class _CodeRate(CodebookMetric):
    direction = "none"
    unit = "bit/px"
    range = (0.0, math.inf)
    display_range = (1.0, 0.0)
    decimals = 4
    measurement = "code-counts-and-pixels"

    @abstractmethod
    def bits(self, counts: np.ndarray) -> float:
        """Bits of all tokens of a codebook, from how often each entry was used, (entries,)."""

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """What codebook metrics keep, and ``pixels`` (1,) int64 of the scored clip."""
        pixels = np.array([math.prod(batch.reference.shape[2:])])
        return [{**counts, "pixels": pixels} for counts in super().measure(batch)]

    def join(self, pieces: Sequence[Arrays]) -> Arrays:
        """Counts and pixels added up."""
        return {**super().join(pieces), "pixels": np.sum([piece["pixels"] for piece in pieces], axis=0)}

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """Bits of all codebooks over all pixels; ``details``: ``bits_per_token`` and ``fixed_bits_per_token``.

        It has no interval: bits of a whole set of codes are no mean over videos.
        """
        if not windows:
            return NOTHING_MEASURED
        totals = total_counts(windows)
        tokens = count_tokens(totals)
        bits = math.fsum(map(self.bits, totals))
        fixed = math.fsum(int(total.sum()) * math.log2(len(total)) for total in totals)
        pixels = math.fsum(float(window.arrays["pixels"][0]) for window in windows)
        details = {"bits_per_token": bits / tokens, "fixed_bits_per_token": fixed / tokens}
        return Estimate(bits / pixels, tokens, "tokens", details=details)


class OrderZeroRate(_CodeRate):
    """Bits per pixel of an ideal code whose table is that of this very data, known for free."""

    name = "bpp-order0"
    title = "bpp (order 0)"
    convention = (
        "tokens · H over T·H·W of the scored clips, H the entropy of the codes over the whole set: an ideal code "
        "without context whose table costs nothing"
    )

    def bits(self, counts: np.ndarray) -> float:
        """Tokens times entropy."""
        return float(counts.sum()) * entropy_bits(counts)


class AdaptiveRate(_CodeRate):
    """Bits per pixel of an adaptive code that knows nothing beforehand."""

    name = "bpp-kt"
    title = "bpp (adaptive)"
    convention = (
        "length of Krichevsky and Trofimov's adaptive code of order 0 over all tokens in one stream, over T·H·W of "
        "the scored clips"
    )

    def bits(self, counts: np.ndarray) -> float:
        """Length of the code."""
        return adaptive_code_bits(counts)
