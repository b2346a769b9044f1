"""What `toklab run` prints at its end: the table, the path of the run folder alone, or one JSON document."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ..analysis.run import Run
from ..analysis.run_document import metric_code_fails, run_document
from ..execution.run_summary import RunSummary
from .output import say, say_json
from .report import print_next, print_run


def result_document(place: Path, folder: Path, summary: RunSummary) -> dict[str, Any]:
    """What a run came to, for programs.

    Args:
        place: where the run folder is.
        folder: what the user calls it.
        summary: what failed.
    """
    run = Run.read(place)
    table = run.table()
    code = 1 if summary.exit_code or metric_code_fails(table) else 0
    return run_document(run, str(folder), code, table)


def print_document(document: dict[str, Any], *, as_json: bool) -> int:
    """Print the document, or the run folder's path alone; the exit code."""
    if as_json:
        say_json(document)
    else:
        say(document["folder"])
    return document["exit_code"]


def print_end(place: Path, folder: Path, summary: RunSummary) -> int:
    """Print the table and what comes next; the exit code."""
    broken = print_run(place)
    print_next(folder)
    return 1 if summary.exit_code or broken else 0


def say_failures(folder: Path, summary: RunSummary) -> None:
    """Say on standard error how much failed, if anything did."""
    if summary.exit_code:
        counts = [f"{summary.failed_cells} tokenizers", f"{summary.failed_windows} windows"]
        counts += [f"{summary.broken_metrics} metrics"] if summary.broken_metrics else []
        counted = f"{', '.join(counts[:-1])} and {counts[-1]}"
        say(f"{counted} failed; `{shlex.join(['toklab', 'report', str(folder)])}` gives the reasons.", err=True)
