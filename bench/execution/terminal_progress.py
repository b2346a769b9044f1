"""Progress of a run on the terminal: a bar a cell with ETA; plain lines where there is no terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ...reports.text import one_line, printable
from ..ledger.records import CellRecord
from ..planning.cell import Cell


class TerminalProgress:
    """Implements the runner's progress on a rich console (standard error)."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[cell]} {task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("windows"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[red]{task.fields[failed]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task("", cell="", failed="", visible=False)
        self._failed = 0
        self._reported: set[str] = set()

    def __enter__(self) -> TerminalProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def start(self, cell: Cell, number: int, of: int, windows: int, done: int) -> None:
        """Show a new cell."""
        self._failed = 0
        self._bar.reset(
            self._task,
            total=windows,
            completed=done,
            description=one_line(f"on {cell.dataset}, {cell.protocol.name}"),
            cell=one_line(f"{number}/{of} {cell.label}"),
            failed="",
            visible=True,
        )
        resumed = f", {done} of them there already" if done else ""
        line = one_line(f"{number}/{of} {cell.label} on {cell.dataset}: {windows} windows{resumed}")
        self.console.print(line, highlight=False, markup=False)

    def advance(self, windows: int, failed: int) -> None:
        """Move the bar."""
        self._failed += failed
        self._bar.update(self._task, advance=windows, failed=f"{self._failed} failed" if self._failed else "")

    def message(self, text: str) -> None:
        """Print a line above the bar."""
        self.console.print(printable(text), style="dim", highlight=False, markup=False)

    def finish(self, cell: CellRecord) -> None:
        """Say how a cell ended, if not as it should."""
        if cell.status == "failed":
            hint = f"\n    {cell.hint}" if cell.hint and cell.hint not in cell.reason else ""
            failure = printable(f"{cell.label}: {cell.reason}{hint}")
            self.console.print(Text.assemble(("can't run", "red"), f" {failure}"), highlight=False)
        for name, (reason, hint) in cell.unavailable.items():
            if name not in self._reported:
                self._reported.add(name)
                self.message(f"{name} is unavailable: {reason}; to fix it: {hint}")
