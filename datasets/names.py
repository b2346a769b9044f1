"""Names of files, as text that can be kept and printed, and names of datasets: their identity, and what reports say.

An official dataset, such as ``mcl-jcv``, is known by its name wherever it lies. A folder is known by its resolved root
(``folder:/data/clips``), because another folder holds other videos, or by a name that the user gives it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

GIVEN_NAME = re.compile(r"\w[\w.+-]*")
"""What a name that the user gives may look like; the identity of a root, which has a colon, never does."""


UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters, bidirectional controls, and bytes that aren't UTF-8.

Those of :mod:`toklab.reports.text`, where text leaves, and line breaks.
"""
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})")
"""What :func:`escape_name` writes in the place of a character."""


def escape_unprintable(text: str) -> str:
    """The text with what isn't printable spelled out; doing it twice changes nothing."""
    return UNPRINTABLE.sub(_escaped, text)


def escape_name(name: str) -> str:
    """A file's name or path as text that can be kept, printed and turned back by :func:`unescape_name`.

    Ordinary names stay as they are. Otherwise what isn't printable is spelled out (``new\\x0aline.mp4``, and
    ``caf\\udce9.mp4`` for a byte that isn't UTF-8), and so is each backslash, so that no two names become one. The text
    is the same whatever the locale is.

    Args:
        name: as :mod:`os` gives it.
    """
    text = os.fsencode(name).decode("utf-8", "surrogateescape")
    if UNPRINTABLE.search(text) or _unescaped(text) != text:
        return escape_unprintable(text.replace("\\", "\\x5c"))
    return text


def unescape_name(text: str) -> str:
    """The name, as :mod:`os` takes it, that :func:`escape_name` made the text of."""
    return os.fsdecode(_unescaped(text).encode("utf-8", "surrogateescape"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _unescaped(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        found = chr(int(match[1] or match[2], 16))
        return found if found == "\\" or UNPRINTABLE.match(found) else match[0]

    return _ESCAPE.sub(character, text)


def root_identity(kind: str, root: Path) -> str:
    """Identity of an unnamed folder: its kind and its resolved root, ``folder:/data/clips``."""
    return f"{kind}:{escape_name(root.expanduser().resolve().as_posix())}"


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
