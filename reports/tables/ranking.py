"""Which figures of a column are best and second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..schema import Figure

Rank = Literal["best", "second", ""]


def tied(a: Figure, b: Figure) -> bool:
    """Whether two figures are too close to say which is better.

    They are if their printed digits agree (at the coarser of the two precisions), or if each lies in the other's 95 %
    interval. Overlap of the intervals would be too weak a sign: on shared windows both move together, and what is left
    of the difference is the business of a paired comparison.
    """
    decimals = min(a.decimals, b.decimals)
    if f"{a.value:.{decimals}f}" == f"{b.value:.{decimals}f}":
        return True
    return a.has_interval and b.has_interval and a.low <= b.value <= a.high and b.low <= a.value <= b.high


def rank_figures(figures: Sequence[Figure]) -> list[Rank]:
    """The rank of each of a group's comparable figures of one metric; unavailable ones have none.

    All that tie with the best figure are best; among the rest, all that tie with its best are second. Nothing is ranked
    where fewer than two figures are available or the metric has no better end.
    """
    ranks: list[Rank] = [""] * len(figures)
    pool = [index for index, figure in enumerate(figures) if figure.is_available]
    if len(pool) < 2 or figures[pool[0]].direction == "none":
        return ranks
    sign = -1 if figures[pool[0]].direction == "higher" else 1
    pool.sort(key=lambda index: sign * figures[index].value)
    names: tuple[Rank, Rank] = ("best", "second")
    for name in names:
        equals = [index for index in pool if tied(figures[pool[0]], figures[index])] if pool else []
        for index in equals:
            ranks[index] = name
        pool = [index for index in pool if index not in equals]
    return ranks
