"""One call of the runner on a run folder: plan, ledger, progress and run in one place."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal

from ...datasets.names import display_names
from ..ledger.ledger import Ledger
from ..planning.plan import plan_cells
from ..planning.suite import Suite, write_suite
from .engines.ray_cluster import EngineOptions
from .options import RunOptions
from .progress import Progress, SilentProgress
from .run_summary import RunSummary
from .runner import Runner
from .supervision import PLANNING, Supervision, absolute
from .terminal_progress import ErrorProgress, TerminalProgress

Said = Literal["all", "errors", "nothing"]
"""What a run says on standard error while it goes on."""


def listener(said: Said) -> AbstractContextManager[Progress]:
    """Who hears how a run goes on: bars and messages, errors alone, or nobody."""
    if said == "all":
        return TerminalProgress()
    return nullcontext(ErrorProgress() if said == "errors" else SilentProgress())


def claim_folder(suite: Suite, card_folders: Sequence[Path] = (), parent: Path = Path("runs")) -> Path:
    """Make a folder for a run without a name: ``DATASET-DATE-N`` below ``parent``, with the first N that is free.

    Raises:
        ValueError: (a subclass) if the suite names what doesn't exist; no folder is made then.
    """
    names = list(display_names(cell.dataset for cell in plan_cells(suite, card_folders)).values())
    others = f"-and-{len(names) - 1}-more" if len(names) > 1 else ""
    stem = re.sub(r"[^\w.+-]+", "-", names[0]).strip("-") or "folder"
    parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = parent / f"{stem}{others}-{date.today().isoformat()}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("numbers don't end")


def run_into(
    folder: Path,
    suite: Suite,
    options: RunOptions,
    *,
    card_folders: Sequence[Path] = (),
    said: Said = "all",
    supervision: Supervision | None = None,
    engine: EngineOptions | None = None,
    forward_timeout_s: float | None = None,
) -> RunSummary:
    """Run a suite into a folder, which is made, or gone on with where an earlier run stopped.

    Args:
        folder: the run folder.
        suite: what is run.
        options: how it is run.
        card_folders: with cards of the user's own.
        said: what it says on standard error while it goes on.
        supervision: of this process.
        engine: workers of Ray that compute; this process itself if not given.
        forward_timeout_s: seconds after which a worker's forward pass is given up.

    Raises:
        ValueError: (a subclass) before anything runs, if the suite names what doesn't exist or the folder is in use.
    """
    with (supervision or Supervision()).step(PLANNING):
        planned = plan_cells(suite, card_folders)
    # Plugins may change the working directory at any moment.
    cells = [replace(cell, root=cell.root and absolute(cell.root.expanduser())) for cell in planned]
    workers = None
    if engine is not None:
        # Ray is an extra.
        from .engines.ray_engine import RayEngine

        workers = RayEngine(engine, options, card_folders, forward_timeout_s=forward_timeout_s)
    with Ledger(folder, write=True) as ledger, listener(said) as progress:
        write_suite(folder, suite)
        return Runner(ledger, options, progress, card_folders, supervision=supervision, engine=workers).run(cells)
