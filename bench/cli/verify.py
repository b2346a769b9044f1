"""`toklab verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import say

if TYPE_CHECKING:
    from ..ledger.verification import Finding

CONTRADICTED = 3
"""Exit code where the run is sound and contradicts a published figure."""


def verify(
    run: Annotated[Path, typer.Argument(help="Run folder, as `toklab run` wrote it; or a result record.")],
    forget_damaged: Annotated[
        bool,
        typer.Option("--forget-damaged", help="Drop damaged cells, so that `toklab run` computes them again."),
    ] = False,
) -> None:
    """Check a run: first that its records are sound, then its figures against published ones.

    Damage is named with its file, its cell and the command that computes it again. Kept reconstructions aren't checked.

    Published figures of the same models and datasets stand beside the measured ones, each with a verdict: reproduced,
    not reproduced, contradicted or not comparable, and with what explains a difference. The convention audit shows how
    far the run's figures move when only the convention does.

    Exit code 0: all is sound, and no published figure is contradicted; 1: something is damaged, and no figure was
    compared; 2: it is no run folder; 3: a published figure is contradicted.

    Example:

        toklab verify runs/demo
    """
    from ...reports.record.reading import is_record
    from ..ledger import verification

    findings = [_record_finding(run)] if is_record(run) else verification.verify_run(run)
    for finding in findings:
        say(f"{'[ok]     ' if finding.is_sound else '[damaged]'} {finding.subject}: {finding.text}")
        if finding.fix:
            say(f"            {finding.fix}")
    if forget_damaged and not is_record(run):
        for dropped in verification.forget_damaged(run, findings):
            say(f"dropped {dropped}; give the command of the run again")
    if not all(finding.is_sound for finding in findings):
        say("published figures aren't compared before the damage is gone")
        raise typer.Exit(1)
    if _print_published(run):
        raise typer.Exit(CONTRADICTED)


def _record_finding(path: Path) -> Finding:
    """Whether a result record is as it was written."""
    from ...reports.record.reading import RecordError
    from ..analysis.record_reading import open_record
    from ..ledger.verification import Finding

    try:
        record = open_record(path)
    except RecordError as error:
        return Finding(str(path), str(error), is_sound=False)
    return Finding(str(path), f"{len(record.results)} cells, {sum(len(r.rows) for r in record.results)} windows")


def _print_published(folder: Path) -> bool:
    """Print published figures beside measured ones, and the convention audit; whether one is contradicted."""
    from ...reports.tables.plain import to_terminal
    from ...reports.tables.published_check import published_check_table
    from ..analysis.convention_audit import audit_tables
    from ..analysis.opening import open_results
    from ..analysis.published_check import check_frame, check_published, counts
    from ..analysis.run_report import run_figures

    run = open_results([folder])
    checks = check_published(run)
    found = counts(checks)
    if checks:
        say("\nPublished figures beside measured ones:")
        say(to_terminal(published_check_table(check_frame(checks)), ruled=True))
        say(f"\n{', '.join(f'{number} {verdict}' for verdict, number in sorted(found.items()))}")
    else:
        say("\nno published figure is known of a tokenizer and dataset of this run")
    for table in audit_tables(run.results, run_figures(run.results, published=False)):
        say(f"\n{table.caption}")
        say(to_terminal(table.table, ruled=True))
    return found["contradicted"] > 0


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(verify)
