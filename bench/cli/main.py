"""The command `toklab`. Each group of commands has its module; heavy imports happen inside the commands."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from typing import Annotated, NoReturn

import typer

from ...reports.text import printable
from ..catalog.plugin_code import PluginStopped, interrupt
from ..execution.supervision import Supervision, supervision
from . import data, exports, leaderboard, plan, report, run, shards, show, train, verify, video, weights
from .output import fit_streams, say
from .supervisor import GO_ON, INTERRUPTED, supervise
from .usage_errors import CommandError, usage_message

app = typer.Typer(
    name="toklab",
    help="Measure video tokenizers: the same protocol, the same conventions, the uncertainty beside every figure.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog="Start with `toklab run demo`, then `toklab report runs/demo`.",
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        say(f"toklab {version('toklab')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


for module in (run, plan, shards, report, leaderboard, exports, verify, show, train, video):
    module.register(app)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")

HOW_TO_GO_ON = {
    "run": f"; {GO_ON}",
    "train": "; give the same command again with --resume to go on from the last checkpoint",
}
"""What is said of a command that the user interrupts, where it can go on."""


def main() -> None:
    """Entry point: errors that the user can fix are one line on standard error and exit code 2.

    `toklab run` is run in a child process, where this function is called again.
    """
    fit_streams()
    watched = supervision()
    if watched.is_active:
        _main_of_run(watched)
    elif os.name == "posix" and sys.argv[1:2] == ["run"] and "--help" not in sys.argv:
        sys.exit(supervise())
    else:
        _main()


def _main() -> None:
    try:
        # Not on its own, typer gives the exit code, and raises mistakes in the command's words.
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except typer.Abort:
        _fail("aborted", code=1)
    except CommandError as error:
        if message := usage_message(error):
            _fail(message)
        sys.exit(2)
    except (ValueError, OSError, sqlite3.Error, PluginStopped) as error:
        _fail(printable(str(error)))
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            say(f"toklab: interrupted{HOW_TO_GO_ON.get(sys.argv[1] if sys.argv[1:] else '', '')}", err=True)
        raise


def _fail(message: str, code: int = 2) -> NoReturn:
    """Print what the user can fix, and end."""
    from rich.console import Console
    from rich.text import Text

    text = Text.assemble(("toklab:", "bold red"), f" {message}")
    Console(stderr=True).print(text, highlight=False, soft_wrap=True)
    sys.exit(code)


def _main_of_run(watched: Supervision) -> None:
    """Run the command, and tell the supervisor at the very end what it came to."""
    # Loads torch, which the supervisor's own process does without.
    from ..catalog.broken_metric import watched_metrics

    signal.signal(signal.SIGINT, interrupt)
    code = 1
    try:
        with watched_metrics(watched.metric, watched.past.figureless_metrics):
            _main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        if code == 0 and not watched.is_done:
            say(f"toklab: something ended the run before it was done; {GO_ON}", err=True)
            code = 1
        sys.exit(code)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        watched.tell(code=code)
