"""The Fréchet distance against scipy's matrix square root, eigenvalues and closed forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from toklab.bench.metrics.frechet import frechet_distance, growing_moments, moments_without


def _features(seed: int, num_samples: int, size: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(num_samples, size)) @ generator.normal(size=(size, size)) / np.sqrt(size)


def _by_square_root(a: np.ndarray, b: np.ndarray, ddof: int) -> float:
    cov_a, cov_b = np.cov(a.T, ddof=ddof), np.cov(b.T, ddof=ddof)
    root = np.asarray(scipy.linalg.sqrtm(cov_a @ cov_b))
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a + cov_b) - 2 * np.trace(root).real)


def _by_eigenvalues(a: np.ndarray, b: np.ndarray, ddof: int) -> float:
    """√Σa Σb √Σa is symmetric, so its eigenvalues are accurate at any rank."""
    cov_a, cov_b = np.cov(a.T, ddof=ddof), np.cov(b.T, ddof=ddof)
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)).sum()
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(cov_a + cov_b) - 2 * cross)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize(("num_a", "num_b"), [(300, 300), (200, 500)])
def test_equals_scipy_at_full_rank(ddof: int, num_a: int, num_b: int) -> None:
    a, b = _features(0, num_a, 40), _features(1, num_b, 40) + 0.3
    assert frechet_distance(a, b, ddof) == pytest.approx(_by_square_root(a, b, ddof), rel=1e-9)


@pytest.mark.parametrize("ddof", [0, 1])
def test_equals_eigenvalues_with_fewer_samples_than_dimensions(ddof: int) -> None:
    a, b = _features(0, 12, 60), _features(1, 12, 60)
    # The reference takes roots of eigenvalues that are zero but for rounding: √1e-16 each.
    assert frechet_distance(a, b, ddof) == pytest.approx(_by_eigenvalues(a, b, ddof), rel=1e-6)


def test_is_exact_with_fewer_samples_than_dimensions() -> None:
    a = _features(0, 12, 60)
    centred = a - a.mean(0)
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * np.square(centred).sum() / 12, rel=1e-12)


@pytest.mark.parametrize("num_samples", [10, 200])
def test_identical_and_shifted_sets(num_samples: int) -> None:
    features = _features(2, num_samples, 30)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(features, features + 0.5) == pytest.approx(30 * 0.25, abs=1e-9)


def test_float32_features_are_computed_in_float64() -> None:
    a, b = (_features(seed, 100, 20).astype(np.float32) for seed in (0, 1))
    assert frechet_distance(a, b) == frechet_distance(a.astype(np.float64), b.astype(np.float64))


@pytest.mark.parametrize(("samples", "size", "num_groups"), [(60, 8, 12), (20, 30, 7), (50, 12, 50), (9, 4, 3)])
@pytest.mark.parametrize("ddof", [0, 1])
def test_moments_without_a_group_equal_those_of_the_rest(samples: int, size: int, num_groups: int, ddof: int) -> None:
    generator = np.random.default_rng(samples)
    features = 100 + generator.normal(size=(2, samples, size)).astype(np.float32)
    groups = generator.permutation(np.arange(samples) % num_groups)
    found = zip(*(moments_without(part, groups, num_groups, ddof) for part in features), strict=True)
    for group, (one, other) in enumerate(found):
        rest = features[:, groups != group]
        assert one.distance(other) == pytest.approx(frechet_distance(rest[0], rest[1], ddof), rel=1e-9)


def test_a_group_without_rows_leaves_all() -> None:
    features = np.random.default_rng(0).normal(size=(9, 4))
    _, empty, _ = moments_without(features, np.array([0, 2] * 4 + [0]), 3, 0)
    assert empty.mean == pytest.approx(features.mean(axis=0))


def test_refuses_what_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="1 samples are too few"):
        frechet_distance(np.zeros((1, 3)), np.zeros((1, 3)), 1)
    with pytest.raises(ValueError, match="one d"):
        frechet_distance(np.zeros((2, 3)), np.zeros((2, 4)))


@pytest.mark.goldens
def test_equals_the_official_class_of_content_debiased_fvd(shared: Path) -> None:
    for case in json.loads((shared / "goldens" / "metrics_2" / "frechet.json").read_text())["cases"]:
        real, fake = (np.array(case[side], np.float32) for side in ("real", "fake"))
        for ddof in (0, 1):
            assert frechet_distance(real, fake, ddof) == pytest.approx(case[f"nuclear_ddof{ddof}"], rel=1e-6)
        if case["name"] == "full_rank":
            assert frechet_distance(real, fake, 0) == pytest.approx(case["official_ddof0_sqrtm"], rel=1e-6)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("sizes", [[3, 7, 50], [40, 41, 60]])
def test_growing_moments_are_those_of_the_first_rows(sizes: list[int], ddof: int) -> None:
    a, b = _features(3, 60, 20), _features(4, 60, 20) + 0.2
    pairs = zip(growing_moments(a, sizes, ddof), growing_moments(b, sizes, ddof), strict=True)
    expected = [frechet_distance(a[:size], b[:size], ddof) for size in sizes]
    assert [one.distance(other) for one, other in pairs] == pytest.approx(expected, rel=1e-9)
