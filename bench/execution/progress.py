"""Who hears how a run goes on: what the runner calls, and a listener that says nothing."""

from __future__ import annotations

from typing import Protocol as TypingProtocol

from ..ledger.records import CellRecord
from ..planning.cell import Cell


class Progress(TypingProtocol):
    """Hears how a run goes on."""

    def start(self, cell: Cell, number: int, of: int, windows: int, done: int, videos: int) -> None:
        """Cell ``number``, from 1, ``of`` so many starts: ``done`` of its ``windows`` are in the ledger already.

        The windows are of so many ``videos``.
        """

    def advance(self, windows: int, failed: int) -> None:
        """So many windows are committed, so many of them failed."""

    def message(self, text: str) -> None:
        """Something the user should know, such as a halved batch."""

    def finish(self, cell: CellRecord) -> None:
        """A cell is finished, or failed as a whole."""


class SilentProgress(Progress):
    """Hears everything and says nothing."""
