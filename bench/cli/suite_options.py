"""The options that say what is run: a suite, or tokenizers on datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..planning.suite import Suite

SuiteArgument = Annotated[
    str | None, typer.Argument(metavar="SUITE", help="A shipped suite (`toklab list suites`) or a TOML file.")
]
TokenizerOption = Annotated[
    list[str] | None, typer.Option("--tokenizer", "-t", help="Tokenizer to run; repeat for several.")
]
DatasetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        "-d",
        help="Dataset, with its place if need be: `sample`, `mcl-jcv:/data/mcl`, `folder:clips/`; a folder under "
        "a name of your own, which survives a move: `clips=folder:/data/clips`.",
    ),
]
ProtocolOption = Annotated[str | None, typer.Option("--protocol", "-p", help="Protocol: a name or a TOML file.")]
ProtocolChangeOption = Annotated[
    list[str] | None, typer.Option("--set-protocol", help="Change a field of the protocol: `height=128`.")
]
MetricOption = Annotated[
    list[str] | None, typer.Option("--metric", "-m", help="Metric to compute; repeat for several.")
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Inference setting: `posterior=sample`; commas give one row for each value: `seed=0,1,2`."
    ),
]
OneSettingOption = Annotated[
    list[str] | None, typer.Option("--set", help="Inference setting, such as `posterior=sample`.")
]
"""For commands that run a tokenizer with one value of each setting."""
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="At most so many windows a dataset, spread over its videos.")
]
LimitVideosOption = Annotated[int | None, typer.Option(min=1, help="Only the first so many videos of a dataset.")]
CardsOption = Annotated[list[Path] | None, typer.Option("--cards", help="Folder with cards of your own.")]


def choose_suite(
    name: str | None,
    *,
    tokenizers: list[str] | None = None,
    datasets: list[str] | None = None,
    protocol: str | None = None,
    protocol_changes: list[str] | None = None,
    metrics: list[str] | None = None,
    settings: list[str] | None = None,
) -> Suite:
    """The suite of a name with what else was given in place of its own; without a name, one of what was given.

    Args:
        name: a shipped suite or a TOML file.
        tokenizers: in place of the suite's.
        datasets: in place of the suite's, as :mod:`os` gives paths.
        protocol: in place of the suite's.
        protocol_changes: ``name=value``, one value each; beside the suite's.
        metrics: in place of the suite's.
        settings: ``name=value`` or ``name=value,value``; beside the suite's.

    Raises:
        SuiteError: if nothing says what is run, or something isn't as a suite takes it.
    """
    from ...datasets.names import escape_name
    from ..planning.suite import DEFAULT_METRICS, SuiteError, change_suite, check_suite, load_suite, parse_assignments

    if name is None and not (tokenizers and datasets):
        raise SuiteError("name a suite, or give --tokenizer and --dataset; `toklab list suites` shows the shipped ones")
    base = load_suite(name) if name else None
    # A path may hold bytes that aren't UTF-8, which no suite can.
    roots = [escape_name(text) for text in datasets or ()]
    given = {"tokenizers": tokenizers, "datasets": roots, "protocol": protocol, "metrics": metrics}
    values: dict[str, Any] = {key: value for key, value in given.items() if value}
    changes = parse_assignments(protocol_changes or [])
    if any(isinstance(value, list) for value in changes.values()):
        raise SuiteError("--set-protocol takes one value; for several protocols run several times")
    values["protocol_changes"] = {**(base.protocol_changes if base else {}), **changes}
    values["settings"] = {**(base.settings if base else {}), **parse_assignments(settings or [])}
    if base is None:
        return check_suite({"name": "custom", "metrics": DEFAULT_METRICS, **values}, "the command")
    return change_suite(base, values)
