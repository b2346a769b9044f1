"""`toklab report` and `toklab compare`."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...reports.paper.venues import DEFAULT_VENUE, VENUES
from ...reports.registry import FORMATS
from ...reports.tables.plain import TableFormat
from .output import say

if TYPE_CHECKING:
    ReportFormat = VenueName = str
else:
    # typer offers the members of an enumeration; these are made from the registry, which no type checker follows.
    ReportFormat = StrEnum("ReportFormat", {name: name for name in FORMATS})
    VenueName = StrEnum("VenueName", {name: name for name in VENUES})


def print_run(*paths: Path, across_protocols: bool = False) -> bool:
    """Print the table of run folders and records on the terminal; whether the code of a metric in it fails."""
    from ..analysis.opening import open_results
    from ..analysis.run_report import terminal_report

    return terminal_report(open_results(paths), across_protocols=across_protocols)


def print_next(folder: Path) -> None:
    """Name a run folder, and the commands that go on from it."""
    from ..analysis.results import RunResults

    say(f"\nrun folder: {folder}")
    say(f"next: {shlex.join(['toklab', 'report', str(folder)])}")
    first: dict[tuple[str, str], str] = {}
    for result in RunResults.read(folder).results:
        if not result.num_scored:
            continue
        known = first.setdefault((result.cell.dataset, result.cell.protocol_hash), result.cell.label)
        if known != result.cell.label:
            command = ["toklab", "compare", known, result.cell.label, "--run", str(folder)]
            say(f"      {shlex.join(command)}")
            return


def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Run folders and result records; several make one report.")
    ],
    format_: Annotated[
        list[ReportFormat] | None, typer.Option("--format", "-f", help="Formats to write [default: all].")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to [default: RUN/report of a single run folder].")
    ] = None,
    published: Annotated[bool | None, typer.Option(help="Published rows beside the measured ones.")] = None,
    across_protocols: Annotated[
        bool, typer.Option("--across-protocols", help="Put figures of several protocols into one column, marked.")
    ] = False,
    difference_to: Annotated[
        str,
        typer.Option(
            metavar="TOKENIZER",
            help="Add charts of the paired differences to this tokenizer; its curve is the anchor of BD-rates.",
        ),
    ] = "",
    extrapolation_intervals: Annotated[
        bool,
        typer.Option("--extrapolation-intervals", help="Intervals of extrapolated figures; a minute or more for each."),
    ] = False,
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Write the page as a folder to host, with its pictures in files.")
    ] = False,
    venue: Annotated[VenueName, typer.Option(help="Venue whose measures the LaTeX paper has.")] = DEFAULT_VENUE,
    columns: Annotated[
        str,
        typer.Option(
            metavar="METRIC,…",
            help="Columns of the main table of paper and PDF, whose findings are of these metrics alone "
            "[default: all with figures].",
        ),
    ] = "",
) -> None:
    """Write the report of a run: table, radar charts and further ones, methods and failures.

    The page (`report.html`) opens from disk: it sorts, filters and shows the kept reconstructions frame by frame. Every
    figure is aggregated anew from the kept measurements, so this takes seconds. `--format json` writes a result record:
    one file with the figures and what they rest on, which others can report and compare without the videos.

    Examples:

        toklab report runs/demo

        toklab report runs/demo --format html --bundle

        toklab report runs/demo --difference-to bicubic-4chn

        toklab report runs/demo --format latex --venue cvpr --columns psnr,ssim

        toklab report runs/demo/report/record.json runs/mine --out both
    """
    from ...reports.paper.layout import PaperLayout
    from ..analysis.opening import open_results
    from ..analysis.run_report import write_run_report

    written = write_run_report(
        open_results(runs),
        out,
        format_ or (),
        published=published,
        across_protocols=across_protocols,
        difference_to=difference_to,
        extrapolation_intervals=extrapolation_intervals,
        bundle=bundle,
        layout=PaperLayout(str(venue), tuple(name for name in columns.split(",") if name)),
    )
    broken = print_run(*runs, across_protocols=across_protocols)
    pages = [path for path in written if path.suffix == ".html"]
    for path in written:
        # Pictures of a page are many, and nobody opens one.
        if not any(page.parent / "media" == path.parent for page in pages):
            say(str(path))
    for page in pages:
        say(f"\nthe page, for a browser: {page}")
    if broken:
        raise typer.Exit(1)


def compare(
    items: Annotated[
        list[str] | None,
        typer.Argument(metavar="A B …", help="Tokenizer labels of one run; or run folders and result records."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", "-r", help="Run folder, or result record, that holds the tokenizers.")
    ] = None,
    metric: Annotated[list[str] | None, typer.Option("--metric", "-m", help="Only these metrics.")] = None,
    fail_if: Annotated[
        list[str] | None, typer.Option("--fail-if", help="Limit of A − B, such as `psnr < -0.1`; repeat for several.")
    ] = None,
    format_: Annotated[TableFormat, typer.Option("--format", "-f")] = TableFormat.terminal,
) -> None:
    """Compare tokenizers on the windows they share, by the differences in each video.

    The first is compared with each of the others, dataset by dataset and protocol by protocol; without tokenizers, all
    that the run's table ranks together are compared with each other. Intervals hold for all pairs at once. What has no
    counterpart, and speeds that can't be compared, are left out and listed.

    With --fail-if the exit code is 3 if a whole interval lies beyond the limit, and else 2 if there is no interval, a
    pair couldn't be compared by that metric, or a tokenizer failed or has no counterpart.

    Examples:

        toklab compare vidtok-small-kl-16chn bicubic-16chn --run runs/demo

        toklab compare runs/before runs/after --fail-if "psnr < -0.1"
    """
    from ...reports.tables.comparison import LEFT_OUT, render_comparison
    from ..analysis.comparison import compare_items
    from ..analysis.limits import Limit, exit_code
    from ..catalog.broken_metric import CODE_FAILS

    limits = [Limit.parse(text) for text in fail_if or ()]
    frame = compare_items(items or [], run, metric)
    say(render_comparison(frame, format_.value))
    if format_ == TableFormat.csv:
        for sentence in frame.attrs[LEFT_OUT]:
            say(f"left out: {sentence}", err=True)
    code, sentences = exit_code(frame, limits)
    for sentence in sentences:
        say(sentence, err=True)
    if code == 0 and any(CODE_FAILS in sentence for sentence in frame.attrs[LEFT_OUT]):
        code = 1
    if code:
        raise typer.Exit(code)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(report)
    app.command()(compare)
