"""What commands print: plain text without anything that a terminal would obey, in whatever encoding it has."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

import typer

from ...reports.text import printable

FALLBACK = "toklab-fallback"
"""Name of the error handler for characters that the terminal's encoding lacks."""
STAND_INS = {
    "×": "x", "−": "-", "–": "-", "—": "-", "─": "-", "━": "-", "│": "|", "…": "...", "±": "+/-", "·": ".", "µ": "u",
    "↑": "^", "↓": "v", "→": "->", "≤": "<=", "≥": ">=", "‘": "'", "’": "'", "“": '"', "”": '"', "†": "+", "‡": "++",
    "Δ": "d", "σ": "s",
}  # fmt: skip
"""What is printed in the place of characters that toklab itself uses."""


def say(text: object = "", *, err: bool = False) -> None:
    """Print text and end the line; on standard error with ``err``. The one way out for commands."""
    typer.echo(printable(str(text)), err=err)


def fit_streams() -> None:
    """Let standard output and error take any character: those that their encoding lacks are written otherwise."""
    codecs.register_error(FALLBACK, _fall_back)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=FALLBACK)


def _fall_back(error: UnicodeError) -> tuple[str, int]:
    """ASCII in the place of what can't be encoded: a stand-in, the letter without its accent, or its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(map(_in_ascii, lost)), error.end


def _in_ascii(char: str) -> str:
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return STAND_INS.get(char) or plain or char.encode("ascii", "backslashreplace").decode()
