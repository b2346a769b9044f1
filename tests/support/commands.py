"""The command line in the test's own process."""

from __future__ import annotations

from typing import Any

import typer.main
from toklab.bench.cli.main import app
from typer.testing import CliRunner


def toklab(*arguments: object) -> tuple[int, str]:
    """Run a command: exit code and output; errors that the entry point would print are raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def command_names() -> list[str]:
    """Every command; those of a group after its name: ``run``, ``data list``."""
    # Some versions of typer have a click of their own.
    group: Any = typer.main.get_command(app)
    names = []
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        names += [name] if inner is None else [f"{name} {each}" for each in inner]
    return names
