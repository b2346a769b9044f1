"""The plan: from a suite to cells, with every name checked before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ...datasets.protocol import load_protocol
from ...tokenizers.interface import InferenceSettings
from ..catalog.catalog import metrics, tokenizers
from ..catalog.tokenizer_entry import CardTokenizer
from .cell import Cell, settings_without_effect
from .datasets import plan_datasets
from .suite import Suite

ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Shard:
    """One part of the videos: every ``count``-th, starting at ``index``."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``2/4`` is the second of four parts. Raises ``ValueError`` on anything else."""
        index, slash, count = text.partition("/")
        if not (slash and index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count)):
            raise ValueError(f"a shard is written like 1/4, not {text!r}")
        return cls(int(index) - 1, int(count))

    def of(self, items: Sequence[ItemT]) -> Sequence[ItemT]:
        """The items of this part."""
        return items[self.index :: self.count]


def plan_cells(suite: Suite, card_folders: Sequence[Path] = ()) -> list[Cell]:
    """Every cell of a suite, in the order they run: dataset by dataset, so that decoded clips are shared.

    Of cells that differ only in settings without effect on their tokenizer, the first one. Where one of the cards in
    ``card_folders`` stands in for a tokenizer, it is run in its place, under its own name.

    Raises:
        ValueError: (a subclass) naming an unknown tokenizer, dataset, metric, protocol or setting, or two datasets
            of one name.
    """
    protocol = load_protocol(suite.protocol)
    if suite.protocol_changes:
        protocol = protocol.derive(**suite.protocol_changes)
    catalog = tokenizers(tuple(card_folders))
    without_effect: dict[str, frozenset[str]] = {}
    chosen = [catalog.stand_in(name) for name in suite.tokenizers]
    for name in chosen:
        entry = catalog.entry(name)
        known = isinstance(entry, CardTokenizer)
        without_effect[name] = settings_without_effect(entry.card.spec.regularizer) if known else frozenset()
    for name in suite.metrics:
        metrics().check(name)
    cells: dict[tuple[str, str, str], Cell] = {}
    for dataset in plan_datasets(suite.datasets):
        for name in chosen:
            for values in suite.combinations():
                settings = InferenceSettings.from_mapping(values)
                cell = Cell(
                    name,
                    dataset.identity,
                    dataset.root,
                    protocol.on(dataset),
                    settings,
                    suite.metrics,
                    without_effect[name],
                    dataset.kind,
                )
                cells.setdefault((dataset.identity, name, cell.label), cell)
    return list(cells.values())
