"""Draws of source videos with replacement, shared by everything that is measured on as many videos."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

NUM_DRAWS = 9_999
"""Draws of a bootstrap: (draws + 1) times 0.025 is a whole number."""
SEED = 0
"""Fixed, so that equal input gives equal output."""

_CHUNK = 256
_CHUNK_COUNTS = 2**17
"""Counts that are handed out at once: 1 MiB, which stays in a processor's cache."""
_CACHED_COUNTS = 2**26
"""Sets of draws up to so many counts are kept, two at most, of one or two bytes a count."""


def draw_counts(num_sources: int, num_draws: int = NUM_DRAWS, seed: int = SEED) -> Iterator[np.ndarray]:
    """How often each source is drawn, a chunk of draws at a time.

    The draws depend on the number of sources and on the seed alone, so that all systems and all metrics share them.
    Fewer draws are the first ones of many.

    Yields:
        (draws of the chunk, sources) float64; every row sums to the number of sources.
    """
    if num_sources * num_draws <= _CACHED_COUNTS:
        blocks = iter((_kept_counts(num_sources, num_draws, seed),))
    else:
        blocks = _fresh_counts(num_sources, num_draws, seed)
    rows = min(max(_CHUNK_COUNTS // num_sources, 1), _CHUNK)
    for block in blocks:
        for start in range(0, len(block), rows):
            yield block[start : start + rows].astype(np.float64)


def _fresh_counts(num_sources: int, num_draws: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng((seed, num_sources))
    for start in range(0, num_draws, _CHUNK):
        # Whole chunks are drawn, so that the draws don't depend on how many are wanted.
        drawn = generator.integers(0, num_sources, (_CHUNK, num_sources))
        drawn += np.arange(_CHUNK)[:, None] * num_sources
        counts = np.bincount(drawn.ravel(), minlength=_CHUNK * num_sources).reshape(_CHUNK, num_sources)
        yield counts[: num_draws - start]


@functools.lru_cache(maxsize=2)
def _kept_counts(num_sources: int, num_draws: int, seed: int) -> np.ndarray:
    kept = np.empty((num_draws, num_sources), np.uint16 if num_sources > 255 else np.uint8)
    start = 0
    for counts in _fresh_counts(num_sources, num_draws, seed):
        kept[start : start + len(counts)] = counts
        start += len(counts)
    kept.setflags(write=False)
    return kept
