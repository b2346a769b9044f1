"""What was published of the models that have cards: ``other_results_cards.csv`` names the card of a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from ..schema import Figure
from .literature import other_results, read_published


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


def published_rows() -> dict[str, list[PublishedRow]]:
    """Every published row of the models that have cards, by card, in the order of the file.

    Raises ``TableError`` if a published value isn't a number.
    """
    cards: dict[str, list[str]] = {}
    for row in read_published("other_results_cards.csv"):
        cards.setdefault(f"{row['system']} {row['variant']}", []).append(row["tokenizer"])
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
