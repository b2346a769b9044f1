"""A second look at paired differences: how often chance alone, by flipping signs, gives one as large.

It assumes that differences are symmetric around zero where systems are equally good. With skewed differences it finds
too many (up to twice the nominal share), so it is never the verdict. See Romano and Wolf, *Exact and approximate
stepdown methods for multiple hypothesis testing*, Journal of the American Statistical Association 100 (2005).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from .draws import NUM_DRAWS, SEED
from .families import Pair, all_pairs

MAX_ENUMERATED_SOURCES = 12
"""Videos up to which every choice of signs is tried."""
ROUNDING = 1e-9
"""By so much a statistic may fall short of an equal one."""
CHUNK = 1024


def sign_flip_shares(
    sums: np.ndarray,
    weights: np.ndarray,
    pairs: Sequence[Pair] | None = None,
    *,
    draws: int = NUM_DRAWS,
    seed: int = SEED,
) -> np.ndarray:
    """How often the largest studentised difference of all pairs reaches that of each pair, when signs are flipped.

    All differences of a video are flipped together. Up to 12 videos every choice of signs is tried, half of them, as
    the opposite choice gives the same; with more, random ones beside the choice that was observed.

    Args:
        sums: numerators summed by video, (sources, systems); finite, at least two sources.
        weights: weights summed by video, (sources,), equal for all systems.
        pairs: those that are asked about; ``None`` for all.
        draws: random choices of signs.
        seed: of the random choices.

    Returns:
        (pairs,), each in (0, 1]: p values adjusted for the number of pairs.
    """
    chosen = all_pairs(sums.shape[1]) if pairs is None else list(pairs)
    differences = np.stack([sums[:, first] - sums[:, second] for first, second in chosen], axis=1)
    observed = _statistics(np.ones((1, len(sums))), differences, weights)[0]
    reached, tried = np.zeros(len(chosen)), 0
    for signs in _signs(len(sums), draws, seed):
        maxima = _statistics(signs, differences, weights).max(axis=1)
        reached += (maxima[:, None] >= observed - ROUNDING).sum(axis=0)
        tried += len(signs)
    return reached / tried


def _signs(num_sources: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Choices of signs, (choices, sources); among them that of no flip."""
    if num_sources <= MAX_ENUMERATED_SOURCES:
        choices = itertools.product((1.0, -1.0), repeat=num_sources - 1)
        yield np.array([(1.0, *choice) for choice in choices])
        return
    generator = np.random.default_rng([seed, num_sources])
    yield np.ones((1, num_sources))
    for start in range(0, draws, CHUNK):
        yield generator.choice((1.0, -1.0), size=(min(CHUNK, draws - start), num_sources))


def _statistics(signs: np.ndarray, differences: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Absolute differences over their standard errors, (choices, pairs)."""
    num_sources, weight = len(weights), weights.sum()
    means = signs @ differences / weight
    # Signs leave the squares as they are: Σ(±g − m w)² = Σg² − 2m Σ±g w + m² Σw².
    squares = (differences**2).sum(axis=0) - 2 * means * (signs @ (differences * weights[:, None]))
    squares = np.clip(squares + means**2 * (weights**2).sum(), 0, None)
    errors = np.sqrt(num_sources / (num_sources - 1) * squares) / weight
    sizes = np.abs(means)
    negligible = 1e-12 * np.abs(differences).sum(axis=0) / weight
    sizes[sizes <= negligible] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(errors > negligible, sizes / errors, np.where(sizes > 0, np.inf, 0.0))
