"""`toklab export` and `toklab log`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .output import say

RunsArgument = Annotated[
    list[Path], typer.Argument(metavar="RUN…", help="Run folders and result records; several are taken together.")
]


class TableEnding(StrEnum):
    """What tables are written as."""

    parquet = "parquet"
    csv = "csv"


class Service(StrEnum):
    """Where figures can be logged."""

    mlflow = "mlflow"
    wandb = "wandb"


def export(
    runs: RunsArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    format_: Annotated[TableEnding, typer.Option("--format", "-f")] = TableEnding.parquet,
    card: Annotated[
        bool, typer.Option("--card", help="Add README.md, the card of a dataset on the Hugging Face Hub.")
    ] = False,
) -> None:
    """Write the figures and the windows of a run as tables for other programs.

    The files are figures, windows, accounting and failures: the tables that a run has in Python, see docs/python.md.

    Examples:

        toklab export runs/demo --out tables

        toklab export runs/demo --out dataset --card
    """
    from ..api import open_run
    from ..exports.tables import export_tables

    for path in export_tables(open_run(*runs), out, format_.value, card=card):
        say(str(path))


def log(
    runs: RunsArgument,
    to: Annotated[Service, typer.Option("--to", help="Needs the extra of that name: pip install 'toklab[mlflow]'.")],
    project: Annotated[str, typer.Option(help="Name of the experiment or project.")] = "toklab",
    tracking_uri: Annotated[
        str, typer.Option("--tracking-uri", help="Of MLflow [default: as MLflow's own environment says].")
    ] = "",
) -> None:
    """Log the figures of a finished run to MLflow or Weights & Biases, one entry a tokenizer and dataset.

    Example:

        toklab log runs/demo --to mlflow --tracking-uri http://localhost:5000
    """
    if tracking_uri and to is not Service.mlflow:
        raise typer.BadParameter("goes with --to mlflow", param_hint="--tracking-uri")
    from ..api import open_run
    from ..exports.mlflow_logging import log_to_mlflow
    from ..exports.wandb_logging import log_to_wandb

    run = open_run(*runs)
    if to is Service.mlflow:
        identities = log_to_mlflow(run, project, tracking_uri or None)
    else:
        identities = log_to_wandb(run, project)
    say(f"logged {len(identities)} entries to {to.value}, {project}")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(export)
    app.command()(log)
