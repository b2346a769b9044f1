"""The lock file: the SHA-256 of downloads whose card gives none, pinned on first use and checked ever after."""

from __future__ import annotations

import json
import os
import re
import warnings
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import TokenizerError

LOCK_VARIABLE = "TOKLAB_WEIGHTS_LOCK"
"""Environment variable: where the lock file is, such as in a project that keeps it under version control."""
FILE_NAME = "toklab-weights.lock"
FORMAT = 1
UPDATE = "toklab weights lock --update"
"""The command that accepts another file."""


class LockError(TokenizerError):
    """A lock file that can't be read, or a download that isn't the one that was pinned."""


@dataclass(frozen=True)
class Pin:
    """What was found at the first use of a download."""

    sha256: str
    """Hexadecimal."""
    since: str
    """UTC, ISO 8601: when it was pinned."""


def lock_file() -> Path:
    """``$TOKLAB_WEIGHTS_LOCK``, else ``toklab-weights.lock`` in ``toklab`` below the user's configuration folder.

    That is ``$XDG_CONFIG_HOME`` or ``~/.config``: what is pinned must outlive the caches. It need not exist.
    """
    if named := os.environ.get(LOCK_VARIABLE):
        return Path(named).expanduser()
    shared = os.environ.get("XDG_CONFIG_HOME")
    return (Path(shared) if shared else Path.home() / ".config") / "toklab" / FILE_NAME


def read_pins() -> dict[str, Pin]:
    """Every pin by its source; none if there is no lock file.

    Raises:
        LockError: if the file can't be read, or holds something else.
    """
    file = lock_file()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise LockError(f"{file}: its format is {content['format']}, and this toklab knows {FORMAT}; update toklab")
        pins = {source: Pin(**values) for source, values in content["weights"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, LockError):
            raise
        raise LockError(f"{file}: can't be read as a lock file ({error}); fix it, or remove it to pin anew") from error
    for source, pin in pins.items():
        if not re.fullmatch("[0-9a-f]{64}", str(pin.sha256)):
            raise LockError(f"{file}: {source} must have a SHA-256 of 64 hexadecimal digits, not {pin.sha256!r}")
    return pins


def require_pinned(name: str, source: str, path: Path, sha256: str) -> None:
    """Check a download against its pin, or pin it if it has none.

    Where the lock file can't be written there is a warning, and nothing is pinned.

    Args:
        name: the card that uses it, for the message.
        source: where it was downloaded from: ``owner/name@revision/path``.
        path: the file, for the message.
        sha256: what the file has.

    Raises:
        LockError: if another SHA-256 is pinned, or the lock file can't be read.
    """
    pin = read_pins().get(source)
    if pin is None:
        try:
            pin = set_pin(source, sha256, replace=False)
        except OSError as error:
            warnings.warn(
                f"{lock_file()}: can't be written ({error.strerror or error}), so the SHA-256 of {path} isn't pinned; "
                f"name another file with {LOCK_VARIABLE}",
                stacklevel=2,
            )
            return
    if pin.sha256 != sha256:
        raise LockError(
            f"{name}: {path} has SHA-256 {sha256}, but {pin.sha256} was pinned at {pin.since} in {lock_file()}; if the "
            f"new file is right, run {UPDATE} {name}; if not, remove the file and run toklab weights pull {name}"
        )


def set_pin(source: str, sha256: str, *, replace: bool) -> Pin:
    """Pin a download; gives what is pinned then, which without ``replace`` may be what was there before.

    The file is written whole or not at all, and no other process's pin is lost.

    Raises:
        LockError: if the lock file can't be read.
        OSError: if it can't be written.
    """
    from filelock import FileLock

    file = lock_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_name(f".{file.name}.lock")):
        pins = read_pins()
        if source not in pins or replace:
            pins[source] = Pin(sha256, datetime.now(UTC).isoformat(timespec="seconds"))
            _write(file, pins)
    return pins[source]


def _write(file: Path, pins: dict[str, Pin]) -> None:
    content = {"format": FORMAT, "weights": {source: asdict(pin) for source, pin in sorted(pins.items())}}
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
