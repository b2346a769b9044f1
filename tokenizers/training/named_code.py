"""The code that a recipe names: toklab's own runs as it is, anybody else's only with the user's word."""

from __future__ import annotations

import pkgutil
from importlib.util import resolve_name
from typing import Any

from ..adapters import PACKAGE
from ..trust.cards import OPTION, TRUST_VARIABLE, user_trusts_code
from .errors import TrainingError
from .recipe import CODE_KEYS, Recipe


class UntrustedRecipe(TrainingError):
    """A recipe that names code, which the user hasn't trusted."""


def named_code(recipe: Recipe) -> str:
    """The code that a recipe names and that isn't ``toklab.tokenizers``' own, in words; empty if it names none."""
    return ", ".join(f"{key} = {name}" for key in CODE_KEYS if (name := getattr(recipe, key)) and not _is_own(name))


def require_trust(recipe: Recipe) -> None:
    """Raise :class:`UntrustedRecipe`, with what to do, where a recipe names code and the user hasn't trusted it."""
    if (code := named_code(recipe)) and not user_trusts_code():
        raise UntrustedRecipe(
            f"the recipe {recipe.name} names code that toklab doesn't ship, {code}; read it, then say {OPTION} (or "
            f"{TRUST_VARIABLE}=1)"
        )


def import_named(recipe: Recipe, key: str) -> Any:
    """What the recipe's ``key`` names, imported; a leading dot is relative to ``toklab.tokenizers``.

    Raises:
        UntrustedRecipe: if it isn't toklab's own, and the user hasn't trusted it; then nothing is imported.
        TrainingError: if it can't be imported.
    """
    require_trust(recipe)
    name = getattr(recipe, key)
    try:
        found = pkgutil.resolve_name(resolve_name(name, PACKAGE))
    except (ImportError, AttributeError, ValueError) as error:
        raise TrainingError(f"{recipe.name}: {name} can't be imported: {error}") from error
    # A module of ours may merely import what the recipe names.
    if not str(getattr(found, "__module__", "")).startswith(f"{PACKAGE}.") and not user_trusts_code():
        raise UntrustedRecipe(
            f"the recipe {recipe.name}: {key} = {name} isn't toklab's own; fix the recipe, or say {OPTION} (or "
            f"{TRUST_VARIABLE}=1)"
        )
    return found


def _is_own(name: str) -> bool:
    """Whether ``module:name`` is a name in a module of ``toklab.tokenizers``."""
    module, _, attribute = name.partition(":")
    try:
        absolute = resolve_name(module, PACKAGE)
    except ImportError:
        # More dots than there are packages.
        return False
    return absolute.startswith(f"{PACKAGE}.") and attribute.isidentifier()
