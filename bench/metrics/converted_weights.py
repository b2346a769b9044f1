"""Weights of metrics that are published as pickles, without a SHA-256, and under a licence that has to be accepted.

``toklab weights pull`` fetches them, reads them as data alone, and writes what the network needs into one safetensors
file. Only that file is ever loaded by a metric. The SHA-256 of every pickle and of the safetensors file is pinned on
first use, see :mod:`toklab.tokenizers.trust.lock`; the file itself names those of the pickles that it was made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from ...tokenizers.errors import TokenizerError
from ...tokenizers.trust.lock import read_pins, require_pinned
from ...tokenizers.trust.weight_files import read_torch, sha256_of
from .interface import Unavailable
from .published_pickles import ConvertedWeights, PickledPart
from .weights import (
    ProgressCallback,
    WeightsUnavailableError,
    fetch,
    find_file,
    own_folder,
    readable_sha256,
    whole_file,
)

METADATA = "toklab"
"""Where a converted file says what it was made from; a single key, so that equal content gives equal bytes."""


@dataclass(frozen=True)
class LoadedNetwork:
    """A network with its weights."""

    network: nn.Module
    digest: bytes
    """32 bytes that tell weights apart: of the SHA-256 of all pickles."""


@dataclass(frozen=True)
class PinnedFile:
    """A file that the lock file vouches for."""

    source: str
    """What it is pinned by."""
    sha256: str
    """What the file that is here has, or was made from; empty if nothing is here."""
    path: Path | None
    """The safetensors file, or ``None`` if it isn't on this machine."""


def find(weights: ConvertedWeights) -> Path | None:
    """Where the safetensors file lies, unverified, or ``None``."""
    return find_file(weights.file_name)


def unavailable(weights: ConvertedWeights) -> Unavailable | None:
    """Why the weights can't be used here, or ``None``; cheap: looks at the file's own words, not at its hash."""
    path = find(weights)
    if path is None:
        return Unavailable(f"{weights.purpose}: not on this machine", weights.hint)
    try:
        _made_from(weights, path)
    except WeightsUnavailableError as error:
        return Unavailable(error.reason, error.hint)
    return None


def pinned_files(weights: ConvertedWeights) -> list[PinnedFile]:
    """The pickles and the safetensors file, as they are pinned.

    Raises:
        WeightsUnavailableError: if the safetensors file isn't one that ``toklab weights pull`` has made, or can't be
            read.
    """
    path = find(weights)
    sha256 = readable_sha256(path) if path is not None else ""
    made_from = _made_from(weights, path) if path is not None else {}
    files = [PinnedFile(part.urls[0], made_from.get(part.file_name, ""), path) for part in weights.parts]
    return [*files, PinnedFile(weights.pinned_as, sha256, path)]


def verified(weights: ConvertedWeights) -> Path:
    """Where the safetensors file lies; its hashes compared with those pinned, or pinned if there are none.

    Raises:
        WeightsUnavailableError: if it isn't here, or isn't the one that was pinned.
    """
    path = find(weights)
    if path is None:
        raise WeightsUnavailableError(f"{weights.purpose}: not on this machine", weights.hint)
    try:
        for file in pinned_files(weights):
            require_pinned(weights.name, file.source, path, file.sha256)
    except TokenizerError as error:
        raise WeightsUnavailableError(str(error), f"To begin anew remove {path} and run {weights.hint}") from error
    return path


def pull(weights: ConvertedWeights, *, accept_licence: bool = False, progress: ProgressCallback | None = None) -> Path:
    """The verified safetensors file; made from the pickles, which are downloaded, if it isn't here.

    Pickles that lie in a folder of weights already are used, and kept. Downloaded ones are removed once they are
    converted, or have turned out to be wrong.

    Raises:
        WeightsUnavailableError: if the licence isn't accepted, no address gives a pickle, a pickle isn't the one that
            was pinned, or the pickles don't hold the network.
    """
    if find(weights) is not None:
        return verified(weights)
    if not accept_licence:
        raise WeightsUnavailableError(
            f"the licence of {weights.purpose}, is {weights.licence}", f"If you accept it: {weights.hint}"
        )
    found = {part: find_file(part.file_name) for part in weights.parts}
    pickles = {part: path or fetch(part.file_name, part.urls, progress) for part, path in found.items()}
    fetched = [path for part, path in pickles.items() if found[part] is None]
    try:
        _make(weights, pickles)
    except WeightsUnavailableError as error:
        # Otherwise a page of errors that a server sent would be taken for the pickle by every later call.
        _remove(fetched)
        if len(fetched) < len(pickles):
            raise
        raise WeightsUnavailableError(
            error.reason, f"What was fetched is removed; to fetch it anew: {weights.hint}"
        ) from error
    _remove(fetched)
    return verified(weights)


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _make(weights: ConvertedWeights, pickles: Mapping[PickledPart, Path]) -> None:
    """Write the safetensors file, of pickles that are those that were pinned."""
    hashes = {part: readable_sha256(path) for part, path in pickles.items()}
    pins = read_pins()
    for part, path in pickles.items():
        # What isn't pinned yet is pinned below, once it has turned out to hold the network.
        if part.urls[0] in pins:
            _require_pinned(weights, part.urls[0], path, hashes[part])
    _convert(weights, pickles, hashes)


_NETWORKS: WeakValueDictionary[tuple[str, str, str], nn.Module] = WeakValueDictionary()
"""Networks that some metric uses, by file, its SHA-256 and device: metrics of the same features share one."""


def load(weights: ConvertedWeights, device: torch.device) -> LoadedNetwork:
    """The network with its weights, in float32, for evaluation.

    Raises:
        WeightsUnavailableError: if the file isn't here, isn't the one that was pinned, or isn't of this network.
    """
    from safetensors.torch import load_file

    path = verified(weights)
    key = (str(path), sha256_of(path), str(device))
    network = _NETWORKS.get(key)
    if network is None:
        network = _strictly(weights, load_file(path), path).float().eval().requires_grad_(False).to(device)
        _NETWORKS[key] = network
    made_from = _made_from(weights, path)
    return LoadedNetwork(network, hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).digest())


def _strictly(weights: ConvertedWeights, state: Mapping[str, Tensor], path: Path) -> nn.Module:
    with torch.device("meta"):
        network = weights.network()
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise WeightsUnavailableError(
            f"{path} doesn't hold the network of {weights.name}: {error}", f"Remove it and run {weights.hint}"
        ) from error
    return network


def _convert(weights: ConvertedWeights, pickles: Mapping[PickledPart, Path], hashes: Mapping[PickledPart, str]) -> None:
    """Write the safetensors file, whole or not at all."""
    from safetensors.torch import save_file

    state: dict[str, Tensor] = {}
    for part, path in pickles.items():
        state |= _part_state(part, path)
    _strictly(weights, {name: value.to("meta") for name, value in state.items()}, next(iter(pickles.values())))
    made_from = {part.file_name: hashes[part] for part in weights.parts}
    origin = json.dumps({"made_from": made_from, "licence": weights.licence}, sort_keys=True)
    with whole_file(own_folder() / weights.file_name) as partial:
        save_file(state, partial, metadata={METADATA: origin})


def _part_state(part: PickledPart, path: Path) -> dict[str, Tensor]:
    try:
        content = read_torch(path)
    except TokenizerError as error:
        raise WeightsUnavailableError(str(error), f"Remove it; it comes from {part.urls[0]}") from error
    sections = content if isinstance(content, dict) else {}
    section = next((sections[key] for key in part.keys if key in sections), None)
    if not isinstance(section, dict) or not all(isinstance(value, Tensor) for value in section.values()):
        raise WeightsUnavailableError(
            f"{path} has no state dict under {' or '.join(part.keys)}", f"Remove it; it comes from {part.urls[0]}"
        )
    state = {}
    for name, value in section.items():
        for prefix in part.stripped:
            name = name.removeprefix(prefix)
        # Tensors of a pickle may share memory, which safetensors doesn't store.
        state[f"{part.prefix}{name}"] = value.clone(memory_format=torch.contiguous_format)
    return state


def _made_from(weights: ConvertedWeights, path: Path) -> dict[str, str]:
    """The SHA-256 of each pickle that a converted file was made from, by file name."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            origin = json.loads((file.metadata() or {})[METADATA])["made_from"]
        return {part.file_name: str(origin[part.file_name]) for part in weights.parts}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise WeightsUnavailableError(
            f"{path} is damaged, or none that toklab weights pull has made", f"Remove it and run {weights.hint}"
        ) from error


def _require_pinned(weights: ConvertedWeights, source: str, path: Path, sha256: str) -> None:
    try:
        require_pinned(weights.name, source, path, sha256)
    except TokenizerError as error:
        raise WeightsUnavailableError(str(error), f"Remove it; it comes from {source}") from error
