"""Text that the fonts of the PDF can show: what has no glyph is spelled out, and long words get places to break."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

from ...text import one_line

LONGEST_WORD = 18
"""Characters of a word that may stay on one line whatever the width."""

SHORTEST_PART = 4
"""Characters that stand in front of a break behind punctuation, at least."""

BREAK = "\u200b"
"""Where a line may end; the template takes it out again, so that nothing of it is copied from the PDF."""

_WITHOUT_LOOK = ("Cc", "Cf", "Cs", "Co", "Cn")
"""Kinds of characters that print nothing, or nothing that all readers know."""

_LONG_WORD = re.compile(rf"[^\s]{{{LONGEST_WORD + 1},}}")


@cache
def font_files() -> tuple[Path, ...]:
    """DejaVu Sans, which comes with matplotlib and draws the charts: for what typst's own fonts lack."""
    import matplotlib

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return folder / "DejaVuSans.ttf", folder / "DejaVuSans-Bold.ttf"


@cache
def _drawn() -> frozenset[int]:
    """Code points that every face of :func:`font_files` has."""
    from matplotlib.ft2font import FT2Font

    return frozenset.intersection(*(frozenset(FT2Font(str(path)).get_charmap()) for path in font_files()))


def visible(text: str) -> str:
    """The text in one line, with each character that the PDF couldn't show as Python writes it: ``\\u4e2d``."""
    return "".join(char if _is_shown(char) else _spelled(char) for char in one_line(text))


def breakable(text: str) -> str:
    """The text as :func:`visible` gives it, with a :data:`BREAK` wherever a long word may be broken."""
    return _LONG_WORD.sub(lambda match: _broken(match[0]), visible(text))


def _is_shown(char: str) -> bool:
    if char.isascii():
        return True
    is_selector = unicodedata.name(char, "").startswith("VARIATION SELECTOR")
    return ord(char) in _drawn() and unicodedata.category(char) not in _WITHOUT_LOOK and not is_selector


def _spelled(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode()


def _broken(word: str) -> str:
    """A word with breaks behind its punctuation, and where that is too rare."""
    parts, since = [], 0
    for char, following in zip(word, f"{word[1:]} ", strict=True):
        parts.append(char)
        since += 1
        behind_sign = since >= SHORTEST_PART and char in "-_/.,:;=+)]}@&|" and following.isalnum()
        is_whole = following != " " and not unicodedata.category(following).startswith("M")
        if behind_sign or (since >= LONGEST_WORD and is_whole):
            parts.append(BREAK)
            since = 0
    return "".join(parts)
