"""All weights by name, those of metrics and of tokenizers: where they lie, and how to get them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...reports.tables.plain import PlainTable, to_terminal
from ...tokenizers import checkpoints
from ...tokenizers.card import Card
from ...tokenizers.errors import did_you_mean
from ...tokenizers.trust.lock import UPDATE, lock_file, read_pins, set_pin
from ..catalog.catalog import CardTokenizer, tokenizers
from ..metrics import weights

DIGITS = 12
"""Digits of a SHA-256 in a list."""


def weights_table() -> str:
    """A table of every weight file: metric weights first, then checkpoints of tokenizers."""
    rows: list[tuple[str, ...]] = []
    for status in weights.status():
        place = str(status.path) if status.path else f"toklab weights pull {status.file.name}"
        size = f"{status.file.size / 1e6:.0f} MB"
        rows.append((status.file.name, status.file.purpose, size, status.file.sha256[:DIGITS], place))
    pins = read_pins()
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
    card = _card(name)
    return checkpoints.find(card), f"{name} is not on this machine: {checkpoints.hint(card)}"


def pull_weights(name: str) -> Path:
    """The verified weights of a name, downloaded if they aren't here; returns where they are.

    Raises:
        ValueError: if nothing has that name, the download fails, or a file isn't the right one, wherever it was found.
    """
    if weights.is_known(name):
        return weights.pull(name)
    path = checkpoints.resolve(_card(name), download=True)
    assert path is not None
    return path


def lock_table(names: Sequence[str] = (), *, update: bool = False) -> tuple[str, int]:
    """Check every download that the lock file vouches for, and pin those that are here and have no pin yet.

    Args:
        names: tokenizers; all if none is given.
        update: whether to pin what is here in place of what was pinned before.

    Returns:
        A table, and how many files aren't the ones that were pinned.

    Raises:
        ValueError: if nothing has one of the names, or the lock file can't be read.
        OSError: if it can't be written.
    """
    cards = [_card(name) for name in names] or [e.card for e in tokenizers() if isinstance(e, CardTokenizer)]
    rows: list[tuple[str, ...]] = []
    changed = 0
    for card in cards:
        files = checkpoints.locked_files(card)
        if not files and names:
            rows.append((card.name, card.checkpoint.description, card.checkpoint.sha256, "the card's own", ""))
        for file in files:
            before = read_pins().get(file.source)
            if file.path is None:
                rows += (
                    [(card.name, file.source, before.sha256 if before else "", "not here", "")]
                    if before or names
                    else []
                )
                continue
            sha256 = checkpoints.sha256_of(file.path)
            pin = set_pin(file.source, sha256, replace=update)
            state = "ok" if before and before.sha256 == sha256 else "pinned now"
            if pin.sha256 != sha256:
                changed += 1
                state = f"CHANGED to {sha256}; if that is right: {UPDATE} {card.name}"
            rows.append((card.name, file.source, pin.sha256, state, str(file.path)))
    table = PlainTable(("name", "download", "SHA-256", "state", "place"), rows, notes=[f"lock file: {lock_file()}"])
    return to_terminal(table), changed


def _card(name: str) -> Card:
    """The card of a tokenizer that has weight files; raises ``ValueError`` if there is none."""
    catalog = tokenizers()
    if name not in catalog:
        known = [
            *weights.WEIGHT_FILES,
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
