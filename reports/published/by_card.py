"""Every published figure of a model that has a card, with that card: what measured figures are checked against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..schema import Figure
from .literature import other_results, read_published, vidtok_table1, vidtok_variants


@dataclass(frozen=True)
class CardFigure:
    """A published figure and the card of its model."""

    tokenizer: str
    """Name of the card; empty where the model has none, because it isn't public."""
    figure: Figure
    """As printed. Its protocol is ``vidtok`` where the source follows VidTok's script, else words of the source."""


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


def _table1() -> Iterator[CardFigure]:
    cards = {(row["system"], row["regularizer"]): row["tokenizer"] for row in read_published("vidtok_table1_cards.csv")}
    for figure in vidtok_table1():
        yield CardFigure(cards.get((figure.system, figure.regularizer), ""), figure)


def _variants() -> Iterator[CardFigure]:
    described = {row["variant"]: row["description"] for row in read_published("vidtok_table2.csv")}
    cards: dict[str, str] = {}
    for row in read_published("vidtok_table2_cards.csv"):
        cards[f"VidTok KL - 4chn ({described[row['variant']]}; Table 2)"] = row["tokenizer"]
    for row in read_published("vidtok_table3_cards.csv"):
        variant = f"regularization loss: {row['regularization_loss']}; Table 3"
        cards[f"VidTok {row['regularizer']} ({variant})"] = row["tokenizer"]
    for row in read_published("vidtok_table5_cards.csv"):
        variant = f"{row['compression']}, {'' if row['causal'] == 'yes' else 'not '}causal; Table 5"
        cards[f"VidTok {row['regularizer']} ({variant})"] = row["tokenizer"]
    yield from _with_cards(vidtok_variants(), {label: [name] for label, name in cards.items()})


def _others() -> Iterator[CardFigure]:
    cards: dict[str, list[str]] = {}
    for row in read_published("other_results_cards.csv"):
        cards.setdefault(f"{row['system']} {row['variant']}", []).append(row["tokenizer"])
    yield from _with_cards(other_results(), cards)


def _with_cards(figures: Iterable[Figure], cards: dict[str, list[str]]) -> Iterator[CardFigure]:
    for figure in figures:
        for tokenizer in cards.get(figure.label, ()):
            yield CardFigure(tokenizer, figure)
