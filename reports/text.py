"""Text for output: what a terminal, a spreadsheet or a reader could take for something else is made visible.

Names and titles come from other people's files. Control characters can rewrite what a terminal shows, bidirectional
controls can turn a name around, and a spreadsheet runs cells that begin like a formula.
"""

from __future__ import annotations

import re

UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters other than a line break, bidirectional controls, and what no encoding can write.

:mod:`toklab.datasets.names` has the same for names of files.
"""
BREAKS = re.compile("\r\n|[\t\n\v\f\r\x85\u2028\u2029]")
"""Line breaks and tabs."""
FORMULA_SIGNS = ("=", "+", "-", "@")
"""What a spreadsheet takes for the start of a formula."""


def escape_character(match: re.Match[str]) -> str:
    """A character as Python writes it: ``\\x1b``, ``\\u202e``."""
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def printable(text: str) -> str:
    """The text with its line breaks, and everything that isn't printable spelled out: ``\\x1b[31m``.

    What is printable stays as it is; doing it twice changes nothing.
    """
    return UNPRINTABLE.sub(escape_character, text)


def one_line(text: str) -> str:
    """The text as :func:`printable` gives it, in one line: line breaks and tabs become blanks."""
    return printable(BREAKS.sub(" ", text))


def spreadsheet_cell(text: str) -> str:
    """The text in one line, with an apostrophe in front where a spreadsheet would run it; numbers stay numbers."""
    cell = one_line(text)
    return f"'{cell}" if len(cell) > 1 and cell.startswith(FORMULA_SIGNS) and not _is_number(cell) else cell


def chart_text(text: str) -> str:
    """The text as :func:`printable` gives it, with dollar signs that matplotlib doesn't take for mathematics."""
    return printable(text).replace("$", r"\$")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
