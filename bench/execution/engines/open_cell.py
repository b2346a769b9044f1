"""A cell that is ready to run, and what an engine does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from typing import Protocol as TypingProtocol

from ....tokenizers.interface import TokenizerSpec, VideoTokenizer
from ...catalog.tokenizer_entry import TokenizerEntry
from ...ledger.ledger import Ledger
from ...planning.cell import Cell
from ..dataset_windows import DatasetWindows
from ..evaluation import Evaluation
from ..preparation import Preparation
from ..progress import Progress


@dataclass
class OpenCell:
    """A cell that is planned and recorded, but for its windows."""

    cell: Cell
    number: int
    """Place in the run, from 1."""
    of: int
    """Cells of the run."""
    entry: TokenizerEntry
    spec: TokenizerSpec
    windows: DatasetWindows
    evaluation: Evaluation
    num_done: int
    """Windows of which the ledger has all that is asked."""
    tokenizer: VideoTokenizer | None = None
    """The model, where this process runs it and a window is left."""
    failure: tuple[str, str] | None = None
    """Why no worker could run the cell, and what fixes it."""


Finish = Callable[[OpenCell], None]
"""Records that a cell came to its end."""


@dataclass(frozen=True)
class RunContext:
    """What the cells of a run share."""

    ledger: Ledger
    preparation: Preparation
    progress: Progress
    run_id: str


class Engine(TypingProtocol):
    """Carries out the windows of cells. Whatever it is, the same plan gives the same figures."""

    builds_models: bool
    """Whether models run in this process."""
    untimed: str
    """Why the speed of tokenizers can't be measured in this process after the windows; empty if it can."""

    def run(self, context: RunContext, cells: Iterable[OpenCell], finish: Finish) -> None:
        """Compute what the cells lack, and finish each. A cell is asked for when there is room for it."""

    def provenance(self) -> dict[str, Any]:
        """What readers must know of who computed the rows."""
        ...

    def close(self) -> None:
        """End everything that works for the engine."""
