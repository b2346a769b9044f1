"""A cell of the plan: one tokenizer × dataset × protocol × inference settings, and its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ...datasets.protocol import Protocol
from ...tokenizers.interface import GENERAL_SETTINGS, InferenceSettings, Regularizer

NOISE_SETTINGS = frozenset({"posterior", "seed"})
"""Settings that only tokenizers with a posterior to sample from use."""


READER_PACKAGES = {"decord": "decord", "pyav": "av"}
"""The package that decodes for a reader; raw video and images are toklab's own."""


def settings_without_effect(regularizer: Regularizer) -> frozenset[str]:
    """The general inference settings that change nothing about a tokenizer's output, by its regularizer."""
    if regularizer == "codec":
        return GENERAL_SETTINGS
    return frozenset() if regularizer == "kl" else NOISE_SETTINGS


def canonical_hash(value: Any, digits: int = 16) -> str:
    """The first digits of the SHA-256 of a value's sorted JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:digits]


@dataclass(frozen=True)
class Cell:
    """What is to be run once. Everything it does is decided by these fields and the clips."""

    tokenizer: str
    """Name of a card or plugin."""
    dataset: str
    """Identity of the dataset: its name, or kind and resolved root of a folder without one."""
    root: Path | None
    """Where the dataset lies; not part of the identity."""
    protocol: Protocol
    settings: InferenceSettings
    metrics: tuple[str, ...]
    """Metrics to compute; not part of the identity, for each has its own."""

    settings_without_effect: frozenset[str] = frozenset()
    """Settings that the tokenizer doesn't use; they are part of the identity, but not of the label."""
    dataset_kind: str = ""
    """The dataset's name in the catalog, where it isn't ``dataset``; not part of the identity."""

    @property
    def label(self) -> str:
        """The row's label in tables: name, and the settings with an effect that differ from the default."""
        defaults = {f.name: f.default for f in fields(self.settings) if f.name in self.settings_without_effect}
        changed = replace(self.settings, **defaults).label
        return f"{self.tokenizer} ({changed})" if changed else self.tokenizer

    def identity(self, card_identity: str, weights_identity: str) -> str:
        """Forward identity: what decides every reconstruction, given the clip."""
        return canonical_hash(
            {
                "tokenizer": self.tokenizer,
                "card": card_identity,
                "weights": weights_identity,
                "dataset": self.dataset,
                "protocol": self.protocol.hash,
                "settings": self.settings.hash,
            }
        )


def clip_identity(content_id: str, frame_ids: tuple[int, ...]) -> str:
    """Identity of a clip: content of its source and indices of its frames."""
    return canonical_hash([content_id, list(frame_ids)], digits=32)


def reference_identity(content_id: str, frame_ids: tuple[int, ...], protocol_hash: str, reader: str = "") -> str:
    """Identity of a clip's pixels under a protocol: what measurements of the reference are kept by.

    Args:
        content_id: SHA-256 of the source's content.
        frame_ids: of the window.
        protocol_hash: of the protocol.
        reader: the reader that decoded them, with its version: see :func:`versioned_reader`. Without the version, or
            empty, for the identity of ledgers from before these counted.
    """
    pixels: list[Any] = [content_id, list(frame_ids), protocol_hash]
    return canonical_hash([*pixels, reader] if reader else pixels, digits=32)


def versioned_reader(reader: str, versions: Mapping[str, str]) -> str:
    """A reader's name with the version of the package that decodes; the name alone where none does, or none is known.

    Args:
        reader: ``decord``, ``pyav``, ….
        versions: of packages, by name.
    """
    version = versions.get(READER_PACKAGES.get(reader, ""), "")
    return f"{reader} {version}" if version else reader


def noise_seed(seed: int, content_id: str, window: int) -> int:
    """Seed of a window's noise generator: survives resume, sharding and batching."""
    digest = hashlib.sha256(f"{seed}:{content_id}:{window}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
