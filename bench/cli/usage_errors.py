"""Mistakes in the words of a command: what typer finds wrong, in one line, with the nearest right word."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import typer

from ...reports.text import one_line

CommandError: type[Exception] = typer.BadParameter.__mro__[2]  # type: ignore[assignment]
"""What typer raises where a command can't be understood. Its name in public differs between versions of typer."""

_ASKED_FOR_HELP = "NoArgsIsHelpError"
"""What typer raises for a command without any word, once it has printed the help."""
_NOT_A_CHOICE = re.compile(r"'(?P<given>[^']*)' is not one of (?P<choices>'.*')", re.DOTALL)


def usage_message(error: Any) -> str:
    """What is wrong, the nearest right word and where the help is, in one line without anything unprintable.

    Empty for a command without any word, which was answered with the help.

    Args:
        error: a :data:`CommandError`.
    """
    if type(error).__name__ == _ASKED_FOR_HELP:
        return ""
    context = getattr(error, "ctx", None)
    wrong, near = str(error.format_message()), ""
    commands = getattr(getattr(context, "command", None), "commands", {})
    if option := getattr(error, "option_name", None):
        known = [name for parameter in context.command.params for name in parameter.opts] if context else []
        if option not in known:
            # Versions of typer name near options in several ways, and not all of them do.
            wrong, near = f"No such option: {option}", _nearest(option, known)
    elif wrong.startswith("No such command") and (given := re.match(r"No such command '(.*?)'\.", wrong, re.DOTALL)):
        wrong, near = f"No such command: {given[1]}", _nearest(given[1], commands)
    elif choice := _NOT_A_CHOICE.search(wrong):
        near = _nearest(choice["given"], re.findall(r"'([^']*)'", choice["choices"]))
        wrong = wrong.replace("Value error, ", "", 1)
    place = f"see {context.command_path} --help" if context is not None else "see toklab --help"
    return one_line("; ".join(filter(None, (wrong.strip().rstrip("."), near, place))))


def _nearest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""
