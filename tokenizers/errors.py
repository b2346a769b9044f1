"""What goes wrong with a tokenizer, its card or its weights."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NEAREST = 3
"""Names that a message offers at most."""


class TokenizerError(ValueError):
    """What a tokenizer refuses or does wrong: an illegal input, a wrong output shape, a bad setting."""


class CheckpointUnavailable(TokenizerError):
    """The weights a card names are not on this machine; ``hint`` is the command that fixes it."""

    def __init__(self, message: str, hint: str):
        super().__init__(f"{message}. {hint}")
        self.hint = hint


class CardError(ValueError):
    """A card that can't be used; the message names the file, the key and the hint."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean A or B?`` for a name that isn't there; empty if none of the known ones is near.

    Near are names that hold it, or that it holds, and those that differ by a few letters.
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=NEAREST, cutoff=0.6)
    # A part of a name, such as "vgg" of "lpips-vgg", may be far from it by the number of letters.
    parts = [n for n in names if len(name) > 1 and (name.casefold() in n.casefold() or n.casefold() in name.casefold())]
    found = list(dict.fromkeys([*near, *parts]))[:NEAREST]
    return f"; did you mean {' or '.join(found)}?" if found else ""
