"""The catalog: every card there is, and how a card becomes a tokenizer. Reading it loads no torch."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import checkpoints
from .adapters import current_path
from .card import Card
from .card_file import read_card
from .errors import CardError, TokenizerError
from .spec import InferenceSettings
from .trust.cards import require_own_adapter, require_trust

if TYPE_CHECKING:
    import torch

    from .interface import VideoTokenizer


def shipped_cards_folder() -> Traversable:
    """The folder with toklab's own cards."""
    return files(f"{__package__}.cards")


def read_cards(folder: Traversable, *, trusted: bool = False) -> list[Card]:
    """Every card (``*.toml``) directly in a folder, sorted by file name.

    Args:
        folder: where they lie.
        trusted: whether code that they name may run without the user's word, as of an installed package.

    Raises:
        CardError: if there is no such folder, or a card in it can't be used.
    """
    if not folder.is_dir():
        raise CardError(f"{folder}: there is no such folder of cards")
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return [replace(read_card(file), trusted=trusted) for file in found]


def load_cards(folders: Iterable[Path] = ()) -> dict[str, Card]:
    """Shipped cards and those of a user's ``folders``, by name.

    What a user trained by a shipped recipe, or one that extends it, replaces the shipped card of that name.

    Raises:
        CardError: if a card can't be used, a folder is missing or empty, or two cards share a name.
    """
    shipped = {card.name: card for card in read_cards(shipped_cards_folder(), trusted=True)}
    cards = dict(shipped)
    for folder in folders:
        found = read_cards(folder)
        if not found:
            raise CardError(f"{folder}: holds no card (*.toml)")
        for card in found:
            other = cards.get(card.name)
            trained_anew = other is shipped.get(card.name) and card.training is not None
            if other is not None and not (trained_anew and other.training is not None):
                raise CardError(f"{card.source}: {card.name!r} is also the name of {other.source}; rename one of them")
            cards[card.name] = card
    return cards


def stand_ins(cards: dict[str, Card]) -> dict[str, str]:
    """Name of a card → name of the card that suites run in its place.

    Raises:
        CardError: if a card stands in for one that doesn't exist, or two for the same.
    """
    found: dict[str, str] = {}
    for card in cards.values():
        name = card.stand_in_for
        if not name:
            continue
        if name not in cards:
            raise CardError(f"{card.source}: stand_in_for names {name!r}, but there is no such card")
        if name in found:
            raise CardError(f"{card.source}: {cards[found[name]].source} stands in for {name!r} already; remove one")
        found[name] = card.name
    return found


def build_tokenizer(
    card: Card,
    settings: InferenceSettings | None = None,
    *,
    device: str | torch.device = "cpu",
    download: bool = False,
) -> VideoTokenizer:
    """Build the tokenizer of a card with its weights, ready to measure: on ``device``, in evaluation mode, frozen.

    Args:
        card: the variant.
        settings: how it is run; the defaults if not given.
        device: where its modules go.
        download: whether a checkpoint that isn't on this machine is fetched.

    Raises:
        UntrustedCard: if the card names code and the user hasn't trusted it.
        CheckpointUnavailable: if the weights aren't here and may not, or can't, be downloaded.
        TokenizerError: if the adapter can't be imported, or the checkpoint is damaged or another model's.
    """
    require_trust(card)
    path = checkpoints.resolve(card, download=download)
    tokenizer = _construct(card, settings)
    if path is not None:
        tokenizer.load_files(checkpoints.files(card, path), trusted=checkpoints.trusts_code(card))
    elif card.checkpoint.random_seed is not None:
        tokenizer.init_random(card.checkpoint.random_seed)
    return freeze(tokenizer).to(device)


def build_on_meta(card: Card, settings: InferenceSettings | None = None) -> VideoTokenizer:
    """Build the tokenizer of a card on torch's meta device, without weights: enough to count its work.

    Raises:
        UntrustedCard: if the card names code and the user hasn't trusted it.
        TokenizerError: if the adapter can't be imported.
    """
    import torch

    with torch.device("meta"):
        return freeze(_construct(card, settings))


def _construct(card: Card, settings: InferenceSettings | None) -> VideoTokenizer:
    from .interface import VideoTokenizer

    require_trust(card)
    try:
        adapter = pkgutil.resolve_name(current_path(card.adapter))
    except (ImportError, AttributeError) as error:
        raise TokenizerError(
            f"{card.name}: the adapter {card.adapter} that {card.source} names can't be imported: {error}"
        ) from error
    require_own_adapter(card, adapter)
    tokenizer = adapter(card.spec, _parameters(card), settings or InferenceSettings())
    if not isinstance(tokenizer, VideoTokenizer):
        raise TokenizerError(
            f"{card.name}: the adapter {card.adapter} gives a {type(tokenizer).__name__}, no VideoTokenizer"
        )
    return tokenizer


def _parameters(card: Card) -> dict[str, Any]:
    """The card's parameters; paths, whose names end in ``_file`` or ``_folder``, start from the card's folder."""
    folder = Path(str(card.source)).parent
    found = dict(card.parameters)
    for name, value in found.items():
        if name.endswith(("_file", "_folder")) and value:
            if not isinstance(value, str):
                raise TokenizerError(
                    f"{card.name}: {name} in {card.source} is a path, hence a string, but is {value!r}"
                )
            found[name] = str(folder / Path(value).expanduser())
    return found


def freeze(tokenizer: VideoTokenizer) -> VideoTokenizer:
    """Put a tokenizer's modules into evaluation mode, without gradients; returns the tokenizer."""
    for module in tokenizer.modules().values():
        module.eval().requires_grad_(False)
    return tokenizer
