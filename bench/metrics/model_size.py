"""The size of a model: parameters, multiply-adds and floating-point operations, from a cell's facts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...tokenizers.interface import TokenizerSpec
from ..ledger.counted_facts import COUNTED_AS_DEFAULT
from .interface import Estimate, MeasuredWindow, Metric, Unavailable

COUNTED_OTHERWISE = Unavailable(
    "an earlier version counted it under the default inference settings, not under this row's",
    "run the suite again: it is counted anew",
)
"""What is said of ledgers that hold the counts of other settings."""


class _ModelFigure(Metric):
    direction = "none"
    range = (0.0, math.inf)
    needs = "model"
    measurement = "facts"
    fact: str
    """Facts ``FACT_total``, ``FACT_encoder`` and ``FACT_decoder`` are read."""
    scale: float
    """What one unit of the figure is."""

    def applies_to(self, spec: TokenizerSpec) -> bool:
        """Codecs and resizers have no network to count."""
        return spec.regularizer not in ("codec", "resize")

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """The total; ``details``: encoder and decoder apart."""
        if f"{self.fact}_total" not in facts:
            if COUNTED_AS_DEFAULT in facts:
                return COUNTED_OTHERWISE
            return Unavailable(f"the model's {self.fact} could not be counted", "toklab complexity says why")
        parts = {
            part: facts[f"{self.fact}_{part}"] / self.scale
            for part in ("encoder", "decoder")
            if f"{self.fact}_{part}" in facts
        }
        return Estimate(facts[f"{self.fact}_total"] / self.scale, 1, "model", details=parts)


class Parameters(_ModelFigure):
    """Parameters of encoder, regularizer and decoder."""

    name = "params"
    title = "Params"
    unit = "M"
    display_range = (400.0, 0.0)
    decimals = 1
    convention = "parameters of encoder, regularizer and decoder, in millions"
    fact = "params"
    scale = 1e6


class MultiplyAdds(_ModelFigure):
    """Multiply-adds of encoding and decoding one clip."""

    name = "macs"
    title = "MACs"
    unit = "T"
    display_range = (20.0, 0.0)
    decimals = 2
    convention = (
        "multiply-adds of convolutions, matrix products and attention, encode plus decode of the protocol's shortest "
        "window under the row's inference settings, in 10^12; what papers mostly print as FLOPs"
    )
    fact = "macs"
    scale = 1e12


class FloatingPointOperations(_ModelFigure):
    """Floating-point operations of encoding and decoding one clip: two for each multiply-add."""

    name = "flops"
    title = "FLOPs"
    unit = "T"
    display_range = (40.0, 0.0)
    decimals = 2
    convention = (
        "twice the multiply-adds, encode plus decode of the protocol's shortest window under the row's inference "
        "settings, in 10^12"
    )
    fact = "flops"
    scale = 1e12
