"""Intervals of figures of whole sets."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from toklab.bench.statistics.intervals import student_quantile
from toklab.bench.statistics.jackknife import compare_sets, jackknife_interval, source_groups
from toklab.bench.statistics.ratios import Freedom


def test_of_a_mean_it_is_students_interval() -> None:
    values = np.random.default_rng(0).normal(size=12)
    left_out = np.array([np.delete(values, index).mean() for index in range(12)])
    found = jackknife_interval(values.mean(), left_out, 12)
    half = student_quantile(0.975, 11) * values.std(ddof=1) / math.sqrt(12)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert found.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(12))
    assert found.freedom == Freedom(1.0, 11.0)


def test_never_below_the_least_value() -> None:
    assert jackknife_interval(0.1, np.array([0.0, 1.0, 2.0, 3.0, 4.0]), 5, lowest=0.0).low == 0
    assert jackknife_interval(-9.0, np.array([-9.0, -9.1, -9.0, -9.2, -9.1]), 5, lowest=0.0).high == 0
    assert jackknife_interval(0.1, np.array([0.0, 1.0, 2.0, 3.0]), 4).low is None


def test_groups() -> None:
    assert source_groups([f"v{i}" for i in range(50)]).tolist() == list(range(50))
    names = [f"v{i}" for i in range(120)]
    groups = source_groups(names)
    assert sorted(set(np.bincount(groups).tolist())) == [2, 3]
    assert len(set(groups.tolist())) == 50
    backward = source_groups(names[::-1])[::-1]
    assert np.array_equal(groups, backward)
    assert len(set(source_groups(names[:51]).tolist())) == 50
    ranked = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    assert [groups[names.index(ranked[rank])] for rank in (0, 49, 50, 119)] == [0, 49, 0, 19]


def test_pairs_are_judged_by_their_difference() -> None:
    generator = np.random.default_rng(0)
    common = generator.normal(0, 1, 20)
    left_out = np.stack([100 + common, 90 + common + 0.01 * generator.normal(size=20), 100 + common])
    family = compare_sets(np.array([100.0, 90.0, 100.0]), left_out, 20)
    apart, same, _ = family.differences
    assert apart.separable is True
    assert (same.separable, same.statistic) == (False, 0)
    error = math.sqrt(19 / 20) * (left_out[0] - left_out[1]).std() * math.sqrt(20)
    critical = student_quantile(1 - (1 - 0.95 ** (1 / 3)) / 2, 19)
    assert family.critical_value == pytest.approx(critical)
    assert (apart.interval.low, apart.interval.high) == pytest.approx((10 - critical * error, 10 + critical * error))
    assert (family.num_sources, family.values) == (20, (100, 90, 100))
    few = compare_sets(np.array([100.0, 90.0]), left_out[:2, :4], 4)
    assert (few.differences[0].separable, few.differences[0].interval.value) == (None, 10)
    assert compare_sets(np.array([100.0, 90.0]), left_out[:2, :5], 5).differences[0].separable is not None
    assert compare_sets(np.array([100.0, 90.0]), left_out[:2], 20, [(1, 0)]).differences[0].interval.value == -10
