"""Files of weights: their hash, and what they hold, read as data.

Files are safetensors, or what ``torch.load(weights_only=True)`` takes; nothing is unpickled. TorchScript archives are
code: they load only if whoever asks trusts them.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
import warnings
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import TokenizerError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.jit import ScriptModule

SAFETENSORS_SUFFIX = ".safetensors"
TORCHSCRIPT_SUFFIX = ".jit"
TORCH_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin")
TRUST_VARIABLE = "TOKLAB_TRUST_TORCHSCRIPT"
"""Environment variable: any value but 0 lets TorchScript archives load whose SHA-256 no card gives."""
TORCH_STARTS = (b"PK", b"\x80")
"""How archives of torch begin, and its pickles before version 1.6."""
SHOWN_BYTES = 24
"""Of a file that is something else than it should be."""
STATE_KEYS = ("ema_state_dict", "state_dict", "gen_model", "module")
"""Where trainers keep a model's weights in a checkpoint; averaged ones come first, and one may lie within another."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; computed once as long as its size and time of change stay the same."""
    status = path.stat()
    return _sha256(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_state(path: Path, *, trusted: bool = False) -> dict[str, Tensor]:
    """The flat state dict in a file, on the CPU.

    Of a trainer's checkpoint it is what lies under one of :data:`STATE_KEYS`.

    Args:
        path: ``.safetensors``; ``.ckpt``, ``.pt``, ``.pth``, ``.bin`` of torch; or a TorchScript archive, ``.jit``.
        trusted: whether code may run that is in an archive.

    Raises:
        TokenizerError: on a file that isn't there, is damaged or truncated, holds more than data without being a
            trusted archive, or is of another format.
    """
    if not path.is_file():
        raise TokenizerError(f"{path}: there is no such file")
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
        raise TokenizerError(f"{path}: damaged or truncated ({first_line(error)}); fetch it again") from error


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
        if not is_archive and not _begins_well(path) and "GLOBAL" not in str(error):
            raise _no_weights(path) from error
        if is_archive or "weights_only" in str(error).lower():
            raise TokenizerError(
                f"{path}: holds Python objects beside tensors, and toklab runs no code from a checkpoint; if you trust "
                f"it, load it with torch yourself and save its state dict as safetensors ({first_line(error)})"
            ) from error
        raise TokenizerError(f"{path}: damaged or truncated ({first_line(error)}); fetch it again") from error
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        # Torch takes any bytes for instructions, so that text may end in every one of these.
        if not is_archive and not _begins_well(path):
            raise _no_weights(path) from error
        raise TokenizerError(f"{path}: damaged or truncated ({first_line(error)}); fetch it again") from error


def _begins_well(path: Path) -> bool:
    """Whether a file begins as all do that torch has written; one that is empty, or can't be read, may have."""
    try:
        with path.open("rb") as file:
            beginning = file.read(2)
    except OSError:
        return True
    return not beginning or beginning.startswith(TORCH_STARTS)


def _no_weights(path: Path) -> TokenizerError:
    with path.open("rb") as file:
        beginning = file.read(SHOWN_BYTES)
    return TokenizerError(f"{path}: no file of torch, for it begins with {beginning!r}; fetch it again")


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
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        # Torch can't read its list of files either, and says so.
        return False


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its type if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
