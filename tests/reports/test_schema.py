import math
from dataclasses import asdict, replace

import pandas as pd
import pytest
from toklab.reports.schema import COLUMNS, TableError, group_order, group_title, read_figures, results_frame


def test_frame_and_figures_are_two_forms_of_one_thing(figures):
    again = read_figures(results_frame(figures))
    assert [repr(figure) for figure in again] == [repr(figure) for figure in figures]


def test_rows_may_be_mappings(figures):
    mappings = [asdict(figure) | {"count": float(figure.count)} for figure in figures]
    pd.testing.assert_frame_equal(results_frame(mappings), results_frame(figures))


def test_an_empty_table_has_all_columns_in_their_types():
    frame = results_frame([])
    assert tuple(frame.columns) == COLUMNS
    assert read_figures(frame) == []
    assert frame["value"].dtype == "float64"


def test_missing_and_unknown_columns_are_named(frame):
    with pytest.raises(TableError, match=r"lacks the columns regularizer and has unknown columns extra"):
        read_figures(frame.drop(columns="regularizer").assign(extra=1))
    with pytest.raises(TableError, match="other fields"):
        results_frame([{"system": "VidTok", "colour": "red"}])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"system": " "}, "system must not be empty"),
        ({"unit": None}, "unit must be text"),
        ({"direction": "up"}, "direction must be one of higher, lower, none"),
        ({"origin": "guessed"}, "origin must be one of"),
        ({"decimals": 1.5}, "decimals must be a whole number"),
        ({"count": -1}, "count must be a whole number"),
        ({"value": "12"}, "value must be a number"),
        ({"low": 1.0}, "give both ends"),
        ({"low": 2.0, "high": 1.0}, "give both ends in order"),
    ],
)
def test_a_wrong_field_is_refused(figure, fields, message):
    with pytest.raises(TableError, match=message):
        figure(**fields)


def test_a_repeated_figure_is_refused(figure):
    with pytest.raises(TableError, match=r"model \(measured\) has psnr on sample under vidtok twice"):
        results_frame([figure(value=1.0), figure(value=2.0)])


def test_a_metric_has_one_heading(figure):
    other = replace(figure(tokenizer="b"), unit="bel")
    with pytest.raises(TableError, match="metric psnr is described as"):
        results_frame([figure(tokenizer="a"), other])


def test_groups_are_ordered_as_in_the_paper():
    expected = [
        "discrete", "discrete-4x16x16", "discrete-8x8x8", "continuous-4", "continuous-8", "continuous-8-16x",
        "continuous-16", "continuous-16-1x8x8", "continuous-16-4x16x16", "codec", "other",
    ]  # fmt: skip
    assert sorted(sorted(expected, key=len), key=group_order) == expected
    assert [group_title(group) for group in expected] == [
        "Discrete", "Discrete at 4×16×16", "Discrete at 8×8×8", "Continuous, 4 channels", "Continuous, 8 channels",
        "Continuous, 8 channels at 16×", "Continuous, 16 channels", "Continuous, 16 channels at 1×8×8",
        "Continuous, 16 channels at 4×16×16", "Codec", "Other",
    ]  # fmt: skip


def test_availability(figure):
    assert not figure().is_available
    assert figure(value=1.0, low=0.5, high=math.inf).has_interval
