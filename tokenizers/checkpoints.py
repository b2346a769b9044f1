"""Checkpoints: finding, verifying and reading the weights that a card names.

Looked for in this order: below ``$TOKLAB_CHECKPOINTS``, beside the card, in the Hugging Face cache; downloaded only
when asked for. Wherever a file was found, its SHA-256 is the card's, or the one that was pinned when it was first used:
see :mod:`.trust.lock`. Hashing takes about a second for each GiB, once a process.

Files are read as data: safetensors, or ``torch.load(weights_only=True)``; nothing is unpickled. TorchScript archives
are code: they load if the card knows their SHA-256, or the user trusts them. A pin is no such trust.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
import warnings
import zipfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .card import Card
from .errors import CheckpointUnavailable, TokenizerError
from .trust.lock import require_pinned

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.jit import ScriptModule

# huggingface_hub reads it when it is imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

SAFETENSORS_SUFFIX = ".safetensors"
TORCHSCRIPT_SUFFIX = ".jit"
CONNECTION_TIMEOUT_S = 10
"""Seconds without an answer after which the hub counts as out of reach."""
TRUST_VARIABLE = "TOKLAB_TRUST_TORCHSCRIPT"
"""Environment variable: any value but 0 lets TorchScript archives load whose SHA-256 no card gives."""
TORCH_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin")
COMMON_NAMES = frozenset(
    {"autoencoder.jit", "encoder.jit", "decoder.jit", "diffusion_pytorch_model.safetensors", "model.safetensors"}
)
"""File names of many repositories: below ``$TOKLAB_CHECKPOINTS`` they lie in a folder with the repository's name."""
STATE_KEYS = ("ema_state_dict", "state_dict", "gen_model", "module")
"""Where trainers keep a model's weights in a checkpoint; averaged ones come first, and one may lie within another."""


def find(card: Card) -> Path | None:
    """The checkpoint of a card if it is on this machine, else ``None``; loads no torch and asks no server.

    Where the card names two files it is the first one, if both are here.
    """
    second = _second(card)
    return None if second and _find_file(second) is None else _find_file(card)


def _second(card: Card) -> Card | None:
    """A card like ``card`` whose only file is the second one."""
    return replace(card, checkpoint=card.checkpoint.also) if card.checkpoint.also else None


def _find_file(card: Card) -> Path | None:
    checkpoint = card.checkpoint
    root = os.environ.get("TOKLAB_CHECKPOINTS")
    if checkpoint.kind == "path":
        below_root = _existing(Path(root, Path(checkpoint.path).name)) if root else None
        return below_root or _existing(_beside(card))
    if checkpoint.kind != "repository":
        return None
    if root:
        name = Path(checkpoint.file).name
        candidates = [Path(root, checkpoint.repository, checkpoint.repository_path)]
        candidates += [] if name in COMMON_NAMES else [Path(root, name)]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(
        checkpoint.repository, checkpoint.repository_path, revision=checkpoint.revision or None
    )
    return _existing(Path(cached)) if isinstance(cached, str) else None


def hint(card: Card) -> str:
    """What brings a card's missing checkpoint; empty if nothing is missing. Loads no torch."""
    if card.checkpoint.kind in ("random", "none") or find(card):
        return ""
    if card.checkpoint.kind == "path":
        missing = [_beside(one) for one in (card, _second(card)) if one and not _find_file(one)]
        if card.checkpoint.hint:
            return f"{card.checkpoint.hint} and put it at $TOKLAB_CHECKPOINTS/{Path(card.checkpoint.path).name}"
        return f"Put {' and '.join(map(str, missing))} there, or fix path in {card.source}"
    return f"toklab weights pull {card.name}"


def resolve(card: Card, *, download: bool = False) -> Path | None:
    """The checkpoint of a card, verified; ``None`` for cards with random weights or none.

    Where the card names two files both are, and the first one is returned.

    Raises:
        CheckpointUnavailable: if it isn't here and ``download`` is off, or the download fails; with the hint.
        TokenizerError: if its SHA-256 isn't the card's, or isn't the one that was pinned when it was first used.
    """
    if card.checkpoint.kind in ("random", "none"):
        return None
    path = find(card)
    if path is None and (card.checkpoint.kind == "path" or not download):
        raise CheckpointUnavailable(
            f"{card.name}: the checkpoint {card.checkpoint.description} is not on this machine", hint(card)
        )
    first = _verified(card)
    if second := _second(card):
        _verified(second)
    return first


def weights_identity(card: Card, path: Path | None) -> str:
    """What the weights are: ``sha256:…`` of the file at ``path``, ``random:SEED``, or ``none``."""
    if path is not None:
        hashes = [sha256_of(file) for file in files(card, path)]
        return f"sha256:{'+'.join(hashes)}"
    return "none" if card.checkpoint.random_seed is None else f"random:{card.checkpoint.random_seed}"


def files(card: Card, path: Path) -> tuple[Path, ...]:
    """Every file of a card whose checkpoint was resolved to ``path``."""
    second = _second(card)
    found = second and _find_file(second)
    return (path, found) if found else (path,)


@dataclass(frozen=True)
class LockedFile:
    """A download whose SHA-256 isn't on the card, but in the lock file."""

    source: str
    """``owner/name@revision/path``, by which it is pinned."""
    path: Path | None
    """``None`` if it isn't on this machine."""


def locked_files(card: Card) -> tuple[LockedFile, ...]:
    """The downloads of a card that the lock file vouches for."""
    parts = [one for one in (card, _second(card)) if one]
    return tuple(LockedFile(_source(one), _find_file(one)) for one in parts if _is_locked(one))


def _is_locked(card: Card) -> bool:
    return card.checkpoint.kind == "repository" and not card.checkpoint.sha256


def _source(card: Card) -> str:
    checkpoint = card.checkpoint
    return f"{checkpoint.repository}@{checkpoint.revision or 'main'}/{checkpoint.repository_path}"


def trusts_code(card: Card) -> bool:
    """Whether code in a card's files may run: it gives the SHA-256 of each, or the user trusts all TorchScript."""
    named = [one.checkpoint.sha256 for one in (card, _second(card)) if one]
    return all(named) or os.environ.get(TRUST_VARIABLE, "") not in ("", "0")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; computed once as long as its size and time of change stay the same."""
    status = path.stat()
    return _sha256(path.resolve(), status.st_size, status.st_mtime_ns)


def load_state(path: Path, *, trusted: bool = False) -> dict[str, Tensor]:
    """The flat state dict in a file, on the CPU.

    Of a trainer's checkpoint it is what lies under one of :data:`STATE_KEYS`.

    Args:
        path: ``.safetensors``; ``.ckpt``, ``.pt``, ``.pth``, ``.bin`` of torch; or a TorchScript archive, ``.jit``.
        trusted: whether code may run that is in an archive.

    Raises:
        TokenizerError: on a damaged or truncated file, one that holds more than data without being a trusted archive,
            or another format.
    """
    if path.suffix == TORCHSCRIPT_SUFFIX:
        return dict(load_torchscript(path, trusted=trusted).state_dict())
    if path.suffix == SAFETENSORS_SUFFIX:
        return _load_safetensors(path)
    if path.suffix not in TORCH_SUFFIXES:
        known = ", ".join((SAFETENSORS_SUFFIX, *TORCH_SUFFIXES, TORCHSCRIPT_SUFFIX))
        raise TokenizerError(f"{path}: checkpoints end in {known}, not in {path.suffix or 'nothing'}")
    return _load_torch(path)


def load_torchscript(path: Path, *, trusted: bool, device: str | torch.device = "cpu") -> ScriptModule:
    """The module in a TorchScript archive, on ``device``.

    Raises:
        TokenizerError: on an archive that isn't trusted, or a damaged one.
    """
    import torch

    if not trusted:
        raise TokenizerError(
            f"{path}: a TorchScript archive is code, and the card gives no SHA-256 for it; if the publisher's is "
            f"{sha256_of(path)}, write it on the card, or say --trust-torchscript (or {TRUST_VARIABLE}=1)"
        )
    try:
        with warnings.catch_warnings():
            # Torch advises against making archives; these are what was published.
            warnings.simplefilter("ignore", FutureWarning)
            return torch.jit.load(path, map_location=device)
    except (RuntimeError, ValueError, EOFError) as error:
        raise TokenizerError(f"{path}: damaged or truncated ({_first_line(error)}); fetch it again") from error


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise TokenizerError(f"{path}: damaged or truncated ({error}); fetch it again") from error


def read_torch(path: Path) -> object:
    """What a file of torch holds, whatever its name ends in: data alone, tensors on the CPU.

    Raises:
        TokenizerError: on a damaged or truncated file, or one that holds more than data.
    """
    import torch

    is_archive = zipfile.is_zipfile(path)
    if is_archive and _holds_torchscript(path):
        raise TokenizerError(f"{path}: a TorchScript archive is code, not weights; save its state dict as safetensors")
    try:
        # Only archives can be mapped; files of torch before 1.6 are one pickle and are read as a whole.
        # Lightning keeps a program's arguments in a Namespace, which is a bare record.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except pickle.UnpicklingError as error:
        if is_archive or "weights_only" in str(error).lower():
            raise TokenizerError(
                f"{path}: holds Python objects beside tensors, and toklab runs no code from a checkpoint; if you trust "
                f"it, load it with torch yourself and save its state dict as safetensors ({_first_line(error)})"
            ) from error
        raise TokenizerError(f"{path}: damaged or truncated ({_first_line(error)}); fetch it again") from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise TokenizerError(f"{path}: damaged or truncated ({_first_line(error)}); fetch it again") from error


def _load_torch(path: Path) -> dict[str, Tensor]:
    import torch

    state = _unwrapped(read_torch(path))
    if not isinstance(state, dict) or not state:
        raise TokenizerError(f"{path}: holds no state dict but a {type(state).__name__}")
    foreign = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if foreign:
        raise TokenizerError(f"{path}: {foreign[0]!r} is no tensor, so this is no flat state dict")
    return state


def _unwrapped(content: object) -> object:
    if isinstance(content, dict):
        for key in STATE_KEYS:
            if key in content:
                return _unwrapped(content[key])
    return content


def _holds_torchscript(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _beside(card: Card) -> Path:
    return Path(str(card.source)).parent / Path(card.checkpoint.path).expanduser()


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _verified(card: Card) -> Path:
    """The one file of a card, downloaded if need be."""
    path = _find_file(card) or _download(card)
    expected = card.checkpoint.sha256
    if expected and (found := sha256_of(path)) != expected:
        raise TokenizerError(
            f"{card.name}: {path} has SHA-256 {found}, but {card.source} says {expected}; remove the file and run "
            f"toklab weights pull {card.name}"
        )
    if _is_locked(card):
        require_pinned(card.name, _source(card), path, sha256_of(path))
    return path


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(card: Card) -> Path:
    from huggingface_hub import hf_hub_download

    checkpoint = card.checkpoint
    try:
        _require_connection()
        return Path(
            hf_hub_download(
                checkpoint.repository,
                checkpoint.file,
                subfolder=checkpoint.subfolder or None,
                revision=checkpoint.revision or None,
            )
        )
    except Exception as error:
        # The client's errors share no base class: HTTP and connection errors of its libraries, OSError, ValueError.
        raise CheckpointUnavailable(
            f"{card.name}: {checkpoint.description} can't be downloaded ({type(error).__name__}: {_first_line(error)})",
            f"Check the connection and the access, then run toklab weights pull {card.name}, or put the file at "
            f"$TOKLAB_CHECKPOINTS/{checkpoint.repository}/{checkpoint.repository_path}",
        ) from error


def _require_connection() -> None:
    """Raise at once where the hub can't be reached; its own client would try for half a minute first."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return
    get_session().head(constants.ENDPOINT, timeout=CONNECTION_TIMEOUT_S)
