"""All weights by name, those of metrics and of tokenizers: where they lie, and how to get them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...reports.tables.plain import PlainTable, to_terminal
from ...tokenizers import checkpoints
from ...tokenizers.card import Card
from ...tokenizers.errors import did_you_mean
from ...tokenizers.trust.lock import UPDATE, lock_file, read_pins, set_pin
from ...tokenizers.trust.weight_files import sha256_of
from ..catalog.catalog import CardTokenizer, tokenizers
from ..metrics import converted_weights, weights
from ..metrics.converted_weights import PinnedFile
from ..metrics.published_pickles import CONVERTED_WEIGHTS, ConvertedWeights

DIGITS = 12
"""Digits of a SHA-256 in a list."""
CHANGED = "CHANGED"
"""How the state of a file begins that isn't the one that was pinned."""


def weights_table() -> str:
    """A table of every weight file: metric weights first, then checkpoints of tokenizers."""
    rows: list[tuple[str, ...]] = []
    for status in weights.status():
        place = str(status.path) if status.path else f"toklab weights pull {status.file.name}"
        size = f"{status.file.size / 1e6:.0f} MB"
        rows.append((status.file.name, status.file.purpose, size, status.file.sha256[:DIGITS], place))
    pins = read_pins()
    for converted in CONVERTED_WEIGHTS.values():
        path = converted_weights.find(converted)
        size = f"{path.stat().st_size / 1e6:.0f} MB" if path else ""
        pin = pins.get(converted.pinned_as)
        known = f"{pin.sha256[:DIGITS]} pinned" if pin else ""
        rows.append((converted.name, converted.purpose, size, known, str(path) if path else converted.hint))
    for entry in tokenizers():
        if isinstance(entry, CardTokenizer) and _has_files(entry.card):
            path = checkpoints.find(entry.card)
            size = f"{path.stat().st_size / 1e6:.0f} MB" if path else ""
            pinned = [pins[file.source].sha256 for file in checkpoints.locked_files(entry.card) if file.source in pins]
            known = entry.card.checkpoint.sha256[:DIGITS] or "".join(
                f"{sha256[:DIGITS]} pinned" for sha256 in pinned[:1]
            )
            rows.append((entry.name, entry.card.spec.title, size, known, str(path) if path else entry.hint()))
    return to_terminal(PlainTable(("name", "for", "size", "SHA-256", "place, or how to get it"), rows))


def find_weights(name: str) -> tuple[Path | None, str]:
    """Where weights lie, unverified, or ``None`` and the command that brings them.

    Raises:
        ValueError: if nothing has that name; with the nearest ones.
    """
    if weights.is_known(name):
        return weights.find(name), f"{name} is not on this machine: toklab weights pull {name}"
    if name in CONVERTED_WEIGHTS:
        converted = CONVERTED_WEIGHTS[name]
        return converted_weights.find(converted), f"{name} is not on this machine: {converted.hint}"
    card = _card(name)
    return checkpoints.find(card), f"{name} is not on this machine: {checkpoints.hint(card)}"


def pull_weights(name: str, *, accept_licence: bool = False) -> Path:
    """The verified weights of a name, downloaded if they aren't here; returns where they are.

    Args:
        name: of a metric, weight file or tokenizer.
        accept_licence: whether the user accepts the licence of weights that ask for it.

    Raises:
        ValueError: if nothing has that name, the download fails, a licence isn't accepted, or a file isn't the right
            one, wherever it was found.
    """
    if weights.is_known(name):
        return weights.pull(name)
    if name in CONVERTED_WEIGHTS:
        return converted_weights.pull(CONVERTED_WEIGHTS[name], accept_licence=accept_licence)
    path = checkpoints.resolve(_card(name), download=True)
    assert path is not None
    return path


def lock_table(names: Sequence[str] = (), *, update: bool = False) -> tuple[str, int]:
    """Check every download that the lock file vouches for, and pin those that are here and have no pin yet.

    Args:
        names: metrics or tokenizers; all if none is given.
        update: whether to pin what is here in place of what was pinned before.

    Returns:
        A table, and how many files aren't the ones that were pinned.

    Raises:
        ValueError: if nothing has one of the names, or the lock file can't be read.
        OSError: if it can't be written.
    """
    rows: list[tuple[str, ...]] = []
    if names:
        for name in names:
            rows += _lock_rows_of_name(name, update=update)
    else:
        for converted in CONVERTED_WEIGHTS.values():
            rows += _converted_lock_rows(converted, update=update, is_named=False)
        for entry in tokenizers():
            if isinstance(entry, CardTokenizer):
                rows += _card_lock_rows(entry.card, update=update, is_named=False)
    table = PlainTable(("name", "download", "SHA-256", "state", "place"), rows, notes=[f"lock file: {lock_file()}"])
    return to_terminal(table), sum(row[3].startswith(CHANGED) for row in rows)


def _lock_rows_of_name(name: str, *, update: bool) -> list[tuple[str, ...]]:
    """The rows of a metric's or a tokenizer's downloads; one row where nothing has to be pinned."""
    if weights.is_known(name):
        file, path = weights.WEIGHT_FILES[name], weights.find(name)
        return [(name, file.urls[0], file.sha256, "toklab's own", str(path or ""))]
    if name in CONVERTED_WEIGHTS:
        return _converted_lock_rows(CONVERTED_WEIGHTS[name], update=update, is_named=True)
    card = _card(name)
    rows = _card_lock_rows(card, update=update, is_named=True)
    return rows or [(card.name, card.checkpoint.description, card.checkpoint.sha256, "the card's own", "")]


def _converted_lock_rows(converted: ConvertedWeights, *, update: bool, is_named: bool) -> list[tuple[str, ...]]:
    files = converted_weights.pinned_files(converted)
    return [row for file in files for row in _lock_rows(converted.name, file, update=update, is_named=is_named)]


def _card_lock_rows(card: Card, *, update: bool, is_named: bool) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for file in checkpoints.locked_files(card):
        sha256 = sha256_of(file.path) if file.path is not None else ""
        pinned = PinnedFile(file.source, sha256, file.path)
        rows += _lock_rows(card.name, pinned, update=update, is_named=is_named)
    return rows


def _lock_rows(name: str, file: PinnedFile, *, update: bool, is_named: bool) -> list[tuple[str, ...]]:
    """The row of one download, which is pinned if it is here; none where there is nothing to say of it."""
    before = read_pins().get(file.source)
    if file.path is None:
        return [(name, file.source, before.sha256 if before else "", "not here", "")] if before or is_named else []
    pin = set_pin(file.source, file.sha256, replace=update)
    state = "ok" if before and before.sha256 == file.sha256 else "pinned now"
    if pin.sha256 != file.sha256:
        state = f"{CHANGED} to {file.sha256}; if that is right: {UPDATE} {name}"
    return [(name, file.source, pin.sha256, state, str(file.path))]


def _card(name: str) -> Card:
    """The card of a tokenizer that has weight files; raises ``ValueError`` if there is none."""
    catalog = tokenizers()
    if name not in catalog:
        known = [
            *weights.WEIGHT_FILES,
            *CONVERTED_WEIGHTS,
            *(e.name for e in catalog if isinstance(e, CardTokenizer) and _has_files(e.card)),
        ]
        hint = did_you_mean(name, known) or "; toklab weights list shows them"
        raise ValueError(f"no metric weights and no tokenizer are called {name!r}{hint}")
    entry = catalog.entry(name)
    if not isinstance(entry, CardTokenizer):
        raise ValueError(f"{name} is a plugin and brings its own weights")
    if not _has_files(entry.card):
        raise ValueError(f"{name} needs no weight file: its weights are {entry.card.checkpoint.description}")
    return entry.card


def _has_files(card: Card) -> bool:
    return card.checkpoint.kind in ("repository", "path")
