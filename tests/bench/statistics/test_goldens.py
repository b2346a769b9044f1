"""Against values that an independent implementation computed."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toklab.bench.statistics import codes
from toklab.bench.statistics.families import Family, compare_ratios, sidak_critical_value
from toklab.bench.statistics.intervals import interval_ends, ratio_deviations
from toklab.bench.statistics.order_statistics import median_ranks
from toklab.bench.statistics.pairs import PairedRatios, pair_deviations
from toklab.bench.statistics.power import detectable_difference
from toklab.bench.statistics.ratios import Freedom, Ratio, standard_error
from toklab.bench.statistics.sign_flips import sign_flip_shares
from toklab.bench.statistics.wins import wilson_interval

pytestmark = pytest.mark.goldens


def read(shared: Path, name: str) -> dict[str, Any]:
    return json.loads((shared / "goldens" / "statistics" / name).read_text())


def near(expected: Any, rel: float = 1e-9) -> Any:
    return pytest.approx(expected, rel=rel, abs=1e-9, nan_ok=True)


def numbers(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def check_single(golden: dict[str, Any], sums: np.ndarray, weights: np.ndarray) -> None:
    ratio = Ratio.of(sums, weights)
    assert ratio.value == near(golden["theta"])
    assert (ratio.num_sources, math.fsum(weights)) == (golden["sources"], near(golden["weight"]))
    assert ratio.effective_sources == near(golden["n_eff"])
    if golden["se"] is None:
        return
    assert ratio.standard_error == near(golden["se"])
    assert (ratio.freedom.scale, ratio.freedom.degrees) == (near(golden["kappa"]), near(golden["nu"], 1e-7))
    if golden["t_interval"]:
        args = (ratio.value, ratio.standard_error, ratio.freedom, ratio.effective_sources, None, ratio.num_sources)
        assert interval_ends(*args)[:2] == near(tuple(golden["t_interval"]))


def test_single_figures(shared: Path) -> None:
    for data in read(shared, "ratios.json")["sets"]:
        for name in data["systems"]:
            check_single(data["single"][name], numbers(data["sums"][name]), numbers(data["weights"]))


def test_paired_differences_and_critical_values(shared: Path) -> None:
    for data in read(shared, "ratios.json")["sets"]:
        sums = np.stack([numbers(data["sums"][name]) for name in data["systems"]], axis=1)
        weights = numbers(data["weights"])
        if len(weights) < 2:
            continue
        systems = PairedRatios.of(sums, weights)
        family = compare_ratios(sums, weights, draws=99)
        for outcome in family.differences:
            first, second = outcome.pair
            assert outcome.interval.value == near(data["difference"][first][second]), data["name"]
            assert systems.standard_errors([outcome.pair])[0] == near(data["paired_se"][first][second]), data["name"]
            expected = data["T"][first][second]
            if expected is not None and math.isfinite(outcome.statistic):
                assert outcome.statistic == near(expected), data["name"]
        if data.get("critical_t_sidak"):
            ratio = Ratio.of(sums[:, 0], weights)
            assert sidak_critical_value(data["pairs"], ratio.freedom) == near(data["critical_t_sidak"]), data["name"]


def test_sign_flips(shared: Path) -> None:
    name, checked = "sign_flip_adjusted_p_upper_triangle", 0
    for data in read(shared, "ratios.json")["sets"]:
        if name in data:
            sums = np.stack([numbers(data["sums"][system]) for system in data["systems"]], axis=1)
            assert sign_flip_shares(sums, numbers(data["weights"])).tolist() == near(data[name])
            checked += 1
    assert checked == 2


def studentised_by_hand(systems: PairedRatios, pair: tuple[int, int], counts: np.ndarray) -> tuple[float, float]:
    """Deviation and standard error of a difference in one draw, from its definition."""
    values, influences = [], []
    for system in pair:
        ratio = systems.ratios[system]
        weight = counts @ ratio.shares
        deviation = counts @ ratio.residuals / weight
        values.append(deviation)
        influences.append((ratio.residuals - deviation * ratio.shares) / weight)
    apart = influences[0] - influences[1]
    return values[0] - values[1], standard_error(np.repeat(apart, counts.astype(int)))


def test_given_draws(shared: Path) -> None:
    checked = 0
    for data in read(shared, "ratios.json")["sets"]:
        sums = np.stack([numbers(data["sums"][name]) for name in data["systems"]], axis=1)
        systems = PairedRatios.of(sums, numbers(data["weights"]))
        pairs = list(itertools.combinations(range(sums.shape[1]), 2))

        for draw in data.get("given_draws", ()):
            counts = numbers(draw["counts"])
            for index, ratio in enumerate(systems.ratios):
                deviations, errors = ratio_deviations(ratio, counts[None])
                assert ratio.value + deviations[0] == near(draw["theta"][index])
                assert errors[0] == near(draw["se"][index])
                if draw["t_single"][index] is not None:
                    assert deviations[0] / errors[0] == near(draw["t_single"][index])
            deviations, errors = pair_deviations(systems, pairs, counts[None])
            for place, pair in enumerate(pairs):
                assert (deviations[0, place], errors[0, place]) == near(studentised_by_hand(systems, pair, counts))
                assert errors[0, place] == near(draw["paired_se"][place])
                if draw["abs_t_pairs"][place] is not None:
                    assert abs(deviations[0, place] / errors[0, place]) == near(draw["abs_t_pairs"][place])
            checked += 1
    assert checked > 8


def test_windows_that_are_missing(shared: Path) -> None:
    data = read(shared, "ratios.json")["missing_windows"]
    for kind in ("own", "on_shared"):
        for golden in data[kind].values():
            check_single(golden, numbers(golden["sums"]), numbers(golden["weights"]))
    on_shared = data["on_shared"]
    sums = np.stack([numbers(on_shared[name]["sums"]) for name in "AB"], axis=1)
    family: Family = compare_ratios(sums, numbers(on_shared["A"]["weights"]))
    (outcome,) = family.differences
    assert (family.num_sources, outcome.separable, outcome.interval.low) == (data["sources_shared"], None, None)
    assert outcome.interval.value == near(data["difference_a_minus_b"])
    assert (outcome.interval.standard_error, outcome.statistic) == (near(data["paired_se"]), near(data["T"]))


def test_codebooks(shared: Path) -> None:
    for data in read(shared, "counts.json")["codebook"]:
        counts = np.zeros(data["codebook_size"], dtype=np.int64)
        counts[: len(data["counts"])] = data["counts"]
        assert codes.entropy_bits(counts) == near(data["entropy_bits"])
        assert 2 ** codes.entropy_bits(counts) == near(data["perplexity"])
        assert codes.corrected_entropy_bits(counts) == near(data["entropy_miller_madow"])
        assert codes.adaptive_code_bits(counts) == near(data["kt_bits_total"])
        for num_tokens, expected in data["rarefaction"].items():
            assert codes.expected_distinct(counts, int(num_tokens)) == near(expected)


def test_shares_of_wins(shared: Path) -> None:
    for data in read(shared, "counts.json")["wilson_95"]:
        assert wilson_interval(data["wins"], data["n"]) == near(tuple(data["interval"]))


def test_ranks_of_medians(shared: Path) -> None:
    for data in read(shared, "counts.json")["median_order_statistics_95"]:
        expected = None if data["lower_rank"] is None else (data["lower_rank"], data["upper_rank"])
        assert median_ranks(data["n"]) == expected


def test_detectable_differences(shared: Path) -> None:
    for data in read(shared, "counts.json")["detectable_difference_80"]:
        assert detectable_difference(1.0, Freedom(1.0, data["nu"])) == near(data["multiplier_simple"])
