"""What two cells of one tokenizer and dataset do differently: fields of their protocols, and inference settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...datasets.protocol import Protocol
from ...tokenizers.interface import InferenceSettings
from ..ledger.records import CellRecord
from ..planning.cell import settings_without_effect
from .conventions import FRAMES

RATE = "rate"

FIELD_SWITCHES: Mapping[str, str] = {
    "sample_fps": RATE,
    "subsampling": RATE,
    "max_frames": FRAMES,
    "chunk_size": FRAMES,
    "long_video": FRAMES,
    "stride": FRAMES,
    "tail": FRAMES,
    "height": "size",
    "width": "size",
    "size_multiple": "size",
    "resize": "size",
    "resize_filter": "resize filter",
    "antialias": "resize filter",
    "crop": "crop",
    "round_to_uint8": "float or 8 bits",
    "colour_matrix": "colour matrix",
    "feature_frames": "FVD clips",
}
"""Field of a protocol → the switch that it belongs to."""

OF_WINDOWS = frozenset({RATE, FRAMES})
"""Switches that change which windows a video has."""

SETTING_SWITCHES: Mapping[str, str] = {"posterior": "mean or sampled latents"}
"""Inference setting → its switch; others are named as they are."""


@dataclass(frozen=True)
class Difference:
    """What a cell does differently from another one."""

    switches: tuple[str, ...]
    """Names of the switches that are turned, each once."""
    words: str
    """What they are turned to: ``crop=top-left, posterior=sample``."""

    @property
    def switch(self) -> str:
        """The switches in words."""
        return " and ".join(self.switches)


def difference(one: CellRecord, other: CellRecord) -> Difference:
    """What ``other`` does differently from ``one``; no switches where there is nothing."""
    turned: dict[str, str] = {}
    words: list[str] = []
    for name, switch in FIELD_SWITCHES.items():
        default = Protocol.model_fields[name].get_default()
        before, after = one.protocol.get(name, default), other.protocol.get(name, default)
        if before != after:
            turned[switch] = switch
            words.append(f"{name}={in_words(after)}")
    defaults = InferenceSettings().as_dict()
    without_effect = settings_without_effect(one.spec.get("regularizer", "kl"))
    for name in dict.fromkeys((*one.settings, *other.settings)):
        before, after = (cell.settings.get(name, defaults.get(name)) for cell in (one, other))
        # The seed of a posterior of which one cell takes the mean says nothing more.
        if name == "seed" and SETTING_SWITCHES["posterior"] in turned:
            continue
        if before != after and name not in without_effect:
            turned[SETTING_SWITCHES.get(name, name)] = name
            words.append(f"{name}={in_words(after)}")
    return Difference(tuple(turned), ", ".join(words))


def changed_fields(protocol: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Fields of ``protocol`` that differ from those of another one, with their values, but for the colour matrix."""
    changed = []
    for name in FIELD_SWITCHES:
        default = Protocol.model_fields[name].get_default()
        value = protocol.get(name, default)
        if name != "colour_matrix" and value != other.get(name, default):
            changed.append(f"{name}={in_words(value)}")
    return changed


def in_words(value: object) -> str:
    """A value as a command takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
