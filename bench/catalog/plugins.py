"""Plugins: what outside packages and the environment add to the registries.

A package declares entry points in the groups ``toklab.tokenizers``, ``toklab.datasets`` and ``toklab.metrics``. Without
packaging, ``TOKLAB_PLUGINS`` holds a comma-separated list of ``name=module:object`` (a tokenizer) or
``datasets.name=module:object``, ``metrics.name=…``, ``tokenizers.name=…``; the modules must be importable (PYTHONPATH).

What the objects are:
- dataset: a class or callable ``(root: Path | None) -> Dataset``;
- metric: a class or callable ``() -> Metric``;
- tokenizer: a callable ``(settings: InferenceSettings) -> VideoTokenizer``; or, with no ``:object``, a package whose
  folder holds cards, each of which becomes a tokenizer under its own name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable

from .registry import RegistryEntry, RegistryError, import_target

VARIABLE = "TOKLAB_PLUGINS"
KINDS = ("tokenizers", "datasets", "metrics")


@dataclass(frozen=True)
class Plugin:
    """One name that an outside package or the environment adds."""

    name: str
    target: str
    """``module:object``, or ``module`` for a package of cards."""
    origin: str
    """The distribution, with its version, or ``TOKLAB_PLUGINS``."""

    @property
    def is_card_package(self) -> bool:
        """Whether it names a package of cards and no object."""
        return ":" not in self.target

    @property
    def entry(self) -> RegistryEntry[object]:
        """The plugin as a registry's entry."""
        return RegistryEntry(self.name, self.origin, lambda: import_target(self.target))

    def card_folder(self) -> Traversable:
        """The folder of a package of cards; imports the package and nothing in it."""
        return files(self.target)


def find_plugins(kind: str, report: Callable[[str, str, str], object]) -> list[Plugin]:
    """Plugins of one of :data:`KINDS`, entry points first, in a fixed order; imports none of them.

    Args:
        kind: ``tokenizers``, ``datasets`` or ``metrics``.
        report: called with name, origin and reason of an item of ``TOKLAB_PLUGINS`` that can't be understood.
    """
    found = [
        Plugin(point.name, point.value.split("[")[0].strip(), f"{point.dist.name} {point.dist.version}")
        if point.dist
        else Plugin(point.name, point.value, "an unnamed distribution")
        for point in entry_points(group=f"toklab.{kind}")
    ]
    found.sort(key=lambda plugin: (plugin.origin, plugin.name))
    for item in filter(None, (part.strip() for part in os.environ.get(VARIABLE, "").split(","))):
        try:
            item_kind, plugin = _parse_item(item)
        except RegistryError as error:
            # One kind speaks for the item, or it would be reported three times.
            if kind == KINDS[0]:
                report(item, VARIABLE, str(error))
            continue
        if item_kind == kind:
            found.append(plugin)
    return found


def _parse_item(item: str) -> tuple[str, Plugin]:
    """Kind and plugin of one item of ``TOKLAB_PLUGINS``; raise :class:`RegistryError` on anything else."""
    name, equals, target = (part.strip() for part in item.partition("="))
    prefix, dot, rest = name.partition(".")
    kind, name = (prefix, rest) if dot and prefix in KINDS else (KINDS[0], name)
    if not (equals and name and target):
        raise RegistryError(f"{item!r} isn't written name=module:object or datasets.name=module:object")
    return kind, Plugin(name, target, VARIABLE)
