"""toklab from Python: evaluate a model that is in memory, run a suite, open a run."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..datasets.files import FilesDataset
from ..datasets.folder import FolderDataset
from ..datasets.interface import Dataset, OnCorrupt
from ..datasets.names import escape_name, root_identity
from ..datasets.protocol import Protocol, load_protocol
from ..datasets.tensors import TENSOR_PROTOCOL, TensorDataset
from ..tokenizers.interface import VideoTokenizer
from .analysis.opening import open_results
from .analysis.run import Run
from .catalog.catalog import datasets, metrics
from .catalog.in_memory import InMemoryTokenizer, as_tokenizer, networks_of
from .execution.borrowing import borrowed
from .execution.engines.ray_cluster import EngineOptions, check_ray
from .execution.options import RunOptions, default_decode_workers, resolve_device
from .execution.runner import Runner
from .execution.session import listener, run_into
from .ledger.ledger import Ledger
from .planning.cell import Cell, settings_without_effect
from .planning.datasets import plan_dataset
from .planning.suite import DEFAULT_METRICS, Suite, change_suite, load_suite

Videos = str | Path | Sequence[str | Path] | Iterable[Tensor]
"""A dataset (``sample``, ``mcl-jcv:/data/mcl``, ``own=folder:/data/clips``), paths, or clips (3, T, H, W) in memory."""


class EvaluationError(RuntimeError):
    """A model that couldn't be measured at all; the message gives the reason."""


def open_run(*paths: str | Path) -> Run:
    """Open what was measured: a run folder, or a result record; several of them together as one run.

    Args:
        paths: run folders that ``toklab run``, :func:`run_suite` or :func:`evaluate` wrote, and records that
            ``toklab report --format json`` wrote.

    Raises:
        LedgerError: if a folder is no run folder, or damaged.
        RecordError: if a file is no result record, was changed, or is of another version.
    """
    return Run(**vars(open_results([Path(path) for path in paths])))


def run_suite(
    suite: str | Path | Suite,
    *,
    out: str | Path | None = None,
    tokenizers: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    cards: Sequence[str | Path] = (),
    device: str = "auto",
    batch_size: int = 1,
    decode_workers: int | None = None,
    limit: int | None = None,
    limit_videos: int | None = None,
    on_corrupt: OnCorrupt = "fail",
    engine: EngineOptions | None = None,
    progress: bool = True,
) -> Run:
    """Run a suite, as ``toklab run SUITE`` does; run it again to go on where it stopped.

    Args:
        suite: name of a shipped suite, path of a TOML file, or a :class:`Suite`.
        out: run folder; ``runs/NAME`` if not given.
        tokenizers: in place of the suite's.
        datasets: in place of the suite's.
        metrics: in place of the suite's.
        cards: folders with cards of your own.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, …
        batch_size: windows in a forward pass; 0: as many as fit a GPU's memory.
        decode_workers: child processes that decode videos; one less than the cores, at most 8, if not given.
        limit: at most so many windows a dataset, spread over its videos.
        limit_videos: only the first so many videos of a dataset.
        on_corrupt: ``fail`` windows with damaged frames, or score them with a ``note``.
        engine: workers of Ray that compute, such as ``EngineOptions(workers=2)``, with devices and decoders of their
            own; this process if not given.
        progress: whether a bar is shown on standard error.

    Returns:
        The run; cells and windows that failed are in its ``accounting()`` and ``failures()``.

    Raises:
        ValueError: (a subclass) if the suite names what doesn't exist, the folder is in use, or Ray isn't installed.
    """
    chosen = suite if isinstance(suite, Suite) else load_suite(str(suite))
    given = {"tokenizers": tokenizers, "datasets": datasets, "metrics": metrics}
    changes = {name: tuple(map(escape_name, values)) for name, values in given.items() if values is not None}
    chosen = change_suite(chosen, changes)
    folder = Path("runs") / chosen.name if out is None else Path(out)
    if engine is not None:
        check_ray()
    options = RunOptions(
        # The workers of a cluster have devices of their own.
        device="cpu" if engine is not None and engine.address else resolve_device(device),
        batch_size=batch_size,
        decode_workers=default_decode_workers() if decode_workers is None else decode_workers,
        limit=limit,
        limit_videos=limit_videos,
        on_corrupt=on_corrupt,
    )
    run_into(
        folder,
        chosen,
        options,
        card_folders=[Path(card) for card in cards],
        said="all" if progress else "nothing",
        engine=engine,
    )
    return open_run(folder)


def evaluate(
    model: Any,
    videos: Videos,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    protocol: str | Path | Protocol = "vidtok",
    device: str | None = None,
    batch_size: int = 1,
    decode_workers: int | None = None,
    limit: int | None = None,
    limit_videos: int | None = None,
    on_corrupt: OnCorrupt = "fail",
    out: str | Path | None = None,
    progress: bool = True,
    **spec: Any,
) -> Run:
    """Measure a model that is in memory, such as one in training.

    The model comes back as it was: training modes, ``requires_grad``, gradients, device, random generators and TF32.

    Args:
        model: a :class:`~toklab.tokenizers.interface.VideoTokenizer`, or any object with ``encode`` and ``decode`` that
            take and give videos (B, 3, T, H, W) in [-1, 1]; see
            :class:`~toklab.bench.catalog.in_memory.WrappedTokenizer`.
        videos: name of a dataset (``"sample"``, ``"mcl-jcv:/data/mcl"``), path of a folder or a file, a folder under a
            name that survives a move (``"clips=folder:/data/clips"``), several paths, or clips in memory
            (3, T, H, W), uint8 or float in [-1, 1]. Clips in memory are measured whole and as they are, under the
            protocol ``tensors``.
        metrics: names, as in ``toklab list metrics``.
        protocol: name, TOML file or value; not for clips in memory.
        device: where to run; where the model is if not given.
        batch_size: windows in a forward pass; 0: as many as fit a GPU's memory.
        decode_workers: child processes that decode videos; one less than the cores, at most 8, if not given.
        limit: at most so many windows, spread over the videos.
        limit_videos: only the first so many videos.
        on_corrupt: ``fail`` windows with damaged frames, or score them with a ``note``.
        out: run folder to keep the measurements in, and to go on with; nothing is kept on disk if not given.
        progress: whether a bar is shown on standard error.
        spec: fields of :class:`~toklab.tokenizers.spec.TokenizerSpec` for models that aren't a ``VideoTokenizer``:
            ``causal``, ``temporal_compression`` and ``spatial_compression`` at least.

    Returns:
        What was measured: ``table()``, ``windows()``, ``compare()``, ``report()``.

    Raises:
        EvaluationError: if nothing could be measured.
        ValueError: (a subclass) if an argument names what doesn't exist, or a tensor has another shape or range.
    """
    for option in ("forward_timeout", "plugin_timeout"):
        if option in spec:
            raise ValueError(
                f"evaluate runs the model in this process, which nothing can end from within: leave out {option}, "
                f"or use toklab run --{option.replace('_', '-')}"
            )
    tokenizer = as_tokenizer(model, **spec)
    name, root, dataset = _find_videos(videos)
    in_memory = isinstance(dataset, TensorDataset)
    if in_memory and protocol != "vidtok":
        raise ValueError("clips in memory are measured as they are: leave out protocol")
    cell = Cell(
        tokenizer.spec.name,
        name,
        root,
        TENSOR_PROTOCOL if in_memory else _protocol_of(protocol).on(dataset),
        tokenizer.settings,
        _checked_metrics(metrics),
        settings_without_effect(tokenizer.spec.regularizer),
    )
    options = RunOptions(
        device=resolve_device(device) if device else str(_device_of(tokenizer)),
        batch_size=batch_size,
        decode_workers=default_decode_workers() if decode_workers is None else decode_workers,
        limit=limit,
        limit_videos=limit_videos,
        on_corrupt=on_corrupt,
        keep_reconstructions=0,
    )
    if out is not None:
        return _evaluate(tokenizer, cell, dataset, options, Path(out), progress)
    with tempfile.TemporaryDirectory(prefix="toklab-") as folder:
        run = _evaluate(tokenizer, cell, dataset, options, Path(folder), progress)
    return Run(tokenizer.spec.name, run.results, run.provenance)


def find_videos(videos: Videos) -> Dataset:
    """The dataset that :func:`evaluate` measures, where it is given these videos.

    Raises:
        ValueError: (a subclass) if there is none.
        FileNotFoundError: if a path doesn't exist.
    """
    return _find_videos(videos)[2]


class _OneTokenizer:
    """The model in memory in place of a catalog."""

    def __init__(self, tokenizer: VideoTokenizer):
        self._entry = InMemoryTokenizer(tokenizer)

    def entry(self, name: str) -> InMemoryTokenizer:
        return self._entry


def _evaluate(
    tokenizer: VideoTokenizer, cell: Cell, dataset: Dataset, options: RunOptions, folder: Path, progress: bool
) -> Run:
    networks = networks_of(tokenizer)
    with (
        borrowed(networks, torch.device(options.device)),
        Ledger(folder, write=True) as ledger,
        listener("all" if progress else "nothing") as heard,
    ):
        runner = Runner(
            ledger, options, heard, catalog=_OneTokenizer(tokenizer), open_dataset=lambda name, root: dataset
        )
        summary = runner.run([cell])
    run = Run.read(folder)
    if summary.failed_cells:
        asked = (cell.label, cell.dataset, cell.protocol.hash)
        own = (r.cell for r in run.results if (r.cell.label, r.cell.dataset, r.cell.protocol_hash) == asked)
        # The folder may hold other models that failed, and this one with earlier weights.
        *_, reason = (record.reason for record in own if record.status == "failed")
        raise EvaluationError(f"{cell.label} couldn't be measured: {reason}")
    if summary.failed_windows:
        warnings.warn(f"{summary.failed_windows} windows failed; failures() says why", stacklevel=3)
    return run


def _find_videos(videos: Videos) -> tuple[str, Path | None, Dataset]:
    """Identity, root and dataset of what the user gives."""
    if isinstance(videos, (str, Path)):
        if isinstance(videos, str) and videos.partition(":")[0].rpartition("=")[2] in datasets():
            planned = plan_dataset(escape_name(videos))
            return planned.identity, planned.root, datasets().get(planned.kind)(planned.root)
        if not Path(videos).exists():
            known = ", ".join(datasets())
            raise FileNotFoundError(f"{videos} is neither a path that exists nor a dataset; datasets are {known}")
        root = Path(videos)
        return root_identity(FolderDataset.name, root), root, FolderDataset(root)
    given = list(videos)
    paths = [Path(item) for item in given if isinstance(item, (str, Path))]
    clips = [item for item in given if not isinstance(item, (str, Path))]
    if paths and clips:
        raise ValueError(f"videos are paths or clips in memory, not both; {paths[0]} stands among clips")
    if not paths:
        return TensorDataset.name, None, TensorDataset(clips)
    files = FilesDataset(paths)
    return root_identity(files.name, files.root), None, files


def _protocol_of(protocol: str | Path | Protocol) -> Protocol:
    return protocol if isinstance(protocol, Protocol) else load_protocol(protocol)


def _checked_metrics(names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ValueError(f'metrics is a list of names: ["{names}"]')
    for name in names:
        metrics().check(name)
    return tuple(names)


def _device_of(tokenizer: VideoTokenizer) -> torch.device:
    tensors = (tensor for network in networks_of(tokenizer) for tensor in network.parameters())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))
