"""Checkpoints: finding and verifying the weights that a card names; :mod:`.trust.weight_files` reads them.

A ``path`` is looked for beside the card, then by its file name below ``$TOKLAB_CHECKPOINTS``; a repository's file below
``$TOKLAB_CHECKPOINTS``, then in the Hugging Face cache, and it is downloaded only when asked for. Wherever a file was
found, its SHA-256 is the card's, or the one that was pinned when it was first used: see :mod:`.trust.lock`. Hashing
takes about a second for each GiB, once a process.

TorchScript archives are code: they load if the card knows their SHA-256, or the user trusts them. A pin is no such
trust.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from .card import Card
from .errors import CheckpointUnavailable, TokenizerError
from .trust.lock import require_pinned
from .trust.weight_files import TRUST_VARIABLE, first_line, sha256_of

# huggingface_hub reads it when it is imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

CONNECTION_TIMEOUT_S = 10
"""Seconds without an answer after which the hub counts as out of reach."""
COMMON_NAMES = frozenset(
    {"autoencoder.jit", "encoder.jit", "decoder.jit", "diffusion_pytorch_model.safetensors", "model.safetensors"}
)
"""File names of many repositories: below ``$TOKLAB_CHECKPOINTS`` they lie in a folder with the repository's name."""


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
        # Many models' files share a name, so one below the root must not hide the file that the card names.
        below_root = Path(root, Path(checkpoint.path).name) if root else None
        return _existing(_beside(card)) or (_existing(below_root) if below_root else None)
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


def _beside(card: Card) -> Path:
    return Path(str(card.source)).parent / Path(card.checkpoint.path).expanduser()


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _verified(card: Card) -> Path:
    """The one file of a card, downloaded if need be."""
    path = _find_file(card) or _download(card)
    expected = card.checkpoint.sha256
    if expected and (found := sha256_of(path)) != expected:
        is_download = card.checkpoint.kind == "repository"
        fix = f"remove the file and run toklab weights pull {card.name}" if is_download else "put the right file there"
        raise TokenizerError(f"{card.name}: {path} has SHA-256 {found}, but {card.source} says {expected}; {fix}")
    if _is_locked(card):
        require_pinned(card.name, _source(card), path, sha256_of(path))
    return path


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
            f"{card.name}: {checkpoint.description} can't be downloaded ({type(error).__name__}: {first_line(error)})",
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
