"""What goes wrong with a tokenizer, its card or its weights."""

from __future__ import annotations


class TokenizerError(ValueError):
    """What a tokenizer refuses or does wrong: an illegal input, a wrong output shape, a bad setting."""


class CheckpointUnavailable(TokenizerError):
    """The weights a card names are not on this machine; ``hint`` is the command that fixes it."""

    def __init__(self, message: str, hint: str):
        super().__init__(f"{message}. {hint}")
        self.hint = hint


class CardError(ValueError):
    """A card that can't be used; the message names the file, the key and the hint."""
