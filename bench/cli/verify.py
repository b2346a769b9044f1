"""`toklab verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import say


def verify(
    run: Annotated[Path, typer.Argument(help="Run folder, as `toklab run` wrote it.")],
    forget_damaged: Annotated[
        bool,
        typer.Option("--forget-damaged", help="Drop damaged cells, so that `toklab run` computes them again."),
    ] = False,
) -> None:
    """Read everything in a run folder, and say what is sound and what is damaged.

    Damage is named with its file, its cell and the command that computes it again. Exit code 0: all is sound; 1:
    something is damaged; 2: it is no run folder. Kept reconstructions aren't checked.

    Example:

        toklab verify runs/demo
    """
    from ..ledger import verification

    findings = verification.verify_run(run)
    for finding in findings:
        say(f"{'[ok]     ' if finding.is_sound else '[damaged]'} {finding.subject}: {finding.text}")
        if finding.fix:
            say(f"            {finding.fix}")
    if forget_damaged:
        for dropped in verification.forget_damaged(run, findings):
            say(f"dropped {dropped}; give the command of the run again")
    if not all(finding.is_sound for finding in findings):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(verify)
