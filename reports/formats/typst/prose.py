"""Running text as the templates take it: text, citations by number, references to tables and figures."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...paper.content import Cite, PaperContent, Prose, Ref
from .glyphs import breakable, visible

Data = dict[str, Any]

_HEAD = re.compile(r"(?P<head>.*? \(\d+ systems?\)): (?P<rest>.*)", re.DOTALL)


class Targets:
    """What running text can refer to: numbers of entries of the bibliography, names of tables and figures."""

    def __init__(self, content: PaperContent, names: Collection[str]):
        self.numbers: Mapping[str, int] = {entry.key: place for place, entry in enumerate(content.references, 1)}
        self._names = names

    def prose(self, text: Prose) -> list[Data]:
        """The parts of running text, in their order."""
        return [self._part(part) for part in text]

    def headed(self, text: Prose) -> Data:
        """A paragraph with its first words apart, where it begins like ``Discrete (8 systems):``."""
        first, *others = text or ("",)
        match = _HEAD.match(first) if isinstance(first, str) else None
        if match is None:
            return {"title": "", "text": self.prose(text)}
        return {"title": breakable(match["head"]), "text": self.prose((match["rest"], *others))}

    def cited(self, cite: Cite | None) -> list[int]:
        """Numbers of what is cited; none without a citation."""
        return [] if cite is None else sorted(self.numbers[key] for key in cite.keys)

    def _part(self, part: str | Cite | Ref) -> Data:
        if isinstance(part, Cite):
            return {"kind": "cite", "numbers": self.cited(part)}
        if isinstance(part, Ref):
            label = target(part.kind, part.name)
            # What the document left out, such as an empty table, has no number to print.
            return {"kind": "ref", "label": label} if label in self._names else {"kind": "text", "text": part.kind}
        return {"kind": "text", "text": breakable(part)}


def target(kind: str, name: str) -> str:
    """The label of a table or figure: ``table-main``."""
    return f"{kind.lower()}-{name}"


def plain_text(text: Prose) -> str:
    """Running text without its references, for readers of a picture's description."""
    parts: Sequence[str] = [part for part in text if isinstance(part, str)]
    return visible("".join(parts).strip())
