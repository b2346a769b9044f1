"""Adapters by the path that a card gives: where a moved one lies now, and which package it needs. Imports none."""

from __future__ import annotations

import re
from importlib.util import find_spec, resolve_name

PACKAGE = "toklab.tokenizers"
"""What a leading dot is relative to."""

MOVED = {
    f"{PACKAGE}.{family}": f"{PACKAGE}.baselines.{family}"
    for family in ("cosmos", "cvvae", "omnitokenizer", "open_magvit2", "opensora", "opensora_plan")
}
"""Package of a family at first → where it is now. Cards may name either; a card's identity rests on the first."""

EXTRAS = {
    f"{PACKAGE}.baselines.diffusers_autoencoder": "diffusers",
    f"{PACKAGE}.baselines.cosmos.adapter": "diffusers",
    f"{PACKAGE}.baselines.opensora.adapter": "diffusers",
}
"""Module of an adapter → toklab's extra, named like the package that it imports."""


ADAPTER_PATTERN = re.compile(r"\.*\w+(\.\w+)*:\w+(\.\w+)*")
"""``module:callable``."""


def is_path(adapter: str) -> bool:
    """Whether an adapter is written ``module:callable``, with no more leading dots than there are packages."""
    try:
        return bool(ADAPTER_PATTERN.fullmatch(adapter) and current_path(adapter))
    except ImportError:
        return False


def current_module(name: str, package: str = PACKAGE) -> str:
    """The absolute name under which a module is found, whether ``name`` is that of its old place or of its new one."""
    absolute = resolve_name(name, package)
    for first, now in MOVED.items():
        if absolute == first or absolute.startswith(f"{first}."):
            return now + absolute.removeprefix(first)
    return absolute


def current_path(adapter: str) -> str:
    """``module:callable`` of an adapter, absolute, at its place of today."""
    module, colon, name = adapter.partition(":")
    return current_module(module) + colon + name


def first_path(adapter: str) -> str:
    """``module:callable`` of an adapter as cards named it first, so that a move leaves identities as they are."""
    for first, now in MOVED.items():
        moved, original = now.removeprefix(PACKAGE), first.removeprefix(PACKAGE)
        for new, old in ((now, first), (moved, original)):
            if adapter.startswith(f"{new}."):
                return old + adapter.removeprefix(new)
    return adapter


def missing_extra(adapter: str) -> str:
    """The extra that an adapter needs and this Python lacks; empty if it lacks none."""
    extra = EXTRAS.get(current_path(adapter).partition(":")[0], "")
    return extra if extra and find_spec(extra) is None else ""


def install_command(extra: str) -> str:
    """What installs an extra."""
    return f"pip install 'toklab[{extra}]'"
