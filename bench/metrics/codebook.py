"""How much of its codebooks a tokenizer uses over a whole evaluation set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ...tokenizers.interface import TokenizerSpec
from ..statistics.codes import USABLE_ENTROPY, corrected_entropy_bits, entropy_bits
from .code_counts import (
    common_tokens,
    count_tokens,
    marginals,
    perplexity,
    total_counts,
    utilization,
    utilization_at,
    utilization_bound,
    utilization_of_shares,
)
from .interface import Arrays, Estimate, MeasuredWindow, Metric, MetricError, Unavailable, WindowBatch
from .ratio import NOTHING_MEASURED


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
        shares = utilization_of_shares(windows)
        totals = total_counts(windows)
        tokens = count_tokens(totals)
        bound = 100 * utilization_bound(totals)
        details = {
            "tokens": float(tokens),
            "bound": bound,
            "entropy_bits": math.fsum(map(entropy_bits, totals)) / len(totals),
            "perplexity": perplexity(totals),
            **shares,
        }
        if len(totals) > 1:
            details |= {f"utilization[{book}]": 100 * utilization([total]) for book, total in enumerate(totals)}
            details |= {f"perplexity[{book}]": perplexity([total]) for book, total in enumerate(totals)}
        for book, dimensions in enumerate(marginals(windows)):
            name = f"marginal[{book}]" if len(totals) > 1 else "marginal"
            for dim, of_levels in enumerate(dimensions):
                details |= {f"{name}[{dim}][{level}]": float(share) for level, share in enumerate(of_levels)}
        note = f"{tokens:,} tokens allow at most {bound:.1f} %" if bound < 100 else ""
        return Estimate(100 * utilization(totals), tokens, "tokens", note=note, details=details)

    def at_equal_size(self, systems: Sequence[Sequence[MeasuredWindow]]) -> tuple[str, list[float]] | None:
        """Utilizations in percent at the smallest number of tokens, in expectation over the choice of tokens."""
        totals = [total_counts(windows) for windows in systems]
        if len(set(map(count_tokens, totals))) < 2:
            return None
        smallest = common_tokens(totals)
        values = [100 * utilization_at(books, smallest) for books in totals]
        return f"expected among {smallest:,} tokens of each tokenizer", values


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
        tokens = count_tokens(totals)
        bound = math.fsum(min(len(total), int(total.sum())) for total in totals) / len(totals)
        details = {
            "entropy_bits": math.fsum(map(entropy_bits, totals)) / len(totals),
            "corrected_entropy_bits": math.fsum(map(corrected_entropy_bits, totals)) / len(totals),
            "bound": bound,
        }
        return Estimate(perplexity(totals), tokens, "tokens", note=_token_note(totals, bound), details=details)


def _token_note(totals: Sequence[np.ndarray], bound: float) -> str:
    """What a perplexity of few tokens can't tell."""
    tokens, entries = count_tokens(totals), sum(map(len, totals))
    if tokens < entries:
        return f"{tokens:,} tokens allow at most {bound:,.0f}, so it can't be compared"
    if tokens < USABLE_ENTROPY * entries:
        return f"{tokens:,} tokens for {entries:,} entries: too low by the size of the sample"
    return ""
