"""`toklab run`, `toklab plan` and `toklab merge`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import JsonOption, results_alone, say, say_json
from .trust import TrustCardsOption, TrustOption

if TYPE_CHECKING:
    from ..execution.engines.ray_cluster import EngineOptions
    from ..planning.cell import Cell
    from ..planning.suite import Suite


class Reader(StrEnum):
    """Which video reader decodes."""

    auto = "auto"
    decord = "decord"
    pyav = "pyav"


class OnCorruptChoice(StrEnum):
    """What becomes of windows with damaged frames."""

    fail = "fail"
    note = "note"


class EngineChoice(StrEnum):
    """What computes the windows."""

    local = "local"
    ray = "ray"


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
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="At most so many windows a dataset, spread over its videos.")
]
LimitVideosOption = Annotated[int | None, typer.Option(min=1, help="Only the first so many videos of a dataset.")]
CardsOption = Annotated[list[Path] | None, typer.Option("--cards", help="Folder with cards of your own.")]


def _suite(
    name: str | None,
    tokenizer: list[str] | None,
    dataset: list[str] | None,
    protocol: str | None,
    protocol_changes: list[str] | None,
    metric: list[str] | None,
    settings: list[str] | None,
) -> Suite:
    from ...datasets.names import escape_name
    from ..planning.suite import DEFAULT_METRICS, SuiteError, check_suite, load_suite, parse_assignments

    if name is None and not (tokenizer and dataset):
        raise SuiteError("name a suite, or give --tokenizer and --dataset; `toklab list suites` shows the shipped ones")
    base = load_suite(name).model_dump() if name else {"name": "custom", "metrics": DEFAULT_METRICS}
    # A path may hold bytes that aren't UTF-8, which no suite can.
    roots = [escape_name(text) for text in dataset or ()]
    given = {"tokenizers": tokenizer, "datasets": roots, "protocol": protocol, "metrics": metric}
    base.update({key: value for key, value in given.items() if value})
    changes = parse_assignments(protocol_changes or [])
    if any(isinstance(value, list) for value in changes.values()):
        raise SuiteError("--set-protocol takes one value; for several protocols run several times")
    base["protocol_changes"] = {**base.get("protocol_changes", {}), **changes}
    base["settings"] = {**base.get("settings", {}), **parse_assignments(settings or [])}
    changed = {"tokenizers": tokenizer, "datasets": dataset, "protocol": protocol or changes, "settings": settings}
    if name and (words := [word for word, given in changed.items() if given]):
        # A title says what the suite measures, and heads every table of the run.
        base["title"] = f"Suite {base['name']} with other {', '.join(words)}"
    return check_suite(base, f"the suite {name}" if name else "the command")


def _parse_batch_size(text: str) -> int:
    """Windows in a forward pass; 0 for ``auto``."""
    if text == "auto":
        return 0
    if (size := int(text)) < 1:
        raise ValueError
    return size


def run(
    suite: SuiteArgument = None,
    tokenizer: TokenizerOption = None,
    dataset: DatasetOption = None,
    protocol: ProtocolOption = None,
    set_protocol: ProtocolChangeOption = None,
    metric: MetricOption = None,
    set_: SettingOption = None,
    cards: CardsOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder [default: runs/SUITE; a new one without a suite].")
    ] = None,
    device: Annotated[str, typer.Option(help="`auto`, `cpu`, `cuda`, `cuda:1`, …")] = "auto",
    reader: Annotated[Reader, typer.Option(help="Force one video reader.")] = Reader.auto,
    batch_size: Annotated[
        int,
        typer.Option(
            parser=_parse_batch_size,
            metavar="N|auto",
            help="Windows in a forward pass: a number, or `auto` for as many as fit a GPU's memory.",
        ),
    ] = 1,
    decode_workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that decode videos [default: one less than the cores, at most 8]."),
    ] = None,
    prefetch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Windows decoded ahead [default: what 128 MiB hold for each decoding process, at least 4]."
        ),
    ] = None,
    clip_cache: Annotated[
        float,
        typer.Option(
            min=0, help="GiB of disk for decoded windows that several tokenizers share, in the run folder; 0: none."
        ),
    ] = 4.0,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds before decoding of a window is given up.")] = 120.0,
    forward_timeout: Annotated[
        float | None,
        typer.Option(min=0.1, help="Seconds before a tokenizer that hangs is given up [default: no limit]."),
    ] = None,
    plugin_timeout: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Seconds before any other call of a tokenizer's, a metric's or a dataset's code that hangs is given "
            "up, such as building the model or measuring a window [default: no limit].",
        ),
    ] = None,
    limit: LimitOption = None,
    limit_videos: LimitVideosOption = None,
    shard: Annotated[
        str | None, typer.Option(help="Only a part of the videos, `1/4`; `toklab merge` joins them.")
    ] = None,
    keep_recon: Annotated[
        str, typer.Option(help="Reconstructions to keep a tokenizer: `none`, a number, or `all`.")
    ] = "4",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try windows again that failed before.")] = False,
    lock: Annotated[
        Path | None,
        typer.Option(help="Lock to check the dataset against [default: the toklab.lock beside the data, if any]."),
    ] = None,
    on_corrupt: Annotated[
        OnCorruptChoice,
        typer.Option("--on-corrupt", help="Windows with damaged frames: `fail`, or `note` to score them with a note."),
    ] = OnCorruptChoice.fail,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of the models.")] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors and the run folder's path, and nothing else.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON document; messages go to standard error.")
    ] = False,
    engine: Annotated[
        EngineChoice,
        typer.Option(help="`local`: this process. `ray`: workers on this machine or on a cluster (docs/scale.md)."),
    ] = EngineChoice.local,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Workers of `--engine ray` [default: one a GPU; one a machine without GPUs]."),
    ] = None,
    gpus_per_worker: Annotated[
        float | None, typer.Option(min=0, help="GPUs of a worker of `--engine ray` [default: 1 where there are any].")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="A Ray cluster that runs already, such as `auto` [default: Ray starts on this machine]."),
    ] = None,
    trust_torchscript: TrustOption = False,
    trust_cards: TrustCardsOption = False,
) -> None:
    """Run a suite, or tokenizers on a dataset. Run it again into the same folder to go on where it stopped.

    Every window's measurements are kept in the run folder; the table is printed at the end. Exit code 0: every window
    was scored; 1: a window, a tokenizer or a metric's own code failed (the reasons are in the report); 2: the command
    can't be understood.

    The run is a process of its own. Where it ends early, or a forward pass takes longer than `--forward-timeout`, its
    window and tokenizer have failed, and the run goes on with the next one. Other code that takes longer than
    `--plugin-timeout` is given up, too: a tokenizer that is being built, or a metric.

    Examples:

        toklab run demo

        toklab run mcl-jcv --dataset mcl-jcv:/data/MCL-JCV --device cuda

        toklab run -t vidtok_kl_causal_488_4chn -d folder:clips/ --set posterior=mode,sample

        toklab run demo --limit-videos 1 --quiet --json > result.json

        toklab run demo --engine ray --workers 2
    """
    import torch

    from ..execution.options import RunOptions, check_timeout, default_decode_workers, resolve_device
    from ..execution.session import claim_folder, run_into
    from ..execution.supervision import PLANNING, absolute, supervision
    from ..planning.plan import Shard
    from .run_end import print_document, print_end, result_document, say_failures

    chosen = _suite(suite, tokenizer, dataset, protocol, set_protocol, metric, set_)
    if lock is not None and len(chosen.datasets) != 1:
        raise ValueError("--lock takes a run on one dataset; for several, put each lock beside its data")
    if threads:
        torch.set_num_threads(threads)
    watched = supervision()
    for option, seconds in (("--forward-timeout", forward_timeout), ("--plugin-timeout", plugin_timeout)):
        if seconds is not None:
            check_timeout(option, seconds)
        if seconds is not None and not watched.is_active:
            raise ValueError(f"{option} takes the command toklab itself: nothing can end a process from within")
    watched.tell(forward_timeout=forward_timeout, plugin_timeout=plugin_timeout)
    cluster = None
    if engine is EngineChoice.ray:
        cluster = _engine_options(workers, gpus_per_worker, address, threads, device, decode_workers, plugin_timeout)
    elif given := [
        name
        for name, value in (("--workers", workers), ("--gpus-per-worker", gpus_per_worker), ("--address", address))
        if value is not None
    ]:
        raise ValueError(f"{given[0]} needs --engine ray")
    options = RunOptions(
        # The workers of a cluster have devices of their own.
        device="cpu" if cluster is not None and address else resolve_device(device),
        reader=reader.value,
        batch_size=batch_size,
        decode_workers=decode_workers or default_decode_workers(),
        prefetch=prefetch,
        clip_cache_bytes=_gib(clip_cache),
        timeout_s=timeout,
        limit=limit,
        limit_videos=limit_videos,
        shard=Shard.parse(shard) if shard else Shard(),
        keep_reconstructions=_parse_keep(keep_recon),
        retry_failed=retry_failed,
        lock=absolute(lock) if lock else None,
        on_corrupt=on_corrupt.value,
    )
    with results_alone() if quiet or as_json else nullcontext():
        if watched.past.folder:
            folder = Path(watched.past.folder)
        elif suite is None and out is None:
            with watched.step(PLANNING):
                folder = claim_folder(chosen, cards or [])
            if not quiet:
                say(f"run folder: {folder}; the same command with --out {folder} goes on with it", err=True)
        else:
            folder = out or Path("runs") / chosen.name
        watched.tell(folder=str(folder))
        # Plugins may change the working directory at any moment.
        place, card_folders = absolute(folder), [absolute(path) for path in cards or []]
        summary = run_into(
            place,
            chosen,
            options,
            card_folders=card_folders,
            said="errors" if quiet else "all",
            supervision=watched,
            engine=cluster,
            forward_timeout_s=forward_timeout,
        )
        document = result_document(place, folder, summary) if quiet or as_json else None
    code = print_end(place, folder, summary) if document is None else print_document(document, as_json=as_json)
    say_failures(folder, summary)
    watched.is_done = True
    if code:
        raise typer.Exit(code)


def _engine_options(
    workers: int | None,
    gpus_per_worker: float | None,
    address: str | None,
    threads: int | None,
    device: str,
    decode_workers: int | None,
    plugin_timeout: float | None,
) -> EngineOptions:
    from ..execution.engines.ray_cluster import EngineOptions, check_ray

    check_ray()
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"--engine ray takes --device auto, cpu or cuda, not {device!r}; Ray chooses the GPUs")
    if plugin_timeout is not None:
        raise ValueError("--plugin-timeout needs --engine local; --forward-timeout works with both")
    return EngineOptions(workers, gpus_per_worker, address, threads, device, decode_workers)


def _gib(number: float) -> int:
    """Bytes of so many GiB."""
    if not math.isfinite(number):
        raise ValueError(f"--clip-cache {number:g}: give GiB, such as --clip-cache 4")
    return int(number * (1 << 30))


def _parse_keep(text: str) -> int | None:
    if text in ("none", "all"):
        return 0 if text == "none" else None
    if not text.isdigit():
        raise ValueError(f"--keep-recon takes none, all or a number, not {text!r}")
    return int(text)


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
    from .estimates import estimate_document, estimate_lines

    if speed is not None and speed <= 0:
        raise typer.BadParameter("a speed is above 0", param_hint="--speed")
    chosen = _suite(suite, tokenizer, dataset, protocol, set_protocol, metric, set_)
    cells: list[Cell] = plan_cells(chosen, cards or [])
    if as_json:
        document = _plan_document(chosen, cells, {"limit": limit, "limit_videos": limit_videos})
        if estimate := estimate_document(cells, from_, cards or [], windows, limit, workers, speed):
            document["estimate"] = estimate
        say_json(document)
        return
    hashes = dict.fromkeys(cell.protocol.hash for cell in cells)
    say(f"suite {chosen.name}: {len(cells)} cells, protocol {cells[0].protocol.name} ({', '.join(hashes)})")
    for cell in cells:
        say(f"  {cell.label} on {cell.dataset}")
    say(f"metrics: {', '.join(chosen.metrics)}")
    given = ((limit_videos, "the first {} videos"), (limit, "at most {} windows, spread over the videos"))
    if limits := [words.format(number) for number, words in given if number]:
        say(f"of each dataset: {'; '.join(limits)}")
    for line in estimate_lines(cells, from_, cards or [], windows, limit, workers, speed):
        say(line)


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


def merge(
    runs: Annotated[list[Path], typer.Argument(help="Run folders to join.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New run folder.")],
) -> None:
    """Join run folders, such as the shards of one suite, into a new one.

    Example:

        toklab merge runs/part1 runs/part2 --out runs/whole
    """
    from ..ledger.merging import merge_runs
    from .report import print_next, print_run

    merge_runs(runs, out)
    print_run(out)
    print_next(out)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (run, plan, merge):
        app.command()(command)
