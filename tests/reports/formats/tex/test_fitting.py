"""Tables are split until they fit; no cell is lost or shrunk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.reports.formats.tex.fitting import fit_table, heading_lines, split_rows, text_width
from toklab.reports.paper.content import PaperCell, PaperColumn, PaperSection, PaperTable
from toklab.reports.paper.venues import VENUES

ANY_TEXT = st.text(st.characters(codec="ascii", min_codepoint=32), max_size=60) | st.just("x" * 200)


@st.composite
def tables(draw: st.DrawFn) -> PaperTable:
    num_columns, num_rows = draw(st.integers(1, 14)), draw(st.integers(0, 5))
    columns = [PaperColumn(draw(ANY_TEXT), draw(st.sampled_from("lr"))) for _ in range(num_columns)]
    cell = st.builds(PaperCell, ANY_TEXT, st.sampled_from(["", "±0.52", "[1.00, 2.00]"]))
    rows = tuple(tuple(draw(cell) for _ in columns) for _ in range(num_rows))
    return PaperTable(
        "t", (), tuple(columns), (PaperSection("s", rows),), num_stubs=min(num_columns, draw(st.integers(1, 2)))
    )


@given(tables(), st.sampled_from(sorted(VENUES)))
def test_every_part_fits_and_no_column_is_lost(table: PaperTable, name: str) -> None:
    venue = VENUES[name]
    parts = fit_table(table, venue)
    stubs = table.columns[: table.num_stubs]
    for part in parts:
        assert part.width <= (venue.text_width if part.is_wide else venue.column_width) + 1e-6
        assert part.table.columns[: table.num_stubs] == stubs
        assert all(len(row) == len(part.columns) for section in part.table.sections for row in section.rows)
    others = [column for part in parts for column in part.table.columns[table.num_stubs :]]
    assert others == list(table.columns[table.num_stubs :])


@given(tables(), st.integers(2, 9))
def test_no_row_is_lost_between_parts(table: PaperTable, most_lines: int) -> None:
    (fitted, *_) = fit_table(table, VENUES["arxiv"])
    parts = list(split_rows(fitted, most_lines))
    rows = [row for part in parts for section in part.table.sections for row in section.rows]
    assert rows == [row for section in fitted.table.sections for row in section.rows]


def test_widths_are_those_of_times() -> None:
    # Adobe's metrics: W is 944, i is 278 thousandths; the estimate is a little wider.
    assert text_width("Wi", 10) == pytest.approx(12.22, rel=0.05)
    assert text_width("Wi", 10) > 12.22
    assert text_width("漢", 10) > 30


def test_an_arrow_stays_with_its_word() -> None:
    column = PaperColumn("Validation PSNR (dB) ↑", "r")
    assert heading_lines(column, 30, 8) == ["Validation", "PSNR", "(dB) ↑"]
    assert heading_lines(column, 300, 8) == ["Validation PSNR (dB) ↑"]
