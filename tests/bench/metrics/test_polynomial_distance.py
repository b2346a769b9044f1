from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toklab.bench.metrics.polynomial_distance import paired_polynomial_distance, polynomial_distance


@pytest.mark.goldens
def test_distances_equal_the_official_package(shared: Path) -> None:
    golden = json.loads((shared / "goldens" / "metrics_2" / "mmd_polynomial.json").read_text())
    # JEDi's kernel has degree 2 and no constant; a factor gamma other than 1/D scales the distance.
    for case in (case for case in golden["cases"] if case["degree"] == 2 and case["coef0"] == 0):
        x, y = np.array(case["x"]), np.array(case["y"])
        scale = 1.0 if case["gamma"] is None else (case["gamma"] * x.shape[1]) ** 2
        assert scale * polynomial_distance(x, y) == pytest.approx(case["jedi"], rel=1e-9, abs=1e-9), case["name"]
        if case["jedi_paired_debiased"] is not None:
            found = paired_polynomial_distance(x, y)
            assert found == pytest.approx(case["jedi_paired_debiased"], rel=1e-9, abs=1e-9), case["name"]


def features(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.3, 1, shape)


def kernel_mean(one: np.ndarray, other: np.ndarray, *, diagonal: bool) -> float:
    kernel = (one @ other.T / one.shape[1]) ** 2
    return float(kernel.mean() if diagonal else kernel[~np.eye(len(one), dtype=bool)].mean())


def test_both_equal_the_means_over_all_pairs() -> None:
    x, y = features(0, 9, 5), features(1, 9, 5)
    for function, diagonal in ((polynomial_distance, True), (paired_polynomial_distance, False)):
        means = [kernel_mean(*pair, diagonal=diagonal) for pair in ((x, x), (y, y), (x, y))]
        assert function(x, y) == pytest.approx(100 * (means[0] + means[1] - 2 * means[2]), rel=1e-9, abs=1e-9)


def test_a_set_and_its_negative_are_the_same_to_it() -> None:
    x = features(0, 9, 5)
    assert polynomial_distance(x, -x) == 0
    assert paired_polynomial_distance(x, x) == pytest.approx(0, abs=1e-12)


def test_the_paired_distance_is_right_on_average_where_the_other_is_too_large() -> None:
    generator = np.random.default_rng(0)
    size, count, noise = 64, 50, 0.2
    # Both have second moments proportional to the identity: 1 and 1 + noise².
    truth = 100 / size**2 * size * noise**4
    paired, plain = [], []
    for _ in range(200):
        x = generator.normal(size=(count, size))
        y = x + noise * generator.normal(size=(count, size))
        paired.append(paired_polynomial_distance(x, y))
        plain.append(polynomial_distance(x, y))
    assert abs(np.mean(paired) - truth) < 4 * np.std(paired) / np.sqrt(200)
    assert np.mean(plain) > truth + 4 * np.std(plain) / np.sqrt(200)


@pytest.mark.parametrize("shapes", [((3, 4), (3, 5)), ((0, 4), (3, 4)), ((3,), (3,))])
def test_sets_that_do_not_match_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="must be"):
        polynomial_distance(np.ones(shapes[0]), np.ones(shapes[1]))


def test_pairs_take_as_many_rows_on_both_sides() -> None:
    with pytest.raises(ValueError, match="at least 2 rows"):
        paired_polynomial_distance(np.ones((3, 4)), np.ones((4, 4)))
