"""What there is: tokenizers, datasets and metrics, shipped and from outside, each listed without importing it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...tokenizers.catalog import load_cards, read_cards, shipped_cards_folder, stand_ins
from .plugin_code import describe, plugin_code
from .plugins import VARIABLE, find_plugins
from .registry import BUILT_IN, BrokenPlugin, Registry, RegistryEntry
from .tokenizer_entry import CardTokenizer, FactoryTokenizer, TokenizerEntry

if TYPE_CHECKING:
    from ...datasets.interface import Dataset
    from ..metrics.interface import Metric

DatasetFactory = Callable[[Path | None], "Dataset"]
"""A dataset's class, or any callable that takes its root folder (``None``: the default place)."""
MetricFactory = Callable[[], "Metric"]
"""A metric's class, or any callable without arguments."""


class TokenizerCatalog:
    """Every tokenizer: shipped cards, the user's cards, and plugins."""

    def __init__(self, card_folders: tuple[Path, ...] = ()):
        """Read the cards and list the plugins.

        Raises:
            CardError: if a card that ships or lies in ``card_folders`` can't be used; a plugin's own don't
                raise, they are reported as broken.
        """
        self._registry: Registry[TokenizerEntry] = Registry("tokenizer", _as_entry)
        shipped = str(shipped_cards_folder())
        cards = load_cards(card_folders)
        self._stand_ins = stand_ins(cards)
        for card in cards.values():
            origin = BUILT_IN if str(Path(str(card.source)).parent) == shipped else str(card.source)
            self._add(CardTokenizer(card, origin))
        for plugin in find_plugins("tokenizers", self._registry.report_broken):
            if not plugin.is_card_package:
                self._add_plugin(FactoryTokenizer(plugin))
                continue
            try:
                with plugin_code():
                    found = read_cards(plugin.card_folder(), trusted=True)
            except Exception as error:
                # The package is imported to find its folder, and may raise anything at all.
                self._registry.report_broken(plugin.name, plugin.origin, describe(error))
                continue
            for card in found:
                self._add_plugin(CardTokenizer(card, plugin.origin))

    def _add(self, entry: TokenizerEntry) -> None:
        self._registry.add(RegistryEntry(entry.name, entry.origin, lambda: entry))

    def _add_plugin(self, entry: TokenizerEntry) -> None:
        self._registry.add_plugins([RegistryEntry(entry.name, entry.origin, lambda: entry)])

    def entry(self, name: str) -> TokenizerEntry:
        """The tokenizer of a name; raises ``RegistryError`` with near names if there is none. Loads no torch."""
        return self._registry.get(name)

    def stand_in(self, name: str) -> str:
        """The name of the card that suites run in place of ``name``; ``name`` itself where none does."""
        return self._stand_ins.get(name, name)

    def __iter__(self) -> Iterator[TokenizerEntry]:
        return (self.entry(name) for name in self._registry)

    def __len__(self) -> int:
        return len(self._registry)

    def __contains__(self, name: object) -> bool:
        return name in self._registry

    @property
    def broken(self) -> list[BrokenPlugin]:
        """Plugins known not to work; :meth:`probe_plugins` finds the rest."""
        return self._registry.broken

    def probe_plugins(self) -> list[BrokenPlugin]:
        """Import every plugin's callable and return all plugins that don't work."""
        for entry in self:
            if isinstance(entry, FactoryTokenizer):
                try:
                    _ = entry.factory
                except ValueError as error:
                    self._registry.report_broken(entry.name, entry.origin, str(error))
        return self.broken


def tokenizers(card_folders: tuple[Path, ...] = ()) -> TokenizerCatalog:
    """The tokenizers, with the cards of ``card_folders``; read once for each value of ``TOKLAB_PLUGINS``.

    They are read again where a card of these folders has changed. Raises ``CardError`` as the catalog itself does.
    """
    folders = tuple(card_folders)
    return _tokenizers(folders, tuple(map(_state_of, folders)), os.environ.get(VARIABLE, ""))


def datasets() -> Registry[DatasetFactory]:
    """The datasets: callables that take a root folder or ``None``."""
    return _datasets(os.environ.get(VARIABLE, ""))


def metrics() -> Registry[MetricFactory]:
    """The metrics: callables without arguments."""
    return _metrics(os.environ.get(VARIABLE, ""))


_FolderState = tuple[Path, tuple[tuple[str, int, int], ...]]
"""A resolved folder, with name, size in bytes and time of change in ns of each card in it."""


def _state_of(folder: Path) -> _FolderState:
    try:
        found = [(file.name, file.stat()) for file in sorted(folder.glob("*.toml"))]
    except OSError:
        # Whoever reads it says what is wrong.
        found = []
    return folder.resolve(), tuple((name, status.st_size, status.st_mtime_ns) for name, status in found)


@lru_cache(maxsize=8)
def _tokenizers(card_folders: tuple[Path, ...], states: tuple[_FolderState, ...], plugins: str) -> TokenizerCatalog:
    return TokenizerCatalog(card_folders)


@lru_cache(maxsize=8)
def _datasets(plugins: str) -> Registry[DatasetFactory]:
    from ...datasets.catalog import DATASETS

    registry: Registry[DatasetFactory] = Registry("dataset", _as_factory)
    _fill(registry, "datasets", DATASETS, "toklab.datasets")
    return registry


@lru_cache(maxsize=8)
def _metrics(plugins: str) -> Registry[MetricFactory]:
    from ..metrics import METRICS

    registry: Registry[MetricFactory] = Registry("metric", _as_factory)
    _fill(registry, "metrics", METRICS, "toklab.bench.metrics")
    return registry


def _fill(registry: Registry[Any], kind: str, shipped: dict[str, str], package: str) -> None:
    for name, target in shipped.items():
        registry.add_target(name, target, BUILT_IN, package)
    registry.add_plugins(plugin.entry for plugin in find_plugins(kind, registry.report_broken))


def _as_entry(found: object) -> TokenizerEntry:
    if not isinstance(found, (CardTokenizer, FactoryTokenizer)):
        raise TypeError(f"a {type(found).__name__} is no tokenizer entry")
    return found


def _as_factory(found: object) -> Callable[..., Any]:
    if not callable(found):
        raise TypeError(f"a {type(found).__name__} can't be called")
    return found
