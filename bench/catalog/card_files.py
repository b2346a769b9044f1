"""What a card names beside its weights and that decides the output, too: files of parameters, and a checkout's code."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ...tokenizers.adapters import current_path
from ...tokenizers.card import Card
from ...tokenizers.trust.cards import BRIDGE
from ...tokenizers.trust.weight_files import sha256_of

UNREADABLE = "unreadable"
"""In place of the hash of a file that can't be read; building the tokenizer gives the reason."""


def file_hashes(card: Card) -> dict[str, str]:
    """SHA-256 by path, as the card writes it, of every ``*_file`` parameter and of a bridge's code.

    That code is every Python file of the checkout, and the files there that the card's ``arguments`` name. Hidden
    folders and virtual environments are left out. Runs no code, and raises nothing.
    """
    folder = Path(str(card.source)).parent
    named = {
        str(value): folder / Path(str(value)).expanduser()
        for name, value in card.parameters.items()
        if name.endswith("_file") and value
    }
    checkout = card.parameters.get("checkout_folder")
    if isinstance(checkout, str) and current_path(card.adapter).partition(":")[0] == BRIDGE:
        root = folder / Path(checkout).expanduser()
        named |= {str(Path(checkout, path)): root / path for path in _code(root)}
        named |= {str(Path(checkout, path)): root / path for path in _named_by_arguments(card, root)}
    return {name: _hash(path) for name, path in named.items()}


def _code(root: Path) -> Iterator[str]:
    for place, folders, files in os.walk(root):
        folders[:] = [
            name for name in folders if not name.startswith(".") and not Path(place, name, "pyvenv.cfg").exists()
        ]
        yield from (str(Path(place, name).relative_to(root)) for name in files if name.endswith(".py"))


def _named_by_arguments(card: Card, root: Path) -> Iterator[str]:
    arguments = card.parameters.get("arguments")
    for value in arguments.values() if isinstance(arguments, dict) else ():
        if isinstance(value, str) and value and "\0" not in value and (root / value).is_file():
            yield value


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except (OSError, ValueError):
        return UNREADABLE
