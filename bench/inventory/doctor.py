"""What works on this machine, and what to do about the rest."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ...tokenizers.adapters import install_command
from ...tokenizers.baselines.codecs import CODECS
from ...tokenizers.baselines.ffmpeg import OTHER_BINARY, FfmpegError, has_encoder, has_filter
from ..catalog import catalog
from ..catalog.catalog import CardTokenizer
from ..execution import provenance
from ..execution.device import gpu_bytes, gpu_name, num_gpus
from ..metrics import converted_weights, weights
from ..metrics.interface import Unavailable
from ..metrics.published_pickles import CONVERTED_WEIGHTS, ConvertedWeights
from .tokenizer_listing import needs_of


@dataclass(frozen=True)
class Finding:
    """One thing examined."""

    subject: str
    state: Literal["ok", "missing", "broken"]
    text: str
    hint: str = ""
    """The command that fixes it."""


def examine() -> list[Finding]:
    """Examine versions, devices, readers, ffmpeg, metric weights, tokenizers, plugins and disk."""
    return [
        *_versions(),
        *_devices(),
        *_readers(),
        *_ffmpeg(),
        *_weights(),
        *_tokenizers(),
        *_plugins(),
        _disk(),
    ]


def _versions() -> Iterator[Finding]:
    versions = provenance.package_versions()
    yield Finding("versions", "ok", ", ".join(f"{name} {version}" for name, version in versions.items()))
    state = provenance.git_state()
    if state:
        yield Finding("checkout", "ok", f"commit {state['commit'][:12]}{', with changes' if state['dirty'] else ''}")


def _devices() -> Iterator[Finding]:
    yield Finding("processor", "ok", f"{provenance.processor_name()}, {torch.get_num_threads()} threads")
    for index in range(count := num_gpus()):
        gpu = torch.device("cuda", index)
        yield Finding("GPU", "ok", f"{gpu} {gpu_name(gpu)}, {gpu_bytes(gpu) / 2**30:.0f} GiB")
    if not count:
        yield Finding("GPU", "missing", "torch sees no CUDA device; models run on the processor")


def _readers() -> Iterator[Finding]:
    for name, role in (("decord", "fast reader"), ("av", "reader for what decord can't do, and video writing")):
        if importlib.util.find_spec(name) is None:
            hint = "PyAV reads everything in its place" if name == "decord" else "pip install av"
            yield Finding(f"reader {name}", "missing", role, hint)
            continue
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:
            yield Finding(f"reader {name}", "broken", f"{role}: {error}", f"pip install --force-reinstall {name}")
        else:
            yield Finding(f"reader {name}", "ok", role)


def _ffmpeg() -> Iterator[Finding]:
    import imageio_ffmpeg

    try:
        present = {codec.encoder: has_encoder(codec.encoder) for codec in CODECS.values()}
        present["libvmaf"] = has_filter("libvmaf")
        version = imageio_ffmpeg.get_ffmpeg_version()
    except (FfmpegError, OSError, subprocess.SubprocessError) as error:
        yield Finding("ffmpeg", "broken", str(error), "pip install --force-reinstall imageio-ffmpeg")
        return
    yield Finding("ffmpeg", "ok", f"{version} with {', '.join(name for name, there in present.items() if there)}")
    libraries = {codec.encoder: codec.library for codec in CODECS.values()}
    for name in (name for name, there in present.items() if not there):
        hint = OTHER_BINARY.format(libraries.get(name, name))
        yield Finding(f"ffmpeg with {name}", "missing", "this ffmpeg was built without it", hint)


def _weights() -> Iterator[Finding]:
    for status in weights.status():
        yield _weight_file(status.file, status.path, weights.unavailable(status.file))
    for converted in CONVERTED_WEIGHTS.values():
        path, problem = converted_weights.find(converted), converted_weights.unavailable(converted)
        yield _weight_file(converted, path, problem)


def _weight_file(
    file: weights.WeightFile | ConvertedWeights, path: Path | None, problem: Unavailable | None
) -> Finding:
    subject = f"weights {file.name}"
    if path is None:
        return Finding(subject, "missing", file.purpose, file.hint)
    if problem is not None:
        return Finding(subject, "broken", problem.reason, problem.hint)
    return Finding(subject, "ok", str(path))


def _tokenizers() -> Iterator[Finding]:
    entries = list(catalog.tokenizers())
    num_ready = sum(not needs_of(entry) for entry in entries)
    yield Finding("tokenizers", "ok", f"{num_ready} of {len(entries)} can run now")
    extras = Counter(extra for entry in entries if (extra := entry.missing_extra()))
    for extra, count in extras.items():
        yield Finding(f"extra {extra}", "missing", f"{count} tokenizers need it", install_command(extra))
    needing = [e for e in entries if isinstance(e, CardTokenizer) and e.card.checkpoint.kind in ("repository", "path")]
    if absent := [entry.name for entry in needing if entry.hint()]:
        yield Finding(
            "checkpoints",
            "missing",
            f"{len(absent)} of {len(needing)} are not on this machine "
            f"({', '.join(absent[:3])}{', …' if len(absent) > 3 else ''})",
            "toklab weights pull NAME, or set TOKLAB_CHECKPOINTS to the folder that holds them",
        )


def _plugins() -> Iterator[Finding]:
    for registry in (catalog.tokenizers(), catalog.datasets(), catalog.metrics()):
        for plugin in registry.probe_plugins():
            yield Finding(f"plugin {plugin.name}", "broken", f"{plugin.origin}: {plugin.reason}")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    state = "ok" if free > 2 else "missing"
    return Finding("disk", state, f"{free:.0f} GiB free here", "" if state == "ok" else "free some space before a run")
