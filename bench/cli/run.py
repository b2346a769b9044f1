"""`toklab run`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .output import results_alone, say
from .run_options import (
    AddressOption,
    BatchSizeOption,
    ClipCacheOption,
    DecodeWorkersOption,
    DeviceOption,
    EngineChoice,
    EngineOption,
    ForwardTimeoutOption,
    GpusPerWorkerOption,
    JsonResultOption,
    KeepReconOption,
    LockOption,
    OnCorruptChoice,
    OnCorruptOption,
    OutOption,
    PluginTimeoutOption,
    PrefetchOption,
    QuietOption,
    Reader,
    ReaderOption,
    RetryFailedOption,
    ShardOption,
    ThreadsOption,
    TimeoutOption,
    WorkersOption,
    clip_cache_bytes,
    engine_options,
    kept_reconstructions,
)
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
from .trust import TrustCardsOption, TrustOption

if TYPE_CHECKING:
    from ..execution.supervision import Supervision
    from ..planning.suite import Suite


def run(
    suite: SuiteArgument = None,
    tokenizer: TokenizerOption = None,
    dataset: DatasetOption = None,
    protocol: ProtocolOption = None,
    set_protocol: ProtocolChangeOption = None,
    metric: MetricOption = None,
    set_: SettingOption = None,
    cards: CardsOption = None,
    out: OutOption = None,
    device: DeviceOption = "auto",
    reader: ReaderOption = Reader.auto,
    batch_size: BatchSizeOption = 1,
    decode_workers: DecodeWorkersOption = None,
    prefetch: PrefetchOption = None,
    clip_cache: ClipCacheOption = 4.0,
    timeout: TimeoutOption = 120.0,
    forward_timeout: ForwardTimeoutOption = None,
    plugin_timeout: PluginTimeoutOption = None,
    limit: LimitOption = None,
    limit_videos: LimitVideosOption = None,
    shard: ShardOption = None,
    keep_recon: KeepReconOption = "4",
    retry_failed: RetryFailedOption = False,
    lock: LockOption = None,
    on_corrupt: OnCorruptOption = OnCorruptChoice.fail,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    as_json: JsonResultOption = False,
    engine: EngineOption = EngineChoice.local,
    workers: WorkersOption = None,
    gpus_per_worker: GpusPerWorkerOption = None,
    address: AddressOption = None,
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

    from ..execution.options import RunOptions, default_decode_workers, resolve_device
    from ..execution.session import run_into
    from ..execution.supervision import absolute, supervision
    from ..planning.plan import Shard
    from .run_end import print_document, print_end, result_document, say_failures

    chosen = choose_suite(
        suite,
        tokenizers=tokenizer,
        datasets=dataset,
        protocol=protocol,
        protocol_changes=set_protocol,
        metrics=metric,
        settings=set_,
    )
    if lock is not None and len(chosen.datasets) != 1:
        raise ValueError("--lock takes a run on one dataset; for several, put each lock beside its data")
    if threads:
        torch.set_num_threads(threads)
    watched = supervision()
    _tell_time_limits(watched, forward_timeout, plugin_timeout)
    cluster = engine_options(
        engine,
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        address=address,
        threads=threads,
        device=device,
        decode_workers=decode_workers,
        plugin_timeout=plugin_timeout,
    )
    options = RunOptions(
        # The workers of a cluster have devices of their own.
        device="cpu" if cluster is not None and address else resolve_device(device),
        reader=reader.value,
        batch_size=batch_size,
        decode_workers=decode_workers or default_decode_workers(),
        prefetch=prefetch,
        clip_cache_bytes=clip_cache_bytes(clip_cache),
        timeout_s=timeout,
        limit=limit,
        limit_videos=limit_videos,
        shard=Shard.parse(shard) if shard else Shard(),
        keep_reconstructions=kept_reconstructions(keep_recon),
        retry_failed=retry_failed,
        lock=absolute(lock) if lock else None,
        on_corrupt=on_corrupt.value,
    )
    with results_alone() if quiet or as_json else nullcontext():
        folder = _choose_folder(watched, chosen, cards or [], out, has_name=suite is not None, quiet=quiet)
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


def _tell_time_limits(watched: Supervision, forward_timeout: float | None, plugin_timeout: float | None) -> None:
    """Check the limits in seconds, and tell the supervisor; raises ``ValueError`` where there is none to tell."""
    from ..execution.options import check_timeout

    for option, seconds in (("--forward-timeout", forward_timeout), ("--plugin-timeout", plugin_timeout)):
        if seconds is None:
            continue
        check_timeout(option, seconds)
        if not watched.is_active:
            raise ValueError(f"{option} takes the command toklab itself: nothing can end a process from within")
    watched.tell(forward_timeout=forward_timeout, plugin_timeout=plugin_timeout)


def _choose_folder(
    watched: Supervision, suite: Suite, cards: Sequence[Path], out: Path | None, *, has_name: bool, quiet: bool
) -> Path:
    """The run folder: an earlier process's of this run, the one that was given, the suite's, or a new one."""
    from ..execution.session import claim_folder
    from ..execution.supervision import PLANNING

    if watched.past.folder:
        folder = Path(watched.past.folder)
    elif out is not None or has_name:
        folder = out or Path("runs") / suite.name
    else:
        with watched.step(PLANNING):
            folder = claim_folder(suite, cards)
        if not quiet:
            say(
                f"run folder: {folder}; the same command with --out {shlex.quote(str(folder))} goes on with it",
                err=True,
            )
    watched.tell(folder=str(folder))
    return folder


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(run)
