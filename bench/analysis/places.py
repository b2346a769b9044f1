"""The places of a run: a dataset under a protocol, with everything that was measured there."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .cell_results import CellResults
from .compared_pairs import ComparisonError, cells_named


@dataclass(frozen=True)
class Place:
    """The cells of one dataset under one protocol."""

    dataset: str
    protocol: str
    protocol_hash: str
    results: tuple[CellResults, ...]
    suffix: str
    """What the names of its charts and tables end with; empty where a run has one place."""

    @property
    def words(self) -> str:
        """As captions say it."""
        return f"on {self.dataset}, protocol {self.protocol}"

    def named(self, name: str) -> CellResults | None:
        """The cell of a label, or of a tokenizer's name; ``None`` if it has no scored window here.

        Raises:
            ComparisonError: if the name is that of several cells.
        """
        cells = [result for result in cells_named(self.results, name) if result.num_scored]
        if len(cells) > 1:
            labels = ", ".join(repr(result.label) for result in cells)
            raise ComparisonError(f"{name!r} is several tokenizers {self.words}; name one of {labels}")
        return cells[0] if cells else None


def places_of(results: Sequence[CellResults]) -> list[Place]:
    """The places of a run, in the order of its cells."""
    groups: dict[tuple[str, str], list[CellResults]] = {}
    for result in results:
        groups.setdefault((result.dataset, result.cell.protocol_hash), []).append(result)
    places: list[Place] = []
    for (dataset, protocol_hash), group in groups.items():
        suffix = ""
        if len(groups) > 1:
            several = sum(name == dataset for name, _ in groups) > 1
            suffix = _suffix(f"-{dataset}-{protocol_hash if several else ''}", {place.suffix for place in places})
        places.append(Place(dataset, group[0].cell.protocol["name"], protocol_hash, tuple(group), suffix))
    return places


def _suffix(text: str, taken: Collection[str]) -> str:
    """A text as the end of a file's name, with a number where others are called so already."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text).rstrip("-")
    numbered = (f"{plain}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([plain], numbered) if name not in taken)
