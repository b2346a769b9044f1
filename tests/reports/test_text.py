"""Where text leaves: nothing unprintable, nothing that a spreadsheet, Markdown, LaTeX or rich would run or swallow."""

from __future__ import annotations

import csv
import io
import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.cbook import is_math_text
from toklab.datasets.names import UNPRINTABLE as UNPRINTABLE_IN_NAMES
from toklab.datasets.names import escape_name
from toklab.reports.formats.tex.text import escape_latex
from toklab.reports.tables.plain import PlainTable, escape_markdown, frame_to_csv, to_csv, to_terminal
from toklab.reports.text import chart_text, one_line, printable, spreadsheet_cell

HOSTILE = "".join(["\x00\x07\x1b[31m\x7f\x85\x9b", "\u061c\u200e\u200f\u202a\u202e\u2066\u2069\u2028\udce9\ufeff"])
BIDIRECTIONAL_CONTROLS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
anything = st.text(st.one_of(st.characters(codec=None), st.sampled_from(HOSTILE + "\n\t\r=+-@$'")), max_size=40)
ordinary = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=40)


@given(anything)
def test_nothing_unprintable_is_left(text: str) -> None:
    for cleaned in (printable(text).replace("\n", ""), one_line(text), spreadsheet_cell(text), escape_markdown(text)):
        assert not [char for char in cleaned if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")]
        assert not set(cleaned) & BIDIRECTIONAL_CONTROLS
        cleaned.encode()


@given(anything)
def test_doing_it_twice_changes_nothing(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert one_line(one_line(text)) == one_line(text)
    assert spreadsheet_cell(spreadsheet_cell(text)) == spreadsheet_cell(text)


@pytest.mark.slow
@given(ordinary)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == one_line(text) == text
    assert printable("👨\u200d👩 été") == "👨\u200d👩 été"


@given(st.binary(max_size=12))
def test_what_entered_as_a_files_name_leaves_unchanged(name: bytes) -> None:
    text = escape_name(name.decode("utf-8", "surrogateescape"))
    assert one_line(text) == text


@given(st.characters(codec=None))
def test_names_and_texts_agree_on_what_is_unprintable(char: str) -> None:
    assert bool(UNPRINTABLE_IN_NAMES.match(char)) == (one_line(char) != char)


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "=cmd\n"])
def test_no_cell_of_a_csv_file_is_a_formula(text: str) -> None:
    frame = pd.DataFrame({text: [text]})
    for written in (frame_to_csv(frame), to_csv(PlainTable((text,), ((text,),)))):
        for (cell,) in csv.reader(io.StringIO(written)):
            assert cell[0] not in "=+-@\t\r"
            assert text.strip() in cell


@pytest.mark.parametrize("text", ["-1.5", "+0.31", "1e-3", "-", "–", "-inf", "plain", ""])
def test_numbers_and_plain_cells_stay(text: str) -> None:
    assert spreadsheet_cell(text) == text


def test_numbers_of_a_frame_are_written_as_before() -> None:
    frame = pd.DataFrame({"a": [-1, 2], "b": [-0.1, float("nan")], "c": ["x", None], "d": [True, False]})
    assert frame_to_csv(frame) == frame.to_csv(index=False, lineterminator="\n")
    empty = frame.head(0)
    assert frame_to_csv(empty) == empty.to_csv(index=False, lineterminator="\n")


def test_markdown_and_latex_stand_for_themselves() -> None:
    assert escape_markdown("# a [b](c) <d> &amp; $x$ ~e~") == r"\# a \[b\](c) \<d\> \&amp; \$x\$ \~e\~"
    assert escape_markdown("- a") == r"\- a"
    assert escape_markdown("1. a") == r"1\. a"
    assert escape_markdown("27.31 ±0.5") == "27.31 ±0.5"
    assert escape_latex("\x1b\\input{x}\u202e") == r"\textbackslash{}x1b\textbackslash{}input\{x\}\textbackslash{}u202e"


def test_a_table_on_the_terminal_keeps_brackets_and_one_line_a_row() -> None:
    shown = to_terminal(PlainTable(("[ours]",), (("[/b]\nb\x1b[2J",),), notes=("n\x1b",)))
    assert shown.splitlines() == ["[ours]", r"[/b] b\x1b[2J", r"n\x1b"]


def test_dollar_signs_in_charts_are_no_mathematics() -> None:
    assert not is_math_text(chart_text(r"$\frac{$"))
    assert chart_text("a\u202e") == r"a\u202e"
