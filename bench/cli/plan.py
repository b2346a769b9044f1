"""`toklab plan`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import JsonOption, say, say_json
from .suite_options import (
    CardsOption,
    DatasetOption,
    LimitOption,
    LimitVideosOption,
    MetricOption,
    ProtocolChangeOption,
    ProtocolOption,
    SettingOption,
    SuiteArgument,
    TokenizerOption,
    choose_suite,
)

if TYPE_CHECKING:
    from ..planning.cell import Cell
    from ..planning.suite import Suite


def plan(
    suite: SuiteArgument = None,
    tokenizer: TokenizerOption = None,
    dataset: DatasetOption = None,
    protocol: ProtocolOption = None,
    set_protocol: ProtocolChangeOption = None,
    metric: MetricOption = None,
    set_: SettingOption = None,
    cards: CardsOption = None,
    limit: LimitOption = None,
    limit_videos: LimitVideosOption = None,
    from_: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Run folder to estimate from; repeat for several [default: those in runs/]."),
    ] = None,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Windows of a dataset that no earlier run planned.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes or shards that share the work, as fast as one.")] = 1,
    speed: Annotated[
        float | None, typer.Option(help="10¹² multiply-adds a second of the machine, in place of measured times.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a run would do, and estimate its time and disk from earlier runs. Nothing is run.

    Examples:

        toklab plan demo

        toklab plan demo --from runs/demo --workers 8

        toklab plan demo -t vidtok-small-kl-4chn --set posterior=mode,sample --json
    """
    from ..planning.plan import plan_cells
    from .estimates import estimate, estimate_document, estimate_lines

    if speed is not None and not 0 < speed < math.inf:
        raise typer.BadParameter(f"a speed is a number above 0, not {speed:g}", param_hint="--speed")
    chosen = choose_suite(
        suite,
        tokenizers=tokenizer,
        datasets=dataset,
        protocol=protocol,
        protocol_changes=set_protocol,
        metrics=metric,
        settings=set_,
    )
    cells = plan_cells(chosen, cards or [])
    estimates = estimate(cells, from_, cards or [], windows, limit, limit_videos, speed)
    if as_json:
        document = _plan_document(chosen, cells, {"limit": limit, "limit_videos": limit_videos})
        if estimates:
            document["estimate"] = estimate_document(estimates, workers)
        say_json(document)
        return
    limits = ((limit_videos, "the first {} videos"), (limit, "at most {} windows, spread over the videos"))
    _say_plan(chosen, cells, [words.format(number) for number, words in limits if number])
    for line in estimate_lines(estimates, workers):
        say(line)


def _say_plan(suite: Suite, cells: Sequence[Cell], limits: Sequence[str]) -> None:
    """Print what a run would do."""
    hashes = dict.fromkeys(cell.protocol.hash for cell in cells)
    say(f"suite {suite.name}: {len(cells)} cells, protocol {cells[0].protocol.name} ({', '.join(hashes)})")
    for cell in cells:
        say(f"  {cell.label} on {cell.dataset}")
    say(f"metrics: {', '.join(suite.metrics)}")
    if limits:
        say(f"of each dataset: {'; '.join(limits)}")


def _plan_document(suite: Suite, cells: Sequence[Cell], limits: dict[str, int | None]) -> dict[str, object]:
    """What a run would do, for programs."""
    planned = [
        {
            "tokenizer": cell.tokenizer,
            "label": cell.label,
            "dataset": cell.dataset,
            "protocol": cell.protocol.name,
            "protocol_hash": cell.protocol.hash,
        }
        for cell in cells
    ]
    return {"suite": suite.name, "title": suite.title, "cells": planned, "metrics": list(suite.metrics), **limits}


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(plan)
