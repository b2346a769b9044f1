"""Columns without any figure leave a printed table for lines below it, and nothing else changes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from toklab.reports.tables.table import build_table


def absent(figure, metric, note="", hint="", **fields):
    return figure(metric=metric, value=math.nan, note=note, hint=hint, **fields)


def lines(*figures):
    return list(build_table(figures, without_empty=True).not_measured)


def test_weights_to_fetch_become_one_command_and_the_rest_of_the_table_stays(figures):
    """The fixture's LPIPS and FVD lack weights; all else, footnotes' marks included, is as in the table with them."""
    without, whole = build_table(figures, without_empty=True), build_table(figures)
    assert without.not_measured == ("not measured: LPIPS, FVD; toklab weights pull lpips-vgg fvd-i3d",)
    assert not whole.not_measured
    assert [c.metric for c in without.columns] == [
        c.metric for c in whole.columns if c.metric not in ("lpips-vgg", "fvd-i3d")
    ]
    measured = [f for f in figures if f.metric not in ("lpips-vgg", "fvd-i3d")]
    assert replace(without, not_measured=()) == build_table(measured)


def test_a_column_with_one_figure_stays(figure):
    table = build_table(
        [figure(tokenizer="a", value=1.0), absent(figure, "psnr", "no memory", tokenizer="b")], without_empty=True
    )
    assert [column.title for column in table.columns] == ["PSNR"]
    assert not table.not_measured
    assert [note.text for note in table.footnotes] == ["unavailable: no memory"]


def test_a_published_figure_keeps_its_column(figure):
    measured = absent(figure, "lpips-vgg", "no weights", "toklab weights pull lpips-vgg", tokenizer="a")
    printed = figure(metric="lpips-vgg", tokenizer="b", value=0.1, origin="published", citation="a paper")
    assert [c.metric for c in build_table([measured, printed], without_empty=True).columns] == ["lpips-vgg"]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (
            [("lpips-vgg", "no libvmaf", "pip install it"), ("flicker", "no libvmaf", "pip install it")],
            ["not measured: LPIPS, Flicker (no libvmaf); pip install it"],
        ),
        (
            [
                ("lpips-vgg", "not here", "toklab weights pull lpips-vgg"),
                ("fvd-i3d", "not here", "toklab weights pull jedi --accept-licence"),
            ],
            [
                "not measured: LPIPS; toklab weights pull lpips-vgg",
                "not measured: FVD; toklab weights pull jedi --accept-licence",
            ],
        ),
        ([("flicker", "", "")], ["not measured: Flicker (could not be computed)"]),
    ],
)
def test_other_reasons_are_said_and_shared_ones_said_once(figure, missing, expected):
    assert lines(figure(value=1.0), *(absent(figure, *parts) for parts in missing)) == expected


def test_a_tokenizer_that_failed_explains_no_column(figure):
    """Why it failed stands in its row; LPIPS is missing because of its weights."""
    row = [absent(figure, metric, "checkpoint not found", tokenizer="b") for metric in ("psnr", "lpips-vgg")]
    others = [figure(value=1.0), absent(figure, "lpips-vgg", "not here", "toklab weights pull lpips-vgg")]
    assert lines(*others, *row) == ["not measured: LPIPS; toklab weights pull lpips-vgg"]


def test_where_all_failed_the_rows_stay_with_the_reason(figure):
    rows = [absent(figure, metric, "checkpoint not found", "fetch it") for metric in ("psnr", "ssim")]
    table = build_table(rows, without_empty=True)
    assert table.columns == ()
    assert [row.title for section in table.sections for row in section.rows] == ["System"]
    assert table.not_measured == ("not measured: PSNR, SSIM (checkpoint not found); fetch it",)


def test_a_metric_that_one_dataset_has_is_named_with_the_other(figure):
    """``LPIPS`` alone would say that it is nowhere."""
    there, hint = figure(metric="lpips-vgg", value=0.1, dataset="first"), "toklab weights pull lpips-vgg"
    missing = [figure(value=1.0, dataset="second"), absent(figure, "lpips-vgg", "gone", hint, dataset="second")]
    assert lines(there, *missing) == [f"not measured: second LPIPS; {hint}"]
