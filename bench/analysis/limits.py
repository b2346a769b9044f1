"""Limits that a difference must not pass, for use in continuous integration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from ...reports.tables.comparison import LEFT_OUT, WITHOUT_PAIR
from .compared_pairs import ComparisonError

BEYOND, NO_INTERVAL = 3, 2
"""Exit codes."""


@dataclass(frozen=True)
class Limit:
    """A limit of a difference A − B."""

    metric: str
    sign: str
    """``<`` or ``>``: where the difference must not be."""
    value: float

    @classmethod
    def parse(cls, text: str) -> Limit:
        """From ``psnr < -0.1``; raises :class:`~.compared_pairs.ComparisonError` on anything else."""
        match = re.fullmatch(r"\s*([\w.-]+?)\s*([<>])\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*", text)
        if not match:
            raise ComparisonError(f"--fail-if {text!r}: give a metric, < or >, and a number, such as 'psnr < -0.1'")
        return cls(match[1], match[2], float(match[3]))

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.value:g}"

    def is_passed(self, low: float, high: float) -> bool:
        """Whether the whole interval lies beyond."""
        return high < self.value if self.sign == "<" else low > self.value


def exit_code(frame: pd.DataFrame, limits: Sequence[Limit]) -> tuple[int, list[str]]:
    """The exit code for a comparison, and sentences that say why.

    3 if a whole interval lies beyond a limit; else 2 if a limit has a difference without an interval, a pair that
    couldn't be compared by its metric, or none at all, or if a tokenizer failed, has no counterpart or was refused;
    else 0.
    """
    codes, sentences = {0}, []
    for limit in limits:
        rows = cast(pd.DataFrame, frame[frame["metric"] == limit.metric])
        if rows.empty:
            codes.add(NO_INTERVAL)
            sentences.append(f"{limit}: {limit.metric} was not compared")
        by_metric = [each for each in frame.attrs.get(LEFT_OUT, ()) if each.startswith(f"{limit.metric} on ")]
        for sentence in (*by_metric, *frame.attrs.get(WITHOUT_PAIR, ())):
            codes.add(NO_INTERVAL)
            sentences.append(f"{limit}: {sentence}")
        for row in cast(list[dict[str, Any]], rows.to_dict("records")):
            place = f"{limit}: {row['a']} and {row['b']} on {row['dataset']}"
            if pd.isna(row["low"]):
                codes.add(NO_INTERVAL)
                sentences.append(f"{place} have no interval")
            elif limit.is_passed(row["low"], row["high"]):
                codes.add(BEYOND)
                sentences.append(f"{place}: the interval is {row['low']:+.6g} to {row['high']:+.6g}")
    return max(codes), sentences
