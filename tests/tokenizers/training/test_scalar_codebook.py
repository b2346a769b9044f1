"""Scalar quantizers fitted to values, against what is known of the Gaussian and the uniform distribution."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toklab.tokenizers.training.scalar_codebook import allocate_thresholds, lloyd_max

MAX_1960_TABLE_1 = {1: 1.0, 2: 0.3634, 3: 0.1902, 4: 0.1175, 8: 0.03454}
"""Mean squared error of the best quantizer of a standard Gaussian, by number of levels."""


@pytest.mark.parametrize(("num_levels", "published"), MAX_1960_TABLE_1.items())
def test_errors_of_a_gaussian_are_those_of_the_literature(num_levels: int, published: float) -> None:
    values = torch.special.ndtri((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000)
    thresholds, error = lloyd_max(values, num_levels)
    assert len(thresholds) == num_levels - 1
    assert error == pytest.approx(published, rel=0.02)


def test_a_uniform_distribution_is_cut_into_equal_parts() -> None:
    values = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    thresholds, error = lloyd_max(values, 4)
    torch.testing.assert_close(thresholds, torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64), atol=1e-3, rtol=0)
    assert error == pytest.approx(0.25**2 / 12, rel=1e-2)


@pytest.mark.slow
@given(st.integers(0, 999), st.integers(1, 6))
def test_the_error_is_what_the_thresholds_leave(seed: int, num_levels: int) -> None:
    values = torch.randn(200, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    thresholds, error = lloyd_max(values, num_levels)
    parts = torch.bucketize(values, thresholds)
    left = sum(float((values[parts == part] - values[parts == part].mean()).square().sum()) for part in parts.unique())
    assert left / 200 == pytest.approx(error)


def test_the_stronger_component_gets_more_thresholds() -> None:
    components = torch.randn(5_000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([4.0, 1.0, 0.01])
    indices, thresholds = allocate_thresholds(components, 5)
    assert indices == [0, 0, 0, 0, 1]
    assert torch.equal(thresholds[:4], thresholds[:4].sort().values)
    assert abs(float(thresholds[4])) < 0.1


def test_constant_values_need_no_special_care() -> None:
    thresholds, error = lloyd_max(torch.full((10,), 3.0), 3)
    assert error == 0
    assert torch.equal(thresholds, torch.full((2,), 3.0))
