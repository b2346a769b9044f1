"""All weights by name, those of metrics and of tokenizers: where they lie, and how to get them."""

from __future__ import annotations

from pathlib import Path

from ...reports.tables.plain import PlainTable, to_terminal
from ...tokenizers import checkpoints
from ..catalog.catalog import CardTokenizer, tokenizers
from ..metrics import weights


def weights_table() -> str:
    """A table of every weight file: metric weights first, then checkpoints of tokenizers."""
    rows: list[tuple[str, ...]] = []
    for status in weights.status():
        place = str(status.path) if status.path else f"toklab weights pull {status.file.name}"
        rows.append((status.file.name, status.file.purpose, f"{status.file.size / 1e6:.0f} MB", place))
    for entry in tokenizers():
        if isinstance(entry, CardTokenizer) and entry.card.checkpoint.kind in ("repository", "path"):
            path = checkpoints.find(entry.card)
            size = f"{path.stat().st_size / 1e6:.0f} MB" if path else ""
            rows.append((entry.name, entry.card.spec.title, size, str(path) if path else entry.hint()))
    return to_terminal(PlainTable(("name", "for", "size", "place, or how to get it"), rows))


def find_weights(name: str) -> tuple[Path | None, str]:
    """Where weights lie, or ``None`` and the command that brings them.

    Raises:
        ValueError: if nothing has that name.
    """
    if weights.is_known(name):
        return weights.find(name), f"{name} is not on this machine: toklab weights pull {name}"
    entry = tokenizers().entry(name)
    if not isinstance(entry, CardTokenizer):
        raise ValueError(f"{name} is a plugin and brings its own weights")
    if entry.card.checkpoint.kind in ("random", "none"):
        raise ValueError(f"{name} needs no weight file: its weights are {entry.card.checkpoint.description}")
    return checkpoints.find(entry.card), f"{name} is not on this machine: {entry.hint()}"


def pull_weights(name: str) -> Path:
    """Download and verify weights; returns where they are.

    Raises:
        ValueError: if nothing has that name, or the download fails.
    """
    found, _ = find_weights(name)
    if weights.is_known(name):
        return weights.pull(name)
    if found is not None:
        return found
    entry = tokenizers().entry(name)
    assert isinstance(entry, CardTokenizer)
    path = checkpoints.resolve(entry.card, download=True)
    assert path is not None
    return path
