"""Repeated timings: what the ledger keeps of them, and the figures made of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from metric_windows import estimate, make_metric, refusal
from toklab.bench.ledger.ledger import pack_arrays, unpack_arrays
from toklab.bench.metrics.interface import MeasuredWindow
from toklab.bench.metrics.repetitions import Repetitions
from toklab.bench.metrics.throughput import CORRELATED, TOO_FEW

EARLIER = ("encode_s", "decode_s", "counts", "machine")
"""What earlier versions kept."""


def timed(seconds: list[float], *, first_start: float = 0.0) -> Repetitions:
    values = np.array(seconds)
    starts = first_start + np.arange(len(values), dtype=float)
    return Repetitions(values, 2 * values, 2, 17, 100, 2, "a machine", "Python 3.12", (32, 48), starts)


def window(repeated: Repetitions, index: int = 0) -> MeasuredWindow:
    return MeasuredWindow("a", index, 17, repeated.to_arrays())


def test_the_ledger_keeps_every_repetition_and_gives_it_back() -> None:
    kept = timed([1.0, 2.0, 3.0])
    found = Repetitions.from_arrays(unpack_arrays(pack_arrays(kept.to_arrays())))
    assert found is not None
    for name, value in vars(kept).items():
        assert np.array_equal(getattr(found, name), value), name
    assert found.conditions == "a machine, Python 3.12, batch 2, 16 frames, 32×48"
    assert replace(found, num_frames=16).conditions == found.conditions
    assert replace(found, num_frames=128).conditions != found.conditions


def test_what_earlier_versions_kept_is_read_and_known_to_lack_the_rest() -> None:
    kept = {name: array for name, array in timed([1.0, 2.0]).to_arrays().items() if name in EARLIER}
    found = Repetitions.from_arrays(kept)
    assert found is not None
    assert (found.software, found.size, len(found.started_s)) == ("", (0, 0), 0)
    assert found.conditions == "a machine, batch 2, 16 frames"
    assert not found.is_interleaved_with(found)
    outcome = estimate(make_metric("latency"), [MeasuredWindow("a", 0, 17, kept)])
    assert (outcome.value, outcome.count) == (4.5, 2)


def test_interleaved_means_strictly_in_turn() -> None:
    one, other = timed([1.0] * 6, first_start=0.0), timed([1.0] * 6, first_start=0.5)
    assert one.is_interleaved_with(other)
    assert other.is_interleaved_with(one)
    assert not one.is_interleaved_with(timed([1.0] * 6, first_start=10.0))
    assert not one.is_interleaved_with(timed([1.0] * 6, first_start=1.5))
    assert not one.is_interleaved_with(timed([1.0] * 5, first_start=0.5))


@pytest.mark.parametrize(("count", "ranks"), [(6, (1, 6)), (9, (2, 8)), (12, (3, 10)), (30, (10, 21))])
def test_the_interval_of_a_speed_is_made_of_two_repetitions(count: int, ranks: tuple[int, int]) -> None:
    # Neighbours far apart, so that they aren't correlated.
    order = [value for pair in zip(range(1, count + 1), range(count, 0, -1), strict=True) for value in pair][:count]
    outcome = estimate(make_metric("latency"), [window(timed([float(value) for value in order]))])
    assert (outcome.low, outcome.high) == tuple(3.0 * rank for rank in ranks)
    assert outcome.value == 3 * (count + 1) / 2
    assert (outcome.details["lowest"], outcome.details["highest"]) == (3.0, 3.0 * count)
    assert ("correlation" in outcome.details) == (count >= 10)
    assert outcome.interval_note == outcome.note == ""


def test_fewer_than_six_repetitions_have_no_interval_but_their_ends() -> None:
    outcome = estimate(make_metric("throughput-encode"), [window(timed([1.0, 2.0, 4.0, 5.0]))])
    assert (outcome.low, outcome.high, outcome.interval_note) == (None, None, TOO_FEW)
    assert (outcome.details["lowest"], outcome.details["highest"]) == pytest.approx((2 * 17 / 5, 2 * 17))
    assert "correlation" not in outcome.details


def test_a_drift_has_no_interval() -> None:
    outcome = estimate(make_metric("latency"), [window(timed([float(value) for value in range(1, 13)]))])
    assert (outcome.low, outcome.interval_note) == (None, CORRELATED)
    assert outcome.details["correlation"] == pytest.approx(0.75, abs=0.01)


def test_batches_of_two_sizes_are_not_mixed() -> None:
    one = timed([1.0] * 6)
    windows = [window(one), window(replace(one, batch_size=4), 1)]
    assert "several conditions" in refusal(make_metric("throughput-encode"), windows).reason
