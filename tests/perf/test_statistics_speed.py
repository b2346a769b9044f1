"""Speed of intervals and ranks."""

from __future__ import annotations

import numpy as np
import pytest
from toklab.bench.statistics.intervals import ratio_interval
from toklab.bench.statistics.ranks import rank_systems

NUM_SYSTEMS = 20


@pytest.mark.parametrize("num_sources", [30, 600, 5_000])
def test_twenty_systems(benchmark, num_sources: int) -> None:  # type: ignore[no-untyped-def]
    """9,999 draws; the intervals of twenty systems and their ranks in one column."""
    generator = np.random.default_rng(0)
    sums = generator.normal(30, 3, size=(num_sources, 1)) + generator.normal(size=(num_sources, NUM_SYSTEMS))
    weights = np.ones(num_sources)

    def column() -> None:
        for system in range(NUM_SYSTEMS):
            ratio_interval(sums[:, system], weights)
        rank_systems(sums, weights, higher_is_better=True)

    benchmark.pedantic(column, rounds=1, warmup_rounds=0)
