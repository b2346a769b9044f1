"""The options of `toklab run` that say how it is carried out, and what they are turned into."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..execution.engines.ray_cluster import EngineOptions


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


def _parse_batch_size(text: str) -> int:
    """Windows in a forward pass; 0 for ``auto``."""
    if text == "auto":
        return 0
    try:
        size = int(text)
    except ValueError:
        size = 0
    if size < 1:
        raise typer.BadParameter(f"give a number, at least 1, or auto, not {text!r}")
    return size


OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="Run folder [default: runs/SUITE; a new one without a suite].")
]
DeviceOption = Annotated[str, typer.Option(help="`auto`, `cpu`, `cuda`, `cuda:1`, …")]
ReaderOption = Annotated[Reader, typer.Option(help="Force one video reader.")]
BatchSizeOption = Annotated[
    int,
    typer.Option(
        parser=_parse_batch_size,
        metavar="N|auto",
        help="Windows in a forward pass: a number, or `auto` for as many as fit a GPU's memory.",
    ),
]
DecodeWorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Processes that decode videos [default: one less than the cores, at most 8]."),
]
PrefetchOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Windows decoded ahead [default: what 128 MiB hold for each decoding process, at least 4]."
    ),
]
ClipCacheOption = Annotated[
    float,
    typer.Option(
        min=0, help="GiB of disk for decoded windows that several tokenizers share, in the run folder; 0: none."
    ),
]
TimeoutOption = Annotated[float, typer.Option(min=1, help="Seconds before decoding of a window is given up.")]
ForwardTimeoutOption = Annotated[
    float | None,
    typer.Option(min=0.1, help="Seconds before a tokenizer that hangs is given up [default: no limit]."),
]
PluginTimeoutOption = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        help="Seconds before any other call of a tokenizer's, a metric's or a dataset's code that hangs is given "
        "up, such as building the model or measuring a window [default: no limit].",
    ),
]
ShardOption = Annotated[str | None, typer.Option(help="Only a part of the videos, `1/4`; `toklab merge` joins them.")]
KeepReconOption = Annotated[str, typer.Option(help="Reconstructions to keep a tokenizer: `none`, a number, or `all`.")]
RetryFailedOption = Annotated[
    bool, typer.Option("--retry-failed", help="Try again what failed before: windows, and metrics on single windows.")
]
LockOption = Annotated[
    Path | None,
    typer.Option(help="Lock to check the dataset against [default: the toklab.lock beside the data, if any]."),
]
OnCorruptOption = Annotated[
    OnCorruptChoice,
    typer.Option("--on-corrupt", help="Windows with damaged frames: `fail`, or `note` to score them with a note."),
]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="CPU threads of the models.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print errors and the run folder's path, and nothing else.")
]
JsonResultOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON document; messages go to standard error.")
]
EngineOption = Annotated[
    EngineChoice,
    typer.Option(help="`local`: this process. `ray`: workers on this machine or on a cluster (docs/scale.md)."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Workers of `--engine ray` [default: one a GPU; one a machine without GPUs]."),
]
GpusPerWorkerOption = Annotated[
    float | None, typer.Option(min=0, help="GPUs of a worker of `--engine ray` [default: 1 where there are any].")
]
AddressOption = Annotated[
    str | None,
    typer.Option(help="A Ray cluster that runs already, such as `auto` [default: Ray starts on this machine]."),
]


def engine_options(
    engine: EngineChoice,
    *,
    workers: int | None,
    gpus_per_worker: float | None,
    address: str | None,
    threads: int | None,
    device: str,
    decode_workers: int | None,
    plugin_timeout: float | None,
) -> EngineOptions | None:
    """How workers of Ray are set up; ``None`` where this process computes.

    Raises:
        ValueError: if an option doesn't go with the engine, or Ray isn't installed.
    """
    if engine is EngineChoice.local:
        of_ray = {"--workers": workers, "--gpus-per-worker": gpus_per_worker, "--address": address}
        if given := [option for option, value in of_ray.items() if value is not None]:
            raise ValueError(f"{given[0]} needs --engine ray")
        return None
    from ..execution.engines.ray_cluster import EngineOptions, check_ray

    check_ray()
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"--engine ray takes --device auto, cpu or cuda, not {device!r}; Ray chooses the GPUs")
    if plugin_timeout is not None:
        raise ValueError("--plugin-timeout needs --engine local; --forward-timeout works with both")
    return EngineOptions(workers, gpus_per_worker, address, threads, device, decode_workers)


def clip_cache_bytes(gib: float) -> int:
    """Bytes of so many GiB; raises ``ValueError`` on infinity and NaN."""
    if not math.isfinite(gib):
        raise ValueError(f"--clip-cache {gib:g}: give GiB, such as --clip-cache 4")
    return int(gib * (1 << 30))


def kept_reconstructions(text: str) -> int | None:
    """Windows whose reconstructions are kept: none, a number or ``None`` for all; raises ``ValueError`` otherwise."""
    if text in ("none", "all"):
        return 0 if text == "none" else None
    if not text.isdecimal():
        raise ValueError(f"--keep-recon takes none, all or a number, not {text!r}")
    return int(text)
