"""Constructor parameters of a card as the fields of a dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from ...errors import TokenizerError

Config = TypeVar("Config")


def config_from(kind: type[Config], parameters: Mapping[str, Any], owner: str) -> Config:
    """A dataclass of ``kind`` from parameters by name; lists become tuples.

    Raises:
        TokenizerError: on a name that is no field, or a field without default that isn't given; ``owner`` is named.
    """
    known = {f.name: f for f in fields(kind)}  # pyright: ignore[reportArgumentType]
    required = {name for name, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    problems = [f"unknown {name}" for name in sorted(set(parameters) - set(known))]
    problems += [f"missing {name}" for name in sorted(required - set(parameters))]
    if problems:
        raise TokenizerError(f"{owner} parameters: {', '.join(problems)}; there are: {', '.join(sorted(known))}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()})
