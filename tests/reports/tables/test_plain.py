import csv

import pytest
from toklab.reports.tables.plain import PlainTable, escape_markdown, to_csv, to_markdown, to_terminal


@pytest.fixture
def table():
    rows = [("vidtok_kl", 1, "a|b [1] :smile:"), ("漢字", None, "")]
    return PlainTable(("name", "steps", "text"), rows, "lr", ["see [1]_"])


def test_terminal_aligns_and_takes_text_as_it_is(table):
    assert to_terminal(table).splitlines() == [
        "name       steps  text",
        "vidtok_kl      1  a|b [1] :smile:",
        "漢字",
        "see [1]_",
    ]


def test_a_ruled_table_has_a_line_below_its_headings(table):
    lines = to_terminal(table, ruled=True).splitlines()
    assert set(lines[2].strip()) == {"─"}
    assert lines[1].split() == ["name", "steps", "text"]


def test_markdown_escapes_and_literal_markdown_does_not(table):
    assert to_markdown(table).splitlines() == [
        "| name | steps | text |",
        "| :-- | --: | :-- |",
        r"| vidtok\_kl | 1 | a\|b \[1\] :smile: |",
        "| 漢字 |  |  |",
        "",
        r"see \[1\]\_",
    ]
    literal = to_markdown(table, literal=True).splitlines()
    assert literal[1:3] == ["| --- | ---: | --- |", "| vidtok_kl | 1 | a|b [1] :smile: |"]
    assert literal[-1] == "see [1]_"


def test_csv_holds_the_cells_and_no_notes(table):
    assert list(csv.reader(to_csv(table).splitlines())) == [
        ["name", "steps", "text"],
        ["vidtok_kl", "1", "a|b [1] :smile:"],
        ["漢字", "", ""],
    ]


def test_markdown_escapes_what_would_be_markup():
    assert escape_markdown("a|b_c*d\n<e>") == r"a\|b\_c\*d \<e\>"
