"""The command `toklab`. Each group of commands has its module; heavy imports happen inside the commands."""

from __future__ import annotations

import sys

import typer

from . import data, report, run, show, video, weights

app = typer.Typer(
    name="toklab",
    help="Measure video tokenizers: the same protocol, the same conventions, the uncertainty beside every figure.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog="Start with `toklab run demo`, then `toklab report runs/demo`.",
)
for module in (run, report, show, video):
    module.register(app)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Entry point: errors that the user can mend are one line on standard error and exit code 2."""
    try:
        app()
    except (ValueError, OSError) as error:
        from rich.console import Console

        Console(stderr=True).print(f"[bold red]toklab:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\ntoklab: interrupted; run the same command again to go on where it stopped", file=sys.stderr)
        sys.exit(130)
