"""Which cards need packages beyond toklab's own, known without loading them."""

from __future__ import annotations

from importlib.util import find_spec

from .card import Card

EXTRA_OF_ADAPTERS = {
    ".baselines.diffusers_autoencoder": "diffusers",
    ".cosmos.adapter": "diffusers",
    ".opensora.adapter": "diffusers",
}
"""Module of an adapter → toklab's extra, named like the package that it imports."""


def missing_extra(card: Card) -> str:
    """The extra that a card's adapter needs and this Python lacks; empty if it lacks none. Imports nothing of it."""
    extra = EXTRA_OF_ADAPTERS.get(card.adapter.partition(":")[0], "")
    return extra if extra and find_spec(extra) is None else ""


def install_command(extra: str) -> str:
    """What installs an extra."""
    return f"pip install 'toklab[{extra}]'"
