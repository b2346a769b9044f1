"""`toklab leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import say

PAGE = "html"
"""Format of the page."""
INDEX = "index.html"
"""What servers show of a folder."""


def leaderboard(
    records: Annotated[
        list[Path], typer.Argument(metavar="RECORD…", help="Result records of `toklab report --format json`.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write, such as one that GitHub Pages serves.")],
    protocol: Annotated[
        str, typer.Option(metavar="HASH", help="Only figures under this protocol, by its hash or name.")
    ] = "",
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Leaderboard",
) -> None:
    """Make the page of many people's result records; run folders are taken, too.

    Figures and ranks are computed anew, on the windows that all have. Figures under several protocols are refused: they
    can't be ranked together. FVD is shown as each record states it, and isn't ranked. The records come together in
    record.json beside the page, unless they are too large for one.

    Example:

        toklab leaderboard runs/demo/report/record.json theirs.json --out site
    """
    from ...reports.files import write_bytes
    from ...reports.record.writing import RecordSizeError
    from ..analysis.leaderboard import open_leaderboard
    from ..analysis.run_report import RECORD, write_run_report

    run = open_leaderboard(records, protocol, title)
    try:
        written = write_run_report(run, out, (PAGE, RECORD))
    except RecordSizeError as error:
        say(f"the page alone is written: {error}", err=True)
        written = write_run_report(run, out, (PAGE,))
    (page,) = (path for path in written if path.suffix == ".html")
    for path in (*written, write_bytes(out / INDEX, page.read_bytes())):
        say(str(path))


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(leaderboard)
