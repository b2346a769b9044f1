"""Plans: exactly which windows the figures of a cell rest on, one file a cell beside the ledger.

A run writes the plan of each of its cells before it computes anything. What the ledger holds beyond the plan, from a
run without a limit or of a video that is gone, is kept and not counted. Cells of older ledgers have no plan; all their
windows count.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .atomic_files import write_text
from .columns import RowColumns, frames_of
from .errors import LedgerError

FORMAT = 2
UNCHECKED_FORMAT = 1
"""The first format: no digest."""

PlannedWindow = tuple[str, int, str]
"""Source, index of the window in it, and digest of its clip."""


@functools.lru_cache(maxsize=2**17)
def clip_digest(content_id: str, frame_ids: tuple[int, ...]) -> str:
    """What a plan knows a clip by: content of its source and indices of its frames."""
    return hashlib.sha256(f"{content_id}:{','.join(map(str, frame_ids))}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Plan:
    """The windows of a cell, shard by shard."""

    parts: Mapping[int, frozenset[PlannedWindow]]
    """Index of a shard, from 0, to its windows; an unreadable source is one window."""
    count: int = 1
    """Shards in all."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Name to value of every limit that each shard was cut by; of merged shards, that some were."""

    @functools.cached_property
    def windows(self) -> frozenset[PlannedWindow]:
        """The windows of all shards."""
        return frozenset().union(*self.parts.values())

    @property
    def missing_shards(self) -> tuple[str, ...]:
        """Shards that nobody has run, as ``2/4``."""
        return tuple(f"{index + 1}/{self.count}" for index in range(self.count) if index not in self.parts)

    def after(self, earlier: Plan | None) -> Plan:
        """This plan with the other shards of the one before it, if both cut the same dataset in the same way."""
        if earlier is None or (earlier.count, dict(earlier.limits)) != (self.count, dict(self.limits)):
            return self
        return Plan({**earlier.parts, **self.parts}, self.count, self.limits)

    def joined(self, other: Plan) -> Plan:
        """The plan of two run folders that are merged: what either of them planned.

        Limits stay, the larger of each, unless one of the two planned the shards of both without any.

        Raises:
            LedgerError: if they are shards of different counts, whose union is no whole.
        """
        if self.count != other.count and 1 not in (self.count, other.count):
            raise LedgerError(f"shards of {self.count} and shards of {other.count} don't make a whole")
        if self.count != other.count:
            return Plan({0: self.windows | other.windows}, limits=self._joined_limits(other))
        parts = {
            index: self.parts.get(index, frozenset()) | other.parts.get(index, frozenset())
            for index in sorted({*self.parts, *other.parts})
        }
        return Plan(parts, self.count, self._joined_limits(other))

    def _joined_limits(self, other: Plan) -> Mapping[str, int]:
        if self._covers(other) or other._covers(self):
            return {}
        both = [*self.limits.items(), *other.limits.items()]
        return {name: max(value for known, value in both if known == name) for name, _ in both}

    def _covers(self, other: Plan) -> bool:
        """Whether no limit cut it, and it has all shards that the other has."""
        has_them = not self.missing_shards if self.count != other.count else self.parts.keys() >= other.parts.keys()
        return not self.limits and has_them

    def names(self, rows: RowColumns) -> np.ndarray:
        """(rows,) bool, which rows are of the plan's windows."""
        return np.fromiter(_named(self.windows, rows), bool, len(rows))


def _named(planned: frozenset[PlannedWindow], rows: RowColumns) -> Iterator[bool]:
    sources, contents, frames = (rows.texts[name] for name in ("source", "content_id", "frame_ids"))
    ids = [frames_of(text) for text in frames.values]
    columns = (sources.codes, rows.window, contents.codes, frames.codes)
    for source, window, content, frame in zip(*(column.tolist() for column in columns), strict=True):
        yield (sources.values[source], window, clip_digest(contents.values[content], ids[frame])) in planned


def plan_file(folder: Path, cell_id: str) -> Path:
    """Where the plan of a cell lies in a run folder."""
    return folder / f"plan-{cell_id}.json"


def planned_cells(folder: Path) -> list[str]:
    """The cells that have a plan in a run folder."""
    return sorted(path.stem.removeprefix("plan-") for path in folder.glob("plan-*.json"))


def write_plan(folder: Path, cell_id: str, plan: Plan) -> None:
    """Replace the plan of a cell, whole or not at all.

    Raises:
        LedgerError: if the disk is full.
    """
    parts = {str(index): [list(window) for window in sorted(windows)] for index, windows in sorted(plan.parts.items())}
    content = {"format": FORMAT, "shards": plan.count, "limits": dict(plan.limits), "parts": parts}
    write_text(plan_file(folder, cell_id), json.dumps({**content, "digest": _digest(content)}))


def read_plan(folder: Path, cell_id: str) -> Plan | None:
    """The plan of a cell; ``None`` where none was written.

    Raises:
        LedgerError: if the file is damaged, or can't be read.
    """
    path = plan_file(folder, cell_id)
    if not path.is_file():
        return None
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LedgerError(f"{path} can't be read ({error})") from error
    except _OtherFormat as error:
        raise LedgerError(f"{path} was written with plan format {error}, this is {FORMAT}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise LedgerError(f"{path} is damaged ({error}); delete it, and run again to plan anew") from error


class _OtherFormat(ValueError):
    """A plan is whole, but its format is another one, which the message names."""


@functools.lru_cache(maxsize=4)
def _parsed(text: str) -> Plan:
    """The plan in a file's text, which most cells of a run share."""
    found = json.loads(text)
    version = found["format"]
    if version == FORMAT and found.pop("digest") != _digest(found):
        raise ValueError("its content isn't what was written")
    plan = Plan(
        {int(index): _windows(windows) for index, windows in found["parts"].items()},
        int(found["shards"]),
        dict(found["limits"]),
    )
    if version not in (FORMAT, UNCHECKED_FORMAT):
        raise _OtherFormat(version)
    return plan


def _digest(content: Mapping[str, object]) -> str:
    """Of everything in a plan's file but the digest itself."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _windows(listed: Sequence[Sequence[str | int]]) -> frozenset[PlannedWindow]:
    return frozenset((str(source), int(window), str(clip)) for source, window, clip in listed)
