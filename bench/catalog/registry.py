"""A registry: names of things that are imported when they are asked for, built in or from outside packages."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import resolve_name
from typing import Generic, TypeVar

from .plugin_code import describe, plugin_code

T = TypeVar("T")

BUILT_IN = "built-in"
"""Origin of what toklab ships."""


class RegistryError(ValueError):
    """A name that is unknown or taken twice, or a plugin that doesn't work."""


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that can't be used; everything else goes on without it."""

    kind: str
    """``tokenizer``, ``dataset`` or ``metric``."""
    name: str
    origin: str
    """The distribution it comes from, or ``TOKLAB_PLUGINS``."""
    reason: str


@dataclass(frozen=True)
class RegistryEntry(Generic[T]):
    """A name and how to get what it stands for."""

    name: str
    origin: str
    """``built-in``, the name of a distribution, a card's file, or ``TOKLAB_PLUGINS``."""
    load: Callable[[], T]
    """Imports or builds it; called once, on demand."""


def import_target(target: str, package: str | None = None) -> object:
    """What ``module:attribute`` names; a leading dot is relative to ``package``.

    Raises whatever importing the module raises, and ``AttributeError`` if it has no such attribute.
    """
    return pkgutil.resolve_name(resolve_name(target, package))


class Registry(Generic[T]):
    """Things of one kind by name; lazy, without duplicates, and helpful about misspelt names."""

    def __init__(self, kind: str, check: Callable[[object], T]):
        """Make an empty registry.

        Args:
            kind: what the things are, for messages: ``dataset``.
            check: gives an imported object back if it is one of them, and raises ``TypeError`` if not.
        """
        self.kind = kind
        self._check = check
        self._entries: dict[str, RegistryEntry[T]] = {}
        self._loaded: dict[str, T] = {}
        self._broken: dict[tuple[str, str], BrokenPlugin] = {}

    def add(self, entry: RegistryEntry[T]) -> None:
        """Add an entry; raise :class:`RegistryError`, naming both origins, if the name is taken."""
        if taken := self._entries.get(entry.name):
            raise RegistryError(
                f"two {self.kind}s are called {entry.name!r}: from {taken.origin} and from {entry.origin}; rename one"
            )
        self._entries[entry.name] = entry

    def add_target(self, name: str, target: str, origin: str, package: str | None = None) -> None:
        """Add what ``module:attribute`` names, to be imported on demand."""
        self.add(RegistryEntry(name, origin, lambda: self._check(import_target(target, package))))

    def add_plugins(self, plugins: Iterable[RegistryEntry[object]]) -> None:
        """Add entries of outside packages; a name that is taken breaks only the plugin that came later."""
        for plugin in plugins:
            try:
                self.add(RegistryEntry(plugin.name, plugin.origin, lambda plugin=plugin: self._check(plugin.load())))
            except RegistryError as error:
                self.report_broken(plugin.name, plugin.origin, str(error))

    def report_broken(self, name: str, origin: str, reason: str) -> BrokenPlugin:
        """Remember that a plugin doesn't work."""
        broken = BrokenPlugin(self.kind, name, origin, reason)
        self._broken[name, origin] = broken
        return broken

    @property
    def broken(self) -> list[BrokenPlugin]:
        """Plugins known not to work; :meth:`probe_plugins` finds the rest."""
        return list(self._broken.values())

    def probe_plugins(self) -> list[BrokenPlugin]:
        """Import every outside plugin and return all that don't work."""
        for name, entry in self._entries.items():
            if entry.origin != BUILT_IN:
                try:
                    self.get(name)
                except RegistryError:
                    continue
        return self.broken

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def origin(self, name: str) -> str:
        """Where a name comes from."""
        return self.check(name).origin

    def check(self, name: str) -> RegistryEntry[T]:
        """The entry of a name, without importing it.

        Raises:
            RegistryError: with the nearest names if there is no such name.
        """
        if name in self._entries:
            return self._entries[name]
        near = difflib.get_close_matches(name, self._entries, n=3, cutoff=0.5)
        broken = [plugin.reason for plugin in self._broken.values() if plugin.name == name]
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; see toklab list {self.kind}s"
        raise RegistryError(f"no {self.kind} is called {name!r}" + (f" ({broken[0]})" if broken else hint))

    def get(self, name: str) -> T:
        """What a name stands for, imported at the first call.

        Raises:
            RegistryError: if there is no such name, or its plugin can't be imported or is something else.
        """
        entry = self.check(name)
        if name not in self._loaded:
            try:
                with plugin_code():
                    self._loaded[name] = entry.load()
            except Exception as error:
                # A plugin's module may raise anything at all; what toklab ships must not hide its own errors.
                if entry.origin == BUILT_IN:
                    raise
                broken = self.report_broken(name, entry.origin, describe(error))
                raise RegistryError(
                    f"the {self.kind} {name!r} of {broken.origin} doesn't work: {broken.reason}"
                ) from error
        return self._loaded[name]
