"""`toklab data list|check|lock`."""

from __future__ import annotations

from pathlib import Path
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
    sources, missing = opened.sources(), opened.missing()
    for source in sources:
        say(f"{source.kind:7}{source.key}")
    for item in missing:
        say(f"missing {item.key}: {item.reason}")
    say(f"{len(sources)} videos, {len(missing)} missing")


@app.command()
def check(
    dataset: DatasetArgument,
    reader: ReaderOption = "auto",
    protocol: Annotated[
        str | None, typer.Option(help="Count the windows that causal tokenizers get under this protocol.")
    ] = None,
) -> None:
    """Open every video: frames, rate, size, reader, and what is wrong with it.

    Exit code 1 unless all are ok: if one is missing, unreadable, damaged or not of the length that the dataset gives,
    or has no window under the protocol.

    Example:

        toklab data check folder:clips/ --protocol vidtok
    """
    from ...datasets.names import escape_name
    from ..inventory.dataset_survey import check_table

    text, num_bad = check_table(escape_name(dataset), reader, protocol)
    say(text)
    if num_bad:
        raise typer.Exit(1)


@app.command()
def lock(
    dataset: DatasetArgument,
    file: Annotated[
        Path | None, typer.Option("--lock", help="Where to write [default: toklab.lock in the dataset's folder].")
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Write it anew where videos have changed.")] = False,
) -> None:
    """Write down the SHA-256 of every video. Each run then fails those that have changed, gone, or come since.

    Where there is a lock already, it is compared with the videos, and written anew only with `--update`. Exit code 1 if
    they differ.

    Example:

        toklab data lock folder:clips/
    """
    from ...datasets.names import escape_name
    from ..inventory.dataset_survey import lock_dataset

    path, videos, changes = lock_dataset(escape_name(dataset), file, update=update)
    for change in changes:
        say(change)
    if changes and not update:
        say(f"{len(changes)} videos differ from {path}; if that is right, --update writes it anew", err=True)
        raise typer.Exit(1)
    say(f"{len(videos)} videos in {path}")
