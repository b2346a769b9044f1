"""Windows as columns: the same windows, and the same figures, as of single objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from columns_of_windows import columns_of
from metric_windows import estimate, make_metric, window_of
from toklab.bench.metrics.interface import MeasuredWindow
from toklab.bench.metrics.psnr import PositionCurve, psnr_by_position
from toklab.bench.metrics.ratio import RatioMetric
from toklab.bench.metrics.sources import source_files, source_names, windows_by_source

WINDOWS = [
    replace(window_of("content b", 0, mse=[0.1, 0.2, 0.3]), file="1.mp4", machine="m", timing={"encode_s": 2.0}),
    replace(window_of("content b", 1, mse=[0.4, 0.5, 0.6]), file="1.mp4", machine="n", timing={"encode_s": 3.0}),
    replace(window_of("content a", 0, mse=[0.7, 0.8, 0.9]), file="2.mp4"),
    replace(window_of("content a", 1), file="2.mp4"),
    replace(window_of("content a", 2, mse=[0.11]), file="2.mp4"),
    replace(window_of("content b", 0, mse=[0.12, 0.13, 0.14]), file="3.mp4"),
]
"""In the ledger's order: two videos, the second of which has a copy; the fourth window has no measurement."""


def plain(window: MeasuredWindow) -> dict[str, object]:
    """A window as values that can be compared."""
    arrays = {name: array.tolist() for name, array in window.arrays.items()}
    references = {name: array.tolist() for name, array in window.reference_arrays.items()}
    return {**vars(window), "arrays": arrays, "reference_arrays": references, "timing": dict(window.timing)}


def test_windows_are_given_back_one_by_one() -> None:
    columns = columns_of(WINDOWS[::-1])
    expected = [plain(window) for window in WINDOWS]
    assert [plain(window) for window in columns] == expected
    assert [plain(columns[place]) for place in range(len(columns))] == expected
    assert [plain(window) for window in columns[1:4:2]] == expected[1:4:2]
    assert len(columns[0].timing) == 1
    assert columns.keys() == [window.key for window in WINDOWS]
    assert columns.num_frames.tolist() == [3, 3, 3, 0, 1, 3]


def test_sources_are_sorted_and_know_their_files() -> None:
    columns = columns_of(WINDOWS)
    codes, names = columns.sources
    assert [names[code] for code in codes] == [window.source for window in WINDOWS]
    assert names == ("content a", "content b")
    expected = {"content b": ["1.mp4", "3.mp4"], "content a": ["2.mp4"]}
    for windows in (columns, WINDOWS):
        assert source_files(windows) == expected
        assert list(source_files(windows)) == list(expected)
        assert source_names(windows) == ["content a", "content b"]
    keys = [[window.key for window in group] for group in windows_by_source(WINDOWS[::-1])]
    assert keys == [[("2.mp4", 0), ("2.mp4", 1), ("2.mp4", 2)], [("1.mp4", 0), ("1.mp4", 1), ("3.mp4", 0)]]
    # A part of the windows may lack a source.
    assert source_files(columns[2:5]) == {"content a": ["2.mp4"]}
    assert source_names(columns[2:5]) == ["content a"]


def test_stacks_hold_the_windows_that_are_laid_out_alike() -> None:
    longer = replace(WINDOWS[0], window=9, num_frames=4)
    found = {}
    for stack in columns_of([*WINDOWS, longer]).stacks():
        for place, values in zip(stack.places.tolist(), stack.arrays["mse"], strict=True):
            found[place] = (stack.num_frames, values.tolist())
    assert found == {
        0: (3, [0.1, 0.2, 0.3]),
        1: (3, [0.4, 0.5, 0.6]),
        2: (4, [0.1, 0.2, 0.3]),
        3: (3, [0.7, 0.8, 0.9]),
        5: (1, [0.11]),
        6: (3, [0.12, 0.13, 0.14]),
    }


def test_arrays_of_one_length_may_be_laid_out_in_several_ways() -> None:
    made = [window_of("a", 0, one=[1.0, 2.0]), window_of("a", 1, two=[3.0, 4.0]), window_of("a", 2, one=[5.0, 6.0])]
    mixed = [*made, window_of("a", 3, one=np.array([7, 8], np.float32), two=np.array([9, 10], np.int16))]
    found = [
        (stack.places.tolist(), {name: array.tolist() for name, array in stack.arrays.items()})
        for stack in columns_of(mixed).stacks()
    ]
    assert sorted(found) == [
        ([0, 2], {"one": [[1, 2], [5, 6]]}),
        ([1], {"two": [[3, 4]]}),
        ([3], {"one": [[7, 8]], "two": [[9, 10]]}),
    ]


def test_a_part_is_made_only_where_it_is_one_and_results_are_kept() -> None:
    columns = columns_of(WINDOWS)
    assert columns.take(np.arange(6)) is columns
    assert columns.kept("of the whole", lambda: 1) == columns.kept("of the whole", lambda: 2) == 1
    assert columns[:2].kept("of the whole", lambda: 3) == 3


def test_windows_with_a_reference() -> None:
    referred = [replace(window, reference_arrays={"features": np.ones(2)}) for window in WINDOWS[:2]]
    columns = columns_of([*referred, *WINDOWS[2:]])
    assert [window.key for window in columns.with_reference("features")] == [window.key for window in referred]
    assert len(columns.with_reference("others")) == 0
    assert len(columns_of(WINDOWS).with_reference("features")) == 0


def test_without_a_column_windows_have_no_arrays() -> None:
    columns = columns_of(WINDOWS)
    columns.column = None
    assert [dict(window.arrays) for window in columns] == [{}] * 6
    assert dict(columns[0].arrays) == {}
    assert list(columns.stacks()) == []


def test_sums_of_windows_and_of_sources() -> None:
    metric = make_metric("psnr-pooled")
    assert isinstance(metric, RatioMetric)
    usable = [window for window in WINDOWS if window.arrays]
    for windows in (metric.usable(columns_of(WINDOWS)), usable):
        sums, weights, sources = metric.window_sums(windows)
        assert sums.tolist() == pytest.approx([0.6, 1.5, 2.4, 0.11, 0.39])
        assert weights.tolist() == [3, 3, 3, 1, 3]
        assert sources == [window.source for window in usable]
        sums, weights = metric.source_sums(windows)
        assert sums.tolist() == pytest.approx([2.51, 2.49])
        assert weights.tolist() == [4, 9]
        assert metric.count(windows) == 13


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_windows_that_are_not_finite_are_left_out_and_counted(bad: float) -> None:
    windows = [window_of("a", 0, mse=[0.1, bad, -bad]), window_of("a", 1, mse=[0.2]), window_of("b", 0, mse=[0.4])]
    metric = make_metric("psnr-pooled")
    for given in (windows, columns_of(windows)):
        outcome = estimate(metric, given)
        assert outcome.value == pytest.approx(-10 * np.log10(0.3 + 1e-8))
        assert (outcome.count, outcome.num_sources) == (2, 2)
        assert outcome.note == "2 of 3 windows have a finite value"
    only = columns_of(windows[:1])
    for given in (windows[:1], only):
        assert "no window has a finite value" in str(metric.aggregate(given, {}))


def test_windows_that_weigh_nothing_are_left_out_and_counted() -> None:
    windows = [window_of("a", 0, errors=[]), window_of("a", 1, errors=[0.2, 0.4]), window_of("b", 0, errors=[0.6])]
    for given in (windows, columns_of(windows)):
        outcome = estimate(make_metric("flicker"), given)
        assert outcome.value == pytest.approx(0.4)
        assert (outcome.count, outcome.num_sources) == (3, 2)
        assert "finite" not in outcome.note


def test_curves_by_position_are_those_of_the_objects() -> None:
    generator = np.random.default_rng(0)
    windows = [
        window_of(f"v{source}", index, mse=generator.uniform(0.001, 0.1, 3 - index))
        for source in range(6)
        for index in range(2)
    ]
    one, other = psnr_by_position(columns_of(windows)), psnr_by_position(windows)
    for name in PositionCurve.__dataclass_fields__:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12)
    assert one.count.tolist() == [12, 12, 6]


class OverPixels(RatioMetric):
    """As a plugin may write it."""

    name = title = measurement = "over-pixels"
    direction = "none"
    range = display_range = (0.0, 1e9)
    needs = "pairs"
    convention = "bits over pixels"
    takes_stacks = True

    def numerators(self, window: MeasuredWindow) -> np.ndarray:
        return np.asarray(window.arrays["bits"])

    def denominator(self, window: MeasuredWindow) -> float:
        return window.arrays["pixels"][..., 0]  # type: ignore[return-value]


class OverPixelsOfStacks(OverPixels):
    """The same, with the denominators of stacks."""

    def denominators(self, window: MeasuredWindow) -> np.ndarray:
        return np.asarray(window.arrays["pixels"])[:, 0]


class OverTwicePixels(OverPixelsOfStacks):
    """Inherits denominators that aren't its own."""

    def denominator(self, window: MeasuredWindow) -> float:
        return 2 * super().denominator(window)


@pytest.mark.parametrize(("metric", "value"), [(OverPixels, 2), (OverPixelsOfStacks, 2), (OverTwicePixels, 1)])
def test_a_denominator_of_a_plugins_own_counts_in_columns_too(metric: type[RatioMetric], value: float) -> None:
    windows = [window_of(source, 0, bits=[200.0], pixels=[100]) for source in "abcdef"]
    for given in (windows, columns_of(windows)):
        outcome = estimate(metric(), given)
        assert (outcome.value, outcome.count) == (value, 1200 / value)
