"""The command `toklab`. Each group of commands has its module; heavy imports happen inside the commands."""

from __future__ import annotations

import sqlite3
import sys

import typer

from ...reports.text import printable
from . import data, report, run, show, train, verify, video, weights
from .output import fit_streams, say

app = typer.Typer(
    name="toklab",
    help="Measure video tokenizers: the same protocol, the same conventions, the uncertainty beside every figure.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog="Start with `toklab run demo`, then `toklab report runs/demo`.",
)
for module in (run, report, verify, show, train, video):
    module.register(app)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


INTERRUPTED = 130
"""Exit code typer ends with when the user interrupts."""


def main() -> None:
    """Entry point: errors that the user can fix are one line on standard error and exit code 2."""
    fit_streams()
    try:
        app()
    except (ValueError, OSError, sqlite3.Error) as error:
        from rich.console import Console
        from rich.text import Text

        message = Text.assemble(("toklab:", "bold red"), f" {printable(str(error))}")
        Console(stderr=True).print(message, highlight=False, soft_wrap=True)
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            say("toklab: interrupted; give the same command again to go on where it stopped", err=True)
        raise
