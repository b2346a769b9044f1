"""`toklab list`, `complexity`, `doctor`, `selftest` and `check-adapter`."""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ...reports.tables.plain import TableFormat
from .output import JsonOption, say, say_json
from .suite_options import CardsOption, OneSettingOption
from .trust import TrustCardsOption, TrustOption


class Kind(StrEnum):
    """What can be listed."""

    tokenizers = "tokenizers"
    datasets = "datasets"
    metrics = "metrics"
    suites = "suites"


NARROWEST, WIDEST = 80, 160
"""Limits of the width of a list on the terminal."""


def list_(
    kind: Annotated[Kind, typer.Argument()] = Kind.tokenizers,
    cards: CardsOption = None,
    family: Annotated[
        str | None, typer.Option("--family", help="Only tokenizers of this family, such as `vidtok`.")
    ] = None,
    ready: Annotated[bool, typer.Option("--ready", help="Only what can run now.")] = False,
    published: Annotated[
        bool, typer.Option("--published", help="What papers print of the tokenizers, in place of what they are.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List what there is: what can run now, and what needs a download or an extra.

    Examples:

        toklab list tokenizers --family vidtok --ready

        toklab list metrics

        toklab list tokenizers --json
    """
    from ..inventory.listing import WIDTH, listing

    found = listing(kind.value, tuple(cards or ()), family=family, ready=ready, published=published)
    if as_json:
        say_json(found.document())
        return
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    say(found.text(max(NARROWEST, min(WIDEST, width))))


def complexity(
    tokenizer: Annotated[list[str] | None, typer.Argument(help="Tokenizers [default: all that can be built].")] = None,
    cards: CardsOption = None,
    format_: Annotated[TableFormat, typer.Option("--format", "-f")] = TableFormat.terminal,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames [default: 17 causal, 16 non-causal].")] = None,
    height: Annotated[int, typer.Option(min=1)] = 256,
    width: Annotated[int, typer.Option(min=1)] = 256,
    table: Annotated[int | None, typer.Option(help="Table of the VidTok paper, 1, 2 or 5, beside its figures.")] = None,
    trust_cards: TrustCardsOption = False,
) -> None:
    """Count parameters and multiply-adds on the meta device: no weights, no download, seconds.

    Examples:

        toklab complexity vidtok_kl_causal_488_4chn

        toklab complexity --format csv --height 128 --width 128

        toklab complexity --table 2
    """
    from ...reports.published.sizes import SIZE_TABLES
    from ..inventory.complexity_table import complexity_table
    from ..inventory.published_sizes import published_size_table

    if table is not None:
        if tokenizer:
            raise typer.BadParameter("a table names its tokenizers itself", param_hint="--table")
        if table not in SIZE_TABLES:
            raise typer.BadParameter(f"tables with sizes are {', '.join(map(str, SIZE_TABLES))}", param_hint="--table")
        say(published_size_table(table, tuple(cards or ()), format_.value, frames, height, width))
        return
    say(complexity_table(tokenizer or [], tuple(cards or ()), format_.value, frames, height, width))


def doctor(as_json: JsonOption = False) -> None:
    """Say what works on this machine, and what to do about the rest.

    Examples:

        toklab doctor

        toklab doctor --json
    """
    from dataclasses import asdict

    from ..inventory.doctor import examine

    findings = examine()
    if as_json:
        say_json({"findings": [asdict(finding) for finding in findings]})
        return
    for finding in findings:
        mark = {"ok": "[ok]     ", "missing": "[missing]", "broken": "[broken] "}[finding.state]
        say(f"{mark} {finding.subject}: {finding.text}")
        if finding.hint:
            say(f"            {finding.hint}")


def selftest(
    goldens: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of golden data, one model or a tree of them; repeat for several."),
    ] = None,
) -> None:
    """Check every metric's identities and closed forms; with --goldens, models against golden data in their place.

    Each of these models is built from its config.json, loaded with its weights, and every stored tensor is compared:
    largest error, tolerance, verdict. Exit code 1 beyond a tolerance, or if there was nothing to compare.

    Examples:

        toklab selftest

        toklab selftest --goldens goldens/vidtok
    """
    from ..conformance.selftest import run_selftest

    if not run_selftest(goldens or [], say):
        raise typer.Exit(1)


def check_adapter(
    tokenizer: Annotated[str, typer.Argument(help="Card or plugin.")],
    cards: CardsOption = None,
    device: Annotated[str, typer.Option(help="`cpu`, `cuda`, `cuda:1`.")] = "cpu",
    size: Annotated[
        int | None, typer.Option(min=1, help="Height and width of the clips [default: the smallest legal from 32].")
    ] = None,
    set_: OneSettingOption = None,
    trust_torchscript: TrustOption = False,
    trust_cards: TrustCardsOption = False,
) -> None:
    """Hold a tokenizer to the contract: lengths, causality, determinism, batches, NaN, memory, what its spec says.

    The conformance test of adapters and plugins, with or without golden data. Exit code 1 if a rule is broken.

    Examples:

        toklab check-adapter vidtok-tiny-kl-4chn

        toklab check-adapter my-vidtok --cards cards --set chunk_frames=16
    """
    from ..conformance.check_adapter import check_named
    from ..execution.options import resolve_device

    if not check_named(tokenizer, tuple(cards or ()), set_ or [], resolve_device(device), size, say):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("list")(list_)
    for command in (complexity, doctor, selftest, check_adapter):
        app.command()(command)
