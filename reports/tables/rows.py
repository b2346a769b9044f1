"""The rows of a printed table or chart: one for each tokenizer and setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..identity import rests_of_labels, row_title
from ..schema import Figure


@dataclass
class ArrangedRow:
    """Figures of one tokenizer under one setting, by the index of their column."""

    source: Figure
    """One of its figures, for the facts all of them share."""
    protocol_key: tuple[str, str] | None = None
    """Name and hash, where its figures collide with those of another row of the same tokenizer; else ``None``."""
    figures: dict[int, Figure] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        """Name of the protocol where that has to be said; else empty."""
        return self.protocol_key[0] if self.protocol_key else ""


def arrange_rows(figures: Sequence[Figure], places: Sequence[int]) -> list[ArrangedRow]:
    """One row for each tokenizer and setting, and more where several of its figures want one place."""
    drafts: dict[tuple[str, ...], list[ArrangedRow]] = {}
    for figure, place in zip(figures, places, strict=True):
        rows = drafts.setdefault(figure.row_key, [ArrangedRow(figure)])
        # Figures under one protocol stay together, so that a row never mixes what the columns keep apart.
        keys = (None, figure.protocol_key)
        fitting = [row for row in rows if place not in row.figures and row.protocol_key in keys]
        if not fitting:
            fitting = [ArrangedRow(figure, figure.protocol_key)]
            rows += fitting
        fitting[-1].figures[place] = figure
    return [row for rows in drafts.values() for row in rows]


def row_titles(rows: Sequence[ArrangedRow]) -> list[str]:
    """System, with what distinguishes a row from the others of its group: weights, settings, protocol.

    Rows of one group that would still be alike have in addition what their names in charts have.
    """
    titles = [row_title(row.source) + (f" [{row.protocol}]" if row.protocol else "") for row in rows]
    alike: dict[tuple[str, str, str], list[int]] = {}
    for index, row in enumerate(rows):
        alike.setdefault((row.source.origin, titles[index], row.source.regularizer), []).append(index)
    for members in alike.values():
        for index, rest in zip(members, rests_of_labels([rows[member].source for member in members]), strict=True):
            if len(members) > 1:
                titles[index] = f"{titles[index]} {rest}".rstrip()
    return titles
