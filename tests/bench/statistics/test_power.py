"""The smallest difference that a comparison would have shown."""

from __future__ import annotations

import numpy as np
import pytest
from toklab.bench.statistics.families import compare_ratios
from toklab.bench.statistics.power import detectable_difference
from toklab.bench.statistics.ratios import Freedom


def test_one_pair_and_a_family() -> None:
    assert detectable_difference(1.0, Freedom(1.0, 7)) == pytest.approx(3.26, abs=0.005)
    assert detectable_difference(0.5, Freedom(1.0, 7), 4.9) == pytest.approx(5.80 / 2, abs=0.005)


@pytest.mark.slow
def test_it_is_found_four_times_in_five() -> None:
    generator, found = np.random.default_rng(0), 0
    for _ in range(1_000):
        noise = generator.normal(size=(12, 2))
        true_error = np.sqrt(2 / 12)
        noise[:, 0] += detectable_difference(true_error, Freedom(1.0, 11))
        found += bool(compare_ratios(noise, np.ones(12), draws=999).differences[0].separable)
    assert found / 1_000 == pytest.approx(0.8, abs=0.05)
