"""The smallest difference that a comparison would have shown."""

from __future__ import annotations

from .intervals import TAIL, student_quantile
from .ratios import Freedom

POWER = 0.8
"""How often the difference would be found."""


def detectable_difference(error: float, freedom: Freedom, critical_value: float | None = None) -> float:
    """About the difference that would be found four times in five.

    Args:
        error: standard error of the difference.
        freedom: of that error.
        critical_value: of the family; ``None`` for a single pair.
    """
    reach = freedom.scale * student_quantile(POWER, freedom.degrees)
    if critical_value is None:
        critical_value = freedom.scale * student_quantile(1 - TAIL, freedom.degrees)
    return (critical_value + reach) * error
