"""How much of a codebook is used: figures of counts, in closed form.

Hurlbert, *The nonconcept of species diversity*, Ecology 52 (1971), for the distinct codes in fewer tokens; Miller,
*Note on the bias of information estimates* (1955); Krichevsky and Trofimov, *The performance of universal encoding*,
IEEE Transactions on Information Theory 27 (1981).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

USABLE_ENTROPY = 4
"""Tokens an entry from which on an entropy is usable as that of the source."""


def expected_distinct(counts: np.ndarray, num_tokens: int) -> float:
    """Expected number of distinct codes among ``num_tokens`` of the counted tokens, drawn without replacement.

    Args:
        counts: how often each entry was used, (entries,).
        num_tokens: at least 0.

    Raises:
        ValueError: if more tokens are asked for than were counted: nothing is extrapolated.
    """
    counts = np.asarray(counts, np.float64)
    counts = counts[counts > 0]
    total = float(counts.sum())
    if not 0 <= num_tokens <= total:
        raise ValueError(f"{num_tokens:,} of {int(total):,} tokens can't be drawn")
    used, times = np.unique(counts, return_counts=True)
    remaining = total - used
    possible = remaining >= num_tokens
    unused = np.zeros(len(used))
    unused[possible] = [_share_missing(total, num_tokens, count) for count in used[possible]]
    return math.fsum(times * (1 - unused))


def _share_missing(total: float, num_tokens: int, count: float) -> float:
    """Probability that none of ``count`` tokens is among ``num_tokens`` of ``total``.

    C(total − count, n) / C(total, n), with n for ``num_tokens``.
    """
    # The shorter product of the two that are equal; both are exact to rounding.
    factors, other = (count, num_tokens) if count <= num_tokens else (num_tokens, count)
    if factors <= 4096:
        return math.exp(float(np.log1p(-other / (total - np.arange(int(factors)))).sum()))
    logs = gammaln([total - count + 1, total - num_tokens + 1, total - count - num_tokens + 1, total + 1])
    return math.exp(float(logs[0] + logs[1] - logs[2] - logs[3]))


def entropy_bits(counts: np.ndarray) -> float:
    """Entropy −Σ p log2 p of the empirical distribution, in bits; 0 for no counts at all."""
    used = counts[counts > 0]
    shares = used / used.sum() if used.size else used
    return abs(math.fsum((-shares * np.log2(shares)).tolist()))


def corrected_entropy_bits(counts: np.ndarray) -> float:
    """The entropy with Miller and Madow's correction of its bias, at most log2 of the entries; 0 for no counts."""
    total = int(counts.sum())
    if not total:
        return 0.0
    correction = (int(np.count_nonzero(counts)) - 1) / (2 * total * math.log(2))
    return min(entropy_bits(counts) + correction, math.log2(len(counts)))


def adaptive_code_bits(counts: np.ndarray) -> float:
    """Length in bits of Krichevsky and Trofimov's adaptive code of all tokens: no table has to be known beforehand.

    Args:
        counts: how often each entry was used, (entries,), those without use included.
    """
    counts = np.asarray(counts, np.float64)
    total, half = float(counts.sum()), len(counts) / 2
    used = counts[counts > 0]
    nats = gammaln(total + half) - gammaln(half) - math.fsum(gammaln(used + 0.5) - gammaln(0.5))
    return float(nats) / math.log(2)
