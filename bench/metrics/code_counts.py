"""How often a tokenizer used each entry of its codebooks over a set of windows, and what follows from that alone."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..statistics.codes import entropy_bits, expected_distinct
from .interface import MeasuredWindow, MetricError
from .window_columns import WindowColumns

WINDOW_SHARES = {"1/8": 8, "1/4": 4, "1/2": 2}
"""Shares of the windows at which utilization is given as well, rising, and what the windows are divided by."""

NO_CODES = "no window has codes"

GROWTH_POINTS = 48
"""Points of a growth curve, in even ratios of the number of tokens."""
GROWTH_SPAN = 1000
"""Ratio of its last number of tokens to its first: with still fewer, nearly every token is of an entry of its own."""


def total_counts(windows: Sequence[MeasuredWindow]) -> list[np.ndarray]:
    """How often each entry of each codebook was used: one (K,) int64 array a codebook.

    Raises:
        MetricError: if no window has codes, or the windows' codebooks differ in size.
    """
    if isinstance(windows, WindowColumns):
        return windows.kept("total counts", lambda: _counts_of(windows, [0] * len(windows), 1)[0])
    return _counts_of(windows, [0] * len(windows), 1)[0]


def _counts_of(windows: Iterable[MeasuredWindow], classes: Sequence[int], num_classes: int) -> list[list[np.ndarray]]:
    """:func:`total_counts` of each class of windows, all in one pass over them.

    Args:
        windows: each is looked at once.
        classes: of the windows, in their order, from 0.
        num_classes: how many there are.
    """
    if isinstance(windows, WindowColumns):
        return _counts_of_columns(windows, np.asarray(classes, np.int64), num_classes)
    totals: list[list[np.ndarray]] = []
    sizes: tuple[int, ...] | None = None
    for window, number in zip(windows, classes, strict=True):
        own = tuple(window.arrays["sizes"].tolist())
        if sizes is None:
            sizes = own
            totals = [[np.zeros(size, dtype=np.int64) for size in sizes] for _ in range(num_classes)]
        if own != sizes:
            raise MetricError(f"windows of codebooks of different sizes: {sorted({sizes, own})}")
        for book, total in enumerate(totals[number]):
            # Codes are unique within a window, so plain indexing adds each count once.
            total[window.arrays[f"codes_{book}"]] += window.arrays[f"counts_{book}"]
    if sizes is None:
        raise MetricError(NO_CODES)
    return totals


def _counts_of_columns(windows: WindowColumns, classes: np.ndarray, num_classes: int) -> list[list[np.ndarray]]:
    totals: list[np.ndarray] = []
    sizes: set[tuple[int, ...]] = set()
    for stack in windows.stacks():
        sizes |= {tuple(own) for own in np.unique(stack.arrays["sizes"], axis=0).tolist()}
        if len(sizes) > 1:
            break
        totals = totals or [np.zeros((num_classes, size), np.int64) for size in next(iter(sizes))]
        for book, total in enumerate(totals):
            codes, counts = (stack.arrays[f"{name}_{book}"] for name in ("codes", "counts"))
            places = codes + total.shape[1] * classes[stack.places][:, None]
            np.add.at(total.reshape(-1), places.ravel(), counts.ravel())
    if len(sizes) > 1:
        raise MetricError(f"windows of codebooks of different sizes: {sorted(sizes)}")
    if not sizes:
        raise MetricError(NO_CODES)
    return [[total[number] for total in totals] for number in range(num_classes)]


def count_tokens(totals: Sequence[np.ndarray]) -> int:
    """Tokens of all codebooks."""
    return sum(int(total.sum()) for total in totals)


def utilization(totals: Sequence[np.ndarray]) -> float:
    """Share of all codebooks' entries that were used at least once."""
    return sum(int(np.count_nonzero(total)) for total in totals) / sum(map(len, totals))


def utilization_bound(totals: Sequence[np.ndarray]) -> float:
    """Largest utilization so many tokens could reach: min(1, tokens / K) for one codebook."""
    return _bound_at(totals, count_tokens(totals))


def perplexity(totals: Sequence[np.ndarray]) -> float:
    """2^entropy of each codebook, averaged over codebooks."""
    return math.fsum(2.0 ** entropy_bits(total) for total in totals) / len(totals)


def utilization_at(totals: Sequence[np.ndarray], num_tokens: int) -> float:
    """Expected utilization of ``num_tokens`` of the tokens, spread over the codebooks as all tokens are.

    Raises:
        ValueError: if there are fewer tokens.
    """
    whole = count_tokens(totals)
    parts = [expected_distinct(total, num_tokens * int(total.sum()) // whole) for total in totals]
    return math.fsum(parts) / sum(map(len, totals))


def level_marginals(counts: np.ndarray, levels: Sequence[int]) -> list[np.ndarray]:
    """Share of tokens at each level of each dimension of a scalar quantizer.

    Args:
        counts: (K,), K the product of the levels.
        levels: levels by dimension, the first least significant in the index.
    """
    grid = counts.reshape(tuple(reversed(levels)))
    last = len(levels) - 1
    others = [tuple(axis for axis in range(len(levels)) if axis != last - dim) for dim in range(len(levels))]
    return [grid.sum(axis=axes) / counts.sum() for axes in others]


def marginals(windows: Sequence[MeasuredWindow]) -> list[list[np.ndarray]]:
    """:func:`level_marginals` of each codebook that is a scalar quantizer's; an empty list for the others."""
    if isinstance(windows, WindowColumns):
        levels = windows.kept("levels", lambda: windows[0].arrays["levels"].tolist())
    else:
        levels = windows[0].arrays["levels"].tolist()
    return [
        level_marginals(total, levels) if levels and math.prod(levels) == len(total) else []
        for total in total_counts(windows)
    ]


def common_tokens(systems: Sequence[Sequence[np.ndarray]]) -> int:
    """Tokens of the system with the fewest: how many codebooks are compared at. Systems as :func:`total_counts`."""
    return min(map(count_tokens, systems))


@dataclass(frozen=True)
class GrowthPoint:
    """Expected utilization of some of the tokens."""

    tokens: int
    """Over all codebooks."""
    utilization: float
    """Share of all codebooks' entries, in [0, 1]."""
    bound: float
    """Largest utilization so many tokens could reach."""


def growth_curve(totals: Sequence[np.ndarray], include: Sequence[int] = ()) -> list[GrowthPoint]:
    """How utilization grows with the number of tokens: the rarefaction curve, in closed form.

    The points lie at even ratios, up to all tokens.

    Args:
        totals: how often each entry of each codebook was used, with at least one token; see :func:`total_counts`.
        include: numbers of tokens at which there is a point as well, each at most that of all tokens.

    Raises:
        ValueError: if ``include`` names more tokens than there are.
    """
    whole, entries = count_tokens(totals), sum(map(len, totals))
    most = max(1, whole // len(totals))
    spread = np.geomspace(max(1, most // GROWTH_SPAN), most, GROWTH_POINTS).round().astype(int) * len(totals)
    # Where so many tokens could have used every entry, the bound has its corner.
    grid = {min(whole, int(tokens)) for tokens in spread} | {min(whole, entries), whole, *include}
    return [GrowthPoint(tokens, utilization_at(totals, tokens), _bound_at(totals, tokens)) for tokens in sorted(grid)]


def _bound_at(totals: Sequence[np.ndarray], num_tokens: int) -> float:
    """Largest utilization of ``num_tokens`` tokens that are spread over the codebooks as all tokens are."""
    whole = count_tokens(totals)
    reach = [min(len(total), num_tokens * int(total.sum()) // whole) for total in totals]
    return sum(reach) / sum(map(len, totals))


def utilization_of_shares(windows: Sequence[MeasuredWindow]) -> dict[str, float]:
    """Tokens and utilization, in percent, of shares of the windows, which are chosen by a hash so that videos mix.

    Shares without a window are left out.
    """
    if isinstance(windows, WindowColumns):
        return windows.kept("shares of codes", lambda: _counted_shares(windows, windows.keys()))
    return _counted_shares(windows, [window.key for window in windows])


def _counted_shares(windows: Sequence[MeasuredWindow], keys: Sequence[tuple[str, int]]) -> dict[str, float]:
    order = sorted(range(len(keys)), key=lambda place: hashlib.sha256(repr(keys[place]).encode()).digest())
    # Each share holds the windows of the smaller ones, so each window is counted once: in the smallest share it is in.
    ends = [len(keys) // divisor for divisor in WINDOW_SHARES.values()]
    classes = np.full(len(keys), len(ends))
    for number, (start, end) in enumerate(itertools.pairwise([0, *ends])):
        classes[order[start:end]] = number
    *counted, rest = _counts_of(windows, classes.tolist(), len(ends) + 1)
    so_far = [np.zeros_like(total) for total in rest]
    found = {}
    for share, end, part in zip(WINDOW_SHARES, ends, counted, strict=True):
        so_far = [before + own for before, own in zip(so_far, part, strict=True)]
        if end:
            found[f"tokens_at_{share}"] = float(count_tokens(so_far))
            found[f"utilization_at_{share}"] = 100 * utilization(so_far)
    if isinstance(windows, WindowColumns):
        windows.kept("total counts", lambda: [before + own for before, own in zip(so_far, rest, strict=True)])
    return found
