"""What commands print: plain text without anything that a terminal would obey, in whatever encoding it has."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Annotated

import typer

from ...reports.text import printable

FALLBACK = "toklab-fallback"
"""Name of the error handler for characters that the terminal's encoding lacks."""
STAND_INS = {
    "×": "x", "−": "-", "–": "-", "—": "-", "─": "-", "━": "-", "│": "|", "…": "...", "±": "+/-", "·": "*", "µ": "u",
    "↑": "^", "↓": "v", "→": "->", "≤": "<=", "≥": ">=", "‘": "'", "’": "'", "“": '"', "”": '"', "†": "+", "‡": "++",
    "Δ": "d", "σ": "s",
}  # fmt: skip
"""What is printed in the place of characters that toklab itself uses."""
EXPONENT = frozenset("⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def say(text: object = "", *, err: bool = False) -> None:
    """Print text and end the line; on standard error with ``err``. The one way out for commands."""
    typer.echo(printable(str(text)), err=err)


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]


def say_json(document: object) -> None:
    """Print a document as JSON on standard output, in ASCII: every terminal and encoding takes it, and obeys nothing.

    Raises:
        ValueError: if it holds NaN or an infinite number, which JSON lacks.
    """
    text = json.dumps(document, indent=2, allow_nan=False)
    # The one control character that JSON leaves as it is.
    typer.echo(text.replace("\x7f", "\\u007f"))


@contextmanager
def results_alone() -> Iterator[None]:
    """Keep standard output for the result: what anything else writes there meanwhile goes to standard error.

    Code of models and metrics prints, and so do libraries in C and processes that they start.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def fit_streams() -> None:
    """Let standard output and error take any character: those that their encoding lacks are written otherwise."""
    codecs.register_error(FALLBACK, _fall_back)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=FALLBACK)


def _fall_back(error: UnicodeError) -> tuple[str, int]:
    """ASCII in the place of what can't be encoded: a stand-in, the letter without its accent, or its number.

    An exponent keeps its place: 10¹² is printed as 10^12, never as 1012.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_in_ascii(error.object, place) for place in range(error.start, error.end)), error.end


def _in_ascii(text: str, place: int) -> str:
    char = text[place]
    caret = "^" if char in EXPONENT and text[place - 1 : place] not in EXPONENT else ""
    plain = unicodedata.normalize("NFKD", char).replace("−", "-").encode("ascii", "ignore").decode()
    return caret + (STAND_INS.get(char) or plain or char.encode("ascii", "backslashreplace").decode())
