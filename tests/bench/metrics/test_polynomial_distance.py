from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toklab.bench.metrics.polynomial_distance import PairedMoments


@pytest.mark.goldens
def test_distances_equal_the_official_package(shared: Path) -> None:
    golden = json.loads((shared / "goldens" / "metrics_2" / "mmd_polynomial.json").read_text())
    checked = 0
    # JEDi's kernel has degree 2, no constant and a factor of 1/D.
    for case in (case for case in golden["cases"] if case["degree"] == 2 and case["gamma"] is None):
        x, y = np.array(case["x"]), np.array(case["y"])
        if len(x) == len(y):
            moments = PairedMoments.of(x, y)
            assert moments.distance() == pytest.approx(case["jedi"], rel=1e-9, abs=1e-9), case["name"]
            checked += 1
        if case["jedi_paired_debiased"] is not None:
            found = PairedMoments.of(x, y).paired_distance()
            assert found == pytest.approx(case["jedi_paired_debiased"], rel=1e-9, abs=1e-9), case["name"]
    assert checked == 4


def features(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.3, 1, shape)


def kernel_mean(one: np.ndarray, other: np.ndarray, *, diagonal: bool) -> float:
    kernel = (one @ other.T / one.shape[1]) ** 2
    return float(kernel.mean() if diagonal else kernel[~np.eye(len(one), dtype=bool)].mean())


@pytest.mark.parametrize("count", [2, 9])
def test_both_equal_the_means_over_all_pairs(count: int) -> None:
    x, y = features(0, count, 5), features(1, count, 5)
    moments = PairedMoments.of(x, y)
    for found, diagonal in ((moments.distance(), True), (moments.paired_distance(), False)):
        means = [kernel_mean(*pair, diagonal=diagonal) for pair in ((x, x), (y, y), (x, y))]
        assert found == pytest.approx(100 * (means[0] + means[1] - 2 * means[2]), rel=1e-9, abs=1e-9)


def test_a_part_can_be_taken_away() -> None:
    x, y = features(0, 18, 6), features(1, 18, 6)
    found, rest = PairedMoments.of(x, y) - PairedMoments.of(x[:5], y[:5]), PairedMoments.of(x[5:], y[5:])
    assert found.distance() == pytest.approx(rest.distance(), rel=1e-9)
    assert found.paired_distance() == pytest.approx(rest.paired_distance(), rel=1e-9)


def test_a_set_and_its_negative_are_the_same_to_it() -> None:
    x = features(0, 9, 5)
    assert PairedMoments.of(x, -x).distance() == 0
    assert PairedMoments.of(x, x).paired_distance() == pytest.approx(0, abs=1e-12)


def test_the_paired_distance_is_right_on_average_where_the_other_is_too_large() -> None:
    generator = np.random.default_rng(0)
    size, count, noise = 64, 50, 0.2
    # Both have second moments proportional to the identity: 1 and 1 + noise².
    truth = 100 / size**2 * size * noise**4
    paired, plain = [], []
    for _ in range(200):
        x = generator.normal(size=(count, size))
        moments = PairedMoments.of(x, x + noise * generator.normal(size=(count, size)))
        paired.append(moments.paired_distance())
        plain.append(moments.distance())
    assert abs(np.mean(paired) - truth) < 4 * np.std(paired) / np.sqrt(200)
    assert np.mean(plain) > truth + 4 * np.std(plain) / np.sqrt(200)


@pytest.mark.parametrize("shapes", [((3, 4), (3, 5)), ((4, 4), (3, 4)), ((3,), (3,))])
def test_sets_that_do_not_match_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PairedMoments.of(np.ones(shapes[0]), np.ones(shapes[1]))


def test_too_few_rows_are_refused() -> None:
    rows = np.ones((1, 4))
    assert PairedMoments.of(rows, 2 * rows).distance() > 0
    with pytest.raises(ValueError, match="at least 2 rows, not 1"):
        PairedMoments.of(rows, rows).paired_distance()
    with pytest.raises(ValueError, match="at least 1 row"):
        PairedMoments.of(rows[:0], rows[:0]).distance()
