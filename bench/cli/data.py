"""`toklab data list|check`."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import say

app = typer.Typer(help="What videos are there, what is missing, what is unreadable.", no_args_is_help=True)

DatasetArgument = Annotated[
    str, typer.Argument(metavar="DATASET", help="`sample`, `folder:clips/`, `mcl-jcv:/data/mcl`; or a path.")
]
ReaderOption = Annotated[str, typer.Option(help="auto, decord or pyav")]


@app.command("list")
def list_(dataset: DatasetArgument) -> None:
    """List the videos of a dataset, and those its own list names that aren't there.

    Example:

        toklab data list sample
    """
    from ...datasets.names import escape_name
    from ..inventory.dataset_survey import open_dataset

    opened = open_dataset(escape_name(dataset))
    for source in opened.sources():
        say(f"{source.kind:7}{source.key}")
    missing = opened.missing()
    for item in missing:
        say(f"missing {item.key}: {item.reason}")
    say(f"{len(opened.sources())} videos, {len(missing)} missing")


@app.command()
def check(
    dataset: DatasetArgument,
    reader: ReaderOption = "auto",
    protocol: Annotated[str | None, typer.Option(help="Count the windows under this protocol.")] = None,
) -> None:
    """Open every video: frames, rate, size, reader, and what can't be read. Exit code 1 if anything can't.

    Example:

        toklab data check folder:clips/ --protocol vidtok
    """
    from ...datasets.names import escape_name
    from ..inventory.dataset_survey import check_table

    text, unreadable = check_table(escape_name(dataset), reader, protocol)
    say(text)
    if unreadable:
        raise typer.Exit(1)
