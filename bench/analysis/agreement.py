"""Whether a measured and a published figure agree: one rule, on plain numbers.

What may make two right figures differ decides the tolerance:

- The paper rounds, and other decoders and other arithmetic move the last digit: one unit of the paper's last digit.
- Where the run may have seen other videos than the paper, these move the figure: the measured 95 % interval, and half a
  unit.

So over the very videos of the paper the interval gives no licence: no other videos were drawn. There a figure that
misses the digits but lies in the interval is ``not reproduced``, and one outside of both is ``contradicted``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ...reports.schema import MIN_VIDEOS

Verdict = Literal["reproduced", "not reproduced", "contradicted", "not comparable"]
Basis = Literal["model", "same videos", "other videos"]
"""What a figure rests on: the model alone, the videos of the published one, or videos that may be others."""

SLACK = 1e-6
"""Share of a digit that floating point alone may add to a difference."""


@dataclass(frozen=True)
class Agreement:
    """A verdict with what it rests on."""

    verdict: Verdict
    reason: str
    """In words."""
    low: float = math.nan
    """Ends of the published figures that would be called reproduced; NaN where none would."""
    high: float = math.nan


def agreement(
    measured: float,
    published: float,
    decimals: int,
    basis: Basis,
    *,
    low: float = math.nan,
    high: float = math.nan,
    num_videos: int = 0,
) -> Agreement:
    """Compare two figures of one convention under one protocol.

    Args:
        measured: in full precision; NaN if there is none.
        published: as printed.
        decimals: digits that are printed after the point.
        basis: what the measured figure rests on.
        low: lower end of the measured 95 % interval; NaN without one.
        high: its upper end.
        num_videos: behind the interval.
    """
    if not math.isfinite(measured) or not math.isfinite(published):
        return Agreement("not comparable", "there is no measured figure")
    unit = 10.0**-decimals * (1 + SLACK)
    digits = (measured - unit, measured + unit)
    # NaN ends lose every comparison, so without an interval this is the range of the digits.
    wide = (min(digits[0], low - unit / 2), max(digits[1], high + unit / 2))
    has_interval = not (math.isnan(low) or math.isnan(high))
    if basis == "other videos" and not has_interval:
        few = f"{num_videos} videos give no interval; it takes {MIN_VIDEOS}" if num_videos else "it has no interval"
        return Agreement("not comparable", f"other videos may have been measured, and {few}")
    accepted = wide if basis == "other videos" else digits
    if digits[0] <= published <= digits[1]:
        return Agreement("reproduced", "to the printed digits", *accepted)
    if accepted[0] <= published <= accepted[1]:
        return Agreement("reproduced", f"within the interval of {num_videos} videos", *accepted)
    if basis == "same videos" and (not has_interval or wide[0] <= published <= wide[1]):
        return Agreement("not reproduced", "the same videos give other digits", *accepted)
    beyond = "by more than the printed digits" if basis == "model" else "by more than digits and interval"
    return Agreement("contradicted", f"{beyond} allow", *accepted)
