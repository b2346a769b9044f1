"""Progress of several cells at once, told to a listener that hears of one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from ..progress import Progress
from .open_cell import OpenCell


@dataclass
class _Heard:
    """What is to be told of a cell."""

    opened: OpenCell
    num_windows: int = 0
    num_failed: int = 0
    is_over: bool = False


class ProgressInOrder:
    """The first cell that isn't over is shown; what happens to the others is told when their turn comes."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._cells: dict[int, _Heard] = {}

    def start(self, opened: OpenCell) -> None:
        """A cell is open."""
        self._cells[opened.number] = _Heard(opened)
        if len(self._cells) == 1:
            self._show()

    def advance(self, number: int, windows: int, failed: int) -> None:
        """So many windows of a cell are committed, so many of them failed."""
        if next(iter(self._cells)) == number:
            self._progress.advance(windows, failed)
        else:
            self._cells[number].num_windows += windows
            self._cells[number].num_failed += failed

    def finish(self, number: int) -> None:
        """A cell is over."""
        self._cells[number].is_over = True
        while self._cells and (first := next(iter(self._cells.values()))).is_over:
            del self._cells[first.opened.number]
            if self._cells:
                self._show()

    def _show(self) -> None:
        heard = next(iter(self._cells.values()))
        opened = heard.opened
        self._progress.start(
            opened.cell, opened.number, opened.of, opened.windows.count, opened.num_done, opened.windows.num_videos
        )
        if heard.num_windows:
            self._progress.advance(heard.num_windows, heard.num_failed)
