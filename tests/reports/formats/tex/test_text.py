"""Any text stands for itself in LaTeX."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toklab.reports.formats.tex.text import BREAK, LONG_WORD, breakable_latex, escape_latex, prose_latex
from toklab.reports.paper.content import Cite, Ref

HOSTILE = r"a_b & 50% #1 $x$ {y} \z ~^ <t> [1] “q” ‘r’ µ–é|`漢"


def test_text_is_ascii_and_escaped() -> None:
    escaped = escape_latex(HOSTILE)
    assert escaped.isascii()
    assert escaped.startswith(r"a\_b \& 50\% \#1 \$x\$ \{y\} \textbackslash{}z \textasciitilde{}\textasciicircum{}")
    assert escape_latex("[1]") == "{[}1{]}"


def test_names_in_other_scripts_stay_apart() -> None:
    assert escape_latex("漢") == "{[}U+6F22{]}"
    assert escape_latex("漢") != escape_latex("字")
    assert escape_latex("é ø Å ²") == r"\'{e} \o{} \r{A} $^{2}$"


def test_two_hyphens_are_no_dash() -> None:
    assert escape_latex("toklab run --out a---b") == r"toklab run -{}-out a-{}-{}-b"


@pytest.mark.slow
@given(st.text())
def test_nothing_but_known_commands_comes_out(text: str) -> None:
    escaped = escape_latex(text)
    assert escaped.isascii()
    rest = re.sub(r"\\[A-Za-z]+\{\}|\\[{}$&#%_]|\\.\{[A-Za-z]?\}|\$[^$]*\$|\{\[\}|\{\]\}|\{\}", "", escaped)
    assert not set(rest) & set(r"\{}$&#%_^~[]"), escaped


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_breaks_change_no_letter(text: str) -> None:
    breakable = breakable_latex(text)
    without = breakable.replace(BREAK, "").replace("{}", "")
    assert without == escape_latex(text).replace("{}", "")


def test_a_long_word_breaks_everywhere() -> None:
    pieces = breakable_latex("0a" * 100).split(BREAK)
    assert max(map(len, pieces)) < LONG_WORD
    assert breakable_latex("tokenizer") == "tokenizer"


def test_references_stand_in_the_text() -> None:
    prose = ("On 95 % of x", " ", Cite(("a", "b")), ", see ", Ref("Table", "main"), ".")
    assert prose_latex(prose) == r"On 95~\% of x \cite{a,b}, see Table~\ref{tab:main}."
