"""Checkpoints: finding, verifying and reading the weights that a card names.

Looked for in this order: below ``$TOKLAB_CHECKPOINTS``, beside the card, in the Hugging Face cache; downloaded only
when asked for. Files are read as data: safetensors, or ``torch.load(weights_only=True)``; nothing is unpickled.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .card import Card

if TYPE_CHECKING:
    from torch import Tensor

SAFETENSORS_SUFFIX = ".safetensors"
TORCH_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin")
STATE_KEYS = ("ema_state_dict", "state_dict", "gen_model", "module")
"""Where trainers keep a model's weights in a checkpoint; averaged ones come first, and one may lie within another."""


def find(card: Card) -> Path | None:
    """The checkpoint of a card if it is on this machine, else ``None``; loads no torch and asks no server."""
    checkpoint = card.checkpoint
    if checkpoint.kind == "path":
        return _existing(_beside(card))
    if checkpoint.kind != "repository":
        return None
    root = os.environ.get("TOKLAB_CHECKPOINTS")
    if root:
        name = Path(checkpoint.file).name
        for candidate in (Path(root, checkpoint.repository, checkpoint.repository_path), Path(root, name)):
            if candidate.is_file():
                return candidate
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(
        checkpoint.repository, checkpoint.repository_path, revision=checkpoint.revision or None
    )
    return _existing(Path(cached)) if isinstance(cached, str) else None


def cure(card: Card) -> str:
    """What brings a card's missing checkpoint; empty if nothing is missing. Loads no torch."""
    if card.checkpoint.kind in ("random", "none") or find(card):
        return ""
    if card.checkpoint.kind == "path":
        return f"Put {_beside(card)} there, or mend path in {card.source}"
    return f"toklab weights pull {card.name}"


def resolve(card: Card, *, download: bool = False) -> Path | None:
    """The checkpoint of a card, verified; ``None`` for cards with random weights or none.

    Raises:
        CheckpointUnavailable: if it isn't here and ``download`` is off, or the download fails; with the cure.
        TokenizerError: if its SHA-256 isn't the card's.
    """
    from .interface import CheckpointUnavailable

    if card.checkpoint.kind in ("random", "none"):
        return None
    path = find(card)
    if path is None and (card.checkpoint.kind == "path" or not download):
        raise CheckpointUnavailable(
            f"{card.name}: the checkpoint {card.checkpoint.description} is not on this machine", cure(card)
        )
    path = path or _download(card)
    _verify(card, path)
    return path


def weights_identity(card: Card, path: Path | None) -> str:
    """What the weights are: ``sha256:…`` of the file at ``path``, ``random:SEED``, or ``none``."""
    if path is not None:
        return f"sha256:{sha256_of(path)}"
    return "none" if card.checkpoint.random_seed is None else f"random:{card.checkpoint.random_seed}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; computed once as long as its size and time of change stay the same."""
    status = path.stat()
    return _sha256(path.resolve(), status.st_size, status.st_mtime_ns)


def load_state(path: Path) -> dict[str, Tensor]:
    """The flat state dict in a file, on the CPU: ``.safetensors``, or ``.ckpt``, ``.pt``, ``.pth``, ``.bin`` of torch.

    Of a trainer's checkpoint it is what lies under one of :data:`STATE_KEYS`.

    Raises:
        TokenizerError: on a damaged or truncated file, one that holds more than data, or another format.
    """
    from .interface import TokenizerError

    if path.suffix == SAFETENSORS_SUFFIX:
        return _load_safetensors(path)
    if path.suffix not in TORCH_SUFFIXES:
        known = ", ".join((SAFETENSORS_SUFFIX, *TORCH_SUFFIXES))
        raise TokenizerError(f"{path}: checkpoints end in {known}, not in {path.suffix or 'nothing'}")
    return _load_torch(path)


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from .interface import TokenizerError

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise TokenizerError(f"{path}: damaged or truncated ({error}); fetch it again") from error


def _load_torch(path: Path) -> dict[str, Tensor]:
    import torch

    from .interface import TokenizerError

    is_archive = zipfile.is_zipfile(path)
    if is_archive and _holds_torchscript(path):
        raise TokenizerError(f"{path}: a TorchScript archive is code, not weights; save its state dict as safetensors")
    try:
        # Only archives can be mapped; files of torch before 1.6 are one pickle and are read as a whole.
        # Lightning keeps a program's arguments in a Namespace, which is a bare record.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except pickle.UnpicklingError as error:
        if is_archive or "weights_only" in str(error).lower():
            raise TokenizerError(
                f"{path}: holds Python objects beside tensors, and toklab runs no code from a checkpoint; if you trust "
                f"it, load it with torch yourself and save its state dict as safetensors ({_first_line(error)})"
            ) from error
        raise TokenizerError(f"{path}: damaged or truncated ({_first_line(error)}); fetch it again") from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise TokenizerError(f"{path}: damaged or truncated ({_first_line(error)}); fetch it again") from error
    state = _unwrapped(content)
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


def _verify(card: Card, path: Path) -> None:
    from .interface import TokenizerError

    expected = card.checkpoint.sha256
    if expected and (found := sha256_of(path)) != expected:
        raise TokenizerError(
            f"{card.name}: {path} has SHA-256 {found}, but {card.source} says {expected}; remove the file and run "
            f"toklab weights pull {card.name}"
        )


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(card: Card) -> Path:
    from huggingface_hub import hf_hub_download

    from .interface import CheckpointUnavailable

    checkpoint = card.checkpoint
    try:
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
            f"Mend the connection or the access and run toklab weights pull {card.name}, or put the file at "
            f"$TOKLAB_CHECKPOINTS/{checkpoint.repository}/{checkpoint.repository_path}",
        ) from error
