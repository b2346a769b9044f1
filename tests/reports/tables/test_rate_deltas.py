"""Tables of Bjøntegaard deltas as printed."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from toklab.reports.schema import TableError
from toklab.reports.tables.named import NamedTable
from toklab.reports.tables.rate_deltas import COLUMNS, rate_delta_table


def values(*rows: dict[str, Any]) -> pd.DataFrame:
    usual: dict[str, Any] = dict.fromkeys(COLUMNS, "x") | {
        "curve": "B",
        "anchor": "A",
        "name": "bd-rate(psnr)",
        "unit": "%",
        "decimals": 1,
        "value": -11.36,
        "low": -12.01,
        "high": -10.09,
        "overlap": 0.634,
        "interpolation_gap": 1.26,
        "points": 3,
        "anchor_points": 4,
        "windows": 12,
        "videos": 6,
        "note": "",
    }
    return pd.DataFrame([usual | row for row in rows])


def test_a_delta_is_printed_with_overlap_and_interpolation() -> None:
    table = rate_delta_table(
        values({"note": "few points; little overlap"}, {"note": "little overlap"}), ["of one rate"]
    )
    assert table.rows[0] == (
        "B", "A", "bd-rate(psnr)", "-11.4 %", "[-12.1, -10.0]", "0.63", "+1.3", "3 / 4", "6", "(1) (2)",
    )  # fmt: skip
    assert table.rows[1][-1] == "(2)"
    assert table.notes == ("(1) few points", "(2) little overlap", "of one rate")


def test_what_there_is_not_is_a_dash() -> None:
    none = dict.fromkeys(("value", "low", "high", "overlap", "interpolation_gap"), math.nan)
    row = rate_delta_table(values({**none, "note": "none: no curve"})).rows[0]
    assert row[3:7] == ("–", "–", "–", "–")
    assert row[-1] == "(1)"


def test_missing_columns_are_named() -> None:
    with pytest.raises(TableError, match="lacks the columns overlap"):
        rate_delta_table(values({}).drop(columns="overlap"))


def test_the_file_of_a_table_has_its_values() -> None:
    frame = values({"low": math.nan, "high": math.nan})
    (name, content), = NamedTable("bd_rate", "Deltas.", rate_delta_table(frame), frame).files().items()  # fmt: skip
    head, line = content.decode().splitlines()
    assert (name, head) == ("bd_rate.csv", ",".join(COLUMNS))
    assert "-11.36,,,0.634" in line
