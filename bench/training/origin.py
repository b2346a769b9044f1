"""What a training started from, kept in its folder until its card is written."""

from __future__ import annotations

import json
from pathlib import Path

from ...tokenizers.card import NOT_RECORDED
from ...tokenizers.trust.weight_files import sha256_of
from ..ledger.atomic_files import write_text

FILE_NAME = "start.json"
NO_FILE = "none"


def note_origin(folder: Path, weights: Path | None) -> None:
    """Write the hash of the file of weights that a training in ``folder`` starts from; ``None``: of no file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FILE_NAME, json.dumps({"init_hash": sha256_of(weights) if weights else NO_FILE}))


def noted_origin(folder: Path) -> str:
    """That hash, ``none`` where there was no file, or the words for not recorded."""
    path = folder / FILE_NAME
    return json.loads(path.read_text(encoding="utf-8"))["init_hash"] if path.is_file() else NOT_RECORDED
