"""Multiply-adds among a cell's facts, and those that earlier versions counted wrongly.

The first versions counted every cell with the default inference settings. Where steps, chunks or tiles are others, the
counts are of another model than the one that ran. Facts that are right for such a cell have :data:`COUNTED_AS_SET`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...tokenizers.spec import GENERAL_SETTINGS, NETWORK_SETTINGS, InferenceSettings
from .records import CellRecord

COUNTED_AS_SET = "counted_as_set"
"""The fact, 1, that multiply-adds were counted under the cell's own settings; only where that makes a difference."""
COUNTED_AS_DEFAULT = "counted_as_default"
"""The fact, 1, that they were counted under the default ones, and left out when they were read."""
COUNTS = ("macs_", "flops_")
"""How the names of facts begin that settings decide."""

_DEFAULTS = InferenceSettings().as_dict()


def is_counted_as_set(cell: CellRecord) -> bool:
    """Whether the facts are of the model as the cell's settings run it."""
    changed = {name for name, value in cell.settings.items() if value != _DEFAULTS.get(name, value)}
    return COUNTED_AS_SET in cell.facts or not changed - GENERAL_SETTINGS - NETWORK_SETTINGS


def with_sound_facts(cell: CellRecord) -> CellRecord:
    """The cell without counts of other settings than its own; :data:`COUNTED_AS_DEFAULT` says that there were some."""
    if is_counted_as_set(cell) or not any(name.startswith(COUNTS) for name in cell.facts):
        return cell
    sound = {name: value for name, value in cell.facts.items() if not name.startswith(COUNTS)}
    return replace(cell, facts={**sound, COUNTED_AS_DEFAULT: 1.0})


def joined_facts(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """Facts of a cell that is in two folders: the first one's go before, but never a wrong count before a right one."""
    joined = {**second, **first}
    if COUNTED_AS_SET in joined:
        joined.pop(COUNTED_AS_DEFAULT, None)
    return joined
