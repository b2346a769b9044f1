"""Names of datasets: the identity that a run stores, and what a report calls it.

An official dataset, such as ``mcl-jcv``, is known by its name wherever it lies. A folder is known by its resolved root
(``folder:/data/clips``), because another folder holds other videos, or by a name that the user gives it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

GIVEN_NAME = re.compile(r"\w[\w.+-]*")
"""What a name that the user gives may look like; the identity of a root, which has a colon, never does."""


def root_identity(kind: str, root: Path) -> str:
    """Identity of an unnamed folder: its kind and its resolved root, ``folder:/data/clips``."""
    return f"{kind}:{root.expanduser().resolve().as_posix()}"


def is_root_identity(identity: str) -> bool:
    """Whether a dataset is known by the place where it lies, and by no name."""
    return ":" in identity


def display_names(identities: Iterable[str], reserved: Collection[str] = ()) -> dict[str, str]:
    """What a report calls each dataset: its name, or the last component of its root, made unique.

    Where two would be called alike, or a folder like an official dataset, the parent folders are named too.

    Args:
        identities: every dataset of the report.
        reserved: names that no folder may be shown under, such as those that published figures are matched by.
    """
    known = list(dict.fromkeys(identities))
    names = {identity: identity for identity in known if not is_root_identity(identity)}
    taken = {*names.values(), *reserved}
    parts = {i: PurePosixPath(i.partition(":")[2]).parts for i in known if is_root_identity(i)}
    depths = dict.fromkeys(parts, 1)
    while True:
        shown = {i: _last_parts(i, parts[i], depth) for i, depth in depths.items()}
        clashing = [
            i for i, name in shown.items() if (name in taken or list(shown.values()).count(name) > 1) and name != i
        ]
        if not clashing:
            return {identity: names.get(identity) or shown[identity] for identity in known}
        for identity in clashing:
            depths[identity] += 1


def _last_parts(identity: str, parts: tuple[str, ...], depth: int) -> str:
    """The last components of a root; the identity itself once they are used up."""
    return "/".join(parts[-depth:]).replace("//", "/") or identity if depth <= len(parts) else identity
