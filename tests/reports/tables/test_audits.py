"""Tables of published figures and of the convention audit, as printed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from toklab.reports.schema import TableError
from toklab.reports.tables import convention_audit, published_check
from toklab.reports.tables.convention_audit import condition_audit_table, convention_audit_table
from toklab.reports.tables.plain import PlainTable
from toklab.reports.tables.published_check import published_check_table

CHECK = {
    **dict.fromkeys(published_check.COLUMNS, ""),
    "system": "VidTok KL - 4chn",
    "label": "mine",
    "dataset": "mcl-jcv",
    "title": "PSNR",
    "unit": "dB",
    "decimals": 2,
    "measured": 29.641,
    "low": 28.0,
    "high": 31.0,
    "videos": 30,
    "published": 29.64,
    "accepted_low": 29.631,
    "accepted_high": 29.651,
    "verdict": "reproduced",
    "reason": "to the printed digits",
    "source": "a paper",
    "note": "a paper",
}
MOVE = {
    **dict(zip(convention_audit.COLUMNS, ("d", "p", "h", "mine", "psnr", "PSNR", "dB", 2), strict=False)),
    "value": 30.0,
    "switch": "PSNR average",
    "words": "pooled",
    "other": 28.0,
    "move": -2.0,
    "videos": 12,
    "windows": 24,
}


def checks(*changes: dict[str, Any]) -> PlainTable:
    return published_check_table(pd.DataFrame([CHECK | change for change in changes]))


def audit(*changes: dict[str, Any]) -> PlainTable:
    return convention_audit_table(pd.DataFrame([MOVE | change for change in changes]), ["last"])


def test_a_check_prints_both_figures_what_is_accepted_and_numbered_notes() -> None:
    table = checks({}, {"label": "", "measured": math.nan, "accepted_low": math.nan, "verdict": "not comparable"})
    assert table.rows[0] == (
        *("mine", "mcl-jcv", "PSNR (dB)", "29.641", "29.64", "29.631 to 29.651", "reproduced"),
        "(1) (2) (3)",
    )
    assert table.rows[1][0] == "VidTok KL - 4chn"
    assert table.rows[1][3:6] == ("–", "29.64", "–")
    assert table.notes == ("(1) to the printed digits", "(2) published: a paper", "(3) a paper")
    explained = checks({"explained_by": "crop: top-left gives 29.64", "note": "to the printed digits"})
    assert explained.notes[1] == "(2) what would agree: crop: top-left gives 29.64"
    assert explained.rows[0][-1] == "(1) (2) (3)"


def test_an_audit_prints_each_figure_with_its_moves_and_explains_the_columns() -> None:
    table = audit({}, {"label": "other", "value": 31.0, "move": 0.5}, {"words": "clip", "move": 0.004})
    assert list(table.columns) == ["Tokenizer", "PSNR (dB)", "(1)"]
    assert table.rows == [["mine", "30.00", "-2.00"], ["other", "31.00", "+0.50"]]
    assert table.notes == (
        "(1) PSNR average: pooled",
        "These move no figure by a printed digit. PSNR: clip (PSNR average)",
        "last",
    )


def test_the_figure_is_that_of_most_windows_and_lines_keep_their_order() -> None:
    few = {"words": "7×7", "value": 27.0, "windows": 12}
    table = audit({}, few, {"label": "other"})
    assert table.rows == [["mine", "30.00", "-2.00", "-2.00"], ["other", "30.00", "-2.00", "–"]]


def test_where_nothing_moves_the_figures_stand_alone() -> None:
    table = audit({"move": 0.0})
    assert list(table.columns) == ["Tokenizer", "PSNR (dB)"]
    assert table.rows == [["mine", "30.00"]]


def test_a_figure_that_one_row_lacks_is_a_dash() -> None:
    other = {"label": "other", "metric": "ssim", "title": "SSIM", "unit": "", "value": 0.9, "move": 0.1}
    table = audit({}, {**other, "words": "7×7"})
    assert list(table.columns) == ["Tokenizer", "PSNR (dB)", "(1)", "SSIM", "(2)"]
    assert table.rows[1] == ["other", "–", "–", "0.90", "+0.10"]


def test_metrics_share_the_number_of_a_switch() -> None:
    table = audit({"switch": "frames"}, {"switch": "frames", "metric": "ssim", "title": "SSIM", "unit": ""})
    assert list(table.columns) == ["Tokenizer", "PSNR (dB)", "(1)", "SSIM", "(1)"]
    assert table.notes == ("(1) frames: pooled", "last")


def test_conditions_have_a_line_each() -> None:
    table = condition_audit_table(pd.DataFrame([MOVE, MOVE | {"dataset": "e"}]))
    line = ("p", "PSNR (dB)", "PSNR average", "pooled", "30.00", "28.00", "-2.00", "12")
    assert table.rows == [("mine", "d", *line), ("mine", "e", *line)]
    assert list(table.columns[:3]) == ["Tokenizer", "Dataset", "Protocol"]


@pytest.mark.parametrize("make", [published_check_table, convention_audit_table, condition_audit_table])
def test_a_missing_column_is_named(make: Callable[[pd.DataFrame], PlainTable]) -> None:
    with pytest.raises(TableError, match="must have: "):
        make(pd.DataFrame([{"label": "x"}]))
