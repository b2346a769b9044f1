"""Progress of a run on the terminal: a bar for the cell and one for the run; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from ...reports.text import one_line, printable
from ..ledger.records import CellRecord
from ..planning.cell import Cell
from .pace import Pace, clock_text
from .progress import SilentProgress

SMALLEST_BAR = 14
"""Columns of the terminal that a bar takes at least; names of tokenizers need the rest of 80."""
REFRESHES_A_SECOND = 4
"""Drawing takes time from the models that are timed."""


class ErrorProgress(SilentProgress):
    """Says what failed as a whole, and nothing else."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)

    def finish(self, cell: CellRecord) -> None:
        """Say why a cell couldn't run."""
        if cell.status == "failed":
            hint = f"\n    {cell.hint}" if cell.hint and cell.hint not in cell.reason else ""
            failure = printable(f"{cell.label}: {cell.reason}{hint}")
            self.console.print(Text.assemble(("can't run", "red"), f" {failure}"), highlight=False, soft_wrap=True)


class TerminalProgress(ErrorProgress):
    """Implements the runner's progress on standard error."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console)
        is_terminal = self.console.file.isatty() and self.console.is_terminal and not self.console.is_dumb_terminal
        self._bars = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            BarColumn(max(SMALLEST_BAR, self.console.width // 4 - 6)),
            TextColumn("{task.fields[count]}", markup=False, justify="right"),
            _Remaining(),
            console=self.console,
            transient=True,
            expand=True,
            refresh_per_second=REFRESHES_A_SECOND,
            # FORCE_COLOR makes a terminal of any file for rich; a bar in a log is no use to anybody.
            disable=not is_terminal,
        )
        self._clock = clock
        self._run_pace, self._cell_pace = Pace(clock), Pace(clock)
        self._cell = self._bars.add_task("", count="", pace=self._cell_pace, visible=False)
        self._run = self._bars.add_task("whole run", count="", pace=self._run_pace, visible=False)
        self._windows = self._done = self._failed = 0
        self._number = self._of = 0
        self._reported: set[str] = set()

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, cell: Cell, number: int, of: int, windows: int, done: int, videos: int) -> None:
        """Show a new cell."""
        # Cells in between couldn't run, or an earlier process ran them.
        self._run_pace.skip_to(number - 1)
        self._windows, self._done, self._failed = windows, done, 0
        self._number, self._of = number, of
        self._cell_pace = Pace(self._clock)
        self._cell_pace.skip_to(done)
        self._run_pace.skip_to(number - 1 + self._share)
        name = one_line(f"{number}/{of} {cell.label} on {cell.dataset}")
        self._bars.update(self._cell, description=name, pace=self._cell_pace, visible=True)
        self._show()
        counted = f"{_counted(windows, 'window')} of {_counted(videos, 'video')}"
        resumed = f", {done:,} there already" if done else ""
        self.console.print(f"{name}: {counted}{resumed}", highlight=False, markup=False, soft_wrap=True)

    def advance(self, windows: int, failed: int) -> None:
        """Move the bars."""
        self._done += windows
        self._failed += failed
        self._cell_pace.reach(self._done)
        self._run_pace.reach(self._number - 1 + self._share)
        self._show()

    def message(self, text: str) -> None:
        """Print a line above the bars."""
        self.console.print(printable(text), style="dim", highlight=False, markup=False, soft_wrap=True)

    def finish(self, cell: CellRecord) -> None:
        """Say how a cell ended, if not as it should."""
        super().finish(cell)
        for name, (reason, hint) in cell.unavailable.items():
            if name not in self._reported:
                self._reported.add(name)
                self.message(f"{name} is unavailable: {reason}; to fix it: {hint}")
        if self._number == self._of:
            self._bars.update(self._cell, visible=False)
            # How long that takes isn't known: the bar only moves.
            self._bars.update(
                self._run, description="windows done: timing, records", total=None, pace=Pace(self._clock), visible=True
            )

    @property
    def _share(self) -> float:
        """How much of the cell is done."""
        return min(1.0, self._done / self._windows) if self._windows else 1.0

    def _show(self) -> None:
        failed = f", {self._failed:,} failed" if self._failed else ""
        count = f"{self._done:,}/{_counted(self._windows, 'window')}{failed}"
        self._cell_pace.total, self._run_pace.total = self._windows, self._of
        self._bars.update(self._cell, total=self._windows, completed=self._done, count=count)
        reached = self._number - 1 + self._share
        count = f"{int(reached):,}/{self._of:,} done"
        self._bars.update(self._run, total=self._of, completed=reached, count=count, visible=self._of > 1)


class _Remaining(ProgressColumn):
    """How long what a bar shows will still take; nothing before it can be known."""

    def render(self, task: Task) -> Text:
        """The time that is left."""
        seconds = task.fields["pace"].remaining
        return Text("" if seconds is None else f"{clock_text(seconds)} left", style="cyan", justify="right")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
