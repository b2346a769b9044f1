"""Every character of a name is shown or spelled out, and long words can be broken."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toklab.reports.formats.typst.glyphs import BREAK, LONGEST_WORD, breakable, visible


@pytest.mark.parametrize("text", ["plain", "#$*_`@<>[]\\ //", "PSNR ↑ ±0.52 4×8×8", "Ωμέγα Жук é ñ", "שלום", "عربي"])
def test_what_the_fonts_have_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("中文", r"\u4e2d\u6587"),
        ("🧪", r"\U0001f9ea"),
        ("a\u200db", r"a\u200db"),
        ("soft\xadhyphen", r"soft\xadhyphen"),
        ("☃\ufe0f", r"☃\ufe0f"),
        ("\ue000", r"\ue000"),
        ("two\nlines \x1b[2J", r"two lines \x1b[2J"),
    ],
)
def test_what_they_lack_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(max_size=8), st.text(max_size=8))
@settings(max_examples=50)
def test_two_names_never_become_one_by_what_fonts_lack(one: str, other: str) -> None:
    def plain(text: str) -> bool:
        return "\\" not in text and not re.search(r"[\s\x1c-\x1f\x85]", text)

    if plain(one) and plain(other) and one != other:
        assert visible(one) != visible(other)


@given(st.text())
def test_breaks_change_nothing_else(text: str) -> None:
    assert breakable(text).replace(BREAK, "") == visible(text)


@given(st.text(st.characters(exclude_categories=["M"]), max_size=300))
def test_no_word_is_too_long_to_be_broken(text: str) -> None:
    words = re.split(rf"[\s{BREAK}]", breakable(text))
    assert max(map(len, words)) <= LONGEST_WORD


def test_a_break_parts_no_letter_from_its_accent() -> None:
    accented = breakable("e\u0301" * 200)
    assert BREAK in accented
    assert all(not unicodedata.combining(part[0]) for part in accented.split(BREAK))


def test_breaks_stand_behind_signs_and_not_in_front_of_them() -> None:
    name = "vidtok[max_frames=17,height=128]"
    assert breakable(name).split(BREAK) == ["vidtok[max_", "frames=", "17,height=", "128]"]
