"""Footnotes of a table: equal texts share a mark."""

from __future__ import annotations

import string
from dataclasses import dataclass

SYMBOLS = "†‡§¶‖"
"""Marks for where a figure is from; doubled, tripled, … once they are used up."""


@dataclass(frozen=True)
class Footnote:
    """One footnote."""

    mark: str
    text: str


class Footnotes:
    """Collects footnotes in the order in which they are first needed."""

    def __init__(self) -> None:
        self._provenance: dict[str, str] = {}
        self._remarks: dict[str, str] = {}

    def provenance(self, text: str) -> str:
        """The mark of a footnote on a figure that is published or foreign to its column: †, ‡, …"""
        return self._provenance.setdefault(text, _nth(SYMBOLS, len(self._provenance)))

    def remark(self, text: str) -> str:
        """The mark of any other footnote: a, b, …"""
        return self._remarks.setdefault(text, _nth(string.ascii_lowercase, len(self._remarks)))

    def listed(self) -> tuple[Footnote, ...]:
        """All footnotes, those on provenance first."""
        return tuple(
            Footnote(mark, text) for notes in (self._provenance, self._remarks) for text, mark in notes.items()
        )


def _nth(marks: str, index: int) -> str:
    return marks[index % len(marks)] * (index // len(marks) + 1)
