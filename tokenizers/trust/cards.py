"""Trust in cards: one that names code is code, and runs only with the user's word. Imports no adapter."""

from __future__ import annotations

import os
from typing import Any

from ..adapters import PACKAGE, current_path
from ..card import Card
from ..errors import TokenizerError

TRUST_VARIABLE = "TOKLAB_TRUST_CARDS"
"""Environment variable: any value but 0 lets cards and recipes run that name code."""
OPTION = "--trust-cards"
"""The option that sets it for one command."""
BRIDGE = f"{PACKAGE}.baselines.bridge"
"""The module whose adapter runs the code of a checkout."""


class UntrustedCard(TokenizerError):
    """A card that names code, which the user hasn't trusted."""


def user_trusts_code() -> bool:
    """Whether the user lets cards and recipes run the code that they name."""
    return os.environ.get(TRUST_VARIABLE, "") not in ("", "0")


def named_code(card: Card) -> str:
    """The code that a card names and that isn't toklab's own, in words; empty if it names none.

    That is an adapter outside ``toklab.tokenizers``, the checkout that the bridge imports, and an interpreter
    (``python`` among the parameters).
    """
    module, _, name = current_path(card.adapter).partition(":")
    if not module.startswith(f"{PACKAGE}.") or not name.isidentifier():
        return f"the adapter {card.adapter}"
    if python := card.parameters.get("python"):
        return f"the interpreter {python}"
    return f"the code in {card.parameters.get('checkout_folder')}" if module == BRIDGE else ""


def is_trusted(card: Card) -> bool:
    """Whether a card came with toklab or with an installed package, or the user trusts all cards."""
    return card.trusted or user_trusts_code()


def require_trust(card: Card) -> None:
    """Raise :class:`UntrustedCard`, with what to do, where a card names code and isn't trusted."""
    if named_code(card) and not is_trusted(card):
        raise UntrustedCard(
            f"{card.name}: the card {card.source} names code that toklab doesn't ship, {named_code(card)}; read it, "
            f"then say {OPTION} (or {TRUST_VARIABLE}=1)"
        )


def require_own_adapter(card: Card, adapter: Any) -> None:
    """Raise :class:`UntrustedCard` where an untrusted card's adapter is one that a module of ours merely imports."""
    is_own = str(getattr(adapter, "__module__", "")).startswith(f"{PACKAGE}.")
    if not is_own and not is_trusted(card):
        raise UntrustedCard(
            f"{card.name}: {card.adapter} in {card.source} is no adapter of toklab's; fix the card, or say {OPTION} "
            f"(or {TRUST_VARIABLE}=1)"
        )
