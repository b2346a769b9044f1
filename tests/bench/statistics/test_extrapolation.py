from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.bench.statistics.extrapolation import limit_of_growing_samples, sample_sizes


def test_sizes_go_from_half_to_all() -> None:
    assert sample_sizes(1400) == [700, 800, 900, 1000, 1100, 1200, 1300, 1400]
    assert (sample_sizes(1001)[0], sample_sizes(1001)[-1]) == (500, 1001)


@given(st.floats(-100, 100), st.floats(-1e5, 1e5), st.integers(1000, 5000))
def test_an_exact_law_gives_its_limit(limit: float, slope: float, count: int) -> None:
    sizes = sample_sizes(count) * 3
    values = [limit + slope / size for size in sizes]
    assert limit_of_growing_samples(sizes, values) == pytest.approx(limit, abs=1e-7 + 1e-9 * abs(slope))


def test_one_size_tells_nothing() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        limit_of_growing_samples([1000, 1000], [3.0, 3.0])
