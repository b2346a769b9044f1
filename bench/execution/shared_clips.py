"""Decoded windows that the cells of a run share, on disk while others are still to see them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...datasets.cache import ClipCache
from ..planning.cell import Cell


class SharedClips:
    """A shelf of the clip cache for each dataset and protocol that more than one cell of a run sees."""

    def __init__(self, folder: Path, max_bytes: int, cells: Sequence[Cell] | None):
        """Set up shelves; none is made before it is needed.

        Args:
            folder: of the cache.
            max_bytes: of all that is in it; 0 for no cache.
            cells: of the run; ``None`` where nobody knows which are still to come: any may see what another saw.
        """
        self._folder = folder
        self._max_bytes = max_bytes
        self._to_come = None if cells is None else list(cells)
        self._num_cells = Counter(map(_shelf_name, cells or ()))
        self._shelves: dict[str, ClipCache] = {}

    def begin(self, cell: Cell) -> None:
        """Take note that a cell is begun, so that it isn't one that is still to come."""
        if self._to_come is not None and cell in self._to_come:
            self._to_come.remove(cell)

    def shelf(self, cell: Cell) -> tuple[ClipCache | None, bool]:
        """Where a cell's windows are, if it shares them; and whether a cell that is still to come does so."""
        name = _shelf_name(cell)
        if not self._max_bytes or (self._to_come is not None and self._num_cells[name] < 2):
            return None, False
        if name not in self._shelves:
            self._shelves[name] = ClipCache(self._folder, self._max_bytes, name)
        is_needed_again = self._to_come is None or any(_shelf_name(other) == name for other in self._to_come)
        return self._shelves[name], is_needed_again


def _shelf_name(cell: Cell) -> str:
    seen = json.dumps([cell.dataset, str(cell.root), cell.protocol.hash])
    return hashlib.sha256(seen.encode()).hexdigest()[:12]
