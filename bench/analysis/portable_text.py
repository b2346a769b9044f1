"""Text and names without the places of this machine, for files that travel."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ...datasets.names import is_root_identity

_PATH = re.compile(r"(?<![\w/:.~\\-])(?:~|[A-Za-z]:)?(?:[/\\][^\s/\\'\"`,;:()<>|]+)+[/\\]?")
"""An absolute path without blanks; what follows a colon and slashes, as in a URL, is none."""
_HASHED = re.compile(r"\w[\w-]*:#[0-9a-f]{12}/[^/]*")
DIGITS = 12


def portable_dataset(identity: str) -> str:
    """The identity of a dataset without the place where it lies: of a folder, its name behind a hash of its place.

    ``folder:/data/clips`` becomes ``folder:#3f2a…/clips``; names stay, and so does what is portable already.
    """
    if not is_root_identity(identity) or _HASHED.fullmatch(identity):
        return identity
    kind, _, root = identity.partition(":")
    digest = hashlib.sha256(root.encode()).hexdigest()[:DIGITS]
    return f"{kind}:#{digest}/{PurePosixPath(root).name}"


def portable(text: str, roots: Sequence[str] = ()) -> str:
    """The text with absolute paths cut down to their last component.

    Args:
        text: any.
        roots: folders of this machine, whose names may have blanks.
    """
    for root in sorted(roots, key=len, reverse=True):
        text = re.sub(rf"{re.escape(root)}[/\\\\]", "", text)
        text = re.sub(rf"{re.escape(root)}(?![\w.-])", lambda match: _last_part(match[0]), text)
    return _PATH.sub(lambda match: _last_part(match[0]), text)


def portable_values(values: Any, roots: Sequence[str]) -> Any:
    """Plain values with every text in them as :func:`portable` gives it."""
    if isinstance(values, str):
        return portable(values, roots)
    if isinstance(values, dict):
        return {name: portable_values(value, roots) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [portable_values(value, roots) for value in values]
    return values


def local_roots(datasets: Iterable[str], folders: Iterable[Path], commands: Iterable[Sequence[str]]) -> list[str]:
    """Folders of this machine that texts of a run may name.

    Args:
        datasets: identities of its datasets.
        folders: its run folders.
        commands: what made it.
    """
    found = {identity.partition(":")[2] for identity in datasets if is_root_identity(identity)}
    found |= {str(place.absolute()) for place in (*folders, Path.cwd(), Path.home())}
    found |= {re.split(r"[=:]", word)[-1] for command in commands for word in command}
    return sorted(root.rstrip("/") for root in found if root.startswith("/") and root.strip("/"))


def _last_part(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
