"""How much of its codebooks a tokenizer uses over a whole evaluation set."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...tokenizers.interface import TokenizerSpec
from ..statistics.codes import USABLE_ENTROPY, corrected_entropy_bits, entropy_bits, expected_distinct
from .interface import Arrays, Estimate, MeasuredWindow, Metric, MetricError, Unavailable, WindowBatch
from .ratio import NOTHING_MEASURED
from .window_columns import WindowColumns

WINDOW_SHARES = {"1/8": 8, "1/4": 4, "1/2": 2}
"""Shares of the windows at which utilization is given as well."""

GROWTH_POINTS = 48
"""Points of a growth curve, in even ratios of the number of tokens."""
GROWTH_SPAN = 1000
"""Ratio of its last number of tokens to its first: with still fewer, nearly every token is of an entry of its own."""


def total_counts(windows: Sequence[MeasuredWindow]) -> list[np.ndarray]:
    """How often each entry of each codebook was used: one (K,) int64 array a codebook.

    Raises:
        MetricError: if the windows' codebooks differ in size.
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
        raise MetricError("windows of codebooks of different sizes: []")
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
    if len(sizes) != 1:
        raise MetricError(f"windows of codebooks of different sizes: {sorted(sizes)}")
    return [[total[number] for total in totals] for number in range(num_classes)]


def utilization(totals: Sequence[np.ndarray]) -> float:
    """Share of all codebooks' entries that were used at least once."""
    return sum(int(np.count_nonzero(total)) for total in totals) / sum(map(len, totals))


def utilization_bound(totals: Sequence[np.ndarray]) -> float:
    """Largest utilization so many tokens could reach: min(1, tokens / K) for one codebook."""
    return _bound_at(totals, sum(int(total.sum()) for total in totals))


def perplexity(totals: Sequence[np.ndarray]) -> float:
    """2^entropy of each codebook, averaged over codebooks."""
    return math.fsum(2.0 ** entropy_bits(total) for total in totals) / len(totals)


def utilization_at(totals: Sequence[np.ndarray], num_tokens: int) -> float:
    """Expected utilization of ``num_tokens`` of the tokens, spread over the codebooks as all tokens are.

    Raises:
        ValueError: if there are fewer tokens.
    """
    whole = sum(int(total.sum()) for total in totals)
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
    return min(sum(int(total.sum()) for total in totals) for totals in systems)


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
    whole, entries = sum(int(total.sum()) for total in totals), sum(map(len, totals))
    most = max(1, whole // len(totals))
    spread = np.geomspace(max(1, most // GROWTH_SPAN), most, GROWTH_POINTS).round().astype(int) * len(totals)
    # Where so many tokens could have used every entry, the bound has its corner.
    grid = {min(whole, int(tokens)) for tokens in spread} | {min(whole, entries), whole, *include}
    return [GrowthPoint(tokens, utilization_at(totals, tokens), _bound_at(totals, tokens)) for tokens in sorted(grid)]


def _bound_at(totals: Sequence[np.ndarray], num_tokens: int) -> float:
    """Largest utilization of ``num_tokens`` tokens that are spread over the codebooks as all tokens are."""
    whole = sum(int(total.sum()) for total in totals)
    reach = [min(len(total), num_tokens * int(total.sum()) // whole) for total in totals]
    return sum(reach) / sum(map(len, totals))


class CodebookMetric(Metric):
    """What metrics of codes have in common."""

    direction = "higher"
    needs = "codes"
    piecewise = True
    measurement = "code-counts"

    def applies_to(self, spec: TokenizerSpec) -> bool:
        """Only discrete tokenizers have codes."""
        return spec.is_discrete

    def measure(self, batch: WindowBatch) -> list[Arrays]:
        """The codes of each window, sparse.

        ``sizes`` (books,) and ``levels`` (dimensions,) of the codebooks, and for each book ``codes_N``, the distinct
        codes in rising order, with ``counts_N``; all int64.
        """
        encoded = batch.encoded
        if not encoded.codes:
            raise MetricError(f"{batch.spec.name} gave no codes")
        sizes = np.array(encoded.codebook_sizes, dtype=np.int64)
        levels = np.array(batch.spec.codebook_levels, dtype=np.int64)
        measured = []
        for index in range(encoded.batch_size):
            arrays: Arrays = {"sizes": sizes, "levels": levels}
            for book, (codes, size) in enumerate(zip(encoded.codes, encoded.codebook_sizes, strict=True)):
                unique, counts = np.unique(codes[index].cpu().numpy().astype(np.int64), return_counts=True)
                if len(unique) and (unique[0] < 0 or unique[-1] >= size):
                    raise MetricError(f"{batch.spec.name} gave code {unique[0]} or {unique[-1]}, not in 0..{size - 1}")
                arrays |= {f"codes_{book}": unique, f"counts_{book}": counts.astype(np.int64)}
            measured.append(arrays)
        return measured

    def join(self, pieces: Sequence[Arrays]) -> Arrays:
        """The counts of each code added up."""
        joined = {name: pieces[0][name] for name in ("sizes", "levels")}
        for book in range(len(joined["sizes"])):
            codes = np.concatenate([piece[f"codes_{book}"] for piece in pieces])
            counts = np.concatenate([piece[f"counts_{book}"] for piece in pieces])
            unique, places = np.unique(codes, return_inverse=True)
            totals = np.zeros(len(unique), dtype=np.int64)
            np.add.at(totals, places, counts)
            joined |= {f"codes_{book}": unique, f"counts_{book}": totals}
        return joined


class CodebookUtilization(CodebookMetric):
    """Share of the codebook that was used at least once."""

    name = "codebook-utilization"
    title = "Util."
    unit = "%"
    range = (0.0, 100.0)
    display_range = (0.0, 100.0)
    decimals = 1
    has_equal_size = True
    convention = "entries used at least once over the whole set, over all entries; at most min(1, tokens/K)"

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """Utilization in percent, of all codebooks together.

        It has no interval: resampling can only lose codes. ``details``, utilizations in percent:
        ``tokens``, ``bound``, ``entropy_bits`` and ``perplexity`` (means over codebooks), utilization and tokens at
        shares of the windows (chosen by a hash, so that videos mix), and ``marginal[dimension][level]`` of a scalar
        quantizer. Of several codebooks each has its ``utilization[codebook]``, ``perplexity[codebook]`` and
        ``marginal[codebook][dimension][level]``.
        """
        if not windows:
            return NOTHING_MEASURED
        parts = _parts(windows)
        totals = total_counts(windows)
        tokens = sum(int(total.sum()) for total in totals)
        bound = 100 * utilization_bound(totals)
        details = {
            "tokens": float(tokens),
            "bound": bound,
            "entropy_bits": math.fsum(map(entropy_bits, totals)) / len(totals),
            "perplexity": perplexity(totals),
            **parts,
        }
        if len(totals) > 1:
            details |= {f"utilization[{book}]": 100 * utilization([total]) for book, total in enumerate(totals)}
            details |= {f"perplexity[{book}]": perplexity([total]) for book, total in enumerate(totals)}
        for book, dimensions in enumerate(marginals(windows)):
            name = f"marginal[{book}]" if len(totals) > 1 else "marginal"
            for dim, shares in enumerate(dimensions):
                details |= {f"{name}[{dim}][{level}]": float(share) for level, share in enumerate(shares)}
        note = f"{tokens:,} tokens allow at most {bound:.1f} %" if bound < 100 else ""
        return Estimate(100 * utilization(totals), tokens, "tokens", note=note, details=details)

    def at_equal_size(self, systems: Sequence[Sequence[MeasuredWindow]]) -> tuple[str, list[float]] | None:
        """Utilizations in percent at the smallest number of tokens, in expectation over the choice of tokens."""
        totals = [total_counts(windows) for windows in systems]
        tokens = [sum(int(total.sum()) for total in books) for books in totals]
        if len(set(tokens)) < 2:
            return None
        smallest = common_tokens(totals)
        values = [100 * utilization_at(books, smallest) for books in totals]
        return f"expected among {smallest:,} tokens of each tokenizer", values


def _parts(windows: Sequence[MeasuredWindow]) -> dict[str, float]:
    """Tokens and utilization of shares of the windows, chosen by a hash so that videos mix."""
    if isinstance(windows, WindowColumns):
        return windows.kept("parts of codes", lambda: _counted_parts(windows, windows.keys()))
    return _counted_parts(windows, [window.key for window in windows])


def _counted_parts(windows: Sequence[MeasuredWindow], keys: Sequence[tuple[str, int]]) -> dict[str, float]:
    order = sorted(range(len(keys)), key=lambda place: hashlib.sha256(repr(keys[place]).encode()).digest())
    ends = [len(keys) // divisor for divisor in WINDOW_SHARES.values()]
    classes = np.full(len(keys), len(ends))
    for number, (start, end) in enumerate(itertools.pairwise([0, *ends])):
        classes[order[start:end]] = number
    counted = _counts_of(windows, classes.tolist(), len(ends) + 1)
    so_far = [np.zeros_like(total) for total in counted[0]]
    found = {}
    for number, part in enumerate(counted):
        so_far = [before + own for before, own in zip(so_far, part, strict=True)]
        if number == len(ends):
            if isinstance(windows, WindowColumns):
                windows.kept("total counts", functools.partial(list, so_far))
        elif ends[number]:
            share, tokens = list(WINDOW_SHARES)[number], sum(int(total.sum()) for total in so_far)
            found |= {f"tokens_at_{share}": float(tokens), f"utilization_at_{share}": 100 * utilization(so_far)}
    return found


class CodebookPerplexity(CodebookMetric):
    """Number of equally frequent codes with the same entropy."""

    name = "codebook-perplexity"
    title = "Perplexity"
    range = (1.0, math.inf)
    display_range = (1.0, 262144.0)
    decimals = 0
    convention = "2^H, H the entropy in bits of the codes over the whole set; mean over codebooks"

    def aggregate(self, windows: Sequence[MeasuredWindow], facts: Mapping[str, float]) -> Estimate | Unavailable:
        """Perplexity; ``details``, as means over codebooks: ``entropy_bits`` a token, ``corrected_entropy_bits`` (by
        Miller and Madow) and ``bound``, the largest perplexity of so many tokens.
        """
        if not windows:
            return NOTHING_MEASURED
        totals = total_counts(windows)
        tokens = sum(int(total.sum()) for total in totals)
        bound = math.fsum(min(len(total), int(total.sum())) for total in totals) / len(totals)
        details = {
            "entropy_bits": math.fsum(map(entropy_bits, totals)) / len(totals),
            "corrected_entropy_bits": math.fsum(map(corrected_entropy_bits, totals)) / len(totals),
            "bound": bound,
        }
        return Estimate(perplexity(totals), tokens, "tokens", note=_token_note(totals, bound), details=details)


def _token_note(totals: Sequence[np.ndarray], bound: float) -> str:
    """What a perplexity of few tokens can't tell."""
    tokens, entries = (sum(int(sum_of(total)) for total in totals) for sum_of in (np.sum, len))
    if tokens < entries:
        return f"{tokens:,} tokens allow at most {bound:,.0f}, so it can't be compared"
    if tokens < USABLE_ENTROPY * entries:
        return f"{tokens:,} tokens for {entries:,} entries: too low by the size of the sample"
    return ""
