"""Published figures of the models that have cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from ..schema import Figure
from .literature import (
    VARIANT_TABLES,
    other_results,
    read_published,
    rows_with_cards,
    variant_label,
    vidtok_table1,
    vidtok_variants,
)


@dataclass(frozen=True)
class CardFigure:
    """A published figure and the card of its model."""

    tokenizer: str
    """Name of the card; empty where the model has none, because it isn't public."""
    figure: Figure
    """As printed. Its protocol is ``vidtok`` where the source follows VidTok's script, else words of the source."""


@dataclass(frozen=True)
class PublishedRow:
    """Figures that one source prints for one model on one dataset."""

    dataset: str
    source: str
    figures: tuple[Figure, ...]

    @property
    def text(self) -> str:
        """The figures as printed: ``PSNR 29.64, LPIPS 0.114 on mcl-jcv``."""
        figures = ", ".join(f"{figure.title} {figure.value:.{figure.decimals}f}" for figure in self.figures)
        doubts = [f"; {figure.title} {doubt}" for figure in self.figures for doubt in figure.note.split("; ")[1:]]
        return f"{figures} on {self.dataset}{''.join(doubts)}"


def figures_by_card() -> list[CardFigure]:
    """Tables 1, 2, 3 and 5 of the VidTok paper, then the other sources.

    A figure that several tables print of one model is there once. Figures without a card are those of Table 1 alone.
    """
    found: list[CardFigure] = []
    seen: set[tuple[str, str, str, float]] = set()
    for candidate in (*_table1(), *_variants(), *_others()):
        figure = candidate.figure
        key = (candidate.tokenizer, figure.dataset, figure.title, figure.value)
        if not candidate.tokenizer or key not in seen:
            seen.add(key)
            found.append(candidate)
    return found


def published_rows() -> dict[str, list[PublishedRow]]:
    """Every row of ``other_results.csv`` whose model has a card, by card, in the order of the file.

    Raises:
        TableError: if a published value isn't a number.
    """
    cards = _cards_of_others()
    rows: dict[str, list[PublishedRow]] = {}
    for (label, dataset, source), figures in groupby(
        other_results(), key=lambda figure: (figure.label, figure.dataset, figure.citation)
    ):
        row = PublishedRow(dataset, source, tuple(figures))
        for tokenizer in cards.get(label, ()):
            rows.setdefault(tokenizer, []).append(row)
    return rows


def fullest(rows: Iterable[PublishedRow]) -> PublishedRow:
    """The row with the most figures, the first of several."""
    return max(rows, key=lambda row: len(row.figures))


def _table1() -> Iterator[CardFigure]:
    cards = {(row["system"], row["regularizer"]): tokenizer for row, tokenizer in rows_with_cards(1)}
    for figure in vidtok_table1():
        yield CardFigure(cards[figure.system, figure.regularizer], figure)


def _variants() -> Iterator[CardFigure]:
    cards = {
        variant_label(table, row): [tokenizer]
        for table in VARIANT_TABLES
        for row, tokenizer in rows_with_cards(table)
        if tokenizer
    }
    yield from _with_cards(vidtok_variants(), cards)


def _others() -> Iterator[CardFigure]:
    yield from _with_cards(other_results(), _cards_of_others())


def _cards_of_others() -> dict[str, list[str]]:
    """Cards by the labels of :func:`~.literature.other_results`; sources call a model by several names."""
    cards: dict[str, list[str]] = {}
    for row in read_published("other_results_cards.csv"):
        cards.setdefault(f"{row['system']} {row['variant']}", []).append(row["tokenizer"])
    return cards


def _with_cards(figures: Iterable[Figure], cards: Mapping[str, list[str]]) -> Iterator[CardFigure]:
    for figure in figures:
        for tokenizer in cards.get(figure.label, ()):
            yield CardFigure(tokenizer, figure)
